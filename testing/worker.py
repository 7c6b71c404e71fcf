"""Runs nba-broker in processes of their own, and reads the metrics of a worker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from nba_broker.archive.zeek_process import free_port

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
"""Of the processes started here; a test may change it."""

RUN = ("nba_broker.cli.main", "run")
"""The worker's module, and what its command line begins with."""

ENOUGH = 0.99  # of the sessions: the last batch is held back until a sensor's next heartbeat
PATIENCE = 300.0  # seconds that a figure may take


def broker(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``nba-broker`` with these arguments to its end."""
    return subprocess.run(
        [sys.executable, "-m", "nba_broker.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )


def _wait(process: subprocess.Popen[str] | subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@contextlib.contextmanager
def running_worker(url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``nba-broker run``, whose messages are read from its ``stderr``; stopped in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", *RUN, "--url", url, *arguments],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        _wait(process, 10)


class Measured:
    """A worker in a process of its own, and its metrics."""

    def __init__(self, process: subprocess.Popen[bytes], metrics: str) -> None:
        self.process = process
        self._url = f"http://{metrics}/metrics"

    def stop(self) -> None:
        """Let it finish its work and end; it may have ended, or been stopped, before.

        Raises TimeoutExpired for one that does not end within a minute, and kills it.
        """
        for number in (signal.SIGCONT, signal.SIGTERM):
            self.process.send_signal(number)
        _wait(self.process, 60)

    def metrics(self) -> dict[str, float]:
        """Its metrics by name, summed over their labels; raises OSError."""
        return total(self.labelled())

    def labelled(self) -> dict[tuple[str, str], float]:
        """Its metrics by name and labels; raises OSError."""
        with urllib.request.urlopen(self._url, timeout=10) as answer:
            return parse(answer.read().decode())

    def watch(self, sessions: int) -> float:
        """As :func:`sessions_per_second`, of this one alone."""
        return sessions_per_second([self], sessions)

    def settle(self, patience: float = 30.0) -> dict[str, float]:
        """Its metrics once all sessions have arrived: its queue is empty, and no more come."""
        deadline = time.monotonic() + patience
        before: dict[str, float] = {}
        while time.monotonic() < deadline:
            found = self.metrics()
            if not found["nba_queue_messages"] and accounted(found) == accounted(before) > 0:
                return found
            before = found
            time.sleep(2)
        raise TimeoutError("sessions still arrive")


def sessions_per_second(workers: Sequence[Measured], sessions: int) -> float:
    """Sessions per second of all workers together, from the first processed one to nearly the
    last."""
    deadline = time.monotonic() + PATIENCE
    first: tuple[float, float] | None = None
    while time.monotonic() < deadline and all(one.process.poll() is None for one in workers):
        time.sleep(0.5 if first else 0.1)  # more often would take the worker's time
        with contextlib.suppress(OSError):
            found = [one.metrics() for one in workers]
            done = sum(one.get("nba_processed_sessions_total", 0.0) for one in found)
            now = time.monotonic()
            if done and first is None:
                first = now, done
            if first and done >= ENOUGH * sessions:
                return (done - first[1]) / max(now - first[0], 1e-9)
    raise TimeoutError(f"{sessions} sessions were not taken in {PATIENCE:.0f} s")


ACCOUNTS = ("received", "lost", "skipped", "missed")


def accounted(metrics: dict[str, float]) -> int:
    """The sessions that a worker accounts for."""
    return round(sum(metrics.get(f"nba_{name}_sessions_total", 0.0) for name in ACCOUNTS))


def parse(text: str) -> dict[tuple[str, str], float]:
    """Prometheus's text format: values by name and labels, as ``name`` and ``{...}``."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            head, _, value = line.rpartition(" ")
            name, brace, labels = head.partition("{")
            found[name, brace + labels] = float(value)
    return found


def total(metrics: dict[tuple[str, str], float]) -> dict[str, float]:
    """Metrics by name, summed over their labels."""
    found: dict[str, float] = {}
    for (name, _), value in metrics.items():
        found[name] = found.get(name, 0.0) + value
    return found


def start_measured(
    url: str, *options: str | Path, command: Sequence[str] = RUN, errors: Path = Path(os.devnull)
) -> Measured:
    """Start ``nba-broker run``, or another module; its messages are appended to ``errors``."""
    metrics = f"127.0.0.1:{free_port()}"
    line = [sys.executable, "-m", *command, "--url", url, "--metrics", metrics, *options]
    with errors.open("ab") as file:
        return Measured(subprocess.Popen(line, stderr=file), metrics)


@contextlib.contextmanager
def measured_worker(
    url: str, *options: str | Path, command: Sequence[str] = RUN
) -> Iterator[Measured]:
    """As :func:`start_measured`; stopped in the end."""
    running = start_measured(url, *options, command=command)
    try:
        yield running
    finally:
        running.stop()
