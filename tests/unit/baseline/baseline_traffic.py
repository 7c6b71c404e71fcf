"""Traffic of one host, day by day, through a host baseline."""

from __future__ import annotations

import numpy as np

from nba_broker.baseline.host_baseline import Anomaly, HostBaseline, HostSessions
from nba_broker.records.ports import port_code
from nba_broker.records.times import HOUR

DAY = 24 * HOUR
BEGIN = 1_600_000_000.0
HTTPS, DNS, NTP, TELNET = (
    port_code(443, "tcp"),
    port_code(53, "udp"),
    port_code(123, "udp"),
    port_code(23, "tcp"),
)
TABLE = ["as:1", "gw", *(f"as:{number}" for number in range(100, 2000))]
CLOUD, GATEWAY, ELSEWHERE = 0, 1, 2

Rows = list[tuple[float, int, int]]  # ts, pool, dport


def usual(days: float, *, seed: int = 0) -> Rows:
    """A device that asks for a name and calls its cloud every ten minutes or so."""
    draw = np.random.default_rng(seed)
    times = BEGIN + np.cumsum(draw.uniform(500, 700, int(days * DAY / 600)))
    return [
        row
        for ts in times.tolist()
        for row in ((ts, GATEWAY, DNS), (ts + 0.02, CLOUD, HTTPS))
        if ts < BEGIN + days * DAY
    ]


def calls(begin: float, days: float, period: float = 600) -> Rows:
    """A session to a pool of its own every ``period`` seconds."""
    return [(begin + n * period, ELSEWHERE, HTTPS) for n in range(int(days * DAY / period))]


def sessions(rows: Rows, slot: int | np.ndarray = 0, device_class: int = -1) -> HostSessions:
    """Rows in their order as a batch of one host, or of these hosts [n]."""
    return HostSessions(
        np.zeros(len(rows), np.int64) + slot,
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.int32),
        np.full(len(rows), device_class),
    )


def push(
    baseline: HostBaseline, rows: Rows, slot: int = 0, device_class: int = -1
) -> tuple[np.ndarray, list[Anomaly]]:
    """The surprise of rows, sorted by time, and the alarms."""
    return baseline.push(sessions(sorted(rows), slot, device_class), TABLE)
