"""conn.log archives to sessions: ordered as a whole, each counted once, with DHCP's leases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.archive import discover, repeats
from nba_broker.archive.external_sort import MEMORY, Sorter
from nba_broker.archive.file_times import FileTimes
from nba_broker.archive.reader import ROW, Part, Reader, Report
from nba_broker.records import uids
from nba_broker.records.columns import Ascii, Coded
from nba_broker.records.errors import ArchiveError
from nba_broker.records.sessions import Lease, Sessions

__all__ = ["ROW", "Archive", "Each", "Report", "read"]

Each = Callable[..., Iterable[Any]]
"""Applies a function to things wherever that is done, with its results in their order: ``map``, or
that of a cluster."""


class Archive:
    """All sessions of an archive, sorted by (ts, host, dst, dport).

    Rows hold ``host`` and ``dst`` as indices into ``addresses``, ``mac`` into ``macs``,
    ``segment`` into ``segments``, ``log`` into ``logs``, the file names; ``dport`` is
    messages.port_code's. leases: sorted by their time. dns_logs: the files in which dns rows are.
    paths: those of ``logs``. errors, warnings: what to tell whoever asked, known from the start.
    Sessions beyond the memory that was given lie on disk until this is garbage.
    """

    def __init__(
        self,
        reader: Reader,
        sorter: Sorter,
        found: discover.Found,
        findings: repeats.Findings,
        times: FileTimes,
        memory: int,
    ) -> None:
        self._sorter = sorter
        self._times = times
        self._memory = memory
        self._is_apart = findings.apart > 0
        self._elsewhere: np.ndarray | None = None
        self._twins = findings.twins > 0
        self._report = reader.report
        self._is_counted = False
        self.addresses = reader.addresses
        self.macs = reader.macs
        self.segments = reader.segments
        self.paths = tuple(found.conn)
        self.logs = tuple(Path(path).name for path in found.conn)
        self.leases: tuple[Lease, ...] = reader.leases()
        self.dns_logs = tuple(dict.fromkeys([*found.dns, *reader.dns_logs]))
        self.errors = reader.report.errors
        self.warnings = reader.report.warnings
        for file, number in times.judge().items():
            self._report.leave_out(self.logs[file], number)
        self.warnings += times.lines(self.logs, sorter.parts(65536)) if times.number else ()
        self.warnings += times.remarks()

    def __len__(self) -> int:
        return self.report.sessions

    @property
    def report(self) -> Report:
        """What became of the rows; sessions that are there already are known once all were given
        out, which is done here where nobody did."""
        if not self._is_counted:
            for _ in self.rows():
                pass
        return self._report

    def rows(self, size: int = 65536) -> Iterator[np.ndarray]:
        """The sessions in order as arrays of ROW, at most ``size`` at a time."""
        if self._elsewhere is None and self._is_apart:
            near = repeats.without(self._parts(size), self._twins)
            self._elsewhere = repeats.elsewhere((rows for rows, _ in near), self._memory)
        at = repeated = 0
        for rows, number in repeats.without(self._parts(size), self._twins):
            repeated += number
            if self._elsewhere is not None:
                bits = self._elsewhere[at // 8 : (at + len(rows)) // 8 + 1]
                gone = np.unpackbits(bits)[at % 8 :][: len(rows)].astype(bool)
                at += len(rows)
                repeated += int(np.count_nonzero(gone))
                rows = rows[~gone]
            if len(rows):
                yield rows
        if not self._is_counted:
            self._is_counted = True
            self._report.repeated += repeated
            self._report.sessions -= repeated

    def _parts(self, size: int) -> Iterator[np.ndarray]:
        """All rows in order, but for those that their own file contradicts."""
        return self._times.without(self._sorter.parts(size))

    def batches(self, size: int = 65536) -> Iterator[Sessions]:
        """The sessions in order, ``size`` at a time."""
        return map(self.sessions, self.rows(size))

    def sessions(self, rows: np.ndarray) -> Sessions:
        """Rows as a batch."""
        segment = None
        if self.segments.any():
            segment = Coded(np.ascontiguousarray(rows["segment"]), self.segments)
        return Sessions(
            ts=np.ascontiguousarray(rows["ts"]),
            host=Coded(np.ascontiguousarray(rows["host"]), self.addresses),
            uid=Ascii(uids.shown(rows["uid"])),
            mac=Coded(np.ascontiguousarray(rows["mac"]), self.macs),
            dst=Coded(np.ascontiguousarray(rows["dst"]), self.addresses),
            dport=np.ascontiguousarray(rows["dport"]),
            segment=segment,
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
    in ``errors`` and the others are still read; raises ArchiveError where nothing at all can be
    read.
    """
    paths = list(paths)
    found = discover.find(paths)
    reader = Reader(local, since, until, [Path(path).name for path in found.conn])
    report = reader.report
    report.errors += found.errors
    sorter = Sorter(ROW, "ts", reader.ties, memory)
    sample = repeats.Repeats()
    times = FileTimes()
    parts: Iterable[Iterable[np.ndarray]]
    if each is None:
        parts = (
            reader.read(path, number, _absolute(path) in found.guessed)
            for number, path in enumerate(found.conn)
        )
    else:
        there = partial(
            _read_alone, local=tuple(local), since=since, until=until, guessed=found.guessed
        )
        taken = each(there, [_elsewhere(path) for path in found.conn])
        parts = (
            reader.take(part, number, path)
            for number, (path, part) in enumerate(zip(found.conn, taken, strict=True))
        )
    guessed = []
    for number, part in enumerate(parts):
        files = report.files
        for rows in part:
            sorter.add(rows)
            sample.see(rows, reader.known_addresses)
            times.see(number, rows["ts"])
        log = found.conn[number]
        if report.files > files and _absolute(log) in found.guessed:
            guessed.append(Path(log).name)
        if progress:
            progress(number + 1, len(found.conn), report.sessions)
    if not report.files:
        if not report.errors:
            where = ", ".join(str(path) for path in paths)
            seen = f"; {found.unread_line}" if found.unread else ""
            raise ArchiveError(f"{where}: no conn logs there (conn.* or *.conn.log*){seen}")
        others = len(report.errors) - 1
        behind = f" (and {others} more such files)" if others else ""
        raise ArchiveError(report.errors[0] + behind)
    for path in found.dhcp:
        reader.read_leases(path)
    findings = sample.findings()
    if guessed:
        more = f" and {len(guessed) - 3} more" if len(guessed) > 3 else ""
        report.warnings.append(
            f"conn logs by what they hold, not by their names: {', '.join(guessed[:3])}{more}"
        )
    report.warnings += [*found.warnings, *_said_of(findings)]
    return Archive(reader, sorter, found, findings, times, memory)


def _said_of(findings: repeats.Findings) -> Iterator[str]:
    if findings.twins:
        yield (
            f"the sensor sees packets several times: {findings.twins:.0%} of the sessions have a "
            f"twin with the same addresses and ports within {repeats.TOGETHER:.0f} s and another "
            "uid; each is counted once; look at how traffic is mirrored to it"
        )
    if findings.apart >= repeats.SYSTEMATIC:
        yield (
            f"{findings.apart:.0%} of the sessions have the uid of an earlier one, such as "
            f"{findings.uid or 'a long one'}, with another time: each counts once, the earliest; "
            "look for a log that is there twice with other times"
        )


def _absolute(path: str | Path) -> str:
    return os.path.abspath(path)


def _elsewhere(path: str | Path) -> Path:
    """A file's name in another process."""
    if str(path) == "-":
        raise ArchiveError("standard input cannot be read by another process: name a file")
    return Path(path).absolute()


def _read_alone(
    path: Path,
    *,
    local: Sequence[str],
    since: float | None,
    until: float | None,
    guessed: frozenset[str],
) -> Part:
    """Read a file that the process which asks has found; raises ArchiveError where this one has
    no such file: left out, its sessions would be missing without a word."""
    if not os.access(path, os.R_OK):
        raise ArchiveError(
            f"{path}: not readable on {os.uname().nodename}: every worker needs the archive, under "
            "the same path"
        )
    reader = Reader(local, since, until, [path.name])
    return reader.alone(path, _absolute(path) in guessed)
