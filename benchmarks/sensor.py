"""What the package costs its sensor: processor time, and memory when the worker fails."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from benchmarks import live
from benchmarks.offline import Figure
from nba_broker.archive.zeek_process import free_port
from nba_broker.records.errors import ZeekError
from nba_broker.records.sessions import Sessions, concatenate
from nba_broker.wire.codec import SessionBatch, decode, encode_ack, encode_hello
from nba_broker.wire.connection import Link
from nba_broker.worker.worker import ACK_PERIOD
from testing import processes
from testing.client import Client
from testing.frames import ethernet
from testing.traffic import Traffic
from testing.worker import Measured, measured_worker
from testing.zeek import (
    PACKAGE,
    Cluster,
    Standalone,
    ZeekProcess,
    listens,
    read,
    replay,
    wait_until,
    zeek_path,
)
from tools import capture

FLOWS = 200_000
DAYS = 50  # of a real capture
REPORTS = 500_000
HOSTS = 1_000
SECONDS = 100.0  # that the capture lasts
HANG = 60.0  # seconds without the worker, of these
SLOWER = 10.0  # times too slow is a slow worker
BEATS = Path(__file__).with_name("beats.zeek")
_START = 1.7e9


def make_capture(path: Path, flows: int, seconds: float) -> None:
    """Flows of one packet each, so that nothing but their starts gives Zeek work."""
    sessions = concatenate(list(Traffic(HOSTS).random(flows)))
    times = _START + np.rint(np.arange(flows) * (seconds / flows) * 1e6) / 1e6
    sessions = Sessions(
        times, sessions.host, sessions.uid, sessions.mac, sessions.dst, sessions.dport
    )
    capture.write(path, sessions)


def repeat(day: Path, path: Path, days: int) -> None:
    """A capture so many times, each time a day later; pcap in this machine's byte order."""
    content = day.read_bytes()
    with path.open("wb") as file:
        file.write(content[:24])
        for number in range(days):
            rows, at = bytearray(content[24:]), 0
            while at < len(rows):
                seconds, _, size = struct.unpack_from("=III", rows, at)
                struct.pack_into("=I", rows, at, seconds + number * 86_400)
                at += 16 + size
            file.write(rows)


def cost() -> Iterator[Figure]:
    """A sensor of a cluster over flows of one packet, with and without the package."""
    with tempfile.TemporaryDirectory(prefix="nba-") as name:
        make_capture(Path(name) / "flows.pcap", FLOWS, SECONDS)
        yield from _cost("sensor", Path(name), Path(name) / "flows.pcap")


def cost_of_days(day: Path | None) -> Iterator[Figure]:
    """The same over ``DAYS`` days that are like the one of a capture."""
    zeek = zeek_path()
    if day is None or zeek is None:
        return
    with tempfile.TemporaryDirectory(prefix="nba-") as name:
        folder = Path(name)
        one = ethernet(zeek, day, folder)
        repeat(one, folder / "days.pcap", DAYS)
        yield from _cost("sensor_days", folder, folder / "days.pcap")


def _cost(title: str, folder: Path, flows: Path) -> Iterator[Figure]:
    without = _without(folder / "without", flows)
    with_it = _with(folder / "with", flows)
    yield f"{title}.without", without, "cpu-s"
    yield f"{title}.with", with_it, "cpu-s"
    yield f"{title}.with_against_without", with_it / without, "ratio"


def reports() -> Iterator[Figure]:
    """One session and one name: the sensor's processor time until each is sent."""
    with tempfile.TemporaryDirectory(prefix="nba-") as name:
        folder = Path(name)
        make_capture(folder / "flows.pcap", 100, 10.0)
        start = _reporting(folder, 0, names=False)
        for kind in ("session", "name"):
            whole = _reporting(folder, REPORTS, names=kind == "name")
            yield f"sensor.report_{kind}", (whole - start) / REPORTS * 1e6, "cpu-us"


def _reporting(folder: Path, rows: int, *, names: bool) -> float:
    """Seconds of processor time of a single Zeek that reports so many."""
    arguments = (
        *replay(folder / "flows.pcap"),
        PACKAGE / "standalone.zeek",
        "NBA::listen_port=0/tcp",
        BEATS.with_name("report.zeek"),
        f"NBA::bench_rows={rows}",
        f"NBA::bench_names={'T' if names else 'F'}",
    )
    return _ended(ZeekProcess(folder / "zeek", arguments))


def _ended(zeek: ZeekProcess) -> float:
    """Run a Zeek to its end; seconds of its processor time."""
    zeek.start()
    seconds = processes.ended(zeek.pid)
    if zeek.wait():
        raise ZeekError(zeek.output)
    return seconds


def _without(folder: Path, flows: Path) -> float:
    arguments = ("-r", flows, Path(__file__).with_name("capture.zeek"))
    with Cluster(folder, [arguments], package=False) as zeek:
        return processes.ended(zeek.nodes[zeek.sensors[0]].pid)


def _with(folder: Path, flows: Path) -> float:
    """Every session is published and acknowledged; the sensor hardly waits."""
    # A capture of days is read in seconds. What is logged every ten seconds of the capture would
    # cost as if a sensor did it thousands of times a second.
    settings = ("NBA::stats_interval=1day",)
    with Cluster(folder, [read(flows)], settings=settings) as zeek:
        ended = threading.Event()
        client = threading.Thread(target=lambda: asyncio.run(_acknowledge(zeek.url, ended)))
        client.start()
        try:
            return processes.ended(zeek.nodes[zeek.sensors[0]].pid)
        finally:
            ended.set()
            client.join()


async def _acknowledge(url: str, ended: threading.Event) -> None:
    """Acknowledge batches as a worker does, as often as it does, until the sensor has ended."""
    link = Link(url, pause=0.05)
    acks: dict[str, str] = {}

    async def hello() -> None:
        await link.send([encode_hello("bench")])

    async def work() -> None:
        async with contextlib.aclosing(link.frames(hello)) as frames:
            async for frame in frames:
                message = decode(frame)
                if isinstance(message, SessionBatch):
                    acks[message.node] = encode_ack(message.node, message.run, message.seq)

    task = asyncio.create_task(work())
    said = time.monotonic()
    while not ended.is_set() and not task.done():
        await asyncio.sleep(ACK_PERIOD)
        await link.send(list(acks.values()))
        acks.clear()
        if time.monotonic() - said > live.SETTLE:
            said = time.monotonic()
            await hello()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class Listener(processes.Background):
    """A client of another port, which should receive Zeek's beats whatever the worker does."""

    def __init__(self, port: int) -> None:
        self.longest = float("inf")
        """Seconds between two beats, at most; infinity when the connection broke."""
        super().__init__()
        self._url = f"ws://127.0.0.1:{port}/v1/messages/json"

    def _run(self) -> None:
        longest, last = 0.0, 0.0
        with Client(self._url, ["zeek/bench/beat/"]) as client:
            while not self._done.is_set():
                with contextlib.suppress(TimeoutError):
                    client.receive(timeout=0.5)
                    now = time.monotonic()
                    longest = max(longest, now - (last or now))
                    last = now
        # Not if Zeek has closed the connection, nor without a beat.
        self.longest = longest if last else self.longest


def outage() -> Iterator[Figure]:
    """A single Zeek, which holds the WebSocket server too, over a capture at its own speed: without
    the package, then with a worker that is absent, hangs, or is ten times too slow."""
    with tempfile.TemporaryDirectory(prefix="nba-") as name:
        folder = Path(name)
        flows = folder / "flows.pcap"
        make_capture(flows, FLOWS, SECONDS)
        alone = ZeekProcess(folder / "alone", (*replay(flows), BEATS))
        alone.start()
        time.sleep(SECONDS)
        without = processes.highest(alone.pid)
        alone.stop()
        yield "outage.without.memory", without / 1e6, "MB"
        yield "outage.without.longest_pause", longest_pause(alone.output) * 1e3, "ms"
        for failure in (absent, hung, slow):
            yield from _outage(failure, folder, flows, without)


Failure = Callable[[str], AbstractContextManager[Measured]]
"""Takes Zeek's address, fails for ``HANG`` seconds, and gives a worker that has just started to
work."""


@contextlib.contextmanager
def absent(url: str) -> Iterator[Measured]:
    """No worker."""
    time.sleep(HANG)
    with measured_worker(url) as worker:
        yield worker


@contextlib.contextmanager
def hung(url: str) -> Iterator[Measured]:
    """A worker that is stopped and continued."""
    with measured_worker(url) as worker:
        worker.watch(1)
        worker.process.send_signal(signal.SIGSTOP)
        time.sleep(HANG)
        worker.process.send_signal(signal.SIGCONT)
        yield worker


@contextlib.contextmanager
def slow(url: str) -> Iterator[Measured]:
    """A worker that takes a tenth of the sessions, then a good one in its place."""
    seconds = str(SLOWER * SECONDS / FLOWS)
    with measured_worker(url, "--slow", seconds, command=("benchmarks.worker",)) as worker:
        time.sleep(HANG)
        worker.process.kill()
    with measured_worker(url) as worker:
        yield worker


def _outage(failure: Failure, folder: Path, flows: Path, without: int) -> Iterator[Figure]:
    port = free_port()
    options = (*replay(flows), BEATS, f"Beats::listen_port={port}/tcp")
    what = failure.__name__
    with Standalone(folder / what, options) as zeek:
        began = time.monotonic()
        wait_until(lambda: listens(port), what="Zeek to listen on a second port")
        with Listener(port) as listener, failure(zeek.url) as worker:
            recovery = _recovery(worker)
            time.sleep(max(began + SECONDS - time.monotonic(), 0))
            memory = processes.highest(zeek.zeek.pid)
            ended = not zeek.zeek.running
    yield f"outage.{what}.memory_above_without", (memory - without) / 1e6, "MB"
    yield f"outage.{what}.longest_pause", longest_pause(zeek.zeek.output) * 1e3, "ms"
    yield f"outage.{what}.longest_pause_on_another_port", listener.longest * 1e3, "ms"
    yield f"outage.{what}.recovery", recovery, "s"
    yield f"outage.{what}.zeek_ended", float(ended), "processes"


def _recovery(worker: Measured) -> float:
    """Seconds until sessions arrive and none is skipped any more; infinity if that never is."""
    began = time.monotonic()
    before: dict[str, float] = {}
    while time.monotonic() < began + SECONDS - HANG:
        with contextlib.suppress(OSError):
            now = worker.metrics()
            if before and recovered(before, now):
                return time.monotonic() - began
            before = now
        time.sleep(0.5)
    return float("inf")


def recovered(before: dict[str, float], now: dict[str, float]) -> bool:
    """Whether, between two looks at a worker's metrics, sessions came and none was skipped."""
    received, skipped = "nba_received_sessions_total", "nba_skipped_sessions_total"
    # A worker without sensors has none of these.
    came = now.get(received, 0.0) > before.get(received, 0.0)
    return came and skipped in before and now[skipped] == before[skipped]


def longest_pause(output: str) -> float:
    """The longest pause that beats.zeek has found, in seconds; raises ValueError."""
    for line in output.splitlines():
        word, _, value = line.partition(" ")
        if word == "longest":
            return float(value)
    raise ValueError(f"Zeek said nothing of its pauses: {output[-500:]}")
