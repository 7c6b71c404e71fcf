"""What kinds of unknown hosts there are, in a few lines: at a new site nearly all are unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nba_broker.destinations.pools import Pools, of_database
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.vendor import vendor
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.records.addresses import printed
from nba_broker.records.segments import described, zoned
from nba_broker.records.verdicts import HostGroup, UnknownHosts
from nba_broker.verdicts import similarity
from nba_broker.verdicts.similarity import Profiles

COMPARED = 1000
"""Hosts that are compared at most, those with the latest sessions: time and memory grow with the
square, and the pipeline waits meanwhile."""

_KINDS = 15  # as many as the manager takes, less a line for the rest
_NAMED = 3  # addresses of a kind


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Hosts that were compared: slot int64 [h], ascending, and the kind of each, int64 [h]."""

    slot: np.ndarray
    kind: np.ndarray
    vendors: list[str]
    profiles: Profiles
    windows: Windows


def kinds(slots: np.ndarray, identity: Identity, sequences: HostWindows, pools: Pools) -> Kinds:
    """Compares these hosts, int64 [n], or the COMPARED of them with the latest sessions.

    Hosts are of a kind when they behave alike in their latest window and their interfaces have the
    same maker; see :func:`nba_broker.verdicts.similarity.kinds`.
    """
    latest = np.sort(slots[np.argsort(-sequences.last_ts[slots], kind="stable")[:COMPARED]])
    windows = sequences.latest(latest)
    profiles = similarity.of_windows(windows, pools.table)
    vendors = [vendor(identity.mac(slot)) for slot in latest.tolist()]
    return Kinds(latest, similarity.kinds(profiles, vendors), vendors, profiles, windows)


def unknown_hosts(
    ts: float,
    slots: np.ndarray,
    identity: Identity,
    sequences: HostWindows,
    pools: Pools,
    said: Mapping[str, str],
) -> UnknownHosts:
    """The kinds of these hosts, int64 [n], unknown at ``ts``.

    A host is named by its address in ``said``, that of its last line by its MAC or else address;
    where it is not in there, by its latest.
    """
    found = kinds(slots, identity, sequences, pools)

    def address(slot: int) -> str:
        latest = identity.address(slot)
        segment = identity.segment(slot)
        named = identity.mac(slot) or zoned(latest, segment)
        return described(said.get(named, latest), segment)

    def organisation(pool: int) -> str:
        if not of_database(pools.table[pool]):
            return ""
        place = int((found.windows.pool == pool).argmax())
        address = found.windows.columns["dst"].reshape(-1)[place].tobytes()
        return pools.place(printed(address)).organisation

    size = np.bincount(found.kind)
    order = np.argsort(-size, kind="stable")
    largest = []
    for number in order[:_KINDS].tolist():
        members = np.flatnonzero(found.kind == number)
        some = tuple(address(slot) for slot in found.slot[members[:_NAMED]].tolist())
        mostly = found.profiles.select(members).mostly(pools.table, organisation)
        largest.append(HostGroup(len(members), some, found.vendors[members[0]], mostly))
    return UnknownHosts(
        ts,
        len(slots),
        tuple(largest),
        other_hosts=int(size[order[_KINDS:]].sum()),
        other_groups=max(len(order) - _KINDS, 0),
        idle=len(slots) - len(found.slot),
    )
