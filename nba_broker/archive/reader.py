"""Reads the files of an archive to rows of sessions, and reports what is not understood in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.archive import conn_file, log_rows, log_values, tunnels
from nba_broker.archive.blocks import Block, Parsed, first_word
from nba_broker.archive.codes import (
    IS_LOCAL,
    IS_NEVER,
    IS_PRIVATE,
    IS_UNSPECIFIED,
    ROW,
    Codes,
    Ties,
)
from nba_broker.archive.diagnostics import Diagnostics
from nba_broker.archive.leases import leases
from nba_broker.archive.log_columns import kind
from nba_broker.archive.networks import Networks
from nba_broker.archive.report import Report, failure
from nba_broker.records.errors import ArchiveError
from nba_broker.records.sessions import Lease
from nba_broker.records.times import END_OF_TIME


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One file of an archive that was read by itself: rows of ROW with codes into this part's own
    ``addresses``, ``macs`` and ``segments``."""

    rows: np.ndarray
    addresses: list[str]
    macs: list[str]
    segments: list[str]
    report: Report
    leases: list[Lease]
    has_dns: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Codes:
    """The columns of a block as codes, each int32 [n] but ``ts``, float64 [n]: times to the
    microsecond."""

    ts: np.ndarray
    host: np.ndarray
    dst: np.ndarray
    port: np.ndarray
    proto: np.ndarray
    mac: np.ndarray
    local: np.ndarray


class Reader:
    """Collects the sessions of many files.

    codes: those of the rows. ties: how to order rows of the same time. report: what became of the
    rows. dns_logs: the files that have rows of dns.
    """

    def __init__(
        self,
        local: Sequence[str],
        since: float | None,
        until: float | None,
        logs: Sequence[str],
    ) -> None:
        try:
            self.codes = Codes(Networks(local))
        except ValueError as error:
            raise ArchiveError(f"local networks: {error}") from None
        self.ties = Ties(self.codes, logs)
        self._since = -np.inf if since is None else since
        self._until = np.inf if until is None else until
        self.report = Report()
        self.dns_logs: list[str | Path] = []
        self._leases: list[Lease] = []

    def leases(self) -> tuple[Lease, ...]:
        """All leases by their time."""
        return tuple(sorted(self._leases, key=lambda lease: (lease.ts, lease.ip, lease.mac)))

    def read(self, path: str | Path, log: int, guessed: bool = False) -> Iterator[np.ndarray]:
        """The sessions of one file, arrays of ROW. If it cannot be read to its end, the report says
        why. ``guessed``: its name does not say that it is a conn log."""
        report = self.report
        found, lent = Diagnostics(), Diagnostics()
        others: dict[str, int] = {}
        is_conn = has_leases = False
        try:
            for part in conn_file.read(path):
                _count_others(part, others)
                self._lend(part.dhcp, lent)
                has_leases |= bool(part.dhcp)
                if part.block is None:
                    continue
                is_conn = True
                report.rows += part.rows
                found.rows += part.rows
                missing = part.rows - len(part.block)
                report.skipped += missing
                found.skipped += missing
                yield self._sessions(part.block, log, found)
            if others and not is_conn and not has_leases and not guessed:
                raise ArchiveError(_no_conn_log(others, path))
        except (ArchiveError, OSError) as error:
            report.errors.append(failure(path, error))
        report.files += is_conn
        if others.get("dns") and str(path) != "-":
            self.dns_logs.append(path)
        if is_conn:
            report.add(Report(others=others))
        self._tell(path, found)
        self._tell(path, lent)
        if found.skipped:
            report.add(Report(skipped_in={Path(path).name: found.skipped}))

    def read_alone(self, path: str | Path, guessed: bool) -> Part:
        """One file, for :meth:`take` of another reader."""
        rows = np.concatenate([np.empty(0, ROW), *self.read(path, 0, guessed)])
        return Part(
            rows,
            self.codes.known_addresses,
            self.codes.macs,
            self.codes.segments,
            self.report,
            self._leases,
            bool(self.dns_logs),
        )

    def take(self, part: Part, log: int, path: str | Path) -> Iterator[np.ndarray]:
        """As :meth:`read`, for a file that another reader has read alone."""
        rows, codes = part.rows, self.codes
        address = np.array([codes.address(text) for text in part.addresses], np.int32)
        mac = np.array([codes.mac(text) for text in part.macs], np.int32)
        segment = np.array([codes.segment(one) for one in part.segments], np.int32)
        rows["host"], rows["dst"] = address[rows["host"]], address[rows["dst"]]
        rows["mac"], rows["log"] = mac[rows["mac"]], log
        rows["segment"] = segment[rows["segment"]]
        self.report.add(part.report)
        self._leases += part.leases
        if part.has_dns:
            self.dns_logs.append(path)
        yield rows

    def read_leases(self, path: str | Path) -> None:
        """Take the leases of a dhcp log. If it cannot be read to its end, the report says why."""
        found = Diagnostics()
        try:
            for rows in log_rows.some(path, "dhcp"):
                self._lend(rows, found)
        except (ArchiveError, OSError) as error:
            self.report.errors.append(failure(path, error))
        self._tell(path, found)

    def _lend(self, rows: list[dict[str, Any]], found: Diagnostics) -> None:
        found.rows += len(rows)
        self._leases += leases(rows, lambda column, value: found.miss(column, 1, value))

    def _tell(self, path: str | Path, found: Diagnostics) -> None:
        self.report.errors += [failure(path, ArchiveError(line)) for line in found.errors()]
        self.report.warnings += [failure(path, ArchiveError(line)) for line in found.warnings()]

    def _sessions(self, block: Block, log: int, found: Diagnostics) -> np.ndarray:
        """The rows of a block that are sessions of hosts, ROW; all are counted."""
        codes = self._codes(block)
        has_time = (codes.ts >= 0) & (codes.ts < END_OF_TIME)
        is_valid = has_time & (codes.host > 0) & (codes.dst > 0) & (codes.port >= 0)
        dport = np.where(codes.proto > 0, (codes.port & 0xFFFF) + 65536 * codes.proto, codes.port)
        is_host = self._is_host(codes)
        is_host &= ~tunnels.outer_flows(dport) & (block.coded("service", tunnels.is_tunnel) == 0)
        inside = (codes.ts >= self._since) & (codes.ts < self._until)
        keep = is_valid & is_host & inside
        skipped = int(np.count_nonzero(~is_valid))
        self.report.skipped += skipped
        self.report.not_hosts += int(np.count_nonzero(is_valid & ~is_host))
        self.report.outside += int(np.count_nonzero(is_valid & is_host & ~inside))
        found.skipped += skipped
        found.unit(block.unit)
        if skipped:
            _note_lost(block, codes, has_time, found)
        _note_missing(block, codes, found)
        rows = np.empty(np.count_nonzero(keep), ROW)
        self.report.sessions += len(rows)
        segment = np.array([self.codes.segment(one) for one in block.segments], np.int32)
        columns = {"ts": codes.ts, "host": codes.host, "dst": codes.dst, "mac": codes.mac}
        columns |= {"dport": dport, "sport": block.sport, "uid": block.uid}
        columns["segment"] = segment[block.segment]
        everything = len(rows) == len(block)
        for name, column in columns.items():
            rows[name] = column if everything else column[keep]
        rows["log"] = log
        return rows

    def _codes(self, block: Block) -> _Codes:
        return _Codes(
            ts=log_values.microseconds(block.ts),
            port=block.coded("id.resp_p", _port),
            host=block.coded("id.orig_h", self.codes.address),
            dst=block.coded("id.resp_h", self.codes.address),
            mac=block.coded("orig_l2_addr", self.codes.mac),
            local=block.coded("local_orig", log_values.boolean),
            proto=block.coded("proto", log_values.protocol),
        )

    def _is_host(self, codes: _Codes) -> np.ndarray:
        """Whether each row's originator is a local host, bool [n]."""
        kind = self.codes.kinds[codes.host]
        is_host = (codes.local == 1) | ((kind & IS_LOCAL) > 0)
        is_host |= (codes.local < 0) & ((kind & IS_PRIVATE) > 0)
        # Before it has an address, a device is known by its MAC alone.
        has_mac = codes.mac > 0
        is_host = np.where(kind & IS_UNSPECIFIED, has_mac, is_host & ((kind & IS_NEVER) == 0))
        return is_host & (codes.mac >= 0)


def _note_lost(block: Block, codes: _Codes, has_time: np.ndarray, found: Diagnostics) -> None:
    """Note which values leave rows of a block out."""
    at = int(has_time.argmin()) if len(has_time) else 0
    odd_ts = "" if np.isnan(block.ts[at]) else f"{block.ts[at]:.17g}"
    found.lose("ts", int(np.count_nonzero(~has_time)), block.odd_ts or odd_ts)
    for name, is_odd in (
        ("id.orig_h", codes.host <= 0),
        ("id.resp_h", codes.dst <= 0),
        ("id.resp_p", codes.port < 0),
    ):
        found.lose(name, int(np.count_nonzero(is_odd)), block.an_example(name, is_odd))


def _note_missing(block: Block, codes: _Codes, found: Diagnostics) -> None:
    """Note which rows of a block are read without a value."""
    no_port = block.unset("id.resp_p")
    no_proto = (codes.proto < 0) | (block.unset("proto") & (codes.port <= 0xFFFF))
    for name, is_odd in (
        ("id.resp_p", no_port),
        ("proto", no_proto & ~no_port),
        ("local_orig", codes.local < -1),
    ):
        if is_odd.any():
            is_there = name in block.texts
            example = block.an_example(name, is_odd)
            found.miss(name, int(np.count_nonzero(is_odd)), example, is_there)
    if "orig_l2_addr" in block.texts and (codes.mac == 0).any():
        is_odd = block.coded("orig_l2_addr", _is_no_mac) > 0
        found.miss("orig_l2_addr", int(is_odd.sum()), block.an_example("orig_l2_addr", is_odd))


def _count_others(part: Parsed, others: dict[str, int]) -> None:
    for name, rows in part.others.items():
        name = "dns" if name.lower().endswith("dns") else name
        others[name] = others.get(name, 0) + rows


def _no_conn_log(others: dict[str, int], path: str | Path) -> str:
    """Why a file is not read that has only rows of other logs."""
    if all(kind(one) == "conn" for one in others):
        return (
            "no row has the columns of a conn log (ts, id.orig_h, id.resp_h): give them Zeek's "
            "names"
        )
    logs = ", ".join(sorted(others, key=lambda one: -others[one])[:3])
    is_by_name = set(others) == {first_word(Path(path).name)}
    remedy = "call it conn.log if it is one" if is_by_name else "name conn logs or their folder"
    return f"a {logs} log, not a conn log: {remedy}"


def _port(text: str) -> int:
    """A port and its transport as a ports.port_code, -1 if it is invalid."""
    number, protocol = log_values.port(text)
    return number if number < 0 else number + 65536 * protocol


def _is_no_mac(text: str) -> bool:
    return not (log_values.is_unset(text) or log_values.is_mac(text))
