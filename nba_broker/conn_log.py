"""conn.log archives to sessions: every form Zeek writes, ordered as a whole, with DHCP's leases."""

from __future__ import annotations

import csv
import io
import ipaddress
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nba_broker import zeek_log
from nba_broker.addresses import canonical
from nba_broker.errors import ArchiveError
from nba_broker.messages import Lease, Sessions, port_code

_REQUIRED = ("ts", "id.orig_h", "id.resp_h")
_NUMBERS = ("ts", "id.resp_p")
_TEXTS = ("id.orig_h", "id.resp_h", "proto", "local_orig", "orig_l2_addr")
_COLUMNS = (*_NUMBERS, "uid", *_TEXTS)

# What only a conn log has. JSON rows need not say which log they are from, and every protocol's
# log has the three required columns.
_CONN_ONLY = {"conn_state", "history", "orig_pkts", "resp_pkts", "orig_bytes", "missed_bytes"}

_CONN_NAME = re.compile(r"conn\..*|.*\.conn\.log.*")
_DHCP_NAME = re.compile(r"dhcp\..*|.*\.dhcp\.log.*")
_DNS_NAME = re.compile(r"dns\..*|.*\.dns\.log.*")
_NOT_A_LOG = re.compile(r".*\.(pcap|pcapng|cap|csv)(\.gz)?", re.IGNORECASE)
# Not a group's: where Zeek has turned a connection round, its originator may be a broadcast.
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")

# A later time than this is in milliseconds (JSON::TS_MILLIS), or nonsense.
_LATEST = 1e11
# Zeek's uids have at most 19 characters; the bound keeps a broken file from eating the memory.
_UID_BYTES = 32

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


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """All sessions of an archive in memory, sorted by (ts, host, dst, dport), compactly.

    ts: float64 [n]. host, dst: int32 [n] into ``addresses``; mac: int32 [n] into ``macs``.
    dport, log: int32 [n], ``log`` into ``logs``, the file names. uid: bytes [n].
    leases: sorted by their time.
    """

    ts: np.ndarray
    host: np.ndarray
    dst: np.ndarray
    dport: np.ndarray
    mac: np.ndarray
    uid: np.ndarray
    log: np.ndarray
    addresses: np.ndarray
    macs: np.ndarray
    logs: tuple[str, ...]
    leases: tuple[Lease, ...]
    report: Report

    def __len__(self) -> int:
        return len(self.ts)

    def batches(self, size: int = 65536) -> Iterator[Sessions]:
        """The sessions in order, at most ``size`` at a time."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Sessions(
                ts=self.ts[part],
                host=self.addresses[self.host[part]].tolist(),
                uid=self.uid[part].astype("U").tolist(),
                mac=self.macs[self.mac[part]].tolist(),
                dst=self.addresses[self.dst[part]].tolist(),
                dport=self.dport[part],
                log=self.log[part],
            )


def read(
    paths: Iterable[str | Path],
    *,
    local: Sequence[str] = (),
    since: float | None = None,
    until: float | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> Archive:
    """Read files, folders and ``-`` (standard input) as one archive.

    ``local`` are networks whose addresses are hosts, besides those that Zeek or private space
    calls local. Sessions with since <= ts < until are kept. ``progress`` is told (files read,
    files in all, sessions so far) after each file. A bad file is named in ``report.errors`` and
    the others are still read; raises ArchiveError where nothing at all can be read.
    """
    report = Report()
    conn_logs, dhcp_logs, _ = find(paths, report.errors)
    columns = _Columns(local, since, until, report)
    for number, path in enumerate(conn_logs):
        skipped = report.skipped
        try:
            columns.read(path, number)
        except (ArchiveError, OSError) as error:
            report.errors.append(_error(path, error))
        if report.skipped > skipped:
            report.skipped_in[_name(path)] = (
                report.skipped_in.get(_name(path), 0) + report.skipped - skipped
            )
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
    return columns.archive(tuple(_name(path) for path in conn_logs), tuple(leases))


def _name(path: str | Path) -> str:
    return Path(path).name


def _error(path: str | Path, error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"{'standard input' if str(path) == '-' else path}: {text}"


def find(
    paths: Iterable[str | Path], errors: list[str]
) -> tuple[list[str | Path], list[str | Path], list[str | Path]]:
    """The conn logs that the paths stand for, and the dhcp and dns logs beside them, each once.

    ``errors`` gets a line for each path that is not there.
    """
    conn: dict[str, str | Path] = {}
    dhcp: dict[str, str | Path] = {}
    dns: dict[str, str | Path] = {}

    def add(found: dict[str, str | Path], path: Path) -> None:
        found.setdefault(os.path.realpath(path), path)

    for given in paths:
        path = Path(given)
        if str(given) == "-":
            conn.setdefault("-", "-")
        elif path.is_dir():
            for file in _walk(path):
                if _NOT_A_LOG.fullmatch(file.name):
                    continue
                if _CONN_NAME.fullmatch(file.name):
                    add(conn, file)
                elif _DHCP_NAME.fullmatch(file.name):
                    add(dhcp, file)
                elif _DNS_NAME.fullmatch(file.name):
                    add(dns, file)
        elif not path.exists():
            errors.append(f"{given}: no such file or folder")
        elif _DHCP_NAME.fullmatch(path.name):
            add(dhcp, path)
        else:
            add(conn, path)
            for kind, found in (("dhcp", dhcp), ("dns", dns)):
                name = re.sub(r"(^|\.)conn\.", rf"\1{kind}.", path.name, count=1)
                if name != path.name and path.with_name(name).is_file():
                    add(found, path.with_name(name))
    return list(conn.values()), list(dhcp.values()), list(dns.values())


def _walk(top: Path) -> Iterator[Path]:
    """All files below a folder in a fixed order, links followed: zeekctl's logs/current is one."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file():
                yield file


def _leases(path: str | Path) -> Iterator[Lease]:
    for row in zeek_log.read(path):
        ts, mac = row.get("ts"), str(row.get("mac", "")).lower()
        try:
            ip, _ = canonical(str(row.get("assigned_addr", "")))
            seconds = _seconds(ts)
        except (OSError, ValueError):
            continue
        if _MAC.fullmatch(mac) and 0 <= seconds < _LATEST:
            yield Lease(
                _microseconds(seconds),
                ip,
                mac,
                str(row.get("host_name") or row.get("client_fqdn") or ""),
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
        self, local: Sequence[str], since: float | None, until: float | None, report: Report
    ) -> None:
        try:
            self._local = _Networks(local)
        except ValueError as error:
            raise ArchiveError(f"local networks: {error}") from None
        self._since = -np.inf if since is None else since
        self._until = np.inf if until is None else until
        self._report = report
        # Code 0 is what is no address.
        self._address_codes: dict[str, int] = {}
        self._addresses = [""]
        self._kinds = bytearray(1)
        self._mac_codes: dict[str, int] = {"": 0}
        self._parts: list[tuple[np.ndarray, ...]] = []

    def read(self, path: str | Path, log: int) -> None:
        """Add one file's sessions; raises ArchiveError (what was read before it is kept)."""
        counted = False
        with zeek_log.open_log(path) as stream:
            for header, body in zeek_log.segments(stream):
                if header.fields:
                    _require_conn_log(path, header.path, set(header.fields))
                    frame, rows = _tsv_frame(header, body)
                    unset = header.unset_field.decode("utf-8", "replace")
                else:
                    frame, rows = _json_frame(path, body)
                    unset = ""
                self._report.files += not counted
                counted = True
                self._report.rows += rows
                self._report.skipped += rows - len(frame)
                self._add(frame, unset, log)

    def _add(self, frame: pd.DataFrame, unset: str, log: int) -> None:
        report = self._report
        ts = _microseconds(frame["ts"].to_numpy())
        port = frame["id.resp_p"].to_numpy()
        host = _coded(frame["id.orig_h"], self._address)
        dst = _coded(frame["id.resp_h"], self._address)
        valid = (ts >= 0) & (ts < _LATEST) & (host > 0) & (dst > 0)
        valid &= (port >= 0) & (port <= 0xFFFF) & (port == np.floor(port))
        mac = _coded(frame["orig_l2_addr"], self._mac)
        local = _coded(frame["local_orig"], lambda text: {"T": 1, "F": 0}.get(text, -1))
        kind = np.frombuffer(self._kinds, dtype=np.uint8)[host]
        is_host = (local == 1) | ((kind & _IS_LOCAL) > 0)
        is_host |= (local == -1) & ((kind & _IS_PRIVATE) > 0)
        # Before it has an address a device is known by its MAC alone.
        is_host = np.where(kind & _IS_UNSPECIFIED, mac > 0, is_host & ((kind & _IS_NEVER) == 0))
        inside = (ts >= self._since) & (ts < self._until)
        keep = valid & is_host & inside
        report.skipped += int(np.count_nonzero(~valid))
        report.not_hosts += int(np.count_nonzero(valid & ~is_host))
        report.outside += int(np.count_nonzero(valid & is_host & ~inside))
        kept = int(np.count_nonzero(keep))
        report.sessions += kept
        protocol = _coded(frame["proto"], lambda text: port_code(0, text))
        self._parts.append(
            (
                ts[keep],
                host[keep],
                dst[keep],
                port[keep].astype(np.int32) + protocol[keep],
                mac[keep],
                _uids(frame["uid"].to_numpy(dtype=object)[keep], unset),
                np.full(kept, log, dtype=np.int32),
            )
        )

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
        text = text.lower()
        return self._mac_codes.setdefault(text, len(self._mac_codes)) if _MAC.fullmatch(text) else 0

    def archive(self, logs: tuple[str, ...], leases: tuple[Lease, ...]) -> Archive:
        """Everything collected, in order; equal keys stay in the order of the files."""
        ts, host, dst, dport, mac, uid, log = (
            np.concatenate(column) for column in zip(*self._parts, strict=True)
        )
        addresses = np.array(self._addresses, dtype=object)
        rank = np.empty(len(addresses), dtype=np.int32)
        rank[np.argsort(addresses, kind="stable")] = np.arange(len(addresses), dtype=np.int32)
        order = np.lexsort((dport, rank[dst], rank[host], ts))
        return Archive(
            ts=ts[order],
            host=host[order],
            dst=dst[order],
            dport=dport[order],
            mac=mac[order],
            uid=uid[order],
            log=log[order],
            addresses=addresses,
            macs=np.array(list(self._mac_codes), dtype=object),
            logs=logs,
            leases=leases,
            report=self._report,
        )


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


def _tsv_frame(header: zeek_log.Header, body: bytes) -> tuple[pd.DataFrame, int]:
    """The columns of interest of a block of TSV rows, and how many rows the block has.

    Rows with too few or too many fields are not in the frame. ``ts`` and ``id.resp_p`` are
    numbers, NaN where they are none; the others text, ``uid`` as objects, the rest categories.
    """
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
    if header.separator != b"\t":
        # Control characters inside values are always escaped, so there is no other tab.
        body = body.replace(header.separator, b"\t")
    tabs = len(header.fields) - 1
    rows = body.count(b"\n")
    # pandas silently fills short rows and cuts long ones.
    if body.translate(None, _ALL_BUT_TAB_AND_NEWLINE) != (b"\t" * tabs + b"\n") * rows:
        lines = [line for line in body.split(b"\n") if line]
        rows = len(lines)
        body = b"".join(line + b"\n" for line in lines if line.count(b"\t") == tabs)
    places = {name: at for at, name in enumerate(header.fields) if name in _COLUMNS}
    if not body:
        return _empty_frame(), rows
    types: dict[int, Any] = {at: "category" for name, at in places.items() if name in _TEXTS}
    types |= {places[name]: object for name in ("uid", *_NUMBERS) if name in places}
    fast = types | {places[name]: np.float64 for name in _NUMBERS if name in places}
    try:
        frame = _read_csv(body, fast)
    except ValueError:
        frame = _read_csv(body, types)
    frame = frame.rename(columns={at: name for name, at in places.items()})
    for name in _NUMBERS:
        if name not in frame:
            frame[name] = 0.0
        elif frame[name].dtype == object:
            texts = frame[name]
            numbers = pd.to_numeric(texts, errors="coerce").astype(np.float64)
            if name == "id.resp_p":
                numbers[texts == header.unset_field.decode("utf-8", "replace")] = 0.0
            frame[name] = numbers
    if "uid" not in frame:
        frame["uid"] = ""
    for name in _TEXTS:
        if name not in frame:
            frame[name] = _categories([""] * len(frame))
    return frame, rows


_ALL_BUT_TAB_AND_NEWLINE = bytes(set(range(256)) - set(b"\t\n"))


def _read_csv(body: bytes, types: dict[int, Any]) -> pd.DataFrame:
    return pd.read_csv(
        io.BytesIO(body),
        sep="\t",
        header=None,
        usecols=list(types),
        dtype=types,
        quoting=csv.QUOTE_NONE,
        na_filter=False,
        encoding_errors="replace",
        low_memory=False,
        engine="c",
    )


def _json_frame(path: str | Path, body: bytes) -> tuple[pd.DataFrame, int]:
    """The same frame as of TSV, from a block of JSON lines."""
    lines = list(zeek_log.json_rows(body))
    rows = [row for row in lines if row is not None]
    if rows:
        declared = rows[0].get("_path", "")
        _require_conn_log(path, str(declared), set().union(*rows))
    frame = pd.DataFrame(
        {
            "ts": np.array([_json_ts(row.get("ts")) for row in rows], dtype=np.float64),
            "id.resp_p": np.array(
                [_json_port(row.get("id.resp_p")) for row in rows], dtype=np.float64
            ),
            "uid": pd.Series([_json_text(row.get("uid")) for row in rows], dtype=object),
        }
    )
    for name in _TEXTS:
        frame[name] = _categories([_json_text(row.get(name)) for row in rows])
    return frame, len(lines)


def _json_ts(value: Any) -> float:
    try:
        return _seconds(value)
    except ValueError:
        return np.nan


def _json_port(value: Any) -> float:
    if value is None:
        return 0.0
    return float(value) if type(value) is int and abs(value) < 1 << 32 else np.nan


def _json_text(value: Any) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return value if isinstance(value, str) else ""


def _categories(texts: list[str]) -> pd.Categorical:
    codes, uniques = pd.factorize(np.array(texts, dtype=object))
    return pd.Categorical.from_codes(codes, categories=pd.Index(uniques, dtype=object))


def _empty_frame() -> pd.DataFrame:
    frame = pd.DataFrame({name: np.empty(0) for name in _NUMBERS})
    frame["uid"] = np.empty(0, dtype=object)
    for name in _TEXTS:
        frame[name] = _categories([])
    return frame


def _coded(column: pd.Series, code: Callable[[str], int]) -> np.ndarray:
    """Each row's code as int32 [n], computed once per distinct text."""
    table = [code(str(text)) for text in column.cat.categories]
    return np.array(table, dtype=np.int32)[column.cat.codes.to_numpy()]


def _uids(values: np.ndarray, unset: str) -> np.ndarray:
    values = np.where(values == unset, "", values)
    try:
        packed = values.astype("S")
    except UnicodeEncodeError:
        packed = np.array([value.encode("ascii", "replace") for value in values])
    return packed.astype(f"S{max(1, min(packed.itemsize, _UID_BYTES))}")


def _seconds(value: Any) -> float:
    """A time from a log as seconds since the epoch: a number or an ISO 8601 string."""
    if isinstance(value, str):
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=time.tzinfo or UTC).timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"not a time: {value!r}")
    return value / 1e3 if value >= _LATEST else float(value)


def _microseconds(seconds: Any) -> Any:
    """Times rounded as Zeek writes them: the double nearest to six decimals."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.rint(np.asarray(seconds) * 1e6) / 1e6
