"""A Zeek on a machine of its own, with the package and the worker installed as operators do it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from testing.checkout import CHECKOUT
from testing.separate import SeparateMachine, terminate
from testing.worker import ACCOUNTS, parse
from testing.zeek import read_rows, wait_until

METRICS = "127.0.0.1:9477"
TAPS = ("tap1", "tap2")
BROKER = (sys.executable, "-m", "nba_broker.cli.main")
LOCAL = "@load zeek-nba\nredef NBA::stats_interval = 1sec;\n"
_CONNECTED = "connected to Zeek"
_SKIPPED = re.compile(r"worker-\d skipped (\d+) sessions: ")
_FETCH = f"import urllib.request as u; print(u.urlopen('http://{METRICS}/metrics').read().decode())"


class Installed:
    """What an operator does and sees on the machine of a Zeek, which lives as long as the context;
    entering it raises OSError where there can be none.

    folder: for its files that are not in Zeek's prefix. logs: patterns, below the prefix, of the
    folders where logs are, the archive first.
    """

    def __init__(self, folder: Path, zeek: Path, logs: tuple[str, ...]) -> None:
        self.folder = folder
        self.prefix = zeek.resolve().parents[1]
        self.state = folder / "state"
        self._logs = logs
        self.machine = SeparateMachine(
            folder / "changes",
            self.prefix,
            TAPS,
            {
                "HOME": str(folder),
                "NBA_METRICS": METRICS,
                "NBA_ZEEK": str(self.prefix),
                "PATH": f"{self.prefix}/bin:{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/bin",
                "PYTHONPATH": str(CHECKOUT),
            },
        )

    def __enter__(self) -> Self:
        self.machine.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.machine.__exit__(*error)

    def path(self, name: str) -> Path:
        """A file below Zeek's prefix."""
        return self.machine.path(self.prefix / name)

    def do(self, *command: str | Path) -> str:
        """Run a command that has to succeed; returns what it prints."""
        result = self.machine.run(*command)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result.stdout + result.stderr

    def install(self, checkout: Path) -> None:
        """Install the package of a checkout, and load it."""
        self.do("zkg", "autoconfig", "--force")
        self.do("zkg", "install", "--force", "--skiptests", checkout)
        with self.path("share/zeek/site/local.zeek").open("a") as local:
            # Made traffic has no checksums.
            local.write(f"\nredef ignore_checksums = T;\n{LOCAL}")

    def start_worker(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start a worker as its systemd unit does; returns when it is connected to Zeek, or has
        ended. command: what runs it, by default ``nba-broker``."""
        unit = (CHECKOUT / "packaging/nba-broker.service").read_text()
        line = re.search(r"^ExecStart=/opt/nba/bin/nba-broker (.*)", unit, re.MULTILINE)
        assert line is not None
        arguments = line[1].replace("${STATE_DIRECTORY}", str(self.state)).split()
        output = self.folder / "worker"
        output.touch()
        before = self.said().count(_CONNECTED)
        process = self.machine.start(*(command or BROKER), *arguments, output=output)
        wait_until(
            lambda: self.said().count(_CONNECTED) > before or process.poll() is not None,
            what="the worker to connect",
        )
        return process

    @contextlib.contextmanager
    def worker(self) -> Iterator[None]:
        """A worker for as long as the context."""
        process = self.start_worker()
        try:
            yield
        finally:
            assert terminate(process) == 0, self.said()

    def said(self) -> str:
        """What the worker has logged."""
        return (self.folder / "worker").read_text()

    def doctor(self) -> subprocess.CompletedProcess[str]:
        """The doctor's findings and exit status."""
        return self.machine.run(*BROKER, "doctor", "--state", self.state)

    def well(self) -> str:
        """The doctor's findings, as soon as all is well; made traffic has no answers to DNS."""
        found: list[str] = []

        def is_well() -> bool:
            found.append(self.doctor().stdout)
            todo = [line for line in found[-1].splitlines() if line.startswith("needs attention")]
            return not todo or (len(todo) == 1 and "but no answer" in todo[0])

        wait_until(is_well)
        return found[-1]

    @contextlib.contextmanager
    def traffic(self, capture: Path, taps: Sequence[str] = TAPS) -> Iterator[None]:
        """A capture's frames, balanced over some taps, for as long as the context."""
        output = self.folder / "frames"
        inputs = [f"{tap}in" for tap in taps]
        process = self.machine.start(
            sys.executable, "-m", "testing.frames", capture, "90", *inputs, output=output
        )
        try:
            yield
            assert process.poll() is None, output.read_text()
        finally:
            terminate(process)

    def files(self, log: str) -> list[Path]:
        """All files of a log, the oldest first."""
        names = (f"{log}.log", f"{log}.*.log.gz")
        return [
            path
            for folder in self._logs
            for path in sorted(
                found for name in names for found in self.path("").glob(f"{folder}/{name}")
            )
        ]

    def rows(self, log: str) -> list[dict[str, str]]:
        """All rows of a log, the oldest first."""
        return [row for path in self.files(log) for row in read_rows(path)]

    def sensors(self, column: str) -> dict[str, int]:
        """A counter of every sensor in nba_stats.log, over all its runs."""
        last = {(r["node"], r["run"]): r for r in self.rows("nba_stats") if r["kind"] == "sensor"}
        found: dict[str, int] = {}
        for (node, _), row in last.items():
            found[node] = found.get(node, 0) + int(row[column])
        return found

    def labelled(self) -> dict[tuple[str, str], float]:
        """Metrics of the worker by name and labels."""
        return parse(self.do(sys.executable, "-c", _FETCH))

    def metrics(self, *names: str) -> dict[str, int]:
        """Metrics of the worker, added up, by node; by "" if they are not of nodes."""
        found: dict[str, int] = {}
        for (metric, labels), value in self.labelled().items():
            if metric in names:
                node = labels.removeprefix('{node="').removesuffix('"}')
                found[node] = found.get(node, 0) + int(value)
        return found

    def accounts(self) -> dict[str, int]:
        """Sessions that the worker accounts for, by sensor."""
        return self.metrics(*(f"nba_{name}_sessions_total" for name in ACCOUNTS))

    def accounted(self) -> bool:
        """Whether the worker accounts for all sessions that the sensors say they saw."""
        return 0 < sum(self.sensors("seen").values()) == sum(self.accounts().values())

    def all_verdicts_are_logged(self) -> bool:
        """Whether nba_device.log has a row for each of the worker's verdicts."""
        return 0 < len(self.rows("nba_device")) == self.metrics("nba_verdicts_total")[""]

    def skips_are_logged(self) -> bool:
        """Whether the worker has logged all sessions that the sensors skipped."""
        skipped = self.metrics("nba_skipped_sessions_total")
        return sum(map(int, _SKIPPED.findall(self.said()))) == sum(skipped.values())
