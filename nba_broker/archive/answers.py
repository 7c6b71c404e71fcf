"""Reads dns logs: who asked for which name, and the addresses in the answer; and announcements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.archive import dns_rows, elsewhere, log_rows, log_values
from nba_broker.archive.announcements import Announcements, announcements
from nba_broker.archive.diagnostics import Diagnostics
from nba_broker.archive.elsewhere import Elsewhere
from nba_broker.archive.external_sort import MEMORY, Sorter
from nba_broker.archive.log_values import is_unset, text
from nba_broker.archive.report import Report, failure
from nba_broker.records.announcements import Announcement
from nba_broker.records.errors import ArchiveError
from nba_broker.records.names import NO_NAMES, Names, concatenate, is_name, keys, part_of
from nba_broker.records.times import END_OF_TIME

_ROW = np.dtype(
    [
        ("ts", "f8"),
        ("host", "V16"),
        ("address", "V16"),
        ("ttl", "f8"),
        ("name", "i4"),
        ("segment", "i4"),
    ]
)
_UNKNOWN = "the names that hosts asked for are not known"
_CONSEQUENCES = {"ts": _UNKNOWN, "id.orig_h": _UNKNOWN, "query": _UNKNOWN}
# As in zeek-scripts/names.zeek: NetBIOS, mDNS and LLMNR, whose answers are about neighbours.
_NEIGHBOURS = frozenset({"137", "5353", "5355"})
# Only these give addresses; the name in the answer to another query may look like one.
_TYPES = frozenset({"1", "28", "255"})
_TYPE_NAMES = frozenset({"A", "AAAA", "*"})
_PART = 65_536  # rows

Answer = tuple[float, bytes, bytes, float, str, str]
"""When the answer came, who asked, the address, its TTL in seconds, the name, and the segment."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One file that was read by itself: rows of _ROW with codes into this part's own ``names`` and
    ``segments``. said: its announcements. report: the lines about it."""

    rows: np.ndarray
    names: list[str]
    segments: list[str]
    said: list[Announcement]
    report: Report


class ArchivedNames:
    """The DNS answers of an archive, in order of time; and what its hosts announced.

    memory: bytes for rows; more are sorted on disk until this object is deleted.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._names: dict[str, int] = {}
        self._by_code = np.zeros(0, object)
        self._segments: dict[str, int] = {}
        self.announced = Announcements()
        self._sorter = Sorter(_ROW, "ts", lambda rows: keys(self._of(rows)), memory)

    def __len__(self) -> int:
        return len(self._sorter)

    def read(
        self,
        paths: Sequence[str | Path],
        report: Report,
        since: float | None = None,
        until: float | None = None,
        others: Elsewhere | None = None,
    ) -> None:
        """Take the answers of these files with since <= ts < until. The report says which file
        cannot be read, and what is not understood. others: reads files outside this
        process."""
        there = partial(_read_alone, since=since, until=until)
        for path, part in zip(paths, elsewhere.read(others, there, paths), strict=True):
            if part is None:
                for rows in self._rows(path, report, since, until):
                    self._sorter.add(rows)
            else:
                self._sorter.add(self._own(part))
                self.announced.take(part.said)
                report.add(part.report)

    def _rows(
        self, path: str | Path, report: Report, since: float | None, until: float | None
    ) -> Iterator[np.ndarray]:
        """The rows of one file, _ROW, with the codes of this object."""
        first = -np.inf if since is None else since
        last = np.inf if until is None else until
        found = Diagnostics(_CONSEQUENCES)
        try:
            for rows in log_rows.some(path, "dns", dns_rows.is_wanted):
                found.rows += len(rows)
                said = announcements(rows)
                self.announced.take(one for one in said if first <= one.ts < last)
                taken = [one for one in answers(rows, found.miss) if first <= one[0] < last]
                if taken:
                    yield self._coded(taken)
        except (ArchiveError, OSError) as error:
            report.errors.append(failure(path, error))
        report.errors += [failure(path, ArchiveError(line)) for line in found.errors()]
        report.warnings += [failure(path, ArchiveError(line)) for line in found.warnings()]

    def alone(self, path: str | Path, since: float | None, until: float | None) -> _Part:
        """One file, for another object to take."""
        report = Report()
        rows = np.concatenate([np.empty(0, _ROW), *self._rows(path, report, since, until)])
        said = self.announced.found
        return _Part(rows, list(self._names), list(self._segments), said, report)

    def _own(self, part: _Part) -> np.ndarray:
        """The rows of a part with the codes of this object."""
        rows = part.rows
        for column, texts, codes in (
            ("name", part.names, self._names),
            ("segment", part.segments, self._segments),
        ):
            own = [codes.setdefault(text, len(codes)) for text in texts]
            rows[column] = np.array(own, np.int32)[rows[column]]
        return rows

    def parts(self, size: int = _PART) -> Iterator[Names]:
        """All rows in order, at most ``size`` at a time."""
        return map(self._of, self._sorter.parts(size)) if len(self) else iter(())

    def reader(self) -> Callable[[float], Names]:
        """A function that gives the rows until a time that it has not given before."""
        parts = self.parts()
        waiting = NO_NAMES

        def until(ts: float) -> Names:
            nonlocal waiting
            taken = []
            while True:
                stop = int(np.searchsorted(waiting.ts, ts, side="right"))
                taken.append(part_of(waiting, 0, stop))
                waiting = part_of(waiting, stop, len(waiting))
                if len(waiting) or not len(waiting := next(parts, NO_NAMES)):
                    return concatenate([one for one in taken if len(one)])

        return until

    def _coded(self, rows: Sequence[Answer]) -> np.ndarray:
        names, segments = self._names, self._segments
        return np.array(
            [
                (
                    ts,
                    host,
                    address,
                    ttl,
                    names.setdefault(name, len(names)),
                    segments.setdefault(segment, len(segments)),
                )
                for ts, host, address, ttl, name, segment in rows
            ],
            _ROW,
        )

    def _of(self, rows: np.ndarray) -> Names:
        segments = np.array(list(self._segments), object)
        return Names(
            np.ascontiguousarray(rows["ts"]),
            np.ascontiguousarray(rows["host"]),
            self._texts()[rows["name"]],
            np.ascontiguousarray(rows["address"]),
            np.ascontiguousarray(rows["ttl"]),
            segments[rows["segment"]].tolist() if any(self._segments) else None,
        )

    def _texts(self) -> np.ndarray:
        """The names by code, objects."""
        if len(self._by_code) < len(self._names):
            self._by_code = np.array(list(self._names), object)
        return self._by_code


def _read_alone(path: str | Path, since: float | None, until: float | None) -> _Part:
    return ArchivedNames().alone(path, since, until)


def answers(
    rows: Sequence[Mapping[str, Any]],
    miss: Callable[[str, int, str], None] = lambda *_: None,
) -> Iterator[Answer]:
    """The answers in rows of a dns log with Zeek's names of the columns: one for each address.

    Rows of failed queries, of other types of query, and about neighbours (mDNS) have none, and so
    have rows whose name is not one of :func:`nba_broker.records.names.is_name`. ``miss`` is called
    with a column, 1 and its value if a row has no answers because that value is not understood.
    """
    rows = [row for row in rows if _has_addresses(row)]
    for row, ts in zip(rows, dns_rows.times(rows).tolist(), strict=True):
        host = dns_rows.packed(text(row.get("id.orig_h")))
        name = text(row.get("query")).lower().removesuffix(".")
        if host is None:
            miss("id.orig_h", 1, text(row.get("id.orig_h")))
        elif not 0 <= ts < END_OF_TIME:
            miss("ts", 1, text(row.get("ts")))
        elif is_name(name):
            segment = dns_rows.segment(row)
            for address, ttl in _addresses(row):
                yield ts, host, address, ttl, name, segment


def _has_addresses(row: Mapping[str, Any]) -> bool:
    """Whether a row may have answers."""
    if not row.get("answers") or _is_failure(row):
        return False
    kind, kind_name = text(row.get("qtype")), text(row.get("qtype_name"))
    if not is_unset(kind):
        if kind not in _TYPES:
            return False
    elif not is_unset(kind_name) and kind_name not in _TYPE_NAMES:
        return False
    ports = text(row.get("id.resp_p")), text(row.get("id.orig_p"))
    return _NEIGHBOURS.isdisjoint(port.partition("/")[0] for port in ports)


def _is_failure(row: Mapping[str, Any]) -> bool:
    code, name = text(row.get("rcode")), text(row.get("rcode_name")).upper()
    failed = name != "NOERROR" and not is_unset(name) if is_unset(code) else code != "0"
    return failed or log_values.boolean(text(row.get("rejected"))) == 1


def _addresses(row: Mapping[str, Any]) -> Iterator[tuple[bytes, float]]:
    """The addresses among a row's answers, each with its TTL, 0 where that is missing."""
    found, lives = row.get("answers"), row.get("TTLs")
    ttls = lives if isinstance(lives, (list, tuple)) else log_rows.texts(lives)
    for number, answer in enumerate(log_rows.texts(found)):
        address = dns_rows.packed(answer)
        if address is not None:
            yield address, dns_rows.seconds(ttls[number] if number < len(ttls) else 0.0)
