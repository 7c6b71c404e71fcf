"""Reads the files of an archive to rows of sessions, and says what was not understood in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.archive import log_rows, log_values, tunnels
from nba_broker.archive.blocks import Block, Parsed, word
from nba_broker.archive.conn_blocks import parsed
from nba_broker.archive.leases import leases
from nba_broker.archive.log_columns import kind
from nba_broker.archive.networks import NEVER_HOSTS, PRIVATE, UNSPECIFIED, Networks
from nba_broker.records import uids
from nba_broker.records.addresses import canonical
from nba_broker.records.errors import ArchiveError
from nba_broker.records.sessions import Lease
from nba_broker.records.times import END_OF_TIME

ROW = np.dtype(
    [
        ("uid", uids.TEXT),
        ("ts", np.float64),
        ("host", np.int32),
        ("dst", np.int32),
        ("dport", np.int32),
        ("sport", np.int32),
        ("mac", np.int32),
        ("segment", np.int32),
        ("log", np.int32),
    ]
)
"""A session of an archive, compactly; see conn_log.Archive."""

# What kind of originator an address is, a bit each.
_IS_PRIVATE, _IS_LOCAL, _IS_NEVER, _IS_UNSPECIFIED = 1, 2, 4, 8

# A file of which more than this share is not understood was not read; up to the other one, it is no
# more than a damaged row or two.
_USABLE, _ODDITIES = 0.5, 0.01


@dataclass(slots=True)
class Report:
    """What became of an archive's rows.

    ``rows`` = ``sessions`` + ``skipped`` (do not parse) + ``not_hosts`` (nobody's session of ours)
    + ``outside`` (before ``since``, from ``until`` on) + ``repeated`` (there already). ``others``:
    rows of other logs beside them, by name. ``errors``: one line per bad file; ``warnings``: what
    else is to be known.
    """

    files: int = 0
    rows: int = 0
    sessions: int = 0
    skipped: int = 0
    not_hosts: int = 0
    outside: int = 0
    repeated: int = 0
    others: dict[str, int] = field(default_factory=dict)
    skipped_in: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def more(self) -> str:
        """What is seldom there, to be said behind the rest."""
        repeated = f", {self.repeated} there twice" if self.repeated else ""
        others = sum(self.others.values())
        return repeated + (f", {others} rows of other logs" if others else "")

    def leave_out(self, log: str, number: int) -> None:
        """Of a log's sessions so many were none."""
        self.sessions -= number
        self.skipped += number
        self.skipped_in[log] = self.skipped_in.get(log, 0) + number

    def add(self, other: Report) -> None:
        """Count what became of further rows, too."""
        for name in ("files", "rows", "sessions", "skipped", "not_hosts", "outside", "repeated"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, more in ((self.others, other.others), (self.skipped_in, other.skipped_in)):
            for name, number in more.items():
                mine[name] = mine.get(name, 0) + number
        self.errors += other.errors
        self.warnings += other.warnings


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One file of an archive, read on its own: rows of ROW with codes into this part's own
    ``addresses``, ``macs`` and ``segments``."""

    rows: np.ndarray
    addresses: list[str]
    macs: list[str]
    segments: list[str]
    report: Report
    leases: list[Lease]
    has_dns: bool


def failure(path: str | Path, error: Exception) -> str:
    """One line about a file that cannot be read."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"{'standard input' if str(path) == '-' else path}: {text}"


class _Doubts:
    """What was not understood of one file: rows by column, and a value of each."""

    def __init__(self) -> None:
        self.rows = self.skipped = 0
        self._lost: dict[str, tuple[int, str]] = {}
        self._vague: dict[str, tuple[int, str]] = {}
        self._absent: dict[str, tuple[int, str]] = {}
        self._units: set[float] = set()

    def lose(self, column: str, rows: int, value: str) -> None:
        """So many rows more are left out for their value of a column."""
        self._note(self._lost, column, rows, value)

    def miss(self, column: str, rows: int, value: str, is_there: bool = True) -> None:
        """So many rows more are read without their value of a column, as it is none, or as the
        column is not there: whoever left it out knows that."""
        self._note(self._vague if is_there else self._absent, column, rows, value)

    @staticmethod
    def _note(noted: dict[str, tuple[int, str]], column: str, rows: int, value: str) -> None:
        if rows:
            number, first = noted.get(column, (0, ""))
            noted[column] = number + rows, first or value

    def unit(self, unit: float) -> None:
        """The unit that the times of some rows were taken to have."""
        self._units.add(unit)

    def errors(self) -> Iterator[str]:
        """What makes the file's result wrong."""
        if self._are_many(self.skipped):
            yield self._left_out("cannot be used")
        for column, (number, value) in self._vague.items():
            if self._are_many(number):
                yield f"{_said(column, value)}, so {_VAGUE[column]}"
        if len(self._units - {0.0}) > 1:
            yield (
                "the times of column ts change their unit in the middle of it: the result may be "
                "wrong; give parts with one unit each"
            )

    def warnings(self) -> Iterator[str]:
        """What is to be known of a file most of which is understood."""
        if self._are_some(self.skipped):
            yield self._left_out("are left out")
        for column in self._absent:
            yield f"there is no column {column}, so {_VAGUE[column]}"
        for column, (number, value) in self._vague.items():
            if self._are_some(number):
                why = _VAGUE[column]
                yield f"in {number} of {self.rows} rows: {_said(column, value)}, so {why}"

    def _are_many(self, rows: int) -> bool:
        return rows > _USABLE * self.rows

    def _are_some(self, rows: int) -> bool:
        return rows > max(1, _ODDITIES * self.rows) and not self._are_many(rows)

    def _left_out(self, what: str) -> str:
        rows = f"{self.skipped} of {self.rows} rows {what}"
        if not self._lost:
            return f"{rows}: they have not the fields of the header, or are no JSON"
        column, (_, value) = max(self._lost.items(), key=lambda item: item[1][0])
        return f"{rows}: {_said(column, value)}"


def _said(column: str, value: str) -> str:
    value = value if len(value) <= 60 else f"{value[:57]}..."
    found = f"its value {value!r} is not understood" if value else "it is empty"
    return f"column {column}: {found}"


_NO_LEASE = "the leases are not known"
_VAGUE = {
    "id.resp_p": "services are unknown",
    "proto": "services are unknown",
    "local_orig": "hosts are told by their addresses alone",
    "orig_l2_addr": "hosts have no MACs",
    "mac": _NO_LEASE,
    "assigned_addr": _NO_LEASE,
    "ts": _NO_LEASE,
}


class Reader:
    """Collects the sessions of many files; each distinct address and MAC is looked at once."""

    def __init__(
        self,
        local: Sequence[str],
        since: float | None,
        until: float | None,
        logs: Sequence[str],
    ) -> None:
        try:
            self._local = Networks(local)
        except ValueError as error:
            raise ArchiveError(f"local networks: {error}") from None
        self._since = -np.inf if since is None else since
        self._until = np.inf if until is None else until
        self._rank = np.empty(len(logs), np.int64)
        self._rank[np.argsort(np.array(logs, dtype=object), kind="stable")] = np.arange(len(logs))
        self.report = Report()
        self.dns_logs: list[str | Path] = []
        # Code 0 is what is no address.
        self._address_codes: dict[str, int] = {}
        self.known_addresses = [""]
        self._kinds = bytearray(1)
        self._mac_codes: dict[str, int] = {"": 0}
        self._code_of_mac: dict[str, int] = {}  # of any spelling
        self._segment_codes: dict[str, int] = {"": 0}
        self._leases: list[Lease] = []

    @property
    def addresses(self) -> np.ndarray:
        """Addresses by code, as objects."""
        return np.array(self.known_addresses, dtype=object)

    @property
    def macs(self) -> np.ndarray:
        """MACs by code, as objects."""
        return np.array(list(self._mac_codes), dtype=object)

    @property
    def segments(self) -> np.ndarray:
        """Segments by code, as objects; see messages.segment_name."""
        return np.array(list(self._segment_codes), dtype=object)

    def leases(self) -> tuple[Lease, ...]:
        """All leases by their time."""
        return tuple(sorted(self._leases, key=lambda lease: (lease.ts, lease.ip, lease.mac)))

    def ties(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """What sessions of the same time are ordered by, so that it depends on no order of files:
        of those that are one, the first says most."""
        codes, place = np.unique(np.stack([rows["dst"], rows["host"]]), return_inverse=True)
        texts = np.array([self.known_addresses[code] for code in codes.tolist()], dtype=object)
        rank = np.empty(len(texts), dtype=np.int64)
        rank[np.argsort(texts, kind="stable")] = np.arange(len(texts))
        uid = np.ascontiguousarray(rows["uid"]).view(np.uint64).reshape(-1, uids.LENGTH // 8)
        dst, host = rank[place]
        return (
            self._rank[rows["log"]],
            rows["mac"] == 0,
            *uid.T,
            rows["sport"],
            rows["dport"],
            dst,
            self._segment_rank(rows["segment"]),
            host,
        )

    def _segment_rank(self, segment: np.ndarray) -> np.ndarray:
        """Places of segments in their order as texts, the one that is not told last."""
        texts = self.segments
        rank = np.empty(len(texts), np.int64)
        rank[sorted(range(len(texts)), key=lambda n: (not texts[n], texts[n]))] = range(len(texts))
        places: np.ndarray = rank[segment]
        return places

    def alone(self, path: str | Path, guessed: bool) -> Part:
        """One file, to be taken by another reader."""
        rows = np.concatenate([np.empty(0, ROW), *self.read(path, 0, guessed)])
        return Part(
            rows,
            self.known_addresses,
            list(self._mac_codes),
            list(self._segment_codes),
            self.report,
            self._leases,
            bool(self.dns_logs),
        )

    def read(self, path: str | Path, log: int, guessed: bool = False) -> Iterator[np.ndarray]:
        """One file's sessions, ROW, some at a time; why it ended early is noted. ``guessed``: its
        name does not say that it is a conn log."""
        report = self.report
        doubts, lent = _Doubts(), _Doubts()
        others: dict[str, int] = {}
        is_conn = has_leases = False
        try:
            for part in parsed(path):
                self._beside(part, others)
                self._lend(part.dhcp, lent)
                has_leases |= bool(part.dhcp)
                if part.block is None:
                    continue
                is_conn = True
                report.rows += part.rows
                doubts.rows += part.rows
                missing = part.rows - len(part.block)
                report.skipped += missing
                doubts.skipped += missing
                yield self._sessions(part.block, log, doubts)
            if others and not is_conn and not has_leases and not guessed:
                raise ArchiveError(_no_conn_log(others, path))
        except (ArchiveError, OSError) as error:
            report.errors.append(failure(path, error))
        report.files += is_conn
        if others.get("dns") and str(path) != "-":
            self.dns_logs.append(path)
        if is_conn:
            report.add(Report(others=others))
        self._say(path, doubts)
        self._say(path, lent)
        if doubts.skipped:
            report.add(Report(skipped_in={Path(path).name: doubts.skipped}))

    def _beside(self, part: Parsed, others: dict[str, int]) -> None:
        for name, rows in part.others.items():
            name = "dns" if name.lower().endswith("dns") else name
            others[name] = others.get(name, 0) + rows

    def read_leases(self, path: str | Path) -> None:
        """A dhcp log's leases; why it ended early is noted."""
        doubts = _Doubts()
        try:
            for rows in log_rows.some(path, "dhcp"):
                self._lend(rows, doubts)
        except (ArchiveError, OSError) as error:
            self.report.errors.append(failure(path, error))
        self._say(path, doubts)

    def _lend(self, rows: list[dict[str, Any]], doubts: _Doubts) -> None:
        doubts.rows += len(rows)
        self._leases += leases(rows, lambda column, value: doubts.miss(column, 1, value))

    def _say(self, path: str | Path, doubts: _Doubts) -> None:
        self.report.errors += [failure(path, ArchiveError(line)) for line in doubts.errors()]
        self.report.warnings += [failure(path, ArchiveError(line)) for line in doubts.warnings()]

    def take(self, part: Part, log: int, path: str | Path) -> Iterator[np.ndarray]:
        """The same of a file that was read alone: codes become those of the whole archive."""
        rows = part.rows
        address = np.array([self._address(text) for text in part.addresses], np.int32)
        mac = np.array([self._mac(text) for text in part.macs], np.int32)
        segment = np.array([self._segment(one) for one in part.segments], np.int32)
        rows["host"], rows["dst"] = address[rows["host"]], address[rows["dst"]]
        rows["mac"], rows["log"] = mac[rows["mac"]], log
        rows["segment"] = segment[rows["segment"]]
        self.report.add(part.report)
        self._leases += part.leases
        if part.has_dns:
            self.dns_logs.append(path)
        yield rows

    def _sessions(self, block: Block, log: int, doubts: _Doubts) -> np.ndarray:
        report = self.report
        ts = log_values.microseconds(block.ts)
        port = block.coded("id.resp_p", _port)
        host = block.coded("id.orig_h", self._address)
        dst = block.coded("id.resp_h", self._address)
        mac = block.coded("orig_l2_addr", self._mac)
        local = block.coded("local_orig", log_values.boolean)
        proto = block.coded("proto", log_values.protocol)
        has_time = (ts >= 0) & (ts < END_OF_TIME)
        valid = has_time & (host > 0) & (dst > 0) & (port >= 0)
        kind = np.frombuffer(self._kinds, dtype=np.uint8)[host]
        is_host = (local == 1) | ((kind & _IS_LOCAL) > 0)
        is_host |= (local < 0) & ((kind & _IS_PRIVATE) > 0)
        # Before it has an address a device is known by its MAC alone.
        is_host = np.where(kind & _IS_UNSPECIFIED, mac > 0, is_host & ((kind & _IS_NEVER) == 0))
        is_host &= mac >= 0
        dport = np.where(proto > 0, (port & 0xFFFF) + 65536 * proto, port)
        is_host &= ~tunnels.outer_flows(dport) & (block.coded("service", tunnels.is_tunnel) == 0)
        inside = (ts >= self._since) & (ts < self._until)
        keep = valid & is_host & inside
        skipped = int(np.count_nonzero(~valid))
        report.skipped += skipped
        report.not_hosts += int(np.count_nonzero(valid & ~is_host))
        report.outside += int(np.count_nonzero(valid & is_host & ~inside))
        doubts.skipped += skipped
        doubts.unit(block.unit)
        if skipped:
            at = int(has_time.argmin()) if len(ts) else 0
            odd_ts = "" if np.isnan(block.ts[at]) else f"{block.ts[at]:.17g}"
            doubts.lose("ts", int(np.count_nonzero(~has_time)), block.odd_ts or odd_ts)
            for name, odd in (("id.orig_h", host <= 0), ("id.resp_h", dst <= 0)):
                doubts.lose(name, int(np.count_nonzero(odd)), block.an_example(name, odd))
            doubts.lose("id.resp_p", int((port < 0).sum()), block.an_example("id.resp_p", port < 0))
        no_port = block.unset("id.resp_p")
        no_proto = (proto < 0) | (block.unset("proto") & (port <= 0xFFFF))
        for name, odd in (
            ("id.resp_p", no_port),
            ("proto", no_proto & ~no_port),
            ("local_orig", local < -1),
        ):
            if odd.any():
                is_there = name in block.texts
                doubts.miss(name, int(np.count_nonzero(odd)), block.an_example(name, odd), is_there)
        if "orig_l2_addr" in block.texts and (mac == 0).any():
            odd = block.coded("orig_l2_addr", _is_no_mac) > 0
            doubts.miss("orig_l2_addr", int(odd.sum()), block.an_example("orig_l2_addr", odd))
        rows = np.empty(np.count_nonzero(keep), ROW)
        report.sessions += len(rows)
        segment = np.array([self._segment(one) for one in block.segments], np.int32)
        columns = {"ts": ts, "host": host, "dst": dst, "dport": dport, "sport": block.sport}
        columns |= {"mac": mac, "segment": segment[block.segment], "uid": block.uid}
        for name, column in columns.items():
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
                code = self._address_codes[address] = len(self.known_addresses)
                self.known_addresses.append(address)
                self._kinds.append(
                    (_IS_PRIVATE if packed in PRIVATE else 0)
                    | (_IS_LOCAL if packed in self._local else 0)
                    | (_IS_NEVER if packed in NEVER_HOSTS else 0)
                    | (_IS_UNSPECIFIED if packed in UNSPECIFIED else 0)
                )
            self._address_codes[text] = code
        return code

    def _mac(self, text: str) -> int:
        """The code of a MAC, 0 for what is none; -1 for everybody's, which Zeek gives as the
        originator's where it has turned a broadcast round."""
        code = self._code_of_mac.get(text)
        if code is None:
            mac = log_values.mac(text)
            code = -1 if mac == log_values.EVERYBODY else 0
            if mac and code == 0:
                code = self._mac_codes.setdefault(mac, len(self._mac_codes))
            self._code_of_mac[text] = code
        return code

    def _segment(self, segment: str) -> int:
        return self._segment_codes.setdefault(segment, len(self._segment_codes))


def _no_conn_log(others: dict[str, int], path: str | Path) -> str:
    """Why a file is not read in which there are rows of other logs alone."""
    if all(kind(one) == "conn" for one in others):
        return (
            "no row has the columns of a conn log (ts, id.orig_h, id.resp_h): give them the names "
            "that Zeek has"
        )
    logs = ", ".join(sorted(others, key=lambda one: -others[one])[:3])
    is_by_name = set(others) == {word(Path(path).name)}
    remedy = "call it conn.log if it is one" if is_by_name else "name conn logs or their folder"
    return f"a {logs} log, not a conn log: {remedy}"


def _port(text: str) -> int:
    """A port and its transport as messages.port_code has them, -1 for what is none."""
    number, protocol = log_values.port(text)
    return number if number < 0 else number + 65536 * protocol


def _is_no_mac(text: str) -> bool:
    return not (log_values.is_unset(text) or log_values.is_mac(text))
