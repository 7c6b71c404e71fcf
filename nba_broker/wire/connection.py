"""The WebSocket connection to Zeek: subscribes, reconnects, and moves frames in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.uri import parse_uri

from nba_broker.records.errors import ConfigError, LinkError, MessageError
from nba_broker.wire.codec import (
    ANNOUNCED_TOPIC,
    HELLO_TOPIC,
    LEASE_TOPIC,
    NAMES_TOPIC,
    SESSIONS_TOPIC,
    decode_subscribed,
    encode_subscription,
)
from nba_broker.wire.partitions import name_in

LOG = logging.getLogger(__name__)

# Seconds between two tries at most, but for the jitter. Zeek raises NBA::No_Worker after 30 s, also
# if it was Zeek that was away.
_LONGEST_PAUSE = 5.0

_FAILURES = (OSError, WebSocketException, TimeoutError, ValueError, MessageError)


class Link:
    """A connection to Zeek's WebSocket API that reconnects until it is closed.

    partition: subscribe to the sessions and names of this partition only.
    pause: seconds before the first retry. The pauses grow, with jitter, so that many workers do not
    return at the same moment.

    Raises ConfigError if ``url`` is not a WebSocket URL.
    """

    def __init__(
        self,
        url: str,
        *,
        partition: int = 0,
        tls: ssl.SSLContext | None = None,
        pause: float = 0.5,
    ) -> None:
        try:
            parse_uri(url)
        except (InvalidURI, ValueError) as error:
            raise ConfigError(f"url: {error}") from error
        self.url = url
        # Zeek's nodes hear of them one by one. When the first sessions arrive, all are known.
        self._topics = [
            f"{NAMES_TOPIC}{partition}/",
            f"{ANNOUNCED_TOPIC}{partition}/",
            HELLO_TOPIC,
            LEASE_TOPIC,
            f"{SESSIONS_TOPIC}{partition}/",
        ]
        # A Zeek that reads a capture tells by this name which client has left.
        self._application = name_in(partition, "nba-broker")
        self._tls = tls
        self._pause = pause
        self._socket: ClientConnection | None = None
        self.version = ""
        """Version of the Zeek that answered last."""
        self.endpoint = ""
        """Zeek's name for the last connection; it begins with the name of the cluster backend."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection to Zeek now."""
        return self._socket is not None

    async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncGenerator[bytes, None]:
        """Every frame that arrives, over any number of connections; ``joined`` is awaited at the
        start of each."""
        # Not the reconnecting iterator of websockets: it retries at once if Zeek accepts the
        # connection and then refuses the subscription or closes it, and logs every attempt.
        pause = self._pause
        complained = ""
        while True:
            try:
                async with self._connect() as socket:
                    LOG.info("connected to Zeek at %s", self.url)
                    pause, complained = self._pause, ""
                    await joined()
                    async for frame in socket:
                        yield frame if isinstance(frame, bytes) else frame.encode()
                LOG.warning("Zeek closed the connection; reconnecting")
            except _FAILURES as error:
                # Logged once per cause: Zeek may be down for hours.
                if str(error) != complained:
                    complained = str(error)
                    LOG.warning("no connection to Zeek at %s (%s); retrying", self.url, error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def listen(self, seconds: float, hear: Callable[[bytes], None]) -> None:
        """Call ``hear`` with every frame for this many seconds, and send nothing.

        Raises LinkError if Zeek does not answer.
        """
        try:
            async with self._connect() as socket:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        async for frame in socket:
                            hear(frame if isinstance(frame, bytes) else frame.encode())
        except _FAILURES as error:
            raise LinkError(f"no connection to Zeek at {self.url} ({error})") from error

    @contextlib.asynccontextmanager
    async def _connect(self) -> AsyncIterator[ClientConnection]:
        async with connect(
            self.url,
            ssl=self._tls,
            proxy=None,
            compression=None,
            max_size=2**25,
            max_queue=(4096, 1024),
            additional_headers={"X-Application-Name": self._application},
            open_timeout=10,
        ) as socket:
            await socket.send(encode_subscription(self._topics))
            subscribed = decode_subscribed(await asyncio.wait_for(socket.recv(decode=False), 10))
            self.version, self.endpoint = subscribed.version, subscribed.endpoint
            self._socket = socket
            try:
                yield socket
            finally:
                self._socket = None

    async def send(self, frames: Sequence[str]) -> int:
        """Publish frames in order; returns how many went out before the connection broke."""
        sent = 0
        socket = self._socket
        if socket is not None:
            with contextlib.suppress(WebSocketException):
                for frame in frames:
                    await socket.send(frame)
                    sent += 1
        return sent
