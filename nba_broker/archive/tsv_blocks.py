"""Parses TSV rows to blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv

from nba_broker.archive import log_columns, log_values, zeek_log
from nba_broker.archive.block_columns import ports, uid_column
from nba_broker.archive.blocks import TEXTS, Block, Parsed, Texts, empty_block, require
from nba_broker.archive.log_columns import CONN, kind
from nba_broker.archive.segment_columns import is_place, segments_of
from nba_broker.records import uids

_TEXT = pa.dictionary(pa.int32(), pa.binary())
_NUMBERS = {"ts": pa.float64(), "id.orig_p": pa.int32()}
_STEP = 1 << 20


def named(header: zeek_log.Header) -> zeek_log.Header:
    """A header with Zeek's names of the columns."""
    names = log_columns.zeek_names(header.fields)
    zeek = {name: key for key, name in names.items()}
    return replace(header, fields=tuple(zeek.get(name, name) for name in header.fields))


def of_lines(header: zeek_log.Header, body: bytes) -> Parsed:
    """Whole lines below a header with Zeek's names. Rows with too few or too many fields count, but
    are left out."""
    if "_path" not in header.fields:
        require(header.fields)
    if header.separator != b"\t":
        # Control characters inside values are always escaped, so there is no other tab.
        body = body.replace(header.separator, b"\t")
        header = replace(header, separator=b"\t")
    unset = header.unset_field.decode("utf-8", "replace")
    parsed = Parsed()
    table, body = _table(header, body, parsed)
    if "_path" in header.fields:
        index, paths = _texts(table["_path"], unset)
        kinds = np.array([kind(path) if path else kind(header.path) for path in paths])[index]
        is_conn = kinds == "conn"
        if not is_conn.all():
            parsed.count_others(index, paths)
            if (kinds == "dhcp").any():
                parsed.dhcp = [
                    row
                    for row in zeek_log.parse(header, body, as_it_is=True)
                    if kind(row.get("_path") or header.path) == "dhcp"
                ]
            parsed.rows -= int(np.count_nonzero(~is_conn))
            table = table.filter(pa.array(is_conn))
            if not len(table):
                parsed.block = empty_block() if parsed.rows else None
                return parsed
        require(header.fields)
    parsed.block = _block(header, table, unset)
    return parsed


def _table(header: zeek_log.Header, body: bytes, parsed: Parsed) -> tuple[pa.Table, bytes]:
    """The columns of interest, and the rows that have as many fields as the header; counts all
    rows in ``parsed``."""
    columns = {
        name: str(at)
        for at, name in enumerate(header.fields)
        if name in CONN or name == "_path" or is_place(name)
    }
    types = {at: pa.binary() if name == "uid" else _TEXT for name, at in columns.items()}
    quick = types | {columns[name]: kind for name, kind in _NUMBERS.items() if name in columns}
    try:
        table = _read_csv(header, body, quick, _STEP)
        parsed.rows = len(table)
    except pa.ArrowInvalid:
        # A row has another number of fields, an invalid time, or is longer than a step.
        lines = [line for line in body.splitlines() if line]
        parsed.rows = len(lines)
        body = b"".join(
            line + b"\n" for line in lines if line.count(b"\t") == len(header.fields) - 1
        )
        table = _read_csv(header, body, types, len(body))
    return table.rename_columns({at: name for name, at in columns.items()}), body


def _read_csv(
    header: zeek_log.Header, body: bytes, types: dict[str, pa.DataType], step: int
) -> pa.Table:
    """The columns in ``types``, by their place. Raises ArrowInvalid unless all rows conform, and
    each fits into ``step`` bytes."""
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


def _block(header: zeek_log.Header, table: pa.Table, unset: str) -> Block:
    names = table.column_names
    ts, unit, odd_ts = _times(table["ts"], unset)
    uid = np.zeros(len(table), uids.TEXT)
    if "uid" in names:
        uid = uid_column(table["uid"], header.unset_field)
    segment, segments = segments_of(
        {name: _texts(table[name], unset) for name in names if is_place(name)}, len(table)
    )
    texts = {name: _texts(table[name], unset) for name in TEXTS if name in names}
    return Block(ts, unit, odd_ts, uid, _source_ports(table, unset), texts, segment, segments)


def _source_ports(table: pa.Table, unset: str) -> np.ndarray:
    if "id.orig_p" not in table.column_names:
        return np.zeros(len(table), np.int32)
    column = table["id.orig_p"]
    if pa.types.is_dictionary(column.type):
        return ports(_texts(column, unset))
    if column.null_count:
        column = column.fill_null(0)
    numbers: np.ndarray = column.to_numpy()
    return numbers


def _times(column: pa.ChunkedArray, unset: str) -> tuple[np.ndarray, float, str]:
    """Times as Block has them: ts, unit and odd_ts."""
    if not pa.types.is_dictionary(column.type):
        ts, unit = log_values.in_seconds(column.to_numpy())
        return ts, unit, ""
    index, texts = _texts(column, unset)
    ts, unit = log_values.times(texts)
    return ts[index], unit, next((t for t, at in zip(texts, ts, strict=True) if np.isnan(at)), "")


def _texts(column: pa.ChunkedArray, unset: str) -> Texts:
    array = column.unify_dictionaries().combine_chunks()
    # to_numpy, because to_pylist makes a scalar of each text first.
    texts = [text.decode("utf-8", "replace") for text in array.dictionary.to_numpy(False)]
    return array.indices.to_numpy(), ["" if text == unset else text for text in texts]
