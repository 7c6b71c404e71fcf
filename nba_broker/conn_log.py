"""conn.log archives to sessions: every form Zeek writes, ordered as a whole, with DHCP's leases."""

from __future__ import annotations

import ipaddress
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from nba_broker import parquet, tunnels, zeek_log
from nba_broker.addresses import canonical
from nba_broker.ahead import ahead
from nba_broker.columns import Ascii, Coded
from nba_broker.errors import ArchiveError
from nba_broker.external_sort import MEMORY, Sorter
from nba_broker.messages import END_OF_TIME, Lease, Sessions, port_code

_REQUIRED = ("ts", "id.orig_h", "id.resp_h")
# Columns with few different values, each of which is looked at once.
_TEXTS = (
    *("id.orig_h", "id.resp_h", "id.resp_p", "proto", "service", "local_orig", "orig_l2_addr"),
)
_COLUMNS = ("ts", "uid", *_TEXTS)

# What only a conn log has. JSON rows need not say which log they are from, and every protocol's
# log has the three required columns.
_CONN_ONLY = {"conn_state", "history", "orig_pkts", "resp_pkts", "orig_bytes", "missed_bytes"}

_CONN_NAME = re.compile(r"conn\..*|.*\.conn\.log.*")
_DHCP_NAME = re.compile(r"dhcp\..*|.*\.dhcp\.log.*")
_DNS_NAME = re.compile(r"dns\..*|.*\.dns\.log.*")
_NOT_A_LOG = re.compile(r".*\.(pcap|pcapng|cap|csv)(\.gz)?", re.IGNORECASE)
_LAKE_NAME = re.compile(r".*\.parquet")
# What only a log of that kind has, among those that are read.
_LAKE_KINDS = {"dhcp": {"mac", "assigned_addr"}, "dns": {"query", "qtype"}}
# Not a group's, nor that of an interface that has none.
_MAC = re.compile(r"(?!00:00:00:00:00:00)[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_EVERYBODY = "ff:ff:ff:ff:ff:ff"

# A time from this on is in milliseconds (JSON::TS_MILLIS), or nonsense.
_MILLISECONDS = 1e11

ROW = np.dtype(
    [
        ("ts", np.float64),
        ("host", np.int32),
        ("dst", np.int32),
        ("dport", np.int32),
        ("mac", np.int32),
        ("log", np.int32),
        ("uid", "S20"),  # Zeek's have at most 18 characters
    ]
)
"""A session of an archive, compactly; see :class:`Archive`."""

# fmt: off
_PRIVATE_V4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/24", "239.0.0.0/8", "240.0.0.0/4",
)
_PRIVATE_V6 = (
    "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "fc00::/7",
    "fe80::/10", "fec0::/10",
)
# fmt: on


@dataclass(slots=True)
class Report:
    """What became of an archive's rows.

    ``rows`` = ``sessions`` + ``skipped`` (do not parse) + ``not_hosts`` (nobody's session of ours)
    + ``outside`` (before ``since``, from ``until`` on). ``errors``: one line per bad file.
    """

    files: int = 0
    rows: int = 0
    sessions: int = 0
    skipped: int = 0
    not_hosts: int = 0
    outside: int = 0
    skipped_in: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Count what became of further rows, too."""
        for name in ("files", "rows", "sessions", "skipped", "not_hosts", "outside"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, number in other.skipped_in.items():
            self.skipped_in[name] = self.skipped_in.get(name, 0) + number
        self.errors += other.errors


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One conn log of an archive, read on its own: rows of ROW with codes into this part's own
    ``addresses`` and ``macs``."""

    rows: np.ndarray
    addresses: list[str]
    macs: list[str]
    report: Report


Each = Callable[..., Iterable[Any]]
"""Applies a function to things wherever that is done, with its results in their order: ``map``, or
that of a cluster."""


class Archive:
    """All sessions of an archive, sorted by (ts, host, dst, dport).

    Rows hold ``host`` and ``dst`` as indices into ``addresses``, ``mac`` into ``macs``, ``log``
    into ``logs``, the file names; ``dport`` is messages.port_code's. leases: sorted by their time.
    Sessions beyond the memory that was given lie on disk until this is garbage.
    """

    def __init__(
        self, columns: _Columns, sorter: Sorter, logs: tuple[str, ...], leases: tuple[Lease, ...]
    ) -> None:
        self._sorter = sorter
        self.addresses = columns.addresses
        self.macs = columns.macs
        self.logs = logs
        self.leases = leases
        self.report = columns.report

    def __len__(self) -> int:
        return len(self._sorter)

    def rows(self, size: int = 65536) -> Iterator[np.ndarray]:
        """The sessions in order as arrays of ROW, ``size`` at a time."""
        return self._sorter.parts(size)

    def batches(self, size: int = 65536) -> Iterator[Sessions]:
        """The sessions in order, ``size`` at a time."""
        return map(self.sessions, self.rows(size))

    def sessions(self, rows: np.ndarray) -> Sessions:
        """Rows as a batch."""
        return Sessions(
            ts=np.ascontiguousarray(rows["ts"]),
            host=Coded(np.ascontiguousarray(rows["host"]), self.addresses),
            uid=Ascii(rows["uid"]),
            mac=Coded(np.ascontiguousarray(rows["mac"]), self.macs),
            dst=Coded(np.ascontiguousarray(rows["dst"]), self.addresses),
            dport=np.ascontiguousarray(rows["dport"]),
            log=np.ascontiguousarray(rows["log"]),
        )


def read(
    paths: Iterable[str | Path],
    *,
    local: Sequence[str] = (),
    since: float | None = None,
    until: float | None = None,
    memory: int = MEMORY,
    progress: Callable[[int, int, int], None] | None = None,
    each: Each | None = None,
) -> Archive:
    """Read files, folders and ``-`` (standard input) as one archive.

    ``local`` are networks whose addresses are hosts, besides those that Zeek or private space
    calls local. Sessions with since <= ts < until are kept. ``memory``, bytes, is for sessions;
    what does not fit is sorted on disk, in the same order. ``progress`` is told (files read,
    files in all, sessions so far) after each file. ``each`` reads the files elsewhere, each as a
    whole, with the same result; by default they are read here, block by block. A bad file is named
    in ``report.errors`` and the others are still read; raises ArchiveError where nothing at all can
    be read.
    """
    columns = _Columns(local, since, until)
    report = columns.report
    conn_logs, dhcp_logs, _ = find(paths, report.errors)
    sorter = Sorter(ROW, "ts", columns.ties, memory)
    parts: Iterable[Iterable[np.ndarray]]
    if each is None:
        parts = (columns.read(path, number) for number, path in enumerate(conn_logs))
    else:
        there = partial(_read_alone, local=tuple(local), since=since, until=until)
        found = each(there, [_elsewhere(path) for path in conn_logs])
        parts = (columns.take(part, number) for number, part in enumerate(found))
    for number, part in enumerate(parts):
        for rows in part:
            sorter.add(rows)
        if progress:
            progress(number + 1, len(conn_logs), report.sessions)
    if not report.files:
        if not report.errors:
            where = ", ".join(str(path) for path in paths)
            raise ArchiveError(f"{where}: no conn logs there (conn.* or *.conn.log*)")
        more = len(report.errors) - 1
        raise ArchiveError(report.errors[0] + (f" (and {more} more such files)" if more else ""))
    leases: list[Lease] = []
    for path in dhcp_logs:
        try:
            leases += _leases(path)
        except (ArchiveError, OSError) as error:
            report.errors.append(_error(path, error))
    leases.sort(key=lambda lease: (lease.ts, lease.ip, lease.mac))
    return Archive(columns, sorter, tuple(_name(path) for path in conn_logs), tuple(leases))


def _elsewhere(path: str | Path) -> Path:
    """A file's name in another process."""
    if str(path) == "-":
        raise ArchiveError("standard input cannot be read by another process: name a file")
    return Path(path).absolute()


def _read_alone(
    path: Path, *, local: Sequence[str], since: float | None, until: float | None
) -> Part:
    """Read a file that the process which asks has found; raises ArchiveError where this one has
    no such file: left out, its sessions would be missing without a word."""
    if not os.access(path, os.R_OK):
        raise ArchiveError(
            f"{path}: not readable on {os.uname().nodename}: every worker needs the archive, under "
            "the same path"
        )
    columns = _Columns(local, since, until)
    rows = np.concatenate([np.empty(0, ROW), *columns.read(path, 0)])
    return Part(rows, columns.addresses.tolist(), columns.macs.tolist(), columns.report)


def _name(path: str | Path) -> str:
    return Path(path).name


def _error(path: str | Path, error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"{'standard input' if str(path) == '-' else path}: {text}"


def find(
    paths: Iterable[str | Path], errors: list[str]
) -> tuple[list[str | Path], list[str | Path], list[str | Path]]:
    """The conn logs that the paths stand for, and the dhcp and dns logs beside them, each once.

    Parquet files are told by their columns. ``errors`` gets a line for each path that is not there,
    and for each folder that cannot be read.
    """
    conn: dict[str, str | Path] = {}
    dhcp: dict[str, str | Path] = {}
    dns: dict[str, str | Path] = {}
    of_kind = {"conn": conn, "dhcp": dhcp, "dns": dns}

    def add(found: dict[str, str | Path], path: Path) -> None:
        found.setdefault(os.path.realpath(path), path)

    for given in paths:
        path = Path(given)
        try:
            is_folder = path.is_dir()
        except OSError as error:  # it is below a folder that may not be entered
            errors.append(_error(given, error))
            continue
        if str(given) == "-":
            conn.setdefault("-", "-")
        elif is_folder:
            for file in _walk(path, errors):
                if _NOT_A_LOG.fullmatch(file.name):
                    continue
                if _LAKE_NAME.fullmatch(file.name):
                    if not _is_set_aside(file.relative_to(path)) and (kind := _lake_kind(file)):
                        add(of_kind[kind], file)
                elif _CONN_NAME.fullmatch(file.name):
                    add(conn, file)
                elif _DHCP_NAME.fullmatch(file.name):
                    add(dhcp, file)
                elif _DNS_NAME.fullmatch(file.name):
                    add(dns, file)
        elif not path.exists():
            errors.append(f"{given}: no such file or folder")
        elif _LAKE_NAME.fullmatch(path.name):
            add(of_kind[_lake_kind(path) or "conn"], path)
        elif _DHCP_NAME.fullmatch(path.name):
            add(dhcp, path)
        else:
            add(conn, path)
            for kind, found in (("dhcp", dhcp), ("dns", dns)):
                name = re.sub(r"(^|\.)conn\.", rf"\1{kind}.", path.name, count=1)
                if name != path.name and path.with_name(name).is_file():
                    add(found, path.with_name(name))
    return list(conn.values()), list(dhcp.values()), list(dns.values())


def _lake_kind(path: Path) -> str:
    """Which log a Parquet file is: conn, dhcp, dns, or "" for another one."""
    try:
        names = parquet.columns(path)
    except (ArchiveError, OSError):
        return "conn"  # what is wrong is said when it is read
    for kind, only in _LAKE_KINDS.items():
        if only <= names:
            return kind
    try:
        _require_conn_log(path, "", names)
    except ArchiveError:
        return ""
    return "conn"


def _is_set_aside(path: Path) -> bool:
    """Whether a file, or a folder above it, is hidden or unfinished by its name, as those who write
    such folders call it; ``_path=conn`` is no such name."""
    return any(part.startswith((".", "_")) and "=" not in part for part in path.parts)


def _walk(top: Path, errors: list[str]) -> Iterator[Path]:
    """All files below a folder in a fixed order, links followed: zeekctl's logs/current is one.

    ``errors`` gets a line for each folder below that cannot be read.
    """
    seen: set[str] = set()

    def unreadable(error: OSError) -> None:
        errors.append(_error(error.filename, error))

    for folder, folders, names in os.walk(top, onerror=unreadable, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        # lost+found is the file system's, and nobody's to read.
        folders[:] = sorted(set(folders) - {"lost+found"})
        try:
            files = [file for name in sorted(names) if (file := Path(folder, name)).is_file()]
        except OSError as error:  # it may be listed, but not entered
            unreadable(error)
        else:
            yield from files


def _leases(path: str | Path) -> Iterator[Lease]:
    for row in zeek_log.read(path):
        ts, mac = row.get("ts"), _json_text(row.get("mac")).lower()
        try:
            ip, _ = canonical(_json_text(row.get("assigned_addr")))
            seconds = _seconds(ts)
        except (OSError, ValueError):
            continue
        if _MAC.fullmatch(mac) and 0 <= seconds < END_OF_TIME:
            yield Lease(
                _microseconds(seconds),
                ip,
                mac,
                _json_text(row.get("host_name") or row.get("client_fqdn")),
            )


class _Networks:
    """A set of networks, IPv4 in its mapped form, asked by an address's 16 bytes."""

    def __init__(self, networks: Iterable[str]) -> None:
        spans = []
        for text in networks:
            network = ipaddress.ip_network(text, strict=False)
            first = int(network.network_address)
            if network.version == 4:
                first += 0xFFFF << 32
            spans.append((first, first + network.num_addresses - 1))
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in sorted(spans):
            if self._last and first <= self._last[-1]:
                self._last[-1] = max(self._last[-1], last)
            else:
                self._first.append(first)
                self._last.append(last)

    def __contains__(self, packed: bytes) -> bool:
        value = int.from_bytes(packed, "big")
        at = bisect_right(self._first, value) - 1
        return at >= 0 and value <= self._last[at]


def _six_to_four(network: str) -> str:
    net = ipaddress.IPv4Network(network)
    return f"2002:{int(net[0]) >> 16:x}:{int(net[0]) & 0xFFFF:x}::/{16 + net.prefixlen}"


# The same as Zeek's Site::private_address_space, which is local unless told otherwise.
_PRIVATE = _Networks(
    [*_PRIVATE_V4, *(_six_to_four(network) for network in _PRIVATE_V4), *_PRIVATE_V6]
)
_NEVER_HOSTS = _Networks(
    ["127.0.0.0/8", "::1/128", "224.0.0.0/4", "255.255.255.255/32", "ff00::/8"]
)
_UNSPECIFIED = _Networks(["0.0.0.0/32", "::/128"])

# What kind of originator an address is, a bit each.
_IS_PRIVATE, _IS_LOCAL, _IS_NEVER, _IS_UNSPECIFIED = 1, 2, 4, 8


class _Columns:
    """Collects the columns of many files; each distinct address and MAC is looked at once."""

    def __init__(
        self,
        local: Sequence[str],
        since: float | None,
        until: float | None,
    ) -> None:
        try:
            self._local = _Networks(local)
        except ValueError as error:
            raise ArchiveError(f"local networks: {error}") from None
        self._since = -np.inf if since is None else since
        self._until = np.inf if until is None else until
        self.report = Report()
        # Code 0 is what is no address.
        self._address_codes: dict[str, int] = {}
        self._addresses = [""]
        self._kinds = bytearray(1)
        self._mac_codes: dict[str, int] = {"": 0}

    @property
    def addresses(self) -> np.ndarray:
        """Addresses by code, as objects."""
        return np.array(self._addresses, dtype=object)

    @property
    def macs(self) -> np.ndarray:
        """MACs by code, as objects."""
        return np.array(list(self._mac_codes), dtype=object)

    def ties(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """What sessions of the same time are ordered by."""
        codes, place = np.unique(np.stack([rows["dst"], rows["host"]]), return_inverse=True)
        texts = np.array([self._addresses[code] for code in codes.tolist()], dtype=object)
        rank = np.empty(len(texts), dtype=np.int64)
        rank[np.argsort(texts, kind="stable")] = np.arange(len(texts))
        return (rows["dport"], *rank[place])

    def read(self, path: str | Path, log: int) -> Iterator[np.ndarray]:
        """One file's sessions, ROW, some at a time; why it ended early is noted."""
        report = self.report
        skipped = report.skipped
        counted = False
        try:
            for block, rows in _blocks(path):
                report.files += not counted
                counted = True
                report.rows += rows
                report.skipped += rows - len(block.ts)
                yield self._sessions(block, log)
        except (ArchiveError, OSError) as error:
            report.errors.append(_error(path, error))
        if report.skipped > skipped:
            report.add(Report(skipped_in={_name(path): report.skipped - skipped}))

    def take(self, part: Part, log: int) -> Iterator[np.ndarray]:
        """The same of a file that was read alone: codes become those of the whole archive."""
        rows = part.rows
        address = np.array([self._address(text) for text in part.addresses], np.int32)
        mac = np.array([self._mac(text) for text in part.macs], np.int32)
        rows["host"], rows["dst"] = address[rows["host"]], address[rows["dst"]]
        rows["mac"], rows["log"] = mac[rows["mac"]], log
        self.report.add(part.report)
        yield rows

    def _sessions(self, block: _Block, log: int) -> np.ndarray:
        report = self.report
        ts = _microseconds(block.ts)
        port = block.coded("id.resp_p", lambda text: _port(text, block.unset))
        host = block.coded("id.orig_h", self._address)
        dst = block.coded("id.resp_h", self._address)
        mac = block.coded("orig_l2_addr", self._mac)
        local = block.coded("local_orig", lambda text: {"T": 1, "F": 0}.get(text, -1))
        valid = (ts >= 0) & (ts < END_OF_TIME) & (host > 0) & (dst > 0) & (port >= 0)
        kind = np.frombuffer(self._kinds, dtype=np.uint8)[host]
        is_host = (local == 1) | ((kind & _IS_LOCAL) > 0)
        is_host |= (local == -1) & ((kind & _IS_PRIVATE) > 0)
        # Before it has an address a device is known by its MAC alone.
        is_host = np.where(kind & _IS_UNSPECIFIED, mac > 0, is_host & ((kind & _IS_NEVER) == 0))
        is_host &= mac >= 0
        dport = port + block.coded("proto", lambda text: port_code(0, text))
        is_host &= ~tunnels.outer_flows(dport) & (block.coded("service", tunnels.is_tunnel) == 0)
        inside = (ts >= self._since) & (ts < self._until)
        keep = valid & is_host & inside
        report.skipped += int(np.count_nonzero(~valid))
        report.not_hosts += int(np.count_nonzero(valid & ~is_host))
        report.outside += int(np.count_nonzero(valid & is_host & ~inside))
        rows = np.empty(np.count_nonzero(keep), ROW)
        report.sessions += len(rows)
        columns = {"ts": ts, "host": host, "dst": dst, "dport": dport, "mac": mac}
        for name, column in (columns | {"uid": block.uid}).items():
            rows[name] = column[keep]
        rows["log"] = log
        return rows

    def _address(self, text: str) -> int:
        """The code of an address, 0 for what is none; spellings of one address share a code."""
        code = self._address_codes.get(text)
        if code is None:
            try:
                address, packed = canonical(text)
            except (OSError, ValueError):
                return 0
            code = self._address_codes.get(address)
            if code is None:
                code = self._address_codes[address] = len(self._addresses)
                self._addresses.append(address)
                self._kinds.append(
                    (_IS_PRIVATE if packed in _PRIVATE else 0)
                    | (_IS_LOCAL if packed in self._local else 0)
                    | (_IS_NEVER if packed in _NEVER_HOSTS else 0)
                    | (_IS_UNSPECIFIED if packed in _UNSPECIFIED else 0)
                )
            self._address_codes[text] = code
        return code

    def _mac(self, text: str) -> int:
        """The code of a MAC, 0 for what is none; -1 for everybody's, which Zeek gives as the
        originator's where it has turned a broadcast round."""
        text = text.lower()
        if text == _EVERYBODY:
            return -1
        return self._mac_codes.setdefault(text, len(self._mac_codes)) if _MAC.fullmatch(text) else 0


def _require_conn_log(path: str | Path, declared: str, columns: set[str]) -> None:
    """Raise ArchiveError unless this is a conn log with the columns that sessions need."""
    name = _name(path)
    if declared:
        other = declared if "conn" not in declared else ""
    else:
        told = columns <= {*_COLUMNS, "id.orig_p"} or columns & _CONN_ONLY or "conn" in name
        other = "" if told or name == "-" else name.partition(".")[0]
    if other:
        raise ArchiveError(f"a {other} log, not a conn log: name conn logs or their folder")
    if missing := [column for column in _REQUIRED if column not in columns]:
        raise ArchiveError(f"no column {', '.join(missing)}: not a whole conn log, left out")


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The columns of interest of n rows.

    ts: float64 [n], NaN where it is no number. uid: bytes [n]. texts: for each of _TEXTS, each
    row's index int32 [n] into the different ones. unset: the text of a field without value.
    """

    ts: np.ndarray
    uid: np.ndarray
    texts: dict[str, tuple[np.ndarray, list[str]]]
    unset: str

    def coded(self, name: str, code: Callable[[str], int]) -> np.ndarray:
        """Each row's code, int32 [n], computed once per text."""
        index, texts = self.texts[name]
        codes: np.ndarray = np.array([code(text) for text in texts], dtype=np.int32)[index]
        return codes


def _blocks(path: str | Path) -> Iterator[tuple[_Block, int]]:
    """A file's rows, some at a time, without those that are none, and how many they were.

    Raises ArchiveError or OSError where it cannot be read, or no further.
    """
    if parquet.is_parquet(path):
        _require_conn_log(path, "", parquet.columns(path))
        for table in parquet.batches(path, {*_COLUMNS, "_path"}):
            try:
                block = _parquet_block(path, table)
            except parquet.UNREADABLE as error:
                why = str(error).partition("\n")[0]
                raise ArchiveError(f"a column of a type that is none of Zeek's ({why})") from None
            yield block, len(table)
        return
    with zeek_log.open_log(path) as stream:
        yield from ahead(partial(_block, path), zeek_log.segments(stream), _PARSING)


def _block(path: str | Path, segment: tuple[zeek_log.Header, bytes]) -> tuple[_Block, int]:
    """A block of TSV or JSON rows, without those that are none, and how many it had."""
    header, body = segment
    if not header.fields:
        return _json_block(path, body)
    _require_conn_log(path, header.path, set(header.fields))
    return _tsv_block(header, body)


# Blocks that are parsed at once. One thread reads and sorts what two parse: more would wait for it.
_PARSING = 2
_TEXT = pa.dictionary(pa.int32(), pa.binary())
_STEP = 1 << 20


def _tsv_block(header: zeek_log.Header, body: bytes) -> tuple[_Block, int]:
    """A block of TSV rows, without those of too few or too many fields, and how many it had."""
    if header.separator != b"\t":
        # Control characters inside values are always escaped, so there is no other tab.
        body = body.replace(header.separator, b"\t")
    columns = {name: str(at) for at, name in enumerate(header.fields) if name in _COLUMNS}
    unset = header.unset_field.decode("utf-8", "replace")
    types = {at: pa.binary() if name == "uid" else _TEXT for name, at in columns.items()}
    try:
        table = _read_csv(header, body, types | {columns["ts"]: pa.float64()}, _STEP)
        rows = len(table)
        ts = table[columns["ts"]].to_numpy()
    except pa.ArrowInvalid:
        # A row of another length than the header's, a time that is none, a row beyond all measure.
        lines = [line for line in body.splitlines() if line]
        rows = len(lines)
        body = b"".join(
            line + b"\n" for line in lines if line.count(b"\t") == len(header.fields) - 1
        )
        table = _read_csv(header, body, types, len(body))
        index, texts = _dictionary(table[columns["ts"]])
        ts = np.array([_number(text) for text in texts], dtype=np.float64)[index]
    uid = np.zeros(len(table), ROW["uid"])
    if "uid" in columns:
        uid[:] = _printable(table[columns["uid"]], header.unset_field)
    absent = np.zeros(len(table), np.int32), [unset]
    return _Block(
        ts=ts,
        uid=uid,
        texts={
            name: _dictionary(table[columns[name]]) if name in columns else absent
            for name in _TEXTS
        },
        unset=unset,
    ), rows


def _printable(column: pa.ChunkedArray, unset: bytes) -> np.ndarray:
    """Uids as bytes without anything that is not ASCII, b"" where unset."""
    uid = np.array(column.to_numpy(), ROW["uid"])
    uid[uid == unset] = b""
    letters = uid.view(np.uint8)
    letters[letters > 0x7E] = ord("?")
    return uid


def _read_csv(
    header: zeek_log.Header, body: bytes, types: dict[str, pa.DataType], step: int
) -> pa.Table:
    """The columns in ``types``, by their place; raises ArrowInvalid unless every row conforms and
    fits into ``step`` bytes."""
    if not body:
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    return pa.csv.read_csv(
        pa.BufferReader(body),
        pa.csv.ReadOptions(
            column_names=[str(at) for at in range(len(header.fields))],
            block_size=step,
            use_threads=False,  # blocks are parsed beside each other, which gains more
        ),
        pa.csv.ParseOptions(delimiter="\t", quote_char=False),
        pa.csv.ConvertOptions(
            check_utf8=False,
            include_columns=list(types),
            column_types=types,
            null_values=[header.unset_field],
        ),
    )


def _dictionary(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Each row's index, int32 [n], into the different texts."""
    array = column.unify_dictionaries().combine_chunks()
    texts = [text.decode("utf-8", "replace") for text in array.dictionary.to_pylist()]
    return array.indices.to_numpy(), texts


_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def _parquet_block(path: str | Path, table: pa.Table) -> _Block:
    """The same of rows from Parquet, whatever types the columns have there."""
    names = table.column_names
    if "_path" in names and len(table):
        _require_conn_log(path, _json_text(table["_path"][0].as_py()), set(names))
    ts = table["ts"]
    if any(kind(ts.type) for kind in _NUMBERS):
        ts = ts.cast(pa.float64(), safe=False).to_numpy()
        ts = np.where(ts >= _MILLISECONDS, ts / 1e3, ts)
    else:
        ts = np.array([_json_ts(value) for value in ts.to_pylist()], dtype=np.float64)
    uid = np.zeros(len(table), ROW["uid"])
    if "uid" in names:
        uid[:] = _printable(table["uid"].cast(pa.binary()).fill_null(b""), b"-")
    absent = np.zeros(len(table), np.int32), [""]
    if "service" in names and pa.types.is_nested(table["service"].type):
        names.remove("service")  # nobody needs it: tunnels have their ports, too
    return _Block(
        ts=ts,
        uid=uid,
        texts={name: _lake_texts(table[name]) if name in names else absent for name in _TEXTS},
        unset="",
    )


def _lake_texts(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """As :func:`_dictionary`; "" where the value is null, or unset as Zeek writes it."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.binary())  # it may not be UTF-8, whatever it is called
    array = column.dictionary_encode("encode").unify_dictionaries().combine_chunks()
    return array.indices.to_numpy(), [_lake_text(one) for one in array.dictionary.to_pylist()]


def _lake_text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    elif isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and value.is_integer():  # as pandas writes numbers and nulls
        value = int(value)
    return "" if value == "-" else _json_text(value)


def _json_block(path: str | Path, body: bytes) -> tuple[_Block, int]:
    """The same of JSON lines."""
    lines = list(zeek_log.json_rows(body))
    rows = [row for row in lines if row is not None]
    if rows:
        declared = rows[0].get("_path", "")
        _require_conn_log(path, _json_text(declared), set().union(*rows))
    block = _Block(
        ts=np.array([_json_ts(row.get("ts")) for row in rows], dtype=np.float64),
        uid=np.array(
            [_json_text(row.get("uid")).encode("ascii", "replace") for row in rows], ROW["uid"]
        ),
        texts={name: _distinct([_json_text(row.get(name)) for row in rows]) for name in _TEXTS},
        unset="",
    )
    return block, len(lines)


def _json_ts(value: Any) -> float:
    try:
        return _seconds(value)
    except ValueError:
        return np.nan


def _json_text(value: Any) -> str:
    """A JSON value as text, "" where it is nested: deep enough, that cannot even be printed."""
    if isinstance(value, bool):
        return "T" if value else "F"
    return str(value) if isinstance(value, (str, int, float)) else ""


def _distinct(texts: list[str]) -> tuple[np.ndarray, list[str]]:
    places: dict[str, int] = {}
    index = [places.setdefault(text, len(places)) for text in texts]
    return np.array(index, dtype=np.int32), list(places)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _port(text: str, unset: str) -> int:
    """A port's number, 0 where it is unset, -1 where it is none."""
    if text == unset:
        return 0
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else -1
    return number if number <= 0xFFFF else -1


def _seconds(value: Any) -> float:
    """A time from a log as seconds since the epoch: a number or an ISO 8601 string."""
    if isinstance(value, str):
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=time.tzinfo or UTC).timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a time")
    return value / 1e3 if value >= _MILLISECONDS else float(value)


def _microseconds(seconds: Any) -> Any:
    """Times rounded as Zeek writes them: the double nearest to six decimals."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.rint(np.asarray(seconds) * 1e6) / 1e6
