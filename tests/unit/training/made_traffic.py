"""Made-up sessions of labelled devices, for tests of disturbances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nba_broker.records.ports import PROTOCOLS, port_code, port_name
from training.data.disturbances.traffic import Traffic
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label

HOUR = 3600.0
DAY = 24 * HOUR

LABELS = (Label("192.168.1.7", "Lamp", "bulb"), Label("192.168.1.8", "Lens", "camera"))

Row = tuple[int, float, str, str]
"""A session: device, time, pool and port."""


def code(port: str) -> int:
    """A port such as ``443/tcp`` as a port code."""
    number, protocol = port.split("/")
    assert protocol in PROTOCOLS
    return port_code(int(number), protocol)


def made(rows: Sequence[Row], table: Sequence[str] = ()) -> LabelledSessions:
    """Sessions in their order, with their pools behind those of ``table``."""
    names = list(dict.fromkeys([*table, *(pool for _, _, pool, _ in rows)]))
    return LabelledSessions(
        ts=np.array([ts for _, ts, _, _ in rows], np.float64),
        series=np.array([series for series, *_ in rows], np.int64),
        pool=np.array([names.index(pool) for _, _, pool, _ in rows], np.int32),
        dport=np.array([code(port) for *_, port in rows], np.int32),
        labels=LABELS,
        table=names,
    )


def judged(sessions: LabelledSessions, since: float, until: float) -> Traffic:
    """The sessions, each device judged between these times."""
    number = len(sessions.labels)
    return Traffic(sessions, np.full(number, since), np.full(number, until))


def rows(sessions: LabelledSessions, keep: np.ndarray | bool = True) -> list[Row]:
    """Sessions as device, time, pool and port."""
    columns = zip(sessions.series, sessions.ts, sessions.pool, sessions.dport, strict=True)
    wanted = np.broadcast_to(keep, len(sessions)).tolist()
    return [
        (int(series), float(ts), sessions.table[pool], port_name(int(dport)))
        for (series, ts, pool, dport), kept in zip(columns, wanted, strict=True)
        if kept
    ]


def during(
    sessions: LabelledSessions, begin: float, hours: float, device: int = 0
) -> list[tuple[float, str]]:
    """Times since ``begin`` and pools of one device in these hours."""
    end = begin + hours * HOUR
    return [
        (ts - begin, pool)
        for series, ts, pool, _ in rows(sessions)
        if series == device and begin <= ts < end
    ]
