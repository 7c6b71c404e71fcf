"""Blocks of a log's rows to columns of sessions, and the rows of other logs among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from nba_broker.archive import discover, json_lines, log_columns, log_values, parquet, zeek_log
from nba_broker.archive.blocks import (
    TEXTS,
    Block,
    Coded,
    Parsed,
    by_name,
    is_place,
    nothing,
    odd,
    ports,
    printable,
    require,
    segments_of,
    set_apart,
    uid_column,
    word,
)
from nba_broker.archive.log_columns import CONN, CONN_ONLY, CONTEXT, PLACE, SOMETIMES, kind
from nba_broker.archive.parquet_blocks import of_table
from nba_broker.archive.prefetch import ahead
from nba_broker.records import uids
from nba_broker.records.errors import ArchiveError

# Blocks that are parsed at once. One thread reads and sorts what two parse: more would wait for it.
_PARSING = 2
_TEXT = pa.dictionary(pa.int32(), pa.binary())
_STEP = 1 << 20


def parsed(path: str | Path) -> Iterator[Parsed]:
    """A file's rows, some at a time.

    Raises ArchiveError or OSError where it cannot be read, or no further.
    """
    name = Path(path).name
    if parquet.is_parquet(path):
        names = parquet.columns(path)
        wanted = {one for one in names if _is_wanted(one)}
        if "_path" not in names and log_columns.kind_of_columns(names) == "dhcp":
            wanted = names
        told_by = sorted(names & (CONN_ONLY - SOMETIMES))[:1]
        if "_path" not in names and told_by and parquet.lacks(path, told_by[0]):
            wanted |= set(told_by)
        for table in parquet.batches(path, wanted):
            try:
                yield of_table(name, table, names)
            except parquet.UNREADABLE as error:
                why = str(error).partition("\n")[0]
                raise ArchiveError(f"a column of a type that is none of Zeek's ({why})") from None
        return

    def read(inner: str, stream: BinaryIO) -> Iterator[Parsed]:
        parts = _told(zeek_log.segments(stream))
        return ahead(partial(_of_lines, PurePath(inner).name or name), parts, _PARSING)

    yield from discover.logs_in(path, read)


def _is_wanted(name: str) -> bool:
    return name in (*CONN, *PLACE, "_path", *log_columns.DHCP) or name.startswith(CONTEXT)


class _Part(NamedTuple):
    header: zeek_log.Header
    body: bytes
    told: bool  # whether the file's rows of conn logs can be told by their columns


def _told(segments: Iterator[tuple[zeek_log.Header, bytes]]) -> Iterator[_Part]:
    told = False
    for header, body in segments:
        if not told and not header.fields:
            # Once for a file: its blocks are parsed beside each other.
            told = any(b'"%s"' % name.encode() in body for name in CONN_ONLY)
        yield _Part(header, body, told)


def _of_lines(name: str, part: _Part) -> Parsed:
    header, body, _ = part
    if not header.fields:
        return _of_json(name, part)
    header = named(header)
    if header.path:
        log = header.path
        of = kind(log)
    else:
        of = log_columns.kind_of_columns(header.fields) or by_name(name)
        log = word(name)
    if of == "conn" or "_path" in header.fields:
        return _of_tsv(header, body)
    found = Parsed()
    if of == "dhcp":
        found.dhcp = list(zeek_log.parse(header, body, as_it_is=True))
    else:
        found.count(log, body.count(b"\n"))
    return found


def named(header: zeek_log.Header) -> zeek_log.Header:
    """A header with Zeek's names of the columns."""
    names = log_columns.zeek_names(header.fields)
    zeek = {name: key for key, name in names.items()}
    return replace(header, fields=tuple(zeek.get(name, name) for name in header.fields))


def _of_tsv(header: zeek_log.Header, body: bytes) -> Parsed:
    """A block of TSV rows; those of too few or too many fields count, and are left out."""
    if "_path" not in header.fields:
        require(header.fields)
    if header.separator != b"\t":
        # Control characters inside values are always escaped, so there is no other tab.
        body = body.replace(header.separator, b"\t")
        header = replace(header, separator=b"\t")
    columns = {
        name: str(at)
        for at, name in enumerate(header.fields)
        if name in CONN or name == "_path" or is_place(name)
    }
    unset = header.unset_field.decode("utf-8", "replace")
    types = {at: pa.binary() if name == "uid" else _TEXT for name, at in columns.items()}
    numbers = {"ts": pa.float64(), "id.orig_p": pa.int32()}
    quick = types | {columns[name]: kind for name, kind in numbers.items() if name in columns}
    parsed = Parsed()
    try:
        table = _read_csv(header, body, quick, _STEP)
        parsed.rows = len(table)
    except pa.ArrowInvalid:
        # A row of another length than the header's, a time that is none, a row beyond all measure.
        lines = [line for line in body.splitlines() if line]
        parsed.rows = len(lines)
        body = b"".join(
            line + b"\n" for line in lines if line.count(b"\t") == len(header.fields) - 1
        )
        table = _read_csv(header, body, types, len(body))
    table = table.rename_columns({at: name for name, at in columns.items()})
    if "_path" in columns:
        index, paths = _dictionary(table["_path"], unset)
        kinds = np.array([kind(path) if path else kind(header.path) for path in paths])[index]
        is_conn = kinds == "conn"
        if not is_conn.all():
            set_apart(parsed, index, paths, kinds)
            if (kinds == "dhcp").any():
                parsed.dhcp = [
                    row
                    for row in zeek_log.parse(header, body, as_it_is=True)
                    if kind(row.get("_path") or header.path) == "dhcp"
                ]
            parsed.rows -= int(np.count_nonzero(~is_conn))
            table = table.filter(pa.array(is_conn))
            if not len(table):
                parsed.block = nothing() if parsed.rows else None
                return parsed
        require(header.fields)

    def texts(name: str) -> Coded:
        return _dictionary(table[name], unset)

    ts, unit, odd = _tsv_times(table["ts"], unset)
    uid = np.zeros(len(table), uids.TEXT)
    if "uid" in columns:
        uid = uid_column(table["uid"], header.unset_field)
    sport = np.zeros(len(table), np.int32)
    if "id.orig_p" in columns:
        column = table["id.orig_p"]
        if pa.types.is_dictionary(column.type):
            sport = ports(texts("id.orig_p"))
        else:
            sport = column.fill_null(0).to_numpy()
    segment, segments = segments_of(
        {name: texts(name) for name in columns if is_place(name)}, len(table)
    )
    parsed.block = Block(
        ts, unit, odd, uid, sport, {n: texts(n) for n in TEXTS if n in columns}, segment, segments
    )
    return parsed


def _tsv_times(column: pa.ChunkedArray, unset: str) -> tuple[np.ndarray, float, str]:
    if not pa.types.is_dictionary(column.type):
        ts, unit = log_values.in_seconds(column.to_numpy())
        return ts, unit, ""
    index, texts = _dictionary(column, unset)
    ts, unit = log_values.times(texts)
    return ts[index], unit, next((t for t, at in zip(texts, ts, strict=True) if np.isnan(at)), "")


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


def _dictionary(column: pa.ChunkedArray, unset: str) -> Coded:
    array = column.unify_dictionaries().combine_chunks()
    texts = [text.decode("utf-8", "replace") for text in array.dictionary.to_pylist()]
    return array.indices.to_numpy(), ["" if text == unset else text for text in texts]


def _of_json(name: str, part: _Part) -> Parsed:
    """The same of JSON lines."""
    lines = list(json_lines.rows(part.body))
    rows = [row for row in lines if row is not None]
    names: set[str] = set().union(*rows)
    if not log_columns.is_flat(names):
        rows = [log_columns.flat(row) for row in rows]
        names = set().union(*rows)
    parsed = Parsed()
    conn: list[dict[str, Any]] = []
    untold: list[dict[str, Any]] = []
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
    if untold:
        # Of a stream that has rows with what only conn logs have, the others are of other logs.
        told = part.told or not CONN_ONLY.isdisjoint(names)
        if not told and (log_columns.kind_of_columns(names) == "conn" or by_name(name) == "conn"):
            conn += untold
        else:
            # But for those that lack a value of what only conn logs have, and have nothing else.
            known: set[str] = set().union(*conn)
            told_by = CONN_ONLY & known
            alike = [row for row in untold if known.issuperset(row) and told_by <= SOMETIMES]
            conn += alike
            if len(untold) > len(alike):
                parsed.count(word(name), len(untold) - len(alike))
    bad = len(lines) - len(rows)
    parsed.rows = len(conn) + bad
    if not conn:
        parsed.block = nothing() if bad and not (parsed.others or parsed.dhcp) else None
        parsed.rows = bad if parsed.block is not None else 0
        return parsed
    if len(conn) != len(rows):
        names = set().union(*conn)
    require(names)
    values = [row.get("ts") for row in conn]
    ts, unit = _json_times(values)
    segment, segments = segments_of(
        {one: _json_texts(conn, one) for one in names if is_place(one)}, len(conn)
    )
    uid = uids.marked(_ascii(row.get("uid")) for row in conn)
    parsed.block = Block(
        ts,
        unit,
        odd(values, ts),
        printable(uid),
        ports(_json_texts(conn, "id.orig_p")),
        {one: _json_texts(conn, one) for one in TEXTS if one in names},
        segment,
        segments,
    )
    return parsed


def _json_times(values: list[Any]) -> tuple[np.ndarray, float]:
    if all(type(value) is float for value in values):
        return log_values.in_seconds(np.array(values, np.float64))
    return log_values.times(values)


def _ascii(value: Any) -> str:
    text = log_values.text(value)
    return text if text.isascii() else text.encode("ascii", "replace").decode()


def _json_texts(rows: Sequence[Mapping[str, Any]], name: str) -> Coded:
    places: dict[str, int] = {}
    text = log_values.text
    index = [places.setdefault(text(row.get(name)), len(places)) for row in rows]
    return np.array(index, dtype=np.int32), list(places)
