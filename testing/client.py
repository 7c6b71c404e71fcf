"""Speaks Zeek's WebSocket API in plain JSON, in place of the worker and of its libraries."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

SESSIONS = ("zeek/nba/sessions/",)
"""The topics of the sensors' sessions."""

Value = tuple[str, Any]
"""A Zeek type's name in the JSON format, and the value."""

Event = tuple[str, list[Any]]
"""An event's name and its arguments, without their types."""


def encode(topic: str, event: str, *arguments: Value) -> str:
    """An event as the text of a frame."""

    def typed(kind: str, data: object) -> dict[str, object]:
        return {"@data-type": kind, "data": data}

    data = [typed(kind, value) for kind, value in arguments]
    content = [typed("string", event), typed("vector", data)]
    message = [typed("count", 1), typed("count", 1), typed("vector", content)]
    return json.dumps({"type": "data-message", "topic": topic} | typed("vector", message))


def vector(kind: str, *values: object) -> Value:
    """A vector of values of one type."""
    return "vector", [{"@data-type": kind, "data": value} for value in values]


def strings(*texts: str) -> Value:
    """A vector of strings."""
    return vector("string", *texts)


def decode(frame: str) -> Event:
    """The event in a frame; a frame of another type gives its type and its fields."""

    def plain(value: dict[str, Any]) -> Any:
        if value["@data-type"] == "vector":
            return [plain(item) for item in value["data"]]
        return value["data"]

    message = json.loads(frame)
    if message["type"] != "data-message":
        return message["type"], [message]
    name, arguments = plain(message["data"][2])[:2]
    return name, arguments


class Client:
    """A connection to Zeek, subscribed to ``topics``; ``greeting`` is Zeek's first frame."""

    def __init__(self, url: str, topics: Sequence[str]) -> None:
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(
            connect(url, proxy=None, compression=None, max_size=None)
        )
        self._socket.send(json.dumps(list(topics)))
        self.greeting = str(self._socket.recv(timeout=10))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._stack.close()

    def send(self, topic: str, event: str, *arguments: Value) -> None:
        """Publish an event."""
        self._socket.send(encode(topic, event, *arguments))

    def send_text(self, text: str) -> None:
        """Send a frame as it is."""
        self._socket.send(text)

    def receive(self, timeout: float = 10.0) -> str:
        """The next frame; raises TimeoutError."""
        return str(self._socket.recv(timeout=timeout))

    def hello(self, worker: str = "test") -> None:
        """Send a worker's heartbeat."""
        self.send("zeek/nba/hello/", "NBA::hello", ("string", worker))

    def join(self, patience: float = 60.0) -> None:
        """Say hello until a sensor sends sessions, or none. What is published before Zeek's nodes
        know this client may reach none of them.

        Needs the topic of sessions; raises TimeoutError after ``patience`` seconds.
        """
        deadline = time.monotonic() + patience
        while True:
            self.hello()
            try:
                self.receive(timeout=0.5)
                return
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise

    def ack(self, node: str, run: str, seq: int) -> None:
        """Acknowledge a sensor's batches up to this one."""
        arguments: tuple[Value, ...] = (("string", node), ("string", run), ("count", seq))
        self.send(f"zeek/nba/ack/{node}/", "NBA::ack", *arguments)

    def verdict(self, host: str, device: str, ts: float = 1700000060.5) -> None:
        """Send a plausible verdict."""
        self.send(
            "zeek/nba/verdict/",
            "NBA::verdict",
            ("real", ts),
            ("address", host),
            ("string", "02:00:00:00:00:01"),
            ("string", "camera"),
            ("string", "Acme"),
            ("string", "identified"),
            ("string", "learning"),
            ("string", device),
            ("string", "camera"),
            ("real", 0.93),
            strings("acme-plug=0.05"),
            ("count", 8),
            ("real", ts),
            ("real", ts - 60.25),
            ("string", "change"),
            strings(
                "192.0.2.7 443/tcp fw.example.com (Acme) sessions=7 weight=0.88 "
                "last=2023-11-14T22:13:50Z",
                "of 8 sessions since 2023-11-14T22:13:20Z",
            ),
            strings("Cabc"),
            ("string", "default"),
            ("string", "test"),
            ("string", ""),
            ("string", ""),
            vector("address", "192.0.2.7"),
            vector("count", 443),
            strings("tcp"),
            strings("as:64500"),
            strings("Acme"),
            vector("real", 1700000030.0),
            vector("count", 7),
            vector("real", 0.88),
            strings(),
            strings("acme-plug"),
            vector("real", 0.05),
            ("string", ""),
            strings("fw.example.com"),
            strings(),
            ("string", ""),
            ("string", ""),
            vector("boolean", False),
        )

    def status(self) -> None:
        """Send a worker's status."""
        numbers: list[Value] = [("count", n) for n in range(1, 11)]
        self.send(
            "zeek/nba/status/",
            "NBA::worker_status",
            ("string", "test"),
            ("string", "default"),
            *numbers,
            ("real", 0.25),
            *[("count", n) for n in range(11, 14)],
        )

    def unknown_hosts(self) -> None:
        """Send a plausible summary."""
        self.send(
            "zeek/nba/status/",
            "NBA::unknown_hosts",
            ("real", 1700006400.5),
            ("string", "test"),
            ("count", 3),
            strings("2 (10.0.0.1, 10.0.0.2) by Acme, mostly as:64500 443/tcp 90 %"),
        )

    def site_event(self) -> None:
        """Send a plausible event of the whole site."""
        self.send(
            "zeek/nba/status/",
            "NBA::site_event",
            ("real", 1700006400.5),
            ("string", "dns"),
            ("string", "begun"),
            ("real", 1700006300.25),
            ("count", 7),
            ("count", 9),
            ("string", "10.0.0.53 53/udp"),
            vector("address", "10.0.0.1", "10.0.0.2"),
            ("string", "test"),
        )

    def work(self, seconds: float, until: int | None = None) -> list[Event]:
        """Acknowledge every batch and say hello each second, for ``seconds`` or until Zeek closes.

        Ends early when ``until`` sessions have arrived. Returns the events, in order.
        """
        events: list[Event] = []
        sessions = 0
        deadline, next_hello = time.monotonic() + seconds, 0.0
        while time.monotonic() < deadline and (until is None or sessions < until):
            try:
                if time.monotonic() >= next_hello:
                    self.hello()
                    next_hello = time.monotonic() + 1.0
                name, arguments = decode(self.receive(timeout=0.2))
                if name == "NBA::sessions":
                    self.ack(*arguments[:3])
                    sessions += len(arguments[6])
            except TimeoutError:
                continue
            except ConnectionClosed:
                break
            events.append((name, arguments))
        return events
