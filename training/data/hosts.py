"""The hosts of an archive in groups of similar behaviour, with what the archive says of each.

See nba_broker.verdicts.similarity for the groups.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nba_broker.archive import conn_log
from nba_broker.archive.cluster import workers
from nba_broker.archive.elsewhere import Each
from nba_broker.destinations.pools import Pools, of_database
from nba_broker.hosts.hints import hint
from nba_broker.hosts.identity import UNSPECIFIED
from nba_broker.model.windows import HostWindows, Schedule
from nba_broker.records.errors import ArchiveError
from nba_broker.records.hints import NO_HINT, Hint
from nba_broker.records.ports import port_code
from nba_broker.verdicts import similarity
from training.data.announced import Announced
from training.data.tracking import Placed, Tracking

_LATEST = 256  # sessions of each host to compare: enough, and a large site fits in memory
_NAMED = 64  # the last of them, whose names hints use: as many as the shipped model's window has
_NEVER = np.iinfo(np.int64).max

_MDNS = port_code(5353, "udp")


@dataclass(slots=True)
class Host:
    """What an archive says of one host. ``host``: its MAC, else its address. Times: seconds since
    the epoch. ``names``, ``models``: announced by mDNS. ``hint``: what it may be."""

    host: str
    address: str
    vendor: str
    hostname: str
    sessions: int
    first: float
    last: float
    names: tuple[str, ...]
    models: tuple[str, ...]
    hint: Hint = NO_HINT


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An archive's hosts, their groups int64 [hosts], and the main destinations of each group.
    ``incomplete``: whether a part of the archive could not be read; ``warnings`` name it."""

    hosts: tuple[Host, ...]
    group: np.ndarray
    mostly: tuple[str, ...]
    warnings: tuple[str, ...]
    incomplete: bool = False

    def members(self) -> dict[int, list[Host]]:
        """The hosts of each group, by its number."""
        members: dict[int, list[Host]] = defaultdict(list)
        for host, number in zip(self.hosts, self.group.tolist(), strict=True):
            members[number].append(host)
        return members


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """The content of an archive. first: each slot's first session, seconds. speaker: the slot of
    each session of mDNS, by uid. organisations: by pool."""

    tracker: Tracking
    windows: HostWindows
    first: dict[int, float]
    speaker: dict[str, int]
    organisations: list[str]


def find(
    paths: Sequence[str | Path],
    pools: Pools,
    *,
    since: float | None = None,
    until: float | None = None,
    each: Each | None = None,
) -> Found:
    """The hosts of an archive in groups, the one with the most sessions first.

    Raises ArchiveError when nothing can be read or there is no host.
    """
    archive = conn_log.read(paths, since=since, until=until, others=workers(each), names=True)
    read = _read(archive, pools)
    announced = Announced()
    warnings = [
        *archive.errors,
        *archive.warnings,
        *announced.read(archive.dns_logs, read.speaker),
        *read.tracker.wider.hints("run again with --lans {lan}"),
    ]
    slots = _with_address(archive, read)
    identity = read.tracker.identity
    names = [identity.mac(slot) or identity.address(slot) for slot in slots.tolist()]
    shared = {name: number for name, number in Counter(names).items() if number > 1}
    warnings += [
        f"left out: {number} hosts with the address {name}, in different VLANs or at different "
        "sites, which labels cannot distinguish"
        for name, number in shared.items()
    ]
    slots = slots[[name not in shared for name in names]]
    if not len(slots):
        raise ArchiveError("no host with a MAC, or with an address that no other has")
    hosts = tuple(_host(slot, read, announced) for slot in slots.tolist())
    profiles = similarity.of_windows(read.windows.latest(slots), pools.table)
    group = _busiest_first(
        similarity.kinds(profiles, [host.vendor for host in hosts]),
        np.array([host.sessions for host in hosts]),
    )
    mostly = tuple(
        profiles.select(np.flatnonzero(group == number)).mostly(
            pools.table, read.organisations.__getitem__
        )
        for number in range(group.max() + 1)
    )
    return Found(hosts, group, mostly, tuple(warnings), bool(archive.errors))


def _read(archive: conn_log.Archive, pools: Pools) -> _Read:
    tracker = Tracking(pools)
    for lease in archive.leases:
        tracker.lease(lease)
    read = _Read(tracker, HostWindows(Schedule(_LATEST, _NEVER), evidence=False), {}, {}, [])
    announced = archive.names.announced.reader()
    for batch, answers in archive.batches_with_names():
        tracker.announce(announced(float(batch.ts[-1])))
        for part in tracker.track(batch, answers):
            sessions = part.sessions
            columns = {"pool": part.to.pool, "dport": sessions.dport, "name": part.to.name}
            read.windows.push(part.slot, sessions.ts, **columns)
            for slot, row in zip(*np.unique(part.slot, return_index=True), strict=True):
                read.first.setdefault(int(slot), float(sessions.ts[row]))
            for row in np.flatnonzero(sessions.dport == _MDNS).tolist():
                read.speaker[sessions.uid[row]] = int(part.slot[row])
            known = len(read.organisations)
            read.organisations.extend(_organisations(pools, known, part))
    tracker.announce(announced(math.inf))
    tracker.finish()
    return read


def _with_address(archive: conn_log.Archive, read: _Read) -> np.ndarray:
    """The slots of hosts with an address, int64; raises ArchiveError when there is none."""
    address = read.tracker.identity.address
    slots = [slot for slot in sorted(read.first) if address(slot) not in ("", *UNSPECIFIED)]
    if not slots and archive.report.outside and not len(archive):
        raise ArchiveError(
            f"--since and --until leave none of the {archive.report.outside} sessions"
        )
    if not slots:
        raise ArchiveError("no host in the archive")
    return np.array(slots, np.int64)


def _host(slot: int, read: _Read, announced: Announced) -> Host:
    identity = read.tracker.identity
    named = read.windows.latest(np.array([slot])).columns["name"][0, -_NAMED:]
    facts = replace(
        read.tracker.facts(slot),
        names=read.tracker.names.asked(named),
    )
    return Host(
        host=identity.mac(slot) or identity.address(slot),
        address=identity.address(slot),
        vendor=facts.vendor,
        hostname=facts.hostname,
        sessions=int(read.windows.count[slot]),
        first=read.first[slot],
        last=float(read.windows.last_ts[slot]),
        names=announced.names(slot),
        models=facts.descriptions,
        hint=hint(facts),
    )


def _organisations(pools: Pools, known: int, part: Placed) -> list[str]:
    """The organisations of the pools that are new in these sessions, in the order of the table."""
    found = []
    for number in range(known, len(pools.table)):
        row = int(((part.to.address_pool == number) | (part.to.pool == number)).argmax())
        public = of_database(pools.table[number])
        found.append(pools.place(part.sessions.dst[row]).organisation if public else "")
    return found


def _busiest_first(group: np.ndarray, sessions: np.ndarray) -> np.ndarray:
    place = np.argsort(-np.bincount(group, sessions), kind="stable").argsort()
    renumbered: np.ndarray = place[group]
    return renumbered
