"""Reads the rows of one log, as dictionaries, from files that may hold rows of several logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from nba_broker.archive import discover, log_columns, parquet, zeek_log
from nba_broker.archive.log_columns import kind
from nba_broker.archive.log_values import text
from nba_broker.records.errors import ArchiveError

Row = dict[str, Any]
_SOME = 4096


def some(path: str | Path, log: str) -> Iterator[list[Row]]:
    """The rows of a log ("dhcp", "dns"), in lists of a few thousand, with Zeek's names of the
    columns and without unset fields. Raises ArchiveError or OSError after the rows that can be
    read."""
    kept: list[Row] = []
    try:
        for row, path_of_header in _all(path):
            row = row if log_columns.is_flat(row) else log_columns.flat(row)
            of: str | None
            if name := row.get("_path") or path_of_header:
                of = kind(text(name))
            else:
                # The columns decide; without them, the file is what its name says.
                of = log_columns.kind_of_columns(row) or log
            if of == log:
                kept.append(row)
                if len(kept) >= _SOME:
                    yield kept
                    kept = []
    except (ArchiveError, OSError):
        yield kept
        raise
    yield kept


def read(path: str | Path, log: str) -> list[Row]:
    """All rows of a log; raises as :func:`some`."""
    return [row for rows in some(path, log) for row in rows]


def texts(value: Any) -> list[str]:
    """The elements of a vector or set as texts, also if the log does not give the column's type."""
    if isinstance(value, (list, tuple, set)):
        return [text(one) for one in value]
    return [one for one in text(value).split(",") if one]


def _all(path: str | Path) -> Iterator[tuple[Row, str]]:
    if parquet.is_parquet(path):
        yield from ((row, "") for row in parquet.rows(path))
        return
    yield from discover.logs_in(path, _of_stream)


def _of_stream(_: str, stream: BinaryIO) -> Iterator[tuple[Row, str]]:
    for header, body in zeek_log.segments(stream):
        yield from ((row, header.path) for row in zeek_log.parse(header, body, as_it_is=True))
