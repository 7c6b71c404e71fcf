"""Groups unknown hosts, of which a new site has many, by behaviour and maker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools, of_database
from nba_broker.hosts.hints import hint
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.vendor import vendor
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.records.addresses import printed
from nba_broker.records.evidence import brief_name
from nba_broker.records.hints import HostFacts
from nba_broker.records.segments import described, zoned
from nba_broker.records.verdicts import HostGroup, UnknownHosts
from nba_broker.verdicts import similarity
from nba_broker.verdicts.similarity import Profiles

COMPARED = 1000
"""Hosts that are compared at most, those with the latest sessions: time and memory grow with the
square of their number, and the pipeline waits."""

_GROUPS = 15  # as many as the Zeek manager takes, less a line for the others
_NAMED = 3  # addresses of a group


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """h hosts that were compared, with their groups.

    slot: int64 [h], ascending. group: the number of each host's group, int64 [h]. vendors: the
    maker of each host's interface, "" where unknown. windows: the latest window of each.
    """

    slot: np.ndarray
    group: np.ndarray
    vendors: list[str]
    profiles: Profiles
    windows: Windows


def compare(slots: np.ndarray, identity: Identity, hosts: HostWindows, pools: Pools) -> Groups:
    """Groups these hosts, int64 [n], or the COMPARED of them with the latest sessions.

    Hosts are in one group when their latest windows are similar and their interfaces have the same
    maker; see :func:`nba_broker.verdicts.similarity.kinds`.
    """
    latest = np.sort(slots[np.argsort(-hosts.last_ts[slots], kind="stable")[:COMPARED]])
    windows = hosts.latest(latest)
    profiles = similarity.of_windows(windows, pools.table)
    vendors = [vendor(identity.mac(slot)) for slot in latest.tolist()]
    return Groups(latest, similarity.kinds(profiles, vendors), vendors, profiles, windows)


def unknown_hosts(
    ts: float,
    slots: np.ndarray,
    identity: Identity,
    facts: Callable[[int], HostFacts],
    hosts: HostWindows,
    pools: Pools,
    names: NameTable,
    logged: Mapping[str, str],
) -> UnknownHosts:
    """The groups of these hosts, int64 [n], which are unknown at ``ts``.

    facts: what is known of the host in a slot. logged: the address in a host's last line, by its
    MAC or else its address. A host that is not in it is named by its latest address.
    """
    found = compare(slots, identity, hosts, pools)

    def address(slot: int) -> str:
        latest = identity.address(slot)
        segment = identity.segment(slot)
        key = identity.mac(slot) or zoned(latest, segment)
        return described(logged.get(key, latest), segment)

    def organisation(pool: int) -> str:
        if not of_database(pools.table[pool]):
            return ""
        place = int((found.windows.pool == pool).argmax())
        address = found.windows.columns["dst"].reshape(-1)[place].tobytes()
        return pools.place(printed(address)).organisation

    columns = found.windows.columns
    service = similarity.services(columns["dport"])

    def name(members: np.ndarray, pool: int, code: int) -> str:
        there = (found.windows.pool[members] == pool) & (service[members] == code)
        return _commonest(columns["name"][members][there], names)

    def facts_of(row: int) -> HostFacts:
        asked = names.asked(columns["name"][row])
        return replace(facts(int(found.slot[row])), names=asked)

    size = np.bincount(found.group)
    order = np.argsort(-size, kind="stable")
    largest = []
    for number in order[:_GROUPS].tolist():
        members = np.flatnonzero(found.group == number)
        some = tuple(address(slot) for slot in found.slot[members[:_NAMED]].tolist())
        mostly = found.profiles.select(members).mostly(
            pools.table, organisation, partial(name, members)
        )
        guess = _guess([facts_of(row) for row in members.tolist()])
        largest.append(HostGroup(len(members), some, found.vendors[members[0]], mostly, guess))
    return UnknownHosts(
        ts,
        len(slots),
        tuple(largest),
        other_hosts=int(size[order[_GROUPS:]].sum()),
        other_groups=max(len(order) - _GROUPS, 0),
        idle=len(slots) - len(found.slot),
    )


def _commonest(numbers: np.ndarray, names: NameTable) -> str:
    """The commonest of the names with these numbers, int32 [n], with dots where there are others;
    "" where there is none."""
    found = names.count(numbers)
    if not found:
        return ""
    name, _ = min(found.items(), key=lambda item: (-item[1], item[0]))
    return f"{brief_name(name)}{', ...' if len(found) > 1 else ''}"


def _guess(facts: Sequence[HostFacts]) -> str:
    """What more than half of these hosts may be, "" if there is no such guess, or if it says no
    more than the maker of their interfaces."""
    hints = [one for one in map(hint, facts) if one.says_more]
    (guess, hosts), *_ = Counter(one.guess for one in hints).most_common(1) or [("", 0)]
    return guess if 2 * hosts > len(facts) else ""
