"""A long run with a year's failures: is every session accounted for, and is memory flat?

    python -m benchmarks.soak [--minutes 20] [--rate 20000] [--keep DIR]

A real cluster publishes at a steady rate to ``nba-broker run``. Meanwhile Zeek is restarted twice,
the worker is killed twice, its IP database is replaced twice by a good one and once by garbage, and
a host is annotated. One JSON line per figure; exit status 1 when one is out of range.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.checks import Check, add_keep, conclude, say
from benchmarks.cluster import SENSORS
from benchmarks.live import PUBLISH
from nba_broker.archive.zeek_process import free_port
from nba_broker.cli.config import shipped
from nba_broker.worker import snapshot_file
from testing import processes
from testing.worker import ACCOUNTS, Measured, start_measured
from testing.zeek import Cluster, wait_until, zeek_path

DOWN = 3.0  # seconds until a service manager starts a killed worker again
NOTICE = 15.0  # seconds in which a replaced file is noticed
ANNOTATED = "02:00:00:00:00:07"
DEVICE = "Soak_Camera"


Node = str
Counts = dict[str, int]


def counts(metrics: Mapping[tuple[str, str], float]) -> dict[Node, Counts]:
    """A worker's sessions received, lost, skipped and missed, by node."""
    found: dict[Node, Counts] = {}
    for (name, labels), value in metrics.items():
        what = name.removeprefix("nba_").removesuffix("_sessions_total")
        if what in ACCOUNTS:
            node = labels.split('"')[1]
            found.setdefault(node, dict.fromkeys(ACCOUNTS, 0))[what] = int(value)
    return found


def unaccounted(sent: int, known: int, heard: Counts, before: Counts) -> int:
    """Sessions that a sensor's run sent and that no counter includes.

    known: of this run, in the snapshot that the worker began with. heard: the worker's counters at
    the end of the run; before: at its beginning.
    """
    told = sum(heard[name] - before.get(name, 0) for name in ("received", "lost", "missed"))
    return sent - known - told


def positions(state: Path) -> dict[Node, tuple[str, int]]:
    """The run, and how much of what it sent, that the snapshot in a folder holds of each sensor."""
    file = state / snapshot_file.FILE
    if not file.exists():
        return {}
    with file.open("rb") as content:
        found = json.loads(content.readline())["positions"]
    return {node: (run, sent) for node, (run, sent) in found.items()}


class Soak:
    """The cluster and the worker, the failures, and the accounts of the sessions."""

    def __init__(self, folder: Path, rate: float) -> None:
        self.folder = folder
        self.options = (
            "NBA::bench_sessions=1000000000",
            f"NBA::bench_rate={rate / SENSORS}",
            "NBA::stats_interval=1sec",
        )
        self.port = free_port()
        self.state = folder / "state"
        self.errors = folder / "worker.log"
        self.database = folder / "asn.mmdb"
        self.annotations = folder / "annotations.csv"
        self.annotations.write_text("at,host,action,device,category,pool,reason,expires\n")
        self._good = lzma.decompress(shipped("asn.mmdb.xz").read_bytes())
        self.database.write_bytes(self._good)
        self.runs = 0
        self.sent = self.seen = self.skipped = 0  # by the sensors
        self.lost = self.missed = 0  # by all workers
        self.unaccounted = 0
        self.invalid = self.late = 0
        self._past: set[str] = set()  # runs that are over
        self._known: dict[Node, tuple[str, int]] = {}  # of the worker's snapshot
        self._before: dict[Node, Counts] = {}  # of the worker, as the sensors' runs began
        self.zeek = self._start_zeek()
        self.worker = self._start_worker()

    def _start_zeek(self) -> Cluster:
        self.runs += 1
        sensors = [(PUBLISH, *self.options)] * SENSORS
        zeek = Cluster(self.folder / f"zeek-{self.runs}", sensors, self.port)
        zeek.start()
        return zeek

    def _start_worker(self) -> Measured:
        self._known = positions(self.state)
        self._before = {}
        return start_measured(
            self.zeek.url,
            *("--state", self.state, "--pools", self.database, "--annotations", self.annotations),
            errors=self.errors,
        )

    def pids(self) -> dict[str, int]:
        """The processes by name, as they are now."""
        nodes = {name: node.pid for name, node in self.zeek.nodes.items()}
        return nodes | {"nba-broker": self.worker.process.pid}

    def watch(self) -> None:
        """Raise ChildProcessError when something has ended by itself."""
        ended = [name for name, node in self.zeek.nodes.items() if not node.running]
        ended += ["nba-broker"] if self.worker.process.poll() is not None else []
        if ended:
            raise ChildProcessError(f"ended without being asked to: {', '.join(ended)}")

    def _close_worker(self) -> None:
        """Note the totals of a worker that is about to end."""
        found = self.worker.metrics()
        self.lost += int(found.get("nba_lost_sessions_total", 0))
        self.missed += int(found.get("nba_missed_sessions_total", 0))
        self.invalid += int(found.get("nba_invalid_messages_total", 0))
        self.late += int(found.get("nba_late_sessions_total", 0))

    def kill_worker(self) -> None:
        """Without a chance to save anything; another starts soon.

        After a snapshot of these runs of the sensors: what was received of earlier ones would
        otherwise be counted by nobody but the worker that is killed.
        """
        wait_until(self._saved, 120, "a snapshot")
        self._close_worker()
        self.worker.process.kill()
        self.worker.process.wait()
        time.sleep(DOWN)
        self.worker = self._start_worker()

    def _saved(self) -> bool:
        runs = {run for run, _ in positions(self.state).values()}
        return len(runs) == SENSORS and runs.isdisjoint(self._past)

    def restart_zeek(self) -> None:
        """Under load; the sensors stop first, as with ZeekControl."""
        self._close_zeek()
        self.zeek = self._start_zeek()

    def _close_zeek(self) -> None:
        """End Zeek, and compare what it says with what the worker says."""
        for name in self.zeek.sensors:
            self.zeek.nodes[name].stop()
        self.worker.settle()
        heard = counts(self.worker.labelled())
        self.zeek.stop()
        rows = [row for row in self.zeek.rows("nba_stats") if row["kind"] == "sensor"]
        for row in {row["node"]: row for row in rows}.values():
            node = row["node"]
            run, sent = self._known.get(node, ("", 0))
            known = sent if run == row["run"] else 0
            self._past.add(row["run"])
            self.sent += int(row["sent"])
            self.seen += int(row["seen"])
            self.skipped += int(row["skipped"])
            before = self._before.get(node, {})
            difference = unaccounted(int(row["sent"]), known, heard[node], before)
            self.unaccounted += abs(difference)
            if difference:
                say(f"{node}: {difference} of {row['sent']} sessions, {row} {heard[node]} {before}")
        self._before = heard

    def replace_database(self) -> None:
        """Put a new file with the same content in the database's place."""
        self._replace(self._good)

    def break_database(self) -> None:
        """Put garbage in the database's place."""
        self._replace(os.urandom(100_000))

    def _replace(self, content: bytes) -> None:
        new = self.database.with_suffix(".new")
        new.write_bytes(content)
        new.replace(self.database)

    def annotate(self) -> None:
        """Label a host."""
        command = [sys.executable, "-m", "nba_broker.cli.main", "label", ANNOTATED, DEVICE]
        subprocess.run(
            [*command, "--annotations", str(self.annotations)], check=True, stdout=sys.stderr
        )

    def close(self) -> None:
        """Stop everything in order."""
        self._close_zeek()
        self._close_worker()
        self.worker.stop()

    def abandon(self) -> None:
        """Kill everything that still runs."""
        if self.worker.process.poll() is None:
            self.worker.process.kill()
            self.worker.process.wait()
        for node in self.zeek.nodes.values():
            node.kill()

    def remembered(self) -> tuple[int, bool]:
        """Sessions of all hosts in the last snapshot; whether the annotated host has its name."""
        command = [sys.executable, "-m", "nba_broker.cli.main", "hosts", "--state", str(self.state)]
        text = subprocess.run(
            [*command, "--format", "json"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        hosts = [json.loads(line) for line in text.splitlines()]
        named = any(host["mac"] == ANNOTATED and host["device"] == DEVICE for host in hosts)
        return sum(host["sessions"] for host in hosts), named

    def said(self, text: str) -> int:
        """How many lines of the workers say this of the database."""
        lines = self.errors.read_text().splitlines()
        return sum(text in line and str(self.database) in line for line in lines)


def plan(soak: Soak) -> list[tuple[float, Callable[[], None]]]:
    """What happens when, as a share of the whole. The last Zeek is as old in the end as the first
    at a quarter, where memory is first looked at."""
    return [
        (0.15, soak.replace_database),
        (0.30, soak.kill_worker),
        (0.36, soak.break_database),
        (0.40, soak.restart_zeek),
        (0.50, soak.annotate),
        (0.56, soak.replace_database),
        (0.65, soak.kill_worker),
        (0.75, soak.restart_zeek),
    ]


def run(folder: Path, minutes: float, rate: float) -> Iterator[Check]:
    """All of it; raises what goes wrong with processes."""
    seconds = 60 * minutes
    soak = Soak(folder, rate)
    try:
        began = time.monotonic()
        with processes.Memory(soak.pids) as memory:
            for share, happen in [*plan(soak), (1.0, soak.watch)]:
                while time.monotonic() < began + share * seconds:
                    time.sleep(1)
                    soak.watch()
                say(f"minute {(time.monotonic() - began) / 60:.1f}: {happen.__name__}")
                happen()
        quarter, end = (memory.around(at, seconds / 20) for at in (0.25 * seconds, 0.975 * seconds))
        soak.close()
        remembered, named = soak.remembered()
    finally:
        soak.abandon()
    least = soak.sent - soak.lost - soak.missed
    yield Check("soak.seen", soak.seen, "sessions", least=1)
    yield Check("soak.rate", soak.seen / seconds, "sessions/s")
    yield Check("soak.sent", soak.sent, "sessions", least=1)
    yield Check("soak.skipped", soak.skipped, "sessions")
    yield Check("soak.lost", soak.lost, "sessions")
    yield Check("soak.missed", soak.missed, "sessions")
    yield Check("soak.late", soak.late, "sessions")
    yield Check("soak.invalid", soak.invalid, "messages", most=0)
    yield Check("soak.not_published", soak.seen - soak.sent - soak.skipped, "sessions", 0, 0)
    yield Check("soak.unaccounted", soak.unaccounted, "sessions", 0, 0)
    yield Check("soak.remembered", remembered, "sessions", least=least)
    yield Check("soak.annotated", named, "hosts", least=1)
    yield Check("soak.databases", soak.said("took over"), "files", 2, 2)
    yield Check("soak.databases_refused", soak.said("stays in use"), "files", 1, 1)
    for name in soak.pids():
        yield Check(f"soak.memory.{name}", end.get(name, 0) / 1e6, "MB")
        growth = end.get(name, float("nan")) / quarter.get(name, float("nan"))
        yield Check(f"soak.memory_against_quarter.{name}", growth, "ratio", most=1.05)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=20_000.0, help="sessions per second")
    add_keep(parser)
    arguments = parser.parse_args()
    if zeek_path() is None:
        say("the soak needs Zeek and is left out")
        return 0
    if arguments.minutes < 5:
        # A replaced file is looked for every ten seconds, a snapshot written every minute.
        parser.error("it takes 5 minutes at least for everything to be noticed")
    return conclude(
        "the soak",
        arguments.keep,
        lambda folder: run(folder, arguments.minutes, arguments.rate),
        {"minutes": arguments.minutes},
    )


if __name__ == "__main__":
    sys.exit(main())
