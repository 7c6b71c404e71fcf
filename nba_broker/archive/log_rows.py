"""Reads the rows of one log, as dictionaries, from files that may hold rows of several logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from nba_broker.archive import discover, log_columns, parquet, zeek_log
from nba_broker.archive.log_columns import kind
from nba_broker.archive.log_values import text
from nba_broker.records.errors import ArchiveError

Row = dict[str, Any]
_SOME = 4096


def some(
    path: str | Path, log: str, wanted: Callable[[str], bool] = lambda _: True
) -> Iterator[list[Row]]:
    """The rows of a log ("dhcp", "dns"), in lists of a few thousand, with Zeek's names of the
    columns and without unset fields. ``wanted``: as in zeek_log.parse, by Zeek's names. Raises
    ArchiveError or OSError after the rows that can be read."""
    kept: list[Row] = []
    try:
        for row, path_of_header in _all(path, log, wanted):
            row = row if _is_flat(tuple(row)) else log_columns.flat(row)
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


@lru_cache(maxsize=4096)
def _is_flat(names: tuple[str, ...]) -> bool:
    return log_columns.is_flat(names)


def _all(path: str | Path, log: str, wanted: Callable[[str], bool]) -> Iterator[tuple[Row, str]]:
    if parquet.is_parquet(path):
        yield from ((row, "") for row in parquet.rows(path))
        return

    def is_wanted(name: str) -> bool:
        return name == "_path" or wanted(log_columns.zeek_name(name))

    def of_stream(_: str, stream: BinaryIO) -> Iterator[tuple[Row, str]]:
        for header, body in zeek_log.segments(stream):
            if header.path and kind(header.path) != log and "_path" not in header.fields:
                continue
            rows = zeek_log.parse(header, body, True, is_wanted)
            yield from ((row, header.path) for row in rows)

    yield from discover.logs_in(path, of_stream)
