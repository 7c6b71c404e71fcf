"""Is the log of an archive the same however many processes read it, also when one is killed?

    python -m benchmarks.same_log [--rows 10000000] [--archive DIR]

``nba-broker score`` reads the same archive in one process, in two, and with three workers of a Dask
cluster, one of which is killed while it works. By default the archive is made up: so many rows of
1,000 hosts, and half as many dns answers. A made-up archive of a quarter of that, in files of the
same size, is scored before it: memory must not grow with the archive. One JSON line per figure;
exit status 1 when one is out of range.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import offline, workers
from benchmarks.checks import Check, conclude
from testing.processes import Background, highest, processor
from testing.traffic import Traffic, conn_log, dns_log

HOSTS = 1_000
ROWS_A_FILE = 125_000
WORKERS = 3
WORKS = 1.0  # seconds of processor time after which a worker is killed


class Killer(Background):
    """Kills a process once it has used so many seconds of processor time more."""

    def __init__(self, pid: int, after: float = WORKS) -> None:
        self.killed = False
        super().__init__()
        self._pid = pid
        self._limit = processor(pid) + after

    def _run(self) -> None:
        while not self._done.wait(0.05):
            if processor(self._pid) >= self._limit:
                os.kill(self._pid, signal.SIGKILL)
                self.killed = True
                return


def make(folder: Path, rows: int) -> None:
    """An archive of so many rows of conn logs, and dns logs of half as many answers."""
    folder.mkdir()
    source, asked = Traffic(HOSTS), Traffic(HOSTS)  # the same sessions
    for number in range(max(rows // ROWS_A_FILE, 1)):
        size = min(ROWS_A_FILE, rows)
        conn_log(folder / f"conn.{number:04d}.log", size, source)
        dns_log(folder / f"dns.{number:04d}.log", size, asked)


def score(archive: Path, out: Path, *options: str) -> tuple[offline.Cost, dict[str, str]]:
    """What a run costs, and a digest of each log that it writes."""
    cost = offline.child(
        "-m", "nba_broker.cli.main", "score", str(archive), "--out", str(out), *options
    )
    logs = sorted(path for path in out.iterdir() if path.suffix == ".log")
    return cost, {log.name: digest(log) for log in logs}


def digest(log: Path) -> str:
    """The digest of all lines but those of the time at which the log was written."""
    digest = hashlib.sha256()
    with log.open("rb") as lines:
        for line in lines:
            if not line.startswith((b"#open", b"#close")):
                digest.update(line)
    return digest.hexdigest()


def run(folder: Path, archive: Path | None, rows: int) -> Iterator[Check]:
    """All figures of an archive, or of a made-up one in ``folder``."""
    quarter = None
    if archive is None:
        make(folder / "quarter", rows // 4)
        quarter, _ = score(folder / "quarter", folder / "out-quarter")
        archive = folder / "archive"
        make(archive, rows)
    alone, logs = score(archive, folder / "out-1")
    yield Check("same_log.logs", len(logs), "logs", least=1)
    yield from _costs("1_process", alone)
    if quarter is not None:
        growth = alone.memory / quarter.memory
        yield Check("same_log.memory_against_quarter", growth, "ratio", most=1.1)
    two, found = score(archive, folder / "out-2", "--processes", "2")
    yield from _costs("2_processes", two)
    yield Check("same_log.different.2_processes", different(logs, found), "logs", most=0)
    with workers.started(WORKERS, "nba_broker.archive.conn_log") as (scheduler, pids):
        with Killer(pids[0]) as killer:
            cluster, found = score(archive, folder / "out-3", "--scheduler", scheduler)
        largest = max(map(highest, pids))
    name = f"{WORKERS}_workers"
    yield from _costs(name, cluster)
    yield Check(f"same_log.memory_of_a_worker.{name}", largest / 1e6, "MB")
    yield Check(f"same_log.killed.{name}", killer.killed, "workers", least=1)
    yield Check(f"same_log.different.{name}", different(logs, found), "logs", most=0)


def _costs(name: str, cost: offline.Cost) -> Iterator[Check]:
    yield Check(f"same_log.seconds.{name}", cost.wall, "s")
    yield Check(f"same_log.cpu.{name}", cost.cpu, "cpu-s")
    yield Check(f"same_log.memory.{name}", cost.memory / 1e6, "MB")


def different(one: dict[str, str], other: dict[str, str]) -> int:
    """How many logs are not the same in both."""
    return sum(one.get(name) != other.get(name) for name in one.keys() | other.keys())


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.same_log",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--archive", type=Path, metavar="DIR", help="score this archive instead")
    arguments = parser.parse_args()
    return conclude(
        "the comparison", None, lambda folder: run(folder, arguments.archive, arguments.rows), {}
    )


if __name__ == "__main__":
    sys.exit(main())
