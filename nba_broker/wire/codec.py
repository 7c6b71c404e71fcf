"""Frames of Zeek's WebSocket API to messages, and events to frames.

Zeek's v1 JSON: an event is a vector of format, type and [name, arguments]; each value carries its
``@data-type``. No other module knows this encoding, or zeekpy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
import orjson
import zeekpy

from nba_broker.records.announcements import Announcement
from nba_broker.records.errors import MessageError
from nba_broker.records.names import Names
from nba_broker.records.sessions import Lease, Sessions, segment_name, site_of
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.times import END_OF_TIME
from nba_broker.records.verdicts import UnknownHosts, Verdict
from nba_broker.wire import checked
from nba_broker.wire.checked import MAX_TEXT, Argument

SESSIONS_TOPIC = "zeek/nba/sessions/"  # followed by the partition and a slash
NAMES_TOPIC = "zeek/nba/names/"  # likewise
HELLO_TOPIC = "zeek/nba/hello/"
ANNOUNCED_TOPIC = "zeek/nba/announced/"  # likewise
LEASE_TOPIC = "zeek/nba/lease/"
VERDICT_TOPIC = "zeek/nba/verdict/"
STATUS_TOPIC = "zeek/nba/status/"
ACK_TOPIC = "zeek/nba/ack/{node}/"

MAX_ROWS = 65_536  # far above any sensible batch size
_MAX_UID = 32
_MAX_TTL = 2**32  # seconds; the DNS has 32 bits for it
_OPTIONS = 255  # of DHCP, by number and in a list


@dataclass(frozen=True, slots=True)
class SessionBatch:
    """``NBA::sessions``: one numbered batch of one sensor node's run."""

    node: str
    run: str
    seq: int
    sent: int
    skipped: int
    now: float
    sessions: Sessions

    def __len__(self) -> int:
        return len(self.sessions)


@dataclass(frozen=True, slots=True)
class NameBatch:
    """``NBA::names``: the DNS answers that belong to the batch of sessions with the same number,
    which follows. ``sent`` and ``skipped`` count names."""

    node: str
    run: str
    seq: int
    sent: int
    skipped: int
    now: float
    names: Names

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Announced:
    """``NBA::announced``: what hosts announced of themselves, as one sensor node saw it."""

    node: str
    announcements: list[Announcement]


@dataclass(frozen=True, slots=True)
class Hello:
    """``NBA::hello``: this worker, or another one, is connected."""

    worker: str


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """Zeek's answer to a frame that it could not decode."""

    code: str
    context: str


Batch = SessionBatch | NameBatch
Message = Batch | Announced | Hello | Lease | ErrorReply


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Zeek's answer to a subscription.

    endpoint: Zeek's name for this connection; it begins with the name of the cluster backend.
    """

    version: str
    endpoint: str


def decode(frame: bytes | str) -> Message:
    """One frame as a message; raises MessageError if the frame breaks the contract of docs/wire.md.

    orjson decodes the frame without types: typed decoding by zeekpy costs six times as much per
    session.
    """
    try:
        document = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise MessageError("not JSON", str(error)) from None
    if not isinstance(document, dict):
        raise MessageError("not an event", type(document).__name__)
    if document.get("type") == "error":
        return ErrorReply(
            checked.brief(document.get("code", "")), checked.brief(document.get("context", ""))
        )
    try:
        name = document["data"][2]["data"][0]["data"]
        values = document["data"][2]["data"][1]["data"]
        arguments = [(value["@data-type"], value["data"]) for value in values]
    except (KeyError, IndexError, TypeError):
        raise MessageError("not an event", checked.brief(document.get("type"))) from None
    decoder = _DECODERS.get(name) if isinstance(name, str) else None
    if decoder is None:
        raise MessageError("unexpected event", checked.brief(name))
    try:
        return decoder(arguments)
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError, OSError) as error:
        raise MessageError(f"malformed {name}", f"{error!r}"[:MAX_TEXT]) from None


_ADDRESSES = ("host", "evidence_dst", "examples")  # columns of the logs

_VALUE = itemgetter("data")


def _decode_sessions(arguments: list[Argument]) -> SessionBatch:
    head, columns = _head(arguments), arguments[6:]
    # C functions in map(): this code runs for every session of every sensor.
    ts, host, uid, mac, dst, dport, *vlan = (
        list(map(_VALUE, checked.column(column))) for column in columns
    )
    if not len(ts) == len(host) == len(uid) == len(mac) == len(dst) == len(dport) <= MAX_ROWS:
        raise ValueError("columns differ in length or are too long")
    if not ("".join(uid).isascii() and max(map(len, uid), default=0) <= _MAX_UID):
        raise ValueError("a uid is too long or not ASCII")
    sessions = Sessions(
        _numbers(ts, END_OF_TIME),
        list(map(checked.address, host)),
        uid,
        list(map(checked.mac, mac)),
        list(map(checked.address, dst)),
        np.fromiter(map(checked.port, dport), np.int32, len(dport)),
        _segments(head[0], vlan, len(ts)),
    )
    return SessionBatch(*head, sessions)


def _decode_names(arguments: list[Argument]) -> NameBatch:
    head, columns = _head(arguments), arguments[6:]
    ts, host, name, address, ttl, *vlan = (
        list(map(_VALUE, checked.column(one))) for one in columns
    )
    if not len(ts) == len(host) == len(name) == len(address) == len(ttl) <= MAX_ROWS:
        raise ValueError("columns differ in length or are too long")
    names = Names(
        _numbers(ts, END_OF_TIME),
        np.frombuffer(b"".join(map(checked.packed, host)), "V16"),
        np.array([*map(checked.dns_name, name), None], object)[
            :-1
        ],  # never an array of single characters
        np.frombuffer(b"".join(map(checked.packed, address)), "V16"),
        _numbers(ttl, _MAX_TTL),
        _segments(head[0], vlan, len(ts)),
    )
    return NameBatch(*head, names)


def _decode_announced(arguments: list[Argument]) -> Announced:
    node, *columns = arguments
    ts, host, what, vlan = (list(map(_VALUE, checked.column(one))) for one in columns)
    if not len(ts) == len(host) == len(what) <= MAX_ROWS:
        raise ValueError("columns differ in length or are too long")
    times = _numbers(ts, END_OF_TIME).tolist()
    hosts, whats = map(checked.address, host), map(checked.announcement, what)
    segments = _segments(checked.text(node), [vlan], len(ts)) or [""] * len(ts)
    rows = zip(times, hosts, whats, segments, strict=True)
    return Announced(node[1], [Announcement(*row) for row in rows])


def _head(arguments: list[Argument]) -> tuple[str, str, int, int, int, float]:
    """The arguments that a batch of sessions and one of names begin with."""
    node, run, seq, sent, skipped, now, *_ = arguments
    return (
        checked.text(node),
        checked.text(run),
        checked.count(seq),
        checked.count(sent),
        checked.count(skipped),
        checked.time(now),
    )


def _numbers(values: list[Any], limit: float) -> np.ndarray:
    """A column of numbers, float64 [n], from 0 to below a limit."""
    if not set(map(type, values)) <= {float, int}:
        raise TypeError("a time is not a number")
    numbers = np.array(values, np.float64)
    if not ((numbers >= 0) & (numbers < limit)).all():
        raise ValueError("a time is out of range")
    return numbers


def _segments(node: str, columns: list[list[Any]], rows: int) -> list[str] | None:
    """The network segment of each session; None if neither VLAN nor site is known.

    columns: the column of VLANs, if the package sends it. It is empty if no frame has a tag.
    """
    if len(columns) > 1:
        raise ValueError("too many columns")
    site = site_of(node)
    if site == node:
        site = ""  # zeekctl numbers the processes of a sensor, whose name the operator chooses
    vlans = columns[0] if columns and columns[0] else [""] * rows if site else None
    if vlans is None:
        return None
    if len(vlans) != rows:
        raise ValueError("columns differ in length")
    return [segment_name(site, vlan) for vlan in map(checked.vlan, vlans)]


def _decode_hello(arguments: list[Argument]) -> Hello:
    (worker,) = arguments
    return Hello(checked.text(worker))


def _decode_lease(arguments: list[Argument]) -> Lease:
    ts, ip, mac, hostname, *client = arguments
    lease = Lease(
        checked.time(ts), checked.address(ip[1]), checked.mac(mac[1]), checked.text(hostname)
    )
    if not client:  # of an earlier package
        return lease
    vendor_class, params = client
    return replace(lease, vendor_class=checked.text(vendor_class), params=_params(params))


def _params(argument: Argument) -> tuple[int, ...]:
    """A DHCP client's parameter request list."""
    numbers = [
        checked.count((value["@data-type"], value["data"])) for value in checked.column(argument)
    ]
    if len(numbers) > _OPTIONS or max(numbers, default=0) > _OPTIONS:
        raise ValueError("not a list of DHCP options")
    return tuple(numbers)


_DECODERS: dict[str, Callable[[list[Argument]], Message]] = {
    "NBA::sessions": _decode_sessions,
    "NBA::names": _decode_names,
    "NBA::announced": _decode_announced,
    "NBA::hello": _decode_hello,
    "NBA::lease": _decode_lease,
}


def encode_subscription(topics: Sequence[str]) -> str:
    """The first frame of a connection: the topics that the worker subscribes to."""
    return orjson.dumps(topics).decode()


def decode_subscribed(frame: bytes) -> Subscribed:
    """Zeek's answer to a subscription; raises MessageError if Zeek refuses it."""
    try:
        answer = orjson.loads(frame)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict) or answer.get("type") != "ack":
        raise MessageError("subscription", f"Zeek refused it: {frame[:MAX_TEXT]!r}")
    return Subscribed(
        checked.brief(answer.get("version", "")), checked.brief(answer.get("endpoint", ""))
    )


def encode(topic: str, event: str, arguments: Sequence[Any]) -> str:
    """The frame that publishes an event; counts must be ``zeekpy.count``."""
    return orjson.dumps(
        {
            "type": "data-message",
            "topic": topic,
            "@data-type": "vector",
            "data": [
                {"@data-type": "count", "data": 1},
                {"@data-type": "count", "data": 1},
                {
                    "@data-type": "vector",
                    "data": [
                        {"@data-type": "string", "data": event},
                        {
                            "@data-type": "vector",
                            "data": [zeekpy.convert_py_to_zeek(value) for value in arguments],
                        },
                    ],
                },
            ],
        }
    ).decode()


def encode_verdict(verdict: Verdict) -> str:
    """``NBA::verdict``: the columns of a verdict's row, in their order."""
    return encode(VERDICT_TOPIC, "NBA::verdict", _columns(verdict.row().items()))


def _columns(row: Iterable[tuple[str, Any]]) -> list[Any]:
    """The columns of a log's row as arguments of an event."""
    values: list[Any] = []
    for name, value in row:
        kind: Callable[[Any], Any] = ipaddress.ip_address if name in _ADDRESSES else _argument
        values.append([kind(item) for item in value] if isinstance(value, tuple) else kind(value))
    return values


def _argument(value: Any) -> Any:
    """A text, a boolean, a real or a count as the manager takes it."""
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, bool):
        return value
    return zeekpy.count(value) if isinstance(value, int) else value


def encode_hello(worker: str) -> str:
    """``NBA::hello``."""
    return encode(HELLO_TOPIC, "NBA::hello", [worker])


def encode_ack(node: str, run: str, seq: int) -> str:
    """``NBA::ack``: the worker has processed every batch of this run up to ``seq``."""
    return encode(ACK_TOPIC.format(node=node), "NBA::ack", [node, run, zeekpy.count(seq)])


@dataclass(frozen=True, slots=True)
class Status:
    """``NBA::worker_status``: the worker's row of nba_stats.log, in the event's order.

    lag: seconds from the arrival of the oldest session to its verdict.
    """

    worker: str
    model: str
    received: int
    lost: int
    skipped: int
    late: int
    invalid: int
    scored: int
    hosts: int
    evicted: int
    verdicts: int
    queue: int
    lag: float
    names_received: int
    names_lost: int
    names_skipped: int


def encode_status(status: Status) -> str:
    """``NBA::worker_status``."""
    values = (getattr(status, name) for name in Status.__slots__)
    return encode(
        STATUS_TOPIC,
        "NBA::worker_status",
        [zeekpy.count(value) if isinstance(value, int) else value for value in values],
    )


def encode_unknown_hosts(summary: UnknownHosts, worker: str) -> str:
    """``NBA::unknown_hosts``."""
    kinds = [_short(text) for text in summary.kinds]
    arguments = [summary.ts, worker, zeekpy.count(summary.hosts), kinds]
    return encode(STATUS_TOPIC, "NBA::unknown_hosts", arguments)


def encode_site_event(event: SiteEvent) -> str:
    """``NBA::site_event``: the columns of nba_site.log, in their order."""
    row = ((name, getattr(event, name)) for name in SiteEvent.__slots__)
    return encode(STATUS_TOPIC, "NBA::site_event", _columns(row))


def _short(text: str) -> str:
    """The text cut to the length that the manager accepts, never inside a character."""
    return text.encode()[:MAX_TEXT].decode(errors="ignore")
