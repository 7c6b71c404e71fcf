"""Figures over a real Zeek that publishes synthetic batches as fast as they are acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks import processes
from benchmarks.offline import Figure
from nba_broker.archive.zeek_process import free_port
from nba_broker.wire.accounting import Ledger
from nba_broker.wire.codec import SessionBatch, decode, encode_ack, encode_hello
from nba_broker.wire.connection import Link
from nba_broker.worker.presence import HELLO_PERIOD
from tests.zeek.zeek_process import Standalone

SESSIONS = 2_000_000
ENOUGH = 0.99  # of the sessions: the last batch is held back until a sensor's next heartbeat
PATIENCE = 300.0
SETTLE = 1.0
QUIET = 3.0  # seconds without a frame after which nothing more comes
PUBLISH = Path(__file__).with_name("publish.zeek")

RUN = ("nba_broker.cli.main", "run")
"""The worker's module, and what its command line begins with."""


@contextlib.contextmanager
def publishing() -> Iterator[str]:
    """A single Zeek with the package that waits for a worker; gives its address."""
    with (
        tempfile.TemporaryDirectory(prefix="nba-") as folder,
        Standalone(Path(folder), (PUBLISH, f"NBA::bench_sessions={SESSIONS}")) as zeek,
    ):
        yield zeek.url


def transport() -> Iterator[Figure]:
    """A client that only decodes and acknowledges: what the transport itself can carry."""
    with publishing() as url:
        yield "transport.sessions", asyncio.run(carry(url, SESSIONS)).rate, "sessions/s"


def end_to_end() -> Iterator[Figure]:
    """``nba-broker run``: received, mapped, kept and scored, each batch acknowledged after that."""
    with publishing() as url, worker(url) as running:
        rate = running.watch(SESSIONS)
        found, memory = running.metrics(), processes.resident(running.process.pid)
    yield "end_to_end.sessions", rate, "sessions/s"
    yield "end_to_end.lost", found["nba_lost_sessions_total"], "sessions"
    yield "end_to_end.scored", found["nba_scored_windows_total"], "windows"
    yield "end_to_end.resident", memory / 1e6, "MB"


class Carried(NamedTuple):
    """What came through to a client: sessions, those lost, and sessions per second."""

    received: int
    lost: int
    rate: float


async def _heard(link: Link) -> AsyncGenerator[bytes, None]:
    """Every frame that arrives, while sensors hear of a worker as often as of a real one."""
    said = time.monotonic()

    async def joined() -> None:
        # A hello is faster than a subscription, and what is sent at once is not sent again.
        await asyncio.sleep(SETTLE)
        await link.send([encode_hello("bench")])

    async with contextlib.aclosing(link.frames(joined)) as frames:
        async for frame in frames:
            yield frame
            if time.monotonic() - said > HELLO_PERIOD:
                said = time.monotonic()
                await link.send([encode_hello("bench")])


async def carry(url: str, sessions: int) -> Carried:
    """Decode and acknowledge batches until nearly so many sessions have come or are lost."""
    link, ledger = Link(url, pause=0.05), Ledger()
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE), contextlib.aclosing(_heard(link)) as frames:
        async for frame in frames:
            message = decode(frame)
            if not isinstance(message, SessionBatch):
                continue
            if not ledger.received:
                began = time.monotonic()
            ledger.enter(message)
            if message.seq % 8 == 0 or not len(message.sessions):
                await link.send([encode_ack(message.node, message.run, message.seq)])
            if ledger.received + ledger.lost >= ENOUGH * sessions:
                break
    rate = ledger.received / (time.monotonic() - began)
    return Carried(ledger.received, ledger.lost, rate)


async def carry_single(url: str) -> tuple[int, float]:
    """Decode sessions that are events of their own until none comes any more.

    Returns how many came, and sessions per second.
    """
    received, began, last = 0, 0.0, time.monotonic()
    frames = _heard(Link(url, pause=0.05))
    async with asyncio.timeout(PATIENCE), contextlib.aclosing(frames):
        # Sensors' heartbeats come as long as they hear of a worker, so that this always ends.
        async for frame in frames:
            now = time.monotonic()
            if orjson.loads(frame)["data"][2]["data"][0]["data"] == "NBA::bench_session":
                began = began or now
                received, last = received + 1, now
            elif now - last > (QUIET if received else PATIENCE / 10):
                break
    return received, received / max(last - began, 1e-9)


class Running:
    """A worker in a process of its own, and what it says of itself."""

    def __init__(self, process: subprocess.Popen[bytes], metrics: str) -> None:
        self.process = process
        self._url = f"http://{metrics}/metrics"

    def stop(self) -> None:
        """Let it finish what it has, and end; it may have ended, or been stopped, before."""
        for number in (signal.SIGCONT, signal.SIGTERM):
            self.process.send_signal(number)
        self.process.wait()

    def metrics(self) -> dict[str, float]:
        """Its metrics by name, summed over their labels; raises OSError."""
        return total(self.labelled())

    def labelled(self) -> dict[tuple[str, str], float]:
        """Its metrics by name and labels; raises OSError."""
        with urllib.request.urlopen(self._url, timeout=10) as answer:
            return parse(answer.read().decode())

    def watch(self, sessions: int) -> float:
        """As :func:`watch`, of this one alone."""
        return watch([self], sessions)

    def settle(self, patience: float = 30.0) -> dict[str, float]:
        """Its metrics once it has heard of everything: nothing waits, and nothing more comes."""
        deadline = time.monotonic() + patience
        before: dict[str, float] = {}
        while time.monotonic() < deadline:
            found = self.metrics()
            if not found["nba_queue_messages"] and accounted(found) == accounted(before) > 0:
                return found
            before = found
            time.sleep(2)
        raise TimeoutError("sessions still arrive")


def watch(workers: Sequence[Running], sessions: int) -> float:
    """Sessions per second of all together, from the first that one has worked on to nearly the
    last."""
    deadline = time.monotonic() + PATIENCE
    first: tuple[float, float] | None = None
    while time.monotonic() < deadline and all(one.process.poll() is None for one in workers):
        time.sleep(0.5 if first else 0.1)  # more often, the worker would be answering this
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
    """The sessions that a worker knows the fate of."""
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


def start(
    url: str, *options: str | Path, command: Sequence[str] = RUN, errors: Path = Path(os.devnull)
) -> Running:
    """``nba-broker run``, or another module; what it says is appended to ``errors``."""
    metrics = f"127.0.0.1:{free_port()}"
    line = [sys.executable, "-m", *command, "--url", url, "--metrics", metrics, *options]
    with errors.open("ab") as file:
        return Running(subprocess.Popen(line, stderr=file), metrics)


@contextlib.contextmanager
def worker(url: str, *options: str | Path, command: Sequence[str] = RUN) -> Iterator[Running]:
    """As :func:`start`; stopped in the end."""
    running = start(url, *options, command=command)
    try:
        yield running
    finally:
        running.stop()
