"""Reads one file that may hold a conn log, in whatever form, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple

from nba_broker.archive import (
    discover,
    json_blocks,
    log_columns,
    parquet,
    parquet_blocks,
    tsv_blocks,
    zeek_log,
)
from nba_broker.archive.blocks import Parsed, first_word, kind_by_name
from nba_broker.archive.log_columns import CONN, CONN_ONLY, SOMETIMES, kind
from nba_broker.archive.prefetch import prefetch
from nba_broker.archive.segment_columns import is_place
from nba_broker.records.errors import ArchiveError

# Parts that are parsed at once. One thread reads and sorts what two parse: more would wait for it.
_PARSING = 2


def read(path: str | Path) -> Iterator[Parsed]:
    """A file's rows, in parts of some MB.

    Raises ArchiveError or OSError where the file cannot be read any further.
    """
    name = Path(path).name
    if parquet.is_parquet(path):
        yield from _of_parquet(path, name)
        return

    def parts(inner: str, stream: BinaryIO) -> Iterator[Parsed]:
        of_lines = partial(_of_lines, PurePath(inner).name or name)
        return prefetch(of_lines, _parts(zeek_log.segments(stream)), _PARSING)

    yield from discover.logs_in(path, parts)


def _of_parquet(path: str | Path, name: str) -> Iterator[Parsed]:
    names = parquet.columns(path)
    wanted = {one for one in names if _is_wanted(one)}
    if "_path" not in names and log_columns.kind_of_columns(names) == "dhcp":
        wanted = names
    told_by = sorted(names & (CONN_ONLY - SOMETIMES))[:1]
    if "_path" not in names and told_by and parquet.lacks(path, told_by[0]):
        wanted |= set(told_by)
    for table in parquet.batches(path, wanted):
        try:
            yield parquet_blocks.of_table(name, table, names)
        except parquet.UNREADABLE as error:
            why = str(error).partition("\n")[0]
            raise ArchiveError(f"a column has a type that Zeek does not use ({why})") from None


def _is_wanted(name: str) -> bool:
    return name in (*CONN, "_path", *log_columns.DHCP) or is_place(name)


class _Part(NamedTuple):
    header: zeek_log.Header
    body: bytes
    has_conn_only: bool  # whether JSON rows so far have columns that only conn logs have


def _parts(segments: Iterator[tuple[zeek_log.Header, bytes]]) -> Iterator[_Part]:
    found = False
    for header, body in segments:
        if not found and not header.fields:
            # Here, once for a file, because its parts are parsed beside each other.
            found = any(b'"%s"' % name.encode() in body for name in CONN_ONLY)
        yield _Part(header, body, found)


def _of_lines(name: str, part: _Part) -> Parsed:
    if not part.header.fields:
        return json_blocks.of_lines(name, part.body, part.has_conn_only)
    header = tsv_blocks.named(part.header)
    if header.path:
        log = header.path
        of = kind(log)
    else:
        of = log_columns.kind_of_columns(header.fields) or kind_by_name(name)
        log = first_word(name)
    if of == "conn" or "_path" in header.fields:
        return tsv_blocks.of_lines(header, part.body)
    found = Parsed()
    if of == "dhcp":
        found.dhcp = list(zeek_log.parse(header, part.body, as_it_is=True))
    else:
        found.count(log, part.body.count(b"\n"))
    return found
