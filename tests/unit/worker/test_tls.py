"""TLS with client certificates: who has one of the right authority gets in, nobody else does."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from nba_broker.cli.build import build_tls
from nba_broker.records.errors import ConfigError
from nba_broker.wire.connection import Link
from nba_broker.worker import doctor
from nba_broker.worker.settings import Settings
from tests.certificates import authority, signed


async def joins(settings: Settings, port: int, seconds: float) -> bool:
    """Whether a link with these settings gets through to the subscription in this time."""
    url = f"wss://127.0.0.1:{port}/"
    given = Settings(url=url, ca=settings.ca, cert=settings.cert, key=settings.key)
    link, joined = Link(url, tls=build_tls(given), pause=0.05), asyncio.Event()

    async def join() -> None:
        joined.set()

    async def listen() -> None:
        async for _ in link.frames(join):
            pass

    task = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(seconds):
            await joined.wait()
    except TimeoutError:
        pass
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return joined.is_set()


def test_only_a_certificate_of_the_right_authority_joins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, other = authority(tmp_path, "ours"), authority(tmp_path, "other")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ours)
    server.load_cert_chain(*signed(tmp_path, "zeek", ours))
    server.verify_mode = ssl.CERT_REQUIRED
    good, bad = signed(tmp_path, "worker", ours), signed(tmp_path, "stranger", other)

    async def zeek(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "ack", "endpoint": "x", "version": "9.0.0"}))
        await socket.wait_closed()

    async def attempt(settings: Settings, seconds: float) -> bool:
        async with serve(zeek, "127.0.0.1", 0, ssl=server) as listening:
            return await joins(settings, listening.sockets[0].getsockname()[1], seconds)

    caplog.set_level(logging.WARNING, "nba_broker.wire.connection")
    assert asyncio.run(attempt(Settings(ca=ours, cert=good[0], key=good[1]), 30))
    caplog.clear()
    for settings in (
        Settings(ca=ours),
        Settings(ca=ours, cert=bad[0], key=bad[1]),
        Settings(ca=other, cert=good[0], key=good[1]),
    ):
        assert not asyncio.run(attempt(settings, 3))
        lines = [line for line in caplog.messages if "no connection to Zeek" in line]
        assert len(lines) == 1
        assert "\n" not in lines[0]
        caplog.clear()


def test_a_certificate_file_that_is_none_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no certificate")
    for path in (tmp_path / "x", tmp_path / "missing"):
        with pytest.raises(ConfigError, match="TLS files"):
            build_tls(Settings(url="wss://x/", ca=path))


def test_the_doctor_warns_of_what_leaves_the_machine_in_the_clear() -> None:
    advice = {
        url: bool(next(iter(doctor.port(url, authority=ca))).advice)
        for url, ca in (
            ("ws://127.0.0.1:1/", False),
            ("ws://10.0.0.1:1/", False),
            ("wss://10.0.0.1:1/", False),
            ("wss://10.0.0.2:1/", True),
        )
    }
    assert list(advice.values()) == [False, True, True, False]
