"""Logs that a data lake keeps as Parquet files, with Zeek's columns under whatever spelling."""

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
# What Arrow raises at a value that Python cannot hold: text that is not UTF-8, a date beyond all.
UNREADABLE = (pa.ArrowException, OverflowError, ValueError)
_EPOCH_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def is_parquet(path: str | Path) -> bool:
    """Whether a file is one, by its content; a pipe, of which nothing is read, is none. Raises
    OSError."""
    if not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def columns(path: str | Path) -> set[str]:
    """The names that Zeek gives a file's columns, but for those without any value: one schema may
    serve all logs. Raises ArchiveError when it is damaged, or OSError."""
    data = _open(path, "hive")
    rows, unset = _unset(data)
    return {one for one in _names(data) if not rows or unset.get(one, 0) < rows}


def lacks(path: str | Path, name: str) -> bool:
    """Whether some row may have no value of a column, as far as the file says; raises as
    :func:`columns`."""
    return _unset(_open(path, "hive"))[1].get(name, 1) > 0


def _unset(data: Dataset) -> tuple[int, dict[str, int]]:
    """How many rows there are, and how many are unset in each plain column, by Zeek's names, where
    the file says so of all its groups."""
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
    """The rows, some at a time, with those of the ``wanted`` columns that there are, under Zeek's
    names, those included that the folders tell (``proto=tcp``); timestamps are float64 seconds
    since the epoch. A file without rows gives a table without. Raises ArchiveError where the file
    is damaged, after what lies before, or OSError."""
    data = _open(path, "hive")
    fields = {zeek: field for zeek, field in _names(data).items() if zeek in wanted}
    try:
        for fragment in data.get_fragments():
            # By itself, so that memory is that of one group and damage costs only what follows.
            for group in fragment.split_by_row_group() or [fragment]:
                scanner = group.scanner(
                    schema=data.schema, columns=fields, batch_size=_ROWS, use_threads=False
                )
                for batch in scanner.to_batches():
                    yield pa.table({name: _plain(batch.column(name)) for name in fields})
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from None


def rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows as dictionaries without what is unset; raises as :func:`batches`."""
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
    """As to_pylist, where text that is not UTF-8 is text all the same."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = column.cast(pa.binary()).to_pylist()
        return [None if one is None else one.decode("utf-8", "replace") for one in values]
    return list(column.to_pylist())


def _open(path: str | Path, folders: str | None) -> Dataset:
    from pyarrow.dataset import dataset  # loads pandas, where that is: few have such files

    with open(path, "rb"):  # raises what Arrow would word less clearly
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
    """Zeek's names of the columns, and where each is: SQL has no dots in names, so ``id.orig_h``
    is often called ``id_orig_h``, or is a field of a structure ``id``."""
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
    """The column, or those of a structure ``id`` and of its context."""
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
    if column.type.unit == "ns":  # mostly doubles that were multiplied: round, and do not cut
        micro = compute.divide(compute.add(ticks, 500), 1000)
    else:
        micro = compute.multiply(ticks, _EPOCH_UNITS[column.type.unit])
    seconds = compute.divide(micro.cast(pa.float64()), 1e6)
    # Nobody is to guess a unit for a time that stands for "never".
    return compute.if_else(compute.less(seconds, END_OF_TIME), seconds, np.nan)
