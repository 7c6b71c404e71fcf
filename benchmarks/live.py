"""Figures over a real Zeek that publishes synthetic batches as fast as they are acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks.offline import Figure
from nba_broker.wire.accounting import Ledger
from nba_broker.wire.codec import SessionBatch, decode, encode_ack, encode_hello
from nba_broker.wire.connection import Link
from nba_broker.worker.presence import HELLO_PERIOD
from testing import processes
from testing.worker import ENOUGH, PATIENCE, measured_worker
from testing.zeek import Standalone

SESSIONS = 2_000_000
SETTLE = 1.0
QUIET = 3.0  # seconds without a frame after which nothing more comes
PUBLISH = Path(__file__).with_name("publish.zeek")


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
    with publishing() as url, measured_worker(url) as running:
        rate = running.watch(SESSIONS)
        found, memory = running.metrics(), processes.resident(running.process.pid)
    yield "end_to_end.sessions", rate, "sessions/s"
    yield "end_to_end.lost", found["nba_lost_sessions_total"], "sessions"
    yield "end_to_end.scored", found["nba_scored_windows_total"], "windows"
    yield "end_to_end.resident", memory / 1e6, "MB"


class Carried(NamedTuple):
    """What arrived at a client: sessions received and lost, and sessions per second."""

    received: int
    lost: int
    rate: float


async def _heard(link: Link) -> AsyncGenerator[bytes, None]:
    """Every frame that arrives, while hellos are sent as often as a worker sends them."""
    said = time.monotonic()

    async def joined() -> None:
        # A hello can overtake the subscription; what is published before it is lost.
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
        # Sensors send heartbeats while they hear hellos, so that this always ends.
        async for frame in frames:
            now = time.monotonic()
            if orjson.loads(frame)["data"][2]["data"][0]["data"] == "NBA::bench_session":
                began = began or now
                received, last = received + 1, now
            elif now - last > (QUIET if received else PATIENCE / 10):
                break
    return received, received / max(last - began, 1e-9)
