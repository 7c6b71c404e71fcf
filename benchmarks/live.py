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
from collections.abc import Iterator
from pathlib import Path

from benchmarks.offline import Figure
from nba_broker.link import Link, SessionBatch, decode, encode_ack, encode_hello
from nba_broker.zeek_process import find_scripts, find_zeek, free_port

SESSIONS = 2_000_000
PATIENCE = 300.0


@contextlib.contextmanager
def publishing() -> Iterator[str]:
    """A single Zeek with the package that waits for a worker; gives its address."""
    zeek = find_zeek()
    assert zeek is not None
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="nba-") as folder:
        process = subprocess.Popen(
            [
                zeek,
                find_scripts() / "standalone.zeek",
                Path(__file__).with_name("publish.zeek"),
                f"NBA::listen_port={port}/tcp",
                f"NBA::bench_sessions={SESSIONS}",
            ],
            cwd=folder,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"ws://127.0.0.1:{port}/v1/messages/json"
        finally:
            process.terminate()
            process.wait()


def transport() -> Iterator[Figure]:
    """A client that only decodes and acknowledges: what the transport itself can carry."""
    with publishing() as url:
        yield "transport.sessions", asyncio.run(_carry(url)), "sessions/s"


async def _carry(url: str) -> float:
    link = Link(url, pause=0.05)
    received, began = 0, 0.0

    async def joined() -> None:
        await link.send([encode_hello("bench")])

    async with contextlib.aclosing(link.frames(joined)) as frames:
        async for frame in frames:
            message = decode(frame)
            if isinstance(message, SessionBatch):
                began = began or time.monotonic()
                received += len(message.sessions)
                if message.seq % 8 == 0:
                    await link.send([encode_ack(message.node, message.run, message.seq)])
                if received >= SESSIONS:
                    break
    return received / (time.monotonic() - began)


def end_to_end() -> Iterator[Figure]:
    """``nba-broker run``: received, mapped, kept and scored, each batch acknowledged after that."""
    metrics = f"127.0.0.1:{free_port()}"
    with publishing() as url:
        command = [sys.executable, "-m", "nba_broker.cli", "run", "--url", url]
        worker = subprocess.Popen([*command, "--metrics", metrics], stderr=subprocess.DEVNULL)
        try:
            rate, found = _watch(f"http://{metrics}/metrics")
            memory = _resident(worker.pid)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
    yield "end_to_end.sessions", rate, "sessions/s"
    yield "end_to_end.lost", found["nba_lost_sessions_total"], "sessions"
    yield "end_to_end.scored", found["nba_scored_windows_total"], "windows"
    yield "end_to_end.resident", memory / 1e6, "MB"


def _watch(url: str) -> tuple[float, dict[str, float]]:
    """Sessions per second from the first to the last, and the metrics after that."""
    began = time.monotonic()
    first: tuple[float, float] | None = None
    while time.monotonic() < began + PATIENCE:
        time.sleep(0.1)
        with contextlib.suppress(OSError):
            found = _scrape(url)
            done, now = found.get("nba_processed_sessions_total", 0.0), time.monotonic()
            if done and first is None:
                first = now, done
            # The last batch is held back until Zeek's next heartbeat: it is not waited for.
            if first and done >= 0.99 * SESSIONS:
                return (done - first[1]) / (now - first[0]), found
    raise TimeoutError(f"the worker took no {SESSIONS} sessions in {PATIENCE:.0f} s")


def _scrape(url: str) -> dict[str, float]:
    """Metrics by name, summed over their labels."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name = name.partition("{")[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found


def _resident(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
