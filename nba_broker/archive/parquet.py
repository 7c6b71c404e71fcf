"""Reads logs in Parquet files, as data lakes keep them, whose columns may be renamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from pyarrow.compute import Expression
    from pyarrow.dataset import Dataset

from nba_broker.archive.log_columns import NESTED, zeek_name
from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import END_OF_TIME

_ROWS = 131_072
# What Arrow raises at a value that Python cannot hold: text that is not UTF-8, a date out of range.
UNREADABLE = (pa.ArrowException, OverflowError, ValueError)
_EPOCH_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def is_parquet(path: str | Path) -> bool:
    """Whether a file is a Parquet file, by its content; False for a pipe, which is not read. Raises
    OSError."""
    if not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def columns(path: str | Path) -> set[str]:
    """Zeek's names of a file's columns. Columns without any value are left out, because one schema
    may serve all logs. Raises ArchiveError if the file is damaged, or OSError."""
    data = _open(path, "hive")
    rows, unset = _unset(data)
    return {one for one in _names(data) if not rows or unset.get(one, 0) < rows}


def lacks(path: str | Path, name: str) -> bool:
    """Whether some row may have no value in a column, by the file's statistics; raises as
    :func:`columns`."""
    return _unset(_open(path, "hive"))[1].get(name, 1) > 0


def _unset(data: Dataset) -> tuple[int, dict[str, int]]:
    """The number of rows, and the number of unset values by Zeek's name of a column, for plain
    columns with statistics in all row groups."""
    rows, unset, groups = 0, Counter[str](), Counter[str]()
    number = 0
    for fragment in data.get_fragments():
        metadata = fragment.metadata
        rows += metadata.num_rows
        number += metadata.num_row_groups
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                statistics = column.statistics
                if statistics is not None and statistics.has_null_count:
                    name = zeek_name(column.path_in_schema)
                    unset[name] += statistics.null_count
                    groups[name] += 1
    return rows, {name: unset[name] for name in groups if groups[name] == number}


def batches(path: str | Path, wanted: Collection[str]) -> Iterator[pa.Table]:
    """The rows in tables, with the ``wanted`` columns that exist under Zeek's names, also those
    that folders give (``proto=tcp``); timestamps are float64 seconds since the epoch. A file
    without rows gives an empty table. Raises ArchiveError at damage, after the rows before it, or
    OSError."""
    data = _open(path, "hive")
    fields = {zeek: field for zeek, field in _names(data).items() if zeek in wanted}
    try:
        for fragment in data.get_fragments():
            # Group by group, so that memory holds one, and damage costs only what follows.
            for group in fragment.split_by_row_group() or [fragment]:
                scanner = group.scanner(
                    schema=data.schema, columns=fields, batch_size=_ROWS, use_threads=False
                )
                for batch in scanner.to_batches():
                    yield pa.table({name: _plain(batch.column(name)) for name in fields})
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from None


def rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows as dictionaries without unset fields; raises as :func:`batches`."""
    for table in batches(path, columns(path)):
        yield from rows_of(table)


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """A table's rows as dictionaries without what is unset, whatever bytes its texts hold; raises
    ArchiveError at a value that Python cannot hold."""
    try:
        columns = {name: _values(table[name]) for name in table.column_names}
    except UNREADABLE as error:
        raise _damaged(error) from None
    for values in zip(*columns.values(), strict=True):
        yield {
            name: value for name, value in zip(columns, values, strict=True) if value is not None
        }


def _values(column: pa.ChunkedArray) -> list[Any]:
    """As to_pylist, but text that is not UTF-8 is decoded, too."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = column.cast(pa.binary()).to_pylist()
        return [None if one is None else one.decode("utf-8", "replace") for one in values]
    return list(column.to_pylist())


def _open(path: str | Path, folders: str | None) -> Dataset:
    from pyarrow.dataset import dataset  # here, because it loads pandas if that is installed

    with open(path, "rb"):  # raises a clearer error than Arrow
        pass
    try:
        return dataset(str(path), format="parquet", partitioning=folders)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from None


def _damaged(error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno:
        return error
    return ArchiveError("damaged Parquet data, only the rows before the damage count")


def _names(data: Dataset) -> dict[str, Expression]:
    """Where each column is, by Zeek's name: SQL has no dots in names, so ``id.orig_h`` is often
    called ``id_orig_h``, or is a field of a struct ``id``."""
    from pyarrow import compute

    found: dict[str, Expression] = {}
    exact = set()
    try:
        for field in data.schema:
            for path in _paths(field):
                name = ".".join(path)
                zeek = zeek_name(name)
                if zeek == name and zeek not in exact:
                    exact.add(zeek)
                elif zeek in found:
                    continue
                found[zeek] = compute.field(path)
    except UnicodeDecodeError as error:  # in a name
        raise _damaged(error) from None
    return found


def _paths(field: pa.Field) -> Iterator[tuple[str, ...]]:
    """The path of a column, or the paths in a struct ``id`` and its context."""
    if pa.types.is_struct(field.type) and field.name.lower() in NESTED:
        for inner in field.type:
            yield from ((field.name, *path) for path in _paths(inner))
    else:
        yield (field.name,)


def _plain(column: pa.Array) -> pa.Array:
    """A column without dictionary; times as seconds, exactly to the microsecond."""
    from pyarrow import compute  # costs 9 MB, and few archives have Parquet files

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_timestamp(column.type):
        return column
    ticks = column.cast(pa.int64())
    if column.type.unit == "ns":  # mostly products of doubles, so round instead of truncating
        micro = compute.divide(compute.add(ticks, 500), 1000)
    else:
        micro = compute.multiply(ticks, _EPOCH_UNITS[column.type.unit])
    seconds = compute.divide(micro.cast(pa.float64()), 1e6)
    # A time that stands for "never" must not be taken for another unit.
    return compute.if_else(compute.less(seconds, END_OF_TIME), seconds, np.nan)
