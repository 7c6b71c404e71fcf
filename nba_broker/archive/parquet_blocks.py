"""Converts tables from Parquet files to blocks, whatever types their columns have."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nba_broker.archive import log_columns, log_values, parquet
from nba_broker.archive.block_columns import first_invalid, ports, uid_column
from nba_broker.archive.blocks import TEXTS, Block, Parsed, Texts, first_word, kind_by_name, require
from nba_broker.archive.log_columns import CONN_ONLY, kind
from nba_broker.archive.segment_columns import is_place, segments_of
from nba_broker.records import uids

_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def of_table(name: str, table: pa.Table, names: set[str]) -> Parsed:
    """Some rows of a file with this ``name``; ``names`` are those of all its columns. Raises one of
    parquet.UNREADABLE at a value that Python cannot hold."""
    parsed = Parsed()
    if "_path" in names and len(table):
        index, paths = _texts(table["_path"])
        if any("\ufffd" in path for path in paths):
            raise ValueError("_path is not UTF-8")
        by_columns = log_columns.kind_of_columns(names - {"_path"}) or kind_by_name(name)
        kinds = np.array([kind(path) if path else by_columns for path in paths])[index]
        parsed.count_others(index, paths)
        if (kinds == "dhcp").any():
            parsed.dhcp = list(parquet.rows_of(table.filter(pa.array(kinds == "dhcp"))))
        is_conn = kinds == "conn"
        table = table if is_conn.all() else table.filter(pa.array(is_conn))
        if not len(table):
            return parsed
    elif "_path" not in names:
        of = log_columns.kind_of_columns(names) or kind_by_name(name)
        if of == "dhcp":
            parsed.dhcp = list(parquet.rows_of(table))
        if of != "conn":
            parsed.count(of or first_word(name), len(table))
            return parsed
    if told_by := CONN_ONLY & set(table.column_names):  # only read if some rows lack it
        sessions = table.filter(table[min(told_by)].is_valid())
        if len(sessions) < len(table):
            parsed.count(first_word(name), len(table) - len(sessions))
        table = sessions
        if not len(table):
            return parsed
    require(names)
    parsed.rows = len(table)
    parsed.block = _block(table)
    return parsed


def _block(table: pa.Table) -> Block:
    names = table.column_names
    ts, unit, odd_ts = _times(table["ts"])
    uid = np.zeros(len(table), uids.TEXT)
    if "uid" in names:
        uid = uid_column(table["uid"].cast(pa.binary()).fill_null(b""), b"-")
    sport = np.zeros(len(table), np.int32)
    if "id.orig_p" in names:
        sport = ports(_texts(table["id.orig_p"]))
    segment, segments = segments_of(
        {one: _texts(table[one]) for one in names if is_place(one)}, len(table)
    )
    if "service" in names and pa.types.is_nested(table["service"].type):
        table = table.drop_columns("service")  # most tunnels are known by their ports
    texts = {one: _texts(table[one]) for one in TEXTS if one in table.column_names}
    return Block(ts, unit, odd_ts, uid, sport, texts, segment, segments)


def _times(column: pa.ChunkedArray) -> tuple[np.ndarray, float, str]:
    """Times as Block has them: ts, unit and odd_ts."""
    if any(is_kind(column.type) for is_kind in _NUMBERS):
        ts, unit = log_values.in_seconds(column.cast(pa.float64(), safe=False).to_numpy())
        return ts, unit, ""
    values = column.to_pylist()
    ts, unit = log_values.times(values)
    return ts, unit, first_invalid(values, ts)


def _texts(column: pa.ChunkedArray) -> Texts:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.binary())  # the file may call it UTF-8 though it is not
    array = column.dictionary_encode("encode").unify_dictionaries().combine_chunks()
    texts = [log_values.text(one) for one in array.dictionary.to_pylist()]
    return array.indices.to_numpy(), ["" if text == "-" else text for text in texts]
