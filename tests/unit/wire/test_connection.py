"""The connection to Zeek: what it subscribes to, and how it returns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from nba_broker.wire import connection
from nba_broker.wire.connection import Link
from nba_broker.wire.partitions import name_in, partition_of


@pytest.mark.parametrize("partition", [0, 1, 9, 10, 999])
def test_a_name_tells_the_partition_that_was_put_into_it(partition: int) -> None:
    assert partition_of(name_in(partition, "sensor-1:7:abc")) == partition


@pytest.mark.parametrize(
    "name", ["", "a", "a/", "a/0", "a/01", "a/1000", "a/-1", "a/1 ", "a/1\n", "a/1/x", "a1"]
)
def test_a_name_that_tells_no_partition_is_of_partition_0(name: str) -> None:
    assert partition_of(name) == 0


@pytest.mark.parametrize(
    ("partition", "topic", "application"),
    [
        (0, "zeek/nba/sessions/0/", "nba-broker"),
        (12, "zeek/nba/sessions/12/", "nba-broker/12"),
    ],
)
def test_a_link_subscribes_to_the_sessions_of_its_own_partition(
    partition: int, topic: str, application: str
) -> None:
    heard: list[object] = []

    async def zeek(socket: ServerConnection) -> None:
        heard.append(json.loads(await socket.recv()))
        assert socket.request is not None
        heard.append(socket.request.headers["X-Application-Name"])
        await socket.send(json.dumps({"type": "ack", "endpoint": "zeromq_x", "version": "9.0.0"}))
        await socket.wait_closed()

    async def listen() -> None:
        async with serve(zeek, "127.0.0.1", 0) as server:
            number = server.sockets[0].getsockname()[1]
            await Link(f"ws://127.0.0.1:{number}/", partition=partition).listen(
                0.1, lambda frame: None
            )

    asyncio.run(listen())
    others = [topic.replace("sessions", one) for one in ("names", "announced")]
    assert heard == [[*others, "zeek/nba/hello/", "zeek/nba/lease/", topic], application]


Handler = Callable[[ServerConnection], Awaitable[None]]


async def joins(handler: Handler, seconds: float) -> int:
    """How often a link gets through to its subscription in this time, with 20 ms before a retry."""
    joined = 0

    async def join() -> None:
        nonlocal joined
        joined += 1

    async with serve(handler, "127.0.0.1", 0) as server:
        number = server.sockets[0].getsockname()[1]
        link = Link(f"ws://127.0.0.1:{number}/", pause=0.02)
        try:
            async with asyncio.timeout(seconds):
                async for _ in link.frames(join):
                    pass
        except TimeoutError:
            pass
    return joined


def test_a_link_returns_after_zeek_closed_the_connection() -> None:
    async def zeek(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "ack", "endpoint": "x", "version": "9.0.0"}))

    assert asyncio.run(joins(zeek, 1.0)) > 1


def test_a_refused_subscription_is_logged_once_and_retried_after_growing_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = 0

    async def zeek(socket: ServerConnection) -> None:
        nonlocal tries
        tries += 1
        await socket.recv()
        await socket.send(json.dumps({"type": "error", "code": "no"}))

    assert asyncio.run(joins(zeek, 1.0)) == 0
    assert 1 < tries < 10
    assert caplog.text.count("Zeek refused it") == 1


def test_a_link_tries_again_so_soon_that_a_zeek_that_was_away_raises_no_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Zeek's default for NBA::no_worker_timeout is 30 s, and a worker says hello every 5 s."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            raise TimeoutError

    async def away() -> None:
        async for _ in Link("ws://127.0.0.1:1/", pause=0.5).frames(joined):
            pass

    async def joined() -> None:
        raise AssertionError("nobody listens there")

    monkeypatch.setattr(connection.asyncio, "sleep", sleep)
    monkeypatch.setattr(connection.random, "uniform", lambda low, high: high)
    with pytest.raises(TimeoutError):
        asyncio.run(away())
    assert pauses[0] < pauses[1] < pauses[2]
    assert max(pauses) + 5 < 30 / 2
