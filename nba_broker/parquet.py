"""Logs that a data lake keeps as Parquet files, with Zeek's columns under whatever spelling."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

from nba_broker.errors import ArchiveError

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
    """The names that Zeek gives a file's columns. Raises ArchiveError when it is damaged, or
    OSError."""
    return set(_names(_open(path, None)))


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
        try:
            found = table.to_pylist()
        except UNREADABLE as error:
            raise _damaged(error) from None
        for row in found:
            yield {name: value for name, value in row.items() if value is not None}


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


def _names(data: Dataset) -> dict[str, pa.compute.Expression]:
    """Zeek's names of the columns, and where each is: SQL has no dots in names, so ``id.orig_h``
    is often called ``id_orig_h``, or is a field of a structure ``id``."""
    found = {}
    try:
        for field in data.schema:
            if pa.types.is_struct(field.type) and field.name == "id":
                for inner in field.type:
                    found[f"id.{inner.name}"] = pa.compute.field("id", inner.name)
            else:
                name = field.name
                name = f"id.{name[3:]}" if name.startswith(("id_orig_", "id_resp_")) else name
                found[name] = pa.compute.field((field.name,))
    except UnicodeDecodeError as error:  # in a name
        raise _damaged(error) from None
    return found


def _plain(column: pa.Array) -> pa.Array:
    """A column without dictionary; times as seconds, exactly to the microsecond."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_timestamp(column.type):
        return column
    ticks = column.cast(pa.int64())
    if column.type.unit == "ns":  # mostly doubles that were multiplied: round, and do not cut
        micro = pa.compute.divide(pa.compute.add(ticks, 500), 1000)
    else:
        micro = pa.compute.multiply(ticks, _EPOCH_UNITS[column.type.unit])
    return pa.compute.divide(micro.cast(pa.float64()), 1e6)
