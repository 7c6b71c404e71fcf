"""The only place that knows WebSockets and Zeek's encoding: frames in, messages out, and back.

Zeek's v1 JSON: an event is a vector of format, type and [name, arguments]; each value carries its
``@data-type``. Frames are decoded with orjson, since typed decoding would cost six times as much
per session; types of what goes to Zeek come from zeekpy.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import math
import random
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import orjson
import zeekpy
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.uri import parse_uri

from nba_broker.records.addresses import canonical
from nba_broker.records.errors import ConfigError, LinkError, MessageError
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Lease, Sessions, segment_name, site_of
from nba_broker.records.times import END_OF_TIME
from nba_broker.records.verdicts import UnknownHosts, Verdict

LOG = logging.getLogger(__name__)

SESSIONS_TOPIC = "zeek/nba/sessions/"  # followed by the partition and a slash
HELLO_TOPIC = "zeek/nba/hello/"
LEASE_TOPIC = "zeek/nba/lease/"
VERDICT_TOPIC = "zeek/nba/verdict/"
_ADDRESSES = ("host", "evidence_dst")
STATUS_TOPIC = "zeek/nba/status/"
ACK_TOPIC = "zeek/nba/ack/{node}/"

MAX_ROWS = 65_536  # far above any batch size that makes sense
MAX_NODES = 1024  # far above any cluster: what is kept for each must not grow with made-up names
MAX_TEXT = 256  # bytes of a string, as the Zeek side checks it
_FAR = END_OF_TIME + 86_400.0


def partition_of(name: str) -> int:
    """Which partition a worker or a sensor's run is of: the name of either ends in a slash and the
    partition, but for partition 0, which adds nothing."""
    found = _PARTITION.search(name)
    return int(found[1]) if found else 0


def name_in(partition: int, name: str) -> str:
    """The name of a worker of this partition."""
    return f"{name}/{partition}" if partition else name


_PARTITION = re.compile(r"/([1-9][0-9]{0,2})\Z")


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


@dataclass(frozen=True, slots=True)
class Hello:
    """``NBA::hello``: a worker, perhaps another one, is there."""

    worker: str


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """Zeek's answer to something it could not take."""

    code: str
    context: str


Message = SessionBatch | Hello | Lease | ErrorReply


def decode(frame: bytes | str) -> Message:
    """One frame as a message; raises MessageError when it does not follow the contract."""
    try:
        document = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise MessageError("not JSON", str(error)) from None
    if not isinstance(document, dict):
        raise MessageError("not an event", type(document).__name__)
    if document.get("type") == "error":
        return ErrorReply(_brief(document.get("code", "")), _brief(document.get("context", "")))
    try:
        name = document["data"][2]["data"][0]["data"]
        values = document["data"][2]["data"][1]["data"]
        arguments = [(value["@data-type"], value["data"]) for value in values]
    except (KeyError, IndexError, TypeError):
        raise MessageError("not an event", _brief(document.get("type"))) from None
    decoder = _DECODERS.get(name) if isinstance(name, str) else None
    if decoder is None:
        raise MessageError("unexpected event", _brief(name))
    try:
        return decoder(arguments)
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError, OSError) as error:
        raise MessageError(f"malformed {name}", f"{error!r}"[:MAX_TEXT]) from None


def _brief(value: Any) -> str:
    """What a log line says of anything: as text only what is one, since what is nested a thousand
    deep cannot even be printed."""
    return value[:MAX_TEXT] if isinstance(value, str) else f"({type(value).__name__})"


Argument = tuple[str, Any]

_VALUE = itemgetter("data")
_MAX_UID = 32


def _decode_sessions(arguments: list[Argument]) -> SessionBatch:
    node, run, seq, sent, skipped, now, *columns = arguments
    # Maps of functions that are no Python: every session that a sensor sees comes by here.
    ts, host, uid, mac, dst, dport, *vlan = (
        list(map(_VALUE, _column(column))) for column in columns
    )
    if not len(ts) == len(host) == len(uid) == len(mac) == len(dst) == len(dport) <= MAX_ROWS:
        raise ValueError("columns of unequal or excessive length")
    if not set(map(type, ts)) <= {float, int}:
        raise TypeError("a time that is no number")
    times = np.array(ts, np.float64)
    if not ((times >= 0) & (times < END_OF_TIME)).all():
        raise ValueError("a time out of range")
    if not ("".join(uid).isascii() and max(map(len, uid), default=0) <= _MAX_UID):
        raise ValueError("not a uid")
    sessions = Sessions(
        times,
        list(map(_address, host)),
        uid,
        list(map(_mac, mac)),
        list(map(_address, dst)),
        np.fromiter(map(_port, dport), np.int32, len(dport)),
        _segments(_text(node), vlan, len(ts)),
    )
    return SessionBatch(
        _text(node),
        _text(run),
        _count(seq),
        _count(sent),
        _count(skipped),
        _time(now),
        sessions,
    )


def _segments(node: str, columns: list[list[Any]], rows: int) -> list[str] | None:
    """The sessions' network segments; ``columns`` is that of the VLANs, if the package sends it,
    and empty where frames have no tags."""
    if len(columns) > 1:
        raise ValueError("too many columns")
    site = site_of(node)
    if site == node:
        site = ""  # of a name of the operator's own, as zeekctl's sensors may have for each process
    vlans = columns[0] if columns and columns[0] else [""] * rows if site else None
    if vlans is None:
        return None
    if len(vlans) != rows:
        raise ValueError("columns of unequal length")
    return [segment_name(site, vlan) for vlan in map(_vlan, vlans)]


def _decode_hello(arguments: list[Argument]) -> Hello:
    (worker,) = arguments
    return Hello(_text(worker))


def _decode_lease(arguments: list[Argument]) -> Lease:
    ts, ip, mac, hostname = arguments
    return Lease(_time(ts), _address(ip[1]), _mac(mac[1]), _text(hostname))


_DECODERS: dict[str, Callable[[list[Argument]], Message]] = {
    "NBA::sessions": _decode_sessions,
    "NBA::hello": _decode_hello,
    "NBA::lease": _decode_lease,
}


class _Checked(dict[str, Any]):
    """Values that passed a check, remembered: the same few arrive again and again."""

    def __init__(self, check: Any, size: int = 262_144) -> None:
        super().__init__()
        self._check = check
        self._size = size

    def __missing__(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"{type(value).__name__} is not a string")
        checked = self._check(value)
        if len(self) >= self._size:
            self.clear()
        self[value] = checked
        return checked


def _check_mac(mac: str) -> str:
    if mac and not _MAC.fullmatch(mac):
        raise ValueError(f"{mac!r} is not a MAC")
    return mac.lower()


def _check_port(port: str) -> int:
    match = _PORT.fullmatch(port)
    if not match or int(match[1]) > 65_535:
        raise ValueError(f"{port!r} is not a port")
    return port_code(int(match[1]), match[2])


def _check_vlan(vlan: str) -> str:
    if vlan and not _VLAN.fullmatch(vlan):
        raise ValueError(f"{vlan!r} is not a VLAN")
    return vlan


_VLAN = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4})?")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_PORT = re.compile(r"([0-9]{1,5})/(tcp|udp|icmp|unknown|\?)")

_address = _Checked(lambda text: canonical(text)[0]).__getitem__
_mac = _Checked(_check_mac).__getitem__
_port = _Checked(_check_port).__getitem__
_vlan = _Checked(_check_vlan).__getitem__


def _column(argument: Argument) -> list[Any]:
    kind, values = argument
    if kind != "vector" or not isinstance(values, list):
        raise TypeError(f"{_brief(kind)} is not a vector")
    return values


def _text(argument: Argument) -> str:
    kind, value = argument
    if kind != "string" or not isinstance(value, str) or len(value.encode()) > MAX_TEXT:
        raise ValueError("not a short string")
    return value


def _count(argument: Argument) -> int:
    kind, value = argument
    if kind != "count" or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError("not a count")
    return value


def _time(argument: Argument) -> float:
    _, value = argument
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a time")
    if not (math.isfinite(value) and 0 <= value < _FAR):
        raise ValueError("a time out of range")
    return float(value)


def encode(topic: str, event: str, arguments: Sequence[Any]) -> str:
    """An event as the frame that publishes it; counts must be ``zeekpy.count``."""
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
    """``NBA::verdict`` with the columns of a verdict's row in their order."""
    values: list[Any] = []
    for name, value in verdict.row().items():
        kind: Callable[[Any], Any] = ipaddress.ip_address if name in _ADDRESSES else _argument
        values.append([kind(item) for item in value] if isinstance(value, tuple) else kind(value))
    return encode(VERDICT_TOPIC, "NBA::verdict", values)


def _argument(value: Any) -> Any:
    """A text, a real or a count as the manager takes it."""
    if isinstance(value, str):
        return _short(value)
    return zeekpy.count(value) if isinstance(value, int) else value


def encode_hello(worker: str) -> str:
    """``NBA::hello``."""
    return encode(HELLO_TOPIC, "NBA::hello", [worker])


def encode_ack(node: str, run: str, seq: int) -> str:
    """``NBA::ack``: every batch of this run up to ``seq`` was worked on."""
    return encode(ACK_TOPIC.format(node=node), "NBA::ack", [node, run, zeekpy.count(seq)])


@dataclass(frozen=True, slots=True)
class Status:
    """``NBA::worker_status``: the worker's row of nba_stats.log, in the event's order."""

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


def _short(text: str) -> str:
    """Cut to what the manager accepts, never inside a character."""
    return text.encode()[:MAX_TEXT].decode(errors="ignore")


class Position(NamedTuple):
    """How far a node's sessions are accounted for: so many of that run."""

    run: str
    sent: int


@dataclass(slots=True)
class Account:
    """What became of one node's sessions, over all of its runs that this worker heard of."""

    run: str = ""
    seq: int = 0
    sent: int = 0
    received: int = 0
    missed: int = 0  # sent before this worker joined, and by no snapshot known
    lost: int = 0
    skipped: int = 0
    _unheard: int = 0  # of this run: sent before its first batch here
    _arrived: int = 0  # of this run
    _lost_before: int = 0  # in earlier runs
    _skipped_before: int = 0

    def begin(self, batch: SessionBatch, known: int) -> None:
        """A run's first batch; ``known`` of its sessions are part of the state already."""
        self.run, self.seq, self._arrived = batch.run, 0, 0
        self._lost_before, self._skipped_before = self.lost, self.skipped
        self._unheard = batch.sent - len(batch.sessions)
        self.missed += max(self._unheard - known, 0)

    def add(self, batch: SessionBatch) -> None:
        """A batch of this run, later than those before."""
        self.seq, self.sent = batch.seq, batch.sent
        self.received += len(batch.sessions)
        self._arrived += len(batch.sessions)
        self.lost = self._lost_before + max(batch.sent - self._unheard - self._arrived, 0)
        self.skipped = self._skipped_before + batch.skipped


class Ledger:
    """Accounts for every session a sensor says it saw: received, lost on the way, skipped there.

    ``lost`` is what the sensors sent less what arrived, exactly, since batches carry totals.
    ``positions`` are those of the snapshot that this worker began with.
    """

    def __init__(self, positions: Mapping[str, Position] | None = None) -> None:
        self.accounts: dict[str, Account] = {}
        self._known = dict(positions or {})
        self._kept = dict(self._known)

    def enter(self, batch: SessionBatch) -> bool:
        """Account for a batch; False when it is a repetition that must not be worked on.

        Raises MessageError when there are too many nodes to account for one more.
        """
        if batch.node not in self.accounts and len(self.accounts) >= MAX_NODES:
            raise MessageError("too many nodes", f"{batch.node} is one more than {MAX_NODES}")
        account = self.accounts.setdefault(batch.node, Account())
        if account.run != batch.run:
            known = self._known.pop(batch.node, None)
            account.begin(batch, known.sent if known and known.run == batch.run else 0)
        if batch.seq <= account.seq:
            return False
        account.add(batch)
        return True

    def keep(self, node: str, position: Position) -> None:
        """The node's sessions are part of the pipeline's state up to there now."""
        self._kept[node] = position

    def positions(self) -> dict[str, Position]:
        """How far every node's sessions are part of the state, for the snapshot with that state:
        whoever starts from it has missed the rest."""
        return self._kept.copy()

    @property
    def received(self) -> int:
        """Sessions that arrived."""
        return sum(account.received for account in self.accounts.values())

    @property
    def lost(self) -> int:
        """Sessions that were sent while this worker listened and did not arrive."""
        return sum(account.lost for account in self.accounts.values())

    @property
    def skipped(self) -> int:
        """Sessions that sensors saw and did not publish."""
        return sum(account.skipped for account in self.accounts.values())

    @property
    def missed(self) -> int:
        """Sessions sent before this worker joined, which its snapshot does not hold either."""
        return sum(account.missed for account in self.accounts.values())


class Link:
    """One connection after the other to Zeek's WebSocket API.

    Retries for ever, with growing pauses that are jittered so that many workers do not return at
    once. The caller sees nothing but frames: of the sessions those of one ``partition``.
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
        self._topics = [f"{SESSIONS_TOPIC}{partition}/", HELLO_TOPIC, LEASE_TOPIC]
        # By it a Zeek that reads a capture tells whose connection has gone.
        self._application = name_in(partition, "nba-broker")
        self._tls = tls
        self._pause = pause
        self._socket: ClientConnection | None = None
        self.version = ""  # of the Zeek that answered last
        self.endpoint = ""  # its name for this connection, which begins with its cluster backend's

    @property
    def connected(self) -> bool:
        """Whether Zeek is there now."""
        return self._socket is not None

    async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncGenerator[bytes, None]:
        """Every frame that arrives, over as many connections as it takes; ``joined`` is awaited
        at the start of each."""
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
                LOG.warning("Zeek closed the connection; trying again")
            except (OSError, WebSocketException, TimeoutError, ValueError) as error:
                # Said once per cause: a sensor may be down for hours.
                if str(error) != complained:
                    complained = str(error)
                    LOG.warning("no connection to Zeek at %s (%s); trying on", self.url, error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 30.0)

    async def listen(self, seconds: float, hear: Callable[[bytes], None]) -> None:
        """Give ``hear`` every frame for so long, saying nothing; raises LinkError when Zeek is
        not there."""
        try:
            async with self._connect() as socket:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        async for frame in socket:
                            hear(frame if isinstance(frame, bytes) else frame.encode())
        except (OSError, WebSocketException, TimeoutError, ValueError) as error:
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
            await socket.send(orjson.dumps(self._topics).decode())
            said = await asyncio.wait_for(socket.recv(decode=False), 10)
            answer = orjson.loads(said)
            if not isinstance(answer, dict) or answer.get("type") != "ack":
                raise ValueError(f"Zeek refused the subscription: {said[:MAX_TEXT]!r}")
            self.version = _brief(answer.get("version", ""))
            self.endpoint = _brief(answer.get("endpoint", ""))
            self._socket = socket
            try:
                yield socket
            finally:
                self._socket = None

    async def send(self, frames: Sequence[str]) -> int:
        """Publish frames in order and return how many went out before Zeek was gone."""
        sent = 0
        socket = self._socket
        if socket is not None:
            with contextlib.suppress(WebSocketException):
                for frame in frames:
                    await socket.send(frame)
                    sent += 1
        return sent
