"""Evidence of verdicts: the sessions that a window or an alarm rests on."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from nba_broker.baseline.host_baseline import Anomaly
from nba_broker.destinations.pools import Pools, of_database
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scores
from nba_broker.model.windows import Windows
from nba_broker.records.addresses import printed
from nba_broker.records.ports import port_name
from nba_broker.records.times import print_time
from nba_broker.records.uids import unpack
from nba_broker.records.verdicts import Alarm
from nba_broker.verdicts.decision_settings import DecisionSettings

_NAMED = 3  # pieces of evidence in a verdict: what an analyst reads at a glance
_DIGITS = 4  # of a weight: more would be noise, and would differ between machines


def of_window(
    windows: Windows, scores: Scores, row: int, pools: Pools
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where the model looked most: destinations with the weight of all their sessions, the
    window's extent, and the uid of the weightiest of each, the latest first where equal."""
    columns, attention = windows.columns, scores.attention[row].tolist()
    # Rounded before they are compared: digits beyond these are noise.
    rounded = scores.attention[row].astype(float).round(_DIGITS).tolist()
    numbers = columns["pool"][row].tolist()
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
    texts, uids = [], []
    for key in sorted(groups, key=weights.__getitem__, reverse=True)[:_NAMED]:
        destination, port, pool = key
        where = _destination(destination, port, pool, pools)
        texts.append(
            f"{where} sessions={len(groups[key])} weight={weights[key]:.2f} "
            f"last={print_time(when[groups[key][0]])}"
        )
        best = max(groups[key], key=rounded.__getitem__)
        uids.append(unpack(columns["uid"][row, best].tobytes()))
    texts.append(f"of {len(there)} sessions since {print_time(when[there[0]])}")
    return tuple(texts), tuple(uid for uid in uids if uid)


def of_missing(sessions: int, manifest: Manifest, settings: DecisionSettings) -> tuple[str, ...]:
    """How far a host with so many sessions is from its first verdict."""
    needed = manifest.min_sessions + (settings.first_windows - 1) * manifest.early_stride
    return (f"a verdict needs {max(needed - sessions, 0)} more sessions or more",)


def of_anomaly(anomaly: Anomaly, pools: Pools) -> Alarm:
    """An alarm as an analyst reads it."""
    began = datetime.fromtimestamp(anomaly.since, UTC)
    texts = [
        f"sessions unlike this host: {anomaly.sessions} since {began:%Y-%m-%dT%H:%M:%SZ} "
        f"surprise={anomaly.surprise:.1f}"
    ]
    for one in anomaly.evidence:
        when = datetime.fromtimestamp(one.ts, UTC)
        where = _destination(one.dst, one.dport, one.pool, pools)
        texts.append(f"{where} at {when:%Y-%m-%dT%H:%M:%SZ} surprise={one.surprise:.1f}")
    uids = [one.uid for one in anomaly.evidence]
    return Alarm(anomaly.index, tuple(texts), tuple(uid for uid in uids if uid))


def _destination(packed: bytes, port: int, pool: int, pools: Pools) -> str:
    """Where a session went, with the organisation that a public pool belongs to."""
    address, name = printed(packed), pools.table[pool]
    organisation = pools.place(address).organisation if of_database(name) else ""
    return f"{address} {port_name(port)} {name}{f' ({organisation})' if organisation else ''}"
