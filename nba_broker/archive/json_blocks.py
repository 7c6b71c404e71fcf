"""Parses JSON lines to blocks, and tells the rows of conn logs from those of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nba_broker.archive import json_lines, log_columns, log_values
from nba_broker.archive.block_columns import first_invalid, ports, printable
from nba_broker.archive.blocks import (
    TEXTS,
    Block,
    Parsed,
    Texts,
    empty_block,
    first_word,
    kind_by_name,
    require,
)
from nba_broker.archive.log_columns import CONN_ONLY, SOMETIMES, kind
from nba_broker.archive.segment_columns import is_place, segments_of
from nba_broker.records import uids

Row = dict[str, Any]


def of_lines(name: str, body: bytes, has_conn_only: bool) -> Parsed:
    """Whole lines of JSON of a file with this ``name``. ``has_conn_only``: rows of it, perhaps
    earlier ones, have columns that only conn logs have."""
    lines = list(json_lines.rows(body))
    rows = [row for row in lines if row is not None]
    names: set[str] = set().union(*rows)
    if not log_columns.is_flat(names):
        rows = [log_columns.flat(row) for row in rows]
        names = set().union(*rows)
    parsed = Parsed()
    conn, untold = _by_row(rows, parsed)
    if untold:
        has_conn_only = has_conn_only or not CONN_ONLY.isdisjoint(names)
        conn += _by_file(name, names, untold, conn, has_conn_only, parsed)
    bad = len(lines) - len(rows)
    parsed.rows = len(conn) + bad
    if conn:
        parsed.block = _block(conn)
    elif bad and not (parsed.others or parsed.dhcp):
        parsed.block = empty_block()
    else:
        parsed.rows = 0
    return parsed


def _by_row(rows: Sequence[Row], parsed: Parsed) -> tuple[list[Row], list[Row]]:
    """The rows that are of a conn log by themselves, and those that do not say which log they are
    of; the others are counted in ``parsed``."""
    conn: list[Row] = []
    untold: list[Row] = []
    for row in rows:
        if path := row.get("_path"):
            path = log_values.text(path)
            of: str | None = kind(path)
        else:
            path = ""
            of = log_columns.kind_of_row(row)
        if of == "conn":
            conn.append(row)
        elif of == "dhcp":
            parsed.dhcp.append(row)
        elif of is None:
            untold.append(row)
        else:
            parsed.count(path or of, 1)
    return conn, untold


def _by_file(
    name: str,
    names: set[str],
    untold: list[Row],
    conn: Sequence[Row],
    has_conn_only: bool,
    parsed: Parsed,
) -> list[Row]:
    """The ``untold`` rows that are of a conn log by the rest of their file; the others are counted.

    Without ``has_conn_only`` all are, if the columns or the file's name say so. With it, rows that
    lack such columns are of other logs, unless they merely lack values and have no other columns.
    """
    is_conn = log_columns.kind_of_columns(names) == "conn" or kind_by_name(name) == "conn"
    if not has_conn_only and is_conn:
        return untold
    known: set[str] = set().union(*conn)
    told_by = CONN_ONLY & known
    alike = [row for row in untold if known.issuperset(row) and told_by <= SOMETIMES]
    if len(untold) > len(alike):
        parsed.count(first_word(name), len(untold) - len(alike))
    return alike


def _block(rows: Sequence[Row]) -> Block:
    """Rows of a conn log; raises ArchiveError if none has a column that sessions need."""
    names: set[str] = set().union(*rows)
    require(names)
    values = [row.get("ts") for row in rows]
    ts, unit = _times(values)
    segment, segments = segments_of(
        {one: _texts(rows, one) for one in names if is_place(one)}, len(rows)
    )
    return Block(
        ts,
        unit,
        first_invalid(values, ts),
        printable(uids.marked(_ascii(row.get("uid")) for row in rows)),
        ports(_texts(rows, "id.orig_p")),
        {one: _texts(rows, one) for one in TEXTS if one in names},
        segment,
        segments,
    )


def _times(values: list[Any]) -> tuple[np.ndarray, float]:
    if all(type(value) is float for value in values):
        return log_values.in_seconds(np.array(values, np.float64))
    return log_values.times(values)


def _ascii(value: Any) -> str:
    text = log_values.text(value)
    return text if text.isascii() else text.encode("ascii", "replace").decode()


def _texts(rows: Sequence[Mapping[str, Any]], name: str) -> Texts:
    places: dict[str, int] = {}
    text = log_values.text
    index = [places.setdefault(text(row.get(name)), len(places)) for row in rows]
    return np.array(index, dtype=np.int32), list(places)
