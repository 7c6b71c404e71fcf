"""What the logs of benchmarks.day hold of the day's sessions, and why they lack some."""

from __future__ import annotations

import gzip
import ipaddress
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.own_time import OwnTime
from benchmarks.soak import Node
from nba_broker.archive import conn_log
from testing.frames import between
from testing.zeek import read_rows
from testing.zeekctl import SENSORS

NEAR = 1.0  # seconds within which what is sent is seen
IDLE = 300.0  # seconds of the traffic's time after which Zeek writes a session's row, at most
WINDOW = 64  # sessions of which the shipped model makes a verdict
_SCALED = ("duration", "rtt")  # intervals that are measured


@dataclass(frozen=True)
class Run:
    """What a sensor's process noted.

    began, ended: the times of its first note and of its last. in_last_second: sessions that it saw
    in the second before that.
    """

    name: str
    began: float
    ended: float
    seen: int
    sent: int
    skipped: int
    in_last_second: int


def runs(notes: Path) -> list[Run]:
    """The runs in a sensor's notes, the oldest first."""
    noted: dict[str, list[tuple[float, int, int, int]]] = {}
    for line in notes.read_text().splitlines():
        name, when, seen, sent, skipped = line.split(", ")
        noted.setdefault(name, []).append((float(when), int(seen), int(sent), int(skipped)))
    return [_run(name, rows) for name, rows in noted.items()]


def _run(name: str, rows: list[tuple[float, int, int, int]]) -> Run:
    ended, seen, sent, skipped = rows[-1]
    before = max((row[1] for row in rows if row[0] < ended - 1), default=0)
    return Run(name, rows[0][0], ended, seen, sent, skipped, seen - before)


@dataclass(frozen=True)
class Away:
    """A part was away from ``since`` until ``until``; ``heard``: sessions came again."""

    part: str
    since: float
    until: float
    heard: float


@dataclass(frozen=True)
class Row:
    """A row of conn.log: the session's ends, and when it began and ended."""

    uid: str
    ends: tuple[str, ...]
    since: float
    until: float

    @property
    def sensor(self) -> Node:
        """The sensor to which the traffic between these addresses is sent."""
        one, other = (ipaddress.ip_address(self.ends[place]).packed for place in (0, 2))
        return SENSORS[between(one, other) % len(SENSORS)]

    @property
    def reversed(self) -> tuple[str, ...]:
        """The ends of a session in the other direction."""
        orig, orig_port, resp, resp_port, protocol = self.ends
        return resp, resp_port, orig, orig_port, protocol


_ENDS = ("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto")


def rows(log: Path) -> list[Row]:
    """The rows of a conn.log, the oldest first."""
    found = []
    for row in read_rows(log):
        since = float(row["ts"])
        lasted = 0.0 if row["duration"] == "-" else float(row["duration"])
        found.append(Row(row["uid"], tuple(row[end] for end in _ENDS), since, since + lasted))
    return sorted(found, key=lambda row: row.since)


def at_own_time(logs: Iterable[Path], clock: OwnTime, out: Path) -> None:
    """Write one log of several files of it, with the times that the traffic had."""
    with out.open("w") as target:
        for log in logs:
            content = log.read_bytes()
            text = (gzip.decompress(content) if log.suffix == ".gz" else content).decode()
            columns: list[str] = []
            for line in text.splitlines(keepends=True):
                if line.startswith("#fields\t"):
                    columns = line.rstrip("\n").split("\t")[1:]
                if not line.startswith("#"):
                    line = _at_own_time(columns, line.split("\t"), clock)
                target.write(line)


def _at_own_time(columns: Sequence[str], values: list[str], clock: OwnTime) -> str:
    for place, column in enumerate(columns):
        if column == "ts":
            values[place] = f"{clock.at(float(values[place])):.6f}"
        elif column in _SCALED and values[place] != "-":
            values[place] = f"{float(values[place]) * clock.speed:.6f}"
    return "\t".join(values)


def counted_sessions(archive: Path) -> set[str]:
    """The uids of the sessions that count in an archive."""
    return {str(uid) for batch in conn_log.read([archive]).batches() for uid in batch.uid}


def unmatched(some: Sequence[Row], others: Sequence[Row], near: float) -> list[Row]:
    """The rows of which no other row has the same ends at nearly the same time; each other row
    matches one."""
    by_ends: dict[tuple[str, ...], list[float]] = {}
    for row in others:
        by_ends.setdefault(row.ends, []).append(row.since)
    missing = []
    for row in some:
        times = by_ends.get(row.ends, [])
        place = bisect_left(times, row.since - near)
        if place < len(times) and times[place] <= row.since + near:
            del times[place]
        else:
            missing.append(row)
    return missing


@dataclass(frozen=True)
class Received:
    """A session that a worker received; ``at`` is the time of its sensor."""

    node: Node
    at: float
    host: str


def around(row: Row, others: Iterable[Row], near: float) -> list[Row]:
    """The rows between the same ends, in either direction, during which or soon after which a row
    begins: Zeek makes one session or several of packets with pauses as long as it waits."""
    return [
        other
        for other in others
        if other.ends in (row.ends, row.reversed)
        and other.since - near <= row.since <= other.until + IDLE
    ]


@dataclass(frozen=True)
class Gaps:
    """When the sensors ran, which of their runs were killed, and when the logger was away."""

    runs: dict[Node, list[Run]]
    killed: set[str]
    logger: Sequence[Away]
    clock: OwnTime

    def why(self, row: Row, logged: Sequence[Row], near: float) -> str:
        """Why conn.log has no row for a session of the traffic, which may be ``near`` seconds late;
        "" if nothing explains it."""
        began, ended = self.clock.sent(row.since), self.clock.sent(row.until + IDLE)
        mine = self.runs[row.sensor]
        if not any(run.began + NEAR < began < run.ended - NEAR for run in mine):
            return "sensor away"
        if self.was_killed(row.sensor, began, ended):
            return "sensor killed"
        if any(began <= away.until and ended >= away.since for away in self.logger):
            return "logger away"
        return "joined" if around(row, logged, near) else ""

    def why_unlogged(self, session: Received) -> str:
        """Why conn.log has no row for a session that was received; "" if nothing explains it."""
        idle = IDLE / self.clock.speed
        if any(away.since - idle <= session.at <= away.until for away in self.logger):
            return "logger away"
        return "sensor killed" if self.was_killed(session.node, session.at) else ""

    def was_killed(self, sensor: Node, began: float, ended: float = float("inf")) -> bool:
        """Whether a session was open, or not yet written, when its sensor was killed."""
        return any(
            run.name in self.killed and run.began <= began <= run.ended + NEAR <= ended + 2 * NEAR
            for run in self.runs[sensor]
        )

    def what(self, row: Row, traffic: Sequence[Row]) -> str:
        """What a row of conn.log is with which no session of the traffic begins: the rest of one
        that began before the sensor's run did, or a part of one; "" if it is neither."""
        whole = around(row, traffic, 0)
        if not whole:
            return ""
        since = self.clock.sent(row.since)
        began = max((run.began for run in self.runs[row.sensor] if run.began <= since), default=0)
        first = self.clock.sent(min(one.since for one in whole))
        return "rest" if first <= began + NEAR else "split"


def last_verdicts(rows: Iterable[dict[str, str]]) -> dict[str, dict[str, str]]:
    """The last row of each host in nba_device.log, by its MAC, or else its address."""
    return {
        row["host"] if row["mac"] in ("", "-", "(empty)") else row["mac"]: row
        for row in sorted(rows, key=lambda row: float(row["ts"]))
    }


def verdict(row: Mapping[str, str]) -> tuple[str, str]:
    """The state and the device of a row of nba_device.log."""
    return row.get("state", "-"), row.get("device", "-")


def received_sessions(file: Path) -> dict[str, Received]:
    """What :mod:`benchmarks.own_time` noted, by uid."""
    lines = map(str.split, file.read_text().splitlines())
    return {uid: Received(node, float(at), host) for node, at, host, uid in lines}


def by_host(
    logged: Iterable[Row], received: Mapping[str, Received], clock: OwnTime
) -> dict[str, list[tuple[float, bool]]]:
    """When the sessions of each host began, in order, and whether each is both in conn.log and
    received."""
    times = {row.uid: (row.ends[0], row.since) for row in logged}
    both = times.keys() & received.keys()
    times |= {uid: (one.host, clock.at(one.at)) for uid, one in received.items()}
    found: dict[str, list[tuple[float, bool]]] = {}
    for uid, (host, since) in times.items():
        found.setdefault(host, []).append((since, uid in both))
    return {host: sorted(of) for host, of in found.items()}


def apart(rows: Iterable[Mapping[str, str]], hosts: Mapping[str, list[tuple[float, bool]]]) -> int:
    """How many of the sessions that led to rows of nba_device.log are in conn.log only, or were
    received only."""
    found = 0
    for row in rows:
        of = [both for since, both in hosts.get(row["host"], []) if since <= float(row["ts"])]
        found += of[-WINDOW:].count(False)
    return found
