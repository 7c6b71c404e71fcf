"""The evidence of verdicts: the sessions that led to a window's or an alarm's decision."""

from __future__ import annotations

import numpy as np

from nba_broker.baseline.host_baseline import Anomaly
from nba_broker.baseline.missing import Regular
from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools, of_database
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scores
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.records.addresses import printed
from nba_broker.records.evidence import (
    AlarmSum,
    Attended,
    Evidence,
    MissingSessions,
    NamedDestinations,
    RegularDestination,
    Surprising,
    WindowExtent,
)
from nba_broker.records.ports import port_name
from nba_broker.records.uids import unpack
from nba_broker.verdicts.decision_settings import DecisionSettings

_NAMED = 3  # destinations in a verdict, so that an analyst can read it at a glance
_DIGITS = 4  # of a weight: more would be noise, and would differ between machines


def of_window(
    windows: Windows, scores: Scores, row: int, pools: Pools, names: NameTable
) -> tuple[Evidence, ...]:
    """The destinations with the most attention in the window ``row``, each with the weight of all
    its sessions, then the window's extent.

    Each destination has the uid of the session with the largest weight, of equal ones the latest,
    and the name that it had in the latest.
    """
    columns, attention = windows.columns, scores.attention[row].tolist()
    # Rounded before the comparison: further digits are noise.
    rounded = scores.attention[row].astype(float).round(_DIGITS).tolist()
    numbers, named = columns["pool"][row].tolist(), columns["name"][row].tolist()
    destinations, ports = columns["dst"][row].tolist(), columns["dport"][row].tolist()
    when = np.floor(columns["ts"][row]).tolist()  # so that none is later than its line
    keys = list(zip(destinations, ports, numbers, strict=True))
    there = [place for place, pool in enumerate(numbers) if pool >= 0]
    groups: dict[tuple[bytes, int, int], list[int]] = {}
    for place in reversed(there):
        groups.setdefault(keys[place], []).append(place)
    weights = {
        key: round(sum(map(attention.__getitem__, places)), _DIGITS)
        for key, places in groups.items()
    }
    found: list[Evidence] = []
    for key in sorted(groups, key=weights.__getitem__, reverse=True)[:_NAMED]:
        best = max(groups[key], key=rounded.__getitem__)
        found.append(
            Attended(
                *_destination(*key, pools),
                name=names.text(named[groups[key][0]]),
                ts=when[groups[key][0]],
                uid=unpack(columns["uid"][row, best].tobytes()),
                sessions=len(groups[key]),
                weight=weights[key],
            )
        )
    return (*found, WindowExtent(len(there), when[there[0]]))


def of_host(windows: HostWindows, slot: int, names: NameTable) -> tuple[NamedDestinations, ...]:
    """The names in a host's latest window, where there are any."""
    found = names.count(windows.latest(np.array([slot])).columns["name"][0])
    most = sorted(found, key=lambda name: (-found[name], name))
    return (NamedDestinations(tuple(most[:_NAMED])),) if most else ()


def of_missing(sessions: int, manifest: Manifest, settings: DecisionSettings) -> tuple[Evidence]:
    """How many sessions a host with ``sessions`` sessions lacks for its first verdict."""
    needed = manifest.min_sessions + (settings.windows_for - 1) * manifest.early_stride
    return (MissingSessions(max(needed - sessions, 0)),)


def of_anomaly(anomaly: Anomaly, pools: Pools, names: NameTable) -> tuple[Evidence, ...]:
    """An alarm's sum, then its most surprising sessions."""
    sessions = [
        Surprising(
            *_destination(one.dst, one.dport, one.pool, pools),
            name=names.text(one.name),
            ts=one.ts,
            uid=one.uid,
            surprise=one.surprise,
        )
        for one in anomaly.evidence
    ]
    total = AlarmSum(anomaly.sessions, anomaly.since, anomaly.surprise)
    return (total, *sessions)


def of_regular(regular: Regular, address: bytes, pools: Pools) -> tuple[RegularDestination]:
    """A regular destination that is missing or back; address: one of its pool in 16 bytes, empty
    where none is known."""
    number, _, transport = port_name(regular.dport).partition("/")
    name, known = pools.table[regular.pool], printed(address) if address else ""
    by_database = known and of_database(name)
    return (
        RegularDestination(
            known,
            int(number),
            transport,
            name,
            pools.place(known).organisation if by_database else "",
            ts=regular.last_seen,
            uid="",
            daily=regular.daily,
            back=regular.back,
        ),
    )


def _destination(
    packed: bytes, port: int, pool: int, pools: Pools
) -> tuple[str, int, str, str, str]:
    """Address, port, transport, pool and organisation of a destination."""
    address, name = printed(packed), pools.table[pool]
    number, _, transport = port_name(port).partition("/")
    organisation = pools.place(address).organisation if of_database(name) else ""
    return address, int(number), transport, name, organisation
