"""Memory and processor time of processes, as the kernel counts them, and the machine."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def about() -> dict[str, str]:
    """The context of a figure: the machine's processor and cores, and the day."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "machine": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def resident(pid: int) -> int:
    """Bytes resident now; 0 when the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def highest(pid: int) -> int:
    """Bytes resident at most so far; 0 when the process is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in status.splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] == "VmHWM:"), 0)


def processor(pid: int) -> float:
    """Seconds of processor time so far, user and system, of all threads; also of one that has
    ended, until it is waited for."""
    # The name, in brackets, may contain spaces and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def ended(pid: int) -> float:
    """Wait for a child's end without reaping it; returns its processor seconds."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return processor(pid)


class Background:
    """Runs :meth:`_run` on a thread of its own, which ends when ``_done`` is set."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()


class Memory(Background):
    """The resident bytes of some processes, noted every ``period`` seconds on a thread of its own.

    processes: names and process ids, asked for again each time, since processes come and go.
    """

    def __init__(self, processes: Callable[[], Mapping[str, int]], period: float = 1.0) -> None:
        self.notes: list[tuple[float, dict[str, int]]] = []
        """Seconds since the start, and bytes by name."""
        super().__init__()
        self._processes = processes
        self._period = period

    def _run(self) -> None:
        began = time.monotonic()
        while not self._done.wait(self._period):
            taken = {name: resident(pid) for name, pid in self._processes().items()}
            self.notes.append((time.monotonic() - began, taken))

    def around(self, second: float, width: float) -> dict[str, float]:
        """The mean of every process within ``width`` seconds around a second, in bytes."""
        return mean_around(self.notes, second, width)


def mean_around(
    notes: list[tuple[float, dict[str, int]]], second: float, width: float
) -> dict[str, float]:
    """The mean of every process within ``width`` seconds around a second; a process that was away
    (0 bytes) does not count."""
    found: dict[str, list[int]] = {}
    for when, taken in notes:
        if abs(when - second) <= width / 2:
            for name, value in taken.items():
                found.setdefault(name, []).extend([value] if value else [])
    return {name: sum(values) / len(values) for name, values in found.items() if values}
