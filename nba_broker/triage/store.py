"""Every host of nba_device.log with its verdicts, kept up to date as the log grows."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nba_broker.archive import json_lines, zeek_log
from nba_broker.archive.device_log import COLUMNS
from nba_broker.archive.log_types import seconds, typed
from nba_broker.archive.zeek_log import Header
from nba_broker.records.segments import Hosts, bare
from nba_broker.records.sessions import segment_name
from nba_broker.records.verdicts import STATES, Row
from nba_broker.triage.files import File, Follower, described
from nba_broker.verdicts.annotation_file import canonical_host
from nba_broker.verdicts.states import ALARMING

LINES = 500_000
"""Lines that are read at the start, the newest files first; each takes about 1 KB of memory."""

_HINTED = 8  # lines of a host that are searched for hints

ALARMS = tuple(STATES[state] for state in ALARMING)
_STATES = {state.encode(): state for state in STATES}
_KEYS = ("ts", "first_seen", "state", "reason", "host", "mac")
_SEGMENT = ("vlan", "site")
# The texts of alternatives and evidence have what the columns behind them have, but for the
# beginnings of long names.
_SEARCHED = [
    name
    for name, kind in COLUMNS.items()
    if "string" in kind
    and (name == "evidence_name" or not name.startswith(("evidence_", "alternative_")))
]


class Line(NamedTuple):
    """A line of the log, of which only the columns that tell hosts and states apart are parsed.

    It is a tuple because there are many, and most are never shown.
    """

    ts: float
    first_seen: float
    state: str
    reason: str
    header: Header
    raw: bytes

    def verdict(self) -> Row:
        """The line as a row; values that are missing or of another type are empty."""
        row = next(zeek_log.parse(self.header, self.raw), {})
        return Row(**{name: typed(kind, row.get(name)) for name, kind in COLUMNS.items()})


@dataclass(slots=True, eq=False)
class Host:
    """A host and its lines, in no order. The key is its MAC or, without one, its address in its
    segment."""

    key: str
    lines: list[Line] = field(default_factory=list)
    _latest: Row | None = None
    _text: str = ""
    _quiet: bool | None = None
    _hints: tuple[str, ...] | None = None

    @property
    def latest(self) -> Row:
        """The verdict that holds."""
        if self._latest is None:
            # The last of equal times, as the log has them.
            line = max(reversed(self.lines), key=lambda line: line.ts)
            self._latest = line.verdict()
            self._text, self._quiet, self._hints = "", None, None
        return self._latest

    @property
    def quiet(self) -> bool:
        """Whether an annotation covers the state that the host is in, or ignores its cause."""
        latest = self.latest
        if self._quiet is None:
            of_state = [
                line
                for line in self.lines
                if line.ts >= latest.since and line.reason in ("change", "annotation", "new")
            ]
            last = max(reversed(of_state), key=lambda line: line.ts, default=None)
            self._quiet = last is not None and last.reason == "annotation"
        return self._quiet

    @property
    def hints(self) -> tuple[str, ...]:
        """What the host may be, then why, as in the column ``hints``. The line of an alarm knows
        less than one of a window, so without a kind of device the lines before it count, too."""
        latest = self.latest
        if self._hints is None:
            self._hints = latest.hints
            if not (latest.device or latest.hint_kind):
                before = sorted(self.lines, key=lambda line: line.ts)[-_HINTED:]
                rows = [latest, *(line.verdict() for line in reversed(before))]
                self._hints = max(
                    rows, key=lambda row: (row.hint_kind != "", row.hints != ())
                ).hints
        return self._hints

    @property
    def text(self) -> str:
        """The text that is searched, in lower case: the latest verdict without its numbers."""
        latest = self.latest
        if not self._text:
            values = (getattr(latest, name) for name in _SEARCHED)
            flat = (" ".join(v) if isinstance(v, tuple) else v for v in values)
            self._text = " ".join([latest.host, *flat, *self.hints]).lower()
        return self._text

    def verdicts(self) -> list[Row]:
        """All verdicts, the oldest first."""
        return [line.verdict() for line in sorted(self.lines, key=lambda line: line.ts)]

    def add(self, line: Line) -> None:
        """One more line."""
        self.lines.append(line)
        self._latest = None


class Store:
    """The hosts of all nba_device logs below a folder.

    A host that was known by its address and then gets a MAC is one host. A file that is renamed,
    copied or compressed meanwhile adds no line twice.
    """

    def __init__(self, folder: Path, lines: int = LINES) -> None:
        self._folder = folder
        self._limit = lines
        self._reset()

    def _reset(self) -> None:
        self._follower = Follower(self._folder, "nba_device")
        self.hosts: dict[str, Host] = {}
        self.lines = 0
        self.newest = 0.0
        """The time of the latest line; 0 without any."""
        self.unread = 0
        """Files that were not read because newer ones have enough lines."""
        self.damaged = 0
        """Lines that are not verdicts."""
        self._seen: set[int] = set()
        self._mac_of: dict[tuple[str, float], Host] = {}
        self._zones = Hosts()

    @property
    def errors(self) -> list[str]:
        """Why files could not be read, one text each."""
        errors = described(self._follower.errors)
        if self.hosts and not self._follower.found:
            gone = "there is no nba_device log any more; the page shows what was read before"
            errors.insert(0, f"{self._folder}: {gone}")
        return errors

    def find(self, text: str) -> Host | None:
        """The host with this key, this MAC in any notation, or this address; if several hosts had
        the address, the last of them."""
        if text in self.hosts:
            return self.hosts[text]
        try:
            name = canonical_host(text.strip())
        except ValueError:
            return None
        return self.hosts.get(name) or self._last_at(name)

    def _last_at(self, address: str) -> Host | None:
        def had(host: Host) -> float:
            times = (verdict.ts for verdict in host.verdicts() if verdict.host == address)
            return max(times, default=0.0)

        hosts = {host for (one, _), host in self._mac_of.items() if bare(one) == address}
        hosts |= {host for key, host in self.hosts.items() if bare(key) == address}
        return max(hosts, key=had, default=None)

    def poll(self) -> None:
        """Read what is new."""
        if self.lines > 2 * self._limit:
            self._reset()
        full = self.lines
        # Lines make no reference cycles, and the collector would take a fifth of the time.
        with _no_collection():
            for file in self._follower.news():
                if not full and self.lines >= self._limit:
                    self._follower.skip(file)
                    self.unread += 1
                else:
                    self._read(file)

    def _read(self, file: File) -> None:
        for header, body in self._follower.read(file):
            if header.path not in ("", "nba_device"):
                continue
            for line in _tsv(header, body) if header.fields else _json(body):
                if line is None:
                    self.damaged += 1
                    continue
                address, segment, mac, device, made = line
                # Zeek may write a line twice, as TSV and as JSON, to the millisecond.
                when = int(made.ts * 1e3 + 1e-2)
                mark = hash((address, segment, mac, when, made.state, made.reason, device))
                if mark not in self._seen:
                    self._seen.add(mark)
                    self._add(self._zones.of(address, segment, made.first_seen), mac, made)

    def _add(self, address: str, mac: str, line: Line) -> None:
        self.lines += 1
        self.newest = max(self.newest, line.ts)
        birth = (address, line.first_seen)
        host = self._mac_of.get(birth)
        if mac:
            if host is None or host.key != mac:
                host = self.hosts.get(mac) or self.hosts.setdefault(mac, Host(mac))
                self._mac_of[birth] = host
                self._take(address, line.first_seen, host)
        elif host is None:
            host = self.hosts.get(address) or self.hosts.setdefault(address, Host(address))
        host.add(line)

    def _take(self, address: str, first_seen: float, host: Host) -> None:
        """Move the lines from before the host's MAC was known to the host."""
        bare = self.hosts.get(address)
        if bare is None or bare is host:
            return
        for line in [line for line in bare.lines if line.first_seen == first_seen]:
            bare.lines.remove(line)
            host.add(line)
        bare._latest = None
        if not bare.lines:
            del self.hosts[address]


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


# Address, segment, MAC or "", device or "", the line; None for a damaged one.
_Found = tuple[str, str, str, str, Line] | None


def _tsv(header: Header, body: bytes) -> Iterator[_Found]:
    width = len(header.fields)
    try:
        ts, first_seen, state, reason, host, mac = map(header.fields.index, _KEYS)
    except ValueError:
        yield from (None for line in body.split(b"\n") if line)
        return
    texts = _Texts()
    texts[header.unset_field] = texts[header.empty_field] = ""
    # Logs of earlier versions do not have these columns.
    vlan, site, device = (
        header.fields.index(key) if key in header.fields else -1 for key in (*_SEGMENT, "device")
    )
    separator = header.separator
    for raw in body.split(b"\n"):
        if not raw:
            continue
        values = raw.rstrip(b"\r").split(separator)
        try:
            if len(values) != width:
                raise ValueError("another number of values than columns")
            line = Line(
                seconds(values[ts]),
                seconds(values[first_seen]),
                _STATES[values[state]],
                texts[values[reason]],
                header,
                raw,
            )
        except (KeyError, ValueError):
            yield None
            continue
        segment = segment_name(
            texts[values[site]] if site >= 0 else "", texts[values[vlan]] if vlan >= 0 else ""
        )
        name = texts[values[device]] if device >= 0 else ""
        yield texts[values[host]], segment, texts[values[mac]].lower(), name, line


def _json(body: bytes) -> Iterator[_Found]:
    header = Header()
    for raw in body.split(b"\n"):
        if not raw.strip():
            continue
        try:
            row = json_lines.row(raw) or {}
            ts, first_seen, state, reason, host = (row[key] for key in _KEYS[:5])
            mac, vlan, site, device = (row.get(key) or "" for key in ("mac", *_SEGMENT, "device"))
            texts = (reason, host, mac, vlan, site)
            if not (state in STATES and all(type(one) is str for one in texts)):
                raise ValueError("not a verdict")
            yield (
                host,
                segment_name(site, vlan),
                mac.lower(),
                str(device),
                Line(seconds(ts), seconds(first_seen), state, reason, header, raw),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            yield None


class _Texts(dict[bytes, str]):
    """Texts of the log, unescaped and cached: hosts come again."""

    def __missing__(self, value: bytes) -> str:
        text = self[value] = zeek_log.unescape(value).decode("utf-8", "replace")
        return text
