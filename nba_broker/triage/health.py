"""The health strip: figures of the worker and the sensors from nba_stats.log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from nba_broker.archive.log_types import seconds
from nba_broker.records.errors import ArchiveError
from nba_broker.triage.files import File, Finder, tail, why

SILENT = 30.0
"""Seconds without a row after which a worker or sensor counts as gone: three intervals."""

RECENT = 600.0
"""Seconds over which growth is shown."""

_STALE = 120.0
_SLOW = 5.0  # seconds of lag

Level = Literal["ok", "warn", "bad", "none"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the strip; ``note`` explains it."""

    name: str
    value: str
    level: Level
    note: str = ""


class Health:
    """Follows the newest nba_stats log below a folder."""

    def __init__(self, folder: Path) -> None:
        self._finder = Finder(folder, "nba_stats")
        self._read: File | None = None
        self._rows: list[dict[str, Any]] = []
        self._error = ""

    @property
    def newest(self) -> float:
        """The time of the latest row behind the figures; 0 without any."""
        return max(map(_time, self._rows), default=0.0)

    def figures(self, now: float) -> list[Figure]:
        """The strip as of ``now``, wall-clock time."""
        self._error = ""
        for file in self._finder.files():
            if file == self._read:
                break
            try:
                rows = tail(file)
            except (ArchiveError, OSError) as error:
                rows, self._error = [], f"{file.path}: {why(error)}"
            # A new file has no rows yet; use the one before.
            if rows or self._error:
                # After an error try again: new permissions do not change the file.
                self._read, self._rows = None if self._error else file, rows
                break
        else:
            self._read, self._rows = None, []
        if self._error:
            return [Figure("Health", "unreadable", "bad", self._error)]
        return figures(self._rows, now)


def figures(rows: Iterable[Row], now: float) -> list[Figure]:
    """The strip for rows of nba_stats.log as of ``now``."""
    runs: dict[tuple[str, str, str], list[tuple[float, Row]]] = defaultdict(list)
    for row in rows:
        ts = _time(row)
        if not ts:
            continue
        who = (str(row.get("kind")), str(row.get("node")), str(row.get("run", "")))
        runs[who].append((ts, row))
    if not runs:
        return [
            Figure(
                "Health",
                "no nba_stats.log",
                "none",
                "this is an archive, or Zeek does not load the package",
            )
        ]
    newest = max(ts for kept in runs.values() for ts, _ in kept)
    late = now - newest
    strip = [_worker(runs, newest), _sensors(runs, newest)]
    strip += [
        _counter(
            runs,
            newest,
            "lost",
            "worker",
            "sessions that were sent while the worker listened and did not arrive",
        ),
        _counter(
            runs,
            newest,
            "skipped",
            "sensor",
            "sessions that were not sent because no worker was there or kept up",
        ),
        _counter(runs, newest, "refused", "manager", "verdicts that the manager refused"),
        _lag(runs, newest),
    ]
    if late > _STALE:
        note = "this is an archive, or Zeek has stopped; the figures are of that time"
        strip.insert(0, Figure("As of", f"{span(late)} ago", "warn", note))
    return strip


def _time(row: Row) -> float:
    """The time of a row; 0 if it has none."""
    try:
        return seconds(row["ts"])
    except (KeyError, ValueError, TypeError):
        return 0.0


def _there(runs: Mapping[tuple[str, str, str], list[tuple[float, Row]]], kind: str) -> list[Any]:
    """Time and last row of each node of a kind, the latest first."""
    last: dict[str, tuple[float, Row]] = {}
    for (of, node, _), kept in runs.items():
        if of == kind and (node not in last or last[node][0] <= kept[-1][0]):
            last[node] = kept[-1]
    return sorted(last.values(), key=lambda one: -one[0])


def _workers(runs: Mapping[Any, Any]) -> list[tuple[float, Row]]:
    """Time and last row of the latest worker of each partition."""
    last: dict[int, tuple[float, Row]] = {}
    for ts, row in _there(runs, "worker"):
        last.setdefault(_whole(row.get("partition")), (ts, row))
    return [last[partition] for partition in sorted(last)]


def _worker(runs: Mapping[Any, Any], newest: float) -> Figure:
    last = _workers(runs)
    if not last:
        return Figure("Worker", "none", "bad", "sensors skip all sessions; start nba-broker run")
    ts, row = min(last, key=lambda one: one[0])
    if newest - ts > SILENT:
        note = f"{row.get('node')} was the last one; start nba-broker run"
        return Figure("Worker", f"gone for {span(newest - ts)}", "bad", note)
    note = "; ".join(f"{row.get('node')}, model {row.get('model', 'unknown')}" for _, row in last)
    hosts = row.get("hosts") if len(last) == 1 else sum(_whole(one.get("hosts")) for _, one in last)
    return Figure("Worker", f"{count(hosts)} hosts", "ok", note)


def _sensors(runs: Mapping[Any, Any], newest: float) -> Figure:
    last = _there(runs, "sensor")
    silent = [str(row.get("node")) for ts, row in last if newest - ts > SILENT]
    if silent:
        return Figure("Sensors", f"{len(silent)} of {len(last)} silent", "warn", ", ".join(silent))
    names = ", ".join(str(row.get("node")) for _, row in last)
    return Figure("Sensors", str(len(last)), "ok" if last else "bad", names)


def _counter(
    runs: Mapping[Any, list[tuple[float, Row]]], newest: float, name: str, kind: str, note: str
) -> Figure:
    total = grown = 0
    for (of, _, _), kept in runs.items():
        recent = [_whole(row.get(name)) for ts, row in kept if newest - ts <= RECENT]
        if of != kind or not recent:
            continue
        total += recent[-1]
        # Counters start again with the process.
        grown += sum(max(b - a, 0) for a, b in pairwise(recent))
    value = f"{total:,}" + (f" (+{grown:,} in {span(RECENT)})" if grown else "")
    return Figure(name.capitalize(), value, "bad" if grown else "ok", note)


def _lag(runs: Mapping[Any, Any], newest: float) -> Figure:
    lags = [row.get("lag") for ts, row in _workers(runs) if newest - ts <= SILENT]
    lag = max((one for one in lags if isinstance(one, int | float)), default=None)
    if lag is None:
        return Figure("Lag", "unknown", "none")
    level: Level = "warn" if lag > _SLOW else "ok"
    return Figure("Lag", f"{lag:.1f} s", level, "how far the worker is behind the sensors")


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def count(value: Any) -> str:
    """A number with separators; "?" for other values."""
    return f"{value:,}" if isinstance(value, int) else "?"


def span(length: float) -> str:
    """A duration in its largest unit: ``10 min``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if length >= size:
            return f"{length / size:.0f} {unit}"
    return f"{max(length, 0):.0f} s"
