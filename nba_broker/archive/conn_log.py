"""Reads conn.log archives to sessions: in order, each once, with leases and DNS answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nba_broker.archive import discover, elsewhere, repeats
from nba_broker.archive.answers import ArchivedNames
from nba_broker.archive.codes import ROW
from nba_broker.archive.elsewhere import Elsewhere
from nba_broker.archive.external_sort import MEMORY, Sorter
from nba_broker.archive.file_times import FileTimes
from nba_broker.archive.reader import Part, Reader
from nba_broker.archive.report import Report
from nba_broker.records import uids
from nba_broker.records.columns import Ascii, Coded
from nba_broker.records.errors import ArchiveError
from nba_broker.records.names import Names
from nba_broker.records.sessions import Lease, Sessions

__all__ = ["ROW", "Archive", "Report", "read"]


class Archive:
    """All sessions of an archive, sorted by (ts, host, dst, dport).

    Rows are codes.ROW: ``host`` and ``dst`` index ``addresses``, ``mac`` indexes ``macs``,
    ``segment`` ``segments``, and ``log`` ``logs``, the file names, and ``paths``. leases: sorted by
    time. names: the DNS answers, if they were asked for. dns_logs: files with dns rows. errors,
    warnings: lines for the user, complete from the start. Sessions beyond the given memory stay on
    disk until this object is deleted.
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
        self._far: np.ndarray | None = None
        self._twins = findings.twins > 0
        self._report = reader.report
        self._is_counted = False
        self.addresses = reader.codes.addresses
        self.macs = np.array(reader.codes.macs, dtype=object)
        self.segments = np.array(reader.codes.segments, dtype=object)
        self.paths = tuple(found.conn)
        self.logs = tuple(Path(path).name for path in found.conn)
        self.leases: tuple[Lease, ...] = reader.leases()
        self.dns_logs = tuple(dict.fromkeys([*found.dns, *reader.dns_logs]))
        self.names = ArchivedNames(memory)
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
        """What became of the rows. Repeated sessions are known after :meth:`rows` has given all
        rows; if it has not yet, this reads them."""
        if not self._is_counted:
            for _ in self.rows():
                pass
        return self._report

    def rows(self, size: int = 65536) -> Iterator[np.ndarray]:
        """The sessions in order as arrays of ROW, at most ``size`` at a time."""
        if self._far is None and self._is_apart:
            near = repeats.without(self._parts(size), self._twins)
            self._far = repeats.far_apart((rows for rows, _ in near), self._memory)
        at = repeated = 0
        for rows, number in repeats.without(self._parts(size), self._twins):
            repeated += number
            if self._far is not None:
                bits = self._far[at // 8 : (at + len(rows)) // 8 + 1]
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
        """All rows in order, without stray sessions."""
        return self._times.without(self._sorter.parts(size))

    def batches(self, size: int = 65536) -> Iterator[Sessions]:
        """The sessions in order, ``size`` at a time."""
        return map(self.sessions, self.rows(size))

    def batches_with_names(self, size: int = 65536) -> Iterator[tuple[Sessions, Names]]:
        """The same, each batch with the DNS answers until its last session that are not with an
        earlier one."""
        until = self.names.reader()
        for batch in self.batches(size):
            yield batch, until(float(batch.ts[-1]))

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
    others: Elsewhere | None = None,
    names: bool = False,
) -> Archive:
    """Read files, folders and ``-`` (standard input) as one archive.

    local: networks whose addresses are hosts, besides those that Zeek calls local and private
    space. Sessions with since <= ts < until are kept. memory: bytes for sessions; more are sorted
    on disk, in the same order. progress: called after each file with (files read, all files,
    sessions so far). others: reads files outside this process, each as a whole, with the same
    result; the rest is read here, block by block. names: also read the DNS answers. A bad file is
    named in ``errors``, and the others are read; raises ArchiveError if no file can be read.
    """
    paths = list(paths)
    found = discover.find(paths)
    reader = Reader(local, since, until, [Path(path).name for path in found.conn])
    report = reader.report
    report.errors += found.errors
    sorter = Sorter(ROW, "ts", reader.ties, memory)
    sample = repeats.Repeats()
    times = FileTimes()
    alone = partial(
        _read_alone, local=tuple(local), since=since, until=until, guessed=found.guessed
    )
    taken = elsewhere.read(others, alone, found.conn)
    parts = (
        reader.read(path, number, _absolute(path) in found.guessed)
        if part is None
        else reader.take(part, number, path)
        for number, (path, part) in enumerate(zip(found.conn, taken, strict=True))
    )
    guessed = []
    for number, part in enumerate(parts):
        files = report.files
        for rows in part:
            sorter.add(rows)
            sample.see(rows, reader.codes.known_addresses)
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
            raise ArchiveError(f"{where}: no conn logs found (conn.* or *.conn.log*){seen}")
        further = len(report.errors) - 1
        behind = f" (and {further} more such files)" if further else ""
        raise ArchiveError(report.errors[0] + behind)
    for path in found.dhcp:
        reader.read_leases(path)
    findings = sample.findings()
    if guessed:
        more = f" and {len(guessed) - 3} more" if len(guessed) > 3 else ""
        report.warnings.append(
            f"read as conn logs by their content, not their names: {', '.join(guessed[:3])}{more}"
        )
    report.warnings += [*found.warnings, *_warnings(findings)]
    archive = Archive(reader, sorter, found, findings, times, memory)
    if names:
        archive.names.read(archive.dns_logs, report, since, until, others)
    return archive


def _warnings(findings: repeats.Findings) -> Iterator[str]:
    if findings.twins:
        yield (
            f"the sensor sees packets several times: {findings.twins:.0%} of the sessions have a "
            f"twin with the same addresses and ports within {repeats.TOGETHER:.0f} s and another "
            "uid; each pair counts once; check how traffic is mirrored to the sensor"
        )
    if findings.apart >= repeats.SYSTEMATIC:
        yield (
            f"{findings.apart:.0%} of the sessions have the uid of an earlier session, such as "
            f"{findings.uid or 'a long one'}, but another time: only the earliest counts; look for "
            "a second copy of a log with other times"
        )


def _absolute(path: str | Path) -> str:
    return os.path.abspath(path)


def _read_alone(
    path: str | Path,
    *,
    local: Sequence[str],
    since: float | None,
    until: float | None,
    guessed: frozenset[str],
) -> Part:
    """Read a file that another process has found."""
    reader = Reader(local, since, until, [Path(path).name])
    return reader.read_alone(path, _absolute(path) in guessed)
