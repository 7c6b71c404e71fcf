"""Blocks of a log's rows to columns of sessions, and the rows of other logs among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from nba_broker import json_lines, log_columns, log_values, parquet, uids, zeek_log
from nba_broker.ahead import ahead
from nba_broker.errors import ArchiveError
from nba_broker.log_columns import CONN, CONN_ONLY, CONTEXT, PLACE, REQUIRED, kind
from nba_broker.messages import segment_name, site_of

# Columns with few different values, each of which is looked at once.
_TEXTS = (
    *("id.orig_h", "id.resp_h", "id.resp_p", "proto", "service", "local_orig", "orig_l2_addr"),
)

# Blocks that are parsed at once. One thread reads and sorts what two parse: more would wait for it.
_PARSING = 2
_TEXT = pa.dictionary(pa.int32(), pa.binary())
_STEP = 1 << 20

Coded = tuple[np.ndarray, list[str]]
"""Each row's index, int32 [n], into the different texts, "" where unset."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The columns of interest of n rows of a conn log.

    ts: float64 [n], seconds since the epoch, NaN where there is none; ``unit`` as
    log_values.in_seconds has it, ``odd_ts`` is one that was not understood. uid: uids.TEXT [n], see
    uids.marked. sport: int32 [n], 0 where it is unset. texts: for each column that is there, its
    texts. segment: each row's index, int32 [n], into ``segments``.
    """

    ts: np.ndarray
    unit: float
    odd_ts: str
    uid: np.ndarray
    sport: np.ndarray
    texts: dict[str, Coded]
    segment: np.ndarray
    segments: list[str]

    def __len__(self) -> int:
        return len(self.ts)

    def coded(self, name: str, code: Callable[[str], int]) -> np.ndarray:
        """Each row's code, int32 [n], computed once per text."""
        if name not in self.texts:
            return np.full(len(self), code(""), np.int32)
        index, texts = self.texts[name]
        codes: np.ndarray = np.array([code(text) for text in texts], dtype=np.int32)[index]
        return codes

    def an_example(self, name: str, is_odd: np.ndarray) -> str:
        """The text of a column in the first row where ``is_odd``, bool [n]."""
        if name not in self.texts or not is_odd.any():
            return ""
        index, texts = self.texts[name]
        example: str = texts[index[int(is_odd.argmax())]]
        return example


@dataclass(slots=True, eq=False)
class Parsed:
    """What a part of a file holds: sessions, if it has a conn log's rows, of which there are
    ``rows`` with those that are none; rows of dhcp; and how many rows of other logs, by name."""

    block: Block | None = None
    rows: int = 0
    dhcp: list[dict[str, Any]] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)

    def count(self, log: str, rows: int) -> None:
        """So many more rows of another log."""
        self.others[log] = self.others.get(log, 0) + rows


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
        for table in parquet.batches(path, wanted):
            try:
                yield _of_table(name, table, names)
            except parquet.UNREADABLE as error:
                why = str(error).partition("\n")[0]
                raise ArchiveError(f"a column of a type that is none of Zeek's ({why})") from None
        return
    for inner, stream in zeek_log.streams(path):
        try:
            parts = _told(zeek_log.segments(stream))
            yield from ahead(partial(_of_lines, inner or name), parts, _PARSING)
        except ArchiveError as error:
            raise ArchiveError(f"{inner}: {error}" if inner else str(error)) from None


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
        of = log_columns.kind_of_columns(header.fields) or _by_name(name)
        log = _word(name)
    if of == "conn" or "_path" in header.fields:
        return _of_tsv(header, body)
    found = Parsed()
    if of == "dhcp":
        found.dhcp = list(zeek_log.parse(header, body))
    else:
        found.count(log, body.count(b"\n"))
    return found


def named(header: zeek_log.Header) -> zeek_log.Header:
    """A header with Zeek's names of the columns."""
    names = log_columns.zeek_names(header.fields)
    zeek = {name: key for key, name in names.items()}
    return replace(header, fields=tuple(zeek.get(name, name) for name in header.fields))


def _by_name(name: str) -> str:
    """What a file is taken for whose content does not tell: standard input for a conn log."""
    return "conn" if name == "-" or "conn" in name.lower() else ""


def _word(name: str) -> str:
    return name.partition(".")[0]


def _require(names: Sequence[str] | set[str]) -> None:
    if missing := [column for column in REQUIRED if column not in names]:
        raise ArchiveError(f"no column {', '.join(missing)}: not a whole conn log, left out")


def segment_of(row: Mapping[str, str]) -> str:
    """The segment in which a row of these texts was seen, see messages.segment_name."""

    def get(name: str) -> str:
        value = row.get(name, "").strip()
        return "" if value.lower() in log_values.UNSET else log_values.clean(value)

    def vlan(name: str) -> str:
        number = get(CONTEXT + name) or get(name)
        whole, point, zeros = number.partition(".")  # a number beside unset ones
        return (whole if point and not zeros.strip("0") else number).lstrip("0")

    more = sorted(
        f"{name.removeprefix(CONTEXT)}={value}".replace("/", "_")
        for name in row
        if name.startswith(CONTEXT)
        and name.removeprefix(CONTEXT) not in ("vlan", "inner_vlan")
        and (value := get(name))
    )
    vlans = [one.replace("/", "_") for one in (vlan("vlan"), vlan("inner_vlan")) if one]
    return segment_name(
        get("_system_name") or site_of(get("_node_name")), ".".join([*vlans, *more])
    )


def is_place(name: str) -> bool:
    """Whether a column tells where a session was seen."""
    return name in PLACE or name.startswith(CONTEXT)


def _segments(columns: Mapping[str, Coded], rows: int) -> tuple[np.ndarray, list[str]]:
    """Each row's index, int32 [n], into the different segments."""
    if not columns:
        return np.zeros(rows, np.int32), [""]
    code = np.zeros(rows, np.int64)
    for index, texts in columns.values():
        # Renumbered each time, so that it never overflows.
        code = np.unique(code * max(len(texts), 1) + index, return_inverse=True)[1]
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    rows_of = (
        {name: texts[index[at]] for name, (index, texts) in columns.items()}
        for at in first.tolist()
    )
    return place.astype(np.int32), [segment_of(row) for row in rows_of]


def _of_tsv(header: zeek_log.Header, body: bytes) -> Parsed:
    """A block of TSV rows; those of too few or too many fields count, and are left out."""
    if "_path" not in header.fields:
        _require(header.fields)
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
            _set_apart(parsed, index, paths, kinds)
            if (kinds == "dhcp").any():
                parsed.dhcp = [
                    row
                    for row in zeek_log.parse(header, body)
                    if kind(row.get("_path") or header.path) == "dhcp"
                ]
            parsed.rows -= int(np.count_nonzero(~is_conn))
            table = table.filter(pa.array(is_conn))
            if not len(table):
                parsed.block = _nothing() if parsed.rows else None
                return parsed
        _require(header.fields)

    def texts(name: str) -> Coded:
        return _dictionary(table[name], unset)

    ts, unit, odd = _tsv_times(table["ts"], unset)
    uid = np.zeros(len(table), uids.TEXT)
    if "uid" in columns:
        uid = _uids(table["uid"], header.unset_field)
    sport = np.zeros(len(table), np.int32)
    if "id.orig_p" in columns:
        column = table["id.orig_p"]
        if pa.types.is_dictionary(column.type):
            sport = _ports(texts("id.orig_p"))
        else:
            sport = column.fill_null(0).to_numpy()
    segment, segments = _segments(
        {name: texts(name) for name in columns if is_place(name)}, len(table)
    )
    parsed.block = Block(
        ts, unit, odd, uid, sport, {n: texts(n) for n in _TEXTS if n in columns}, segment, segments
    )
    return parsed


def _set_apart(parsed: Parsed, index: np.ndarray, paths: Sequence[str], kinds: np.ndarray) -> None:
    """Count the rows of other logs, by name."""
    number = np.bincount(index, minlength=len(paths)).tolist()
    for path, rows in zip(paths, number, strict=True):
        if rows and kind(path) not in ("conn", "dhcp"):
            parsed.count(path, rows)


def _nothing() -> Block:
    none = np.zeros(0, np.int32)
    return Block(np.zeros(0), 0.0, "", np.zeros(0, uids.TEXT), none, {}, none, [])


def _tsv_times(column: pa.ChunkedArray, unset: str) -> tuple[np.ndarray, float, str]:
    if not pa.types.is_dictionary(column.type):
        ts, unit = log_values.in_seconds(column.to_numpy())
        return ts, unit, ""
    index, texts = _dictionary(column, unset)
    ts, unit = log_values.times(texts)
    return ts[index], unit, next((t for t, at in zip(texts, ts, strict=True) if np.isnan(at)), "")


def _ports(column: Coded) -> np.ndarray:
    index, texts = column
    numbers = [max(log_values.port(text)[0], 0) for text in texts]
    ports: np.ndarray = np.array(numbers, np.int32)[index]
    return ports


def _uids(column: pa.ChunkedArray, unset: bytes) -> np.ndarray:
    """Uids as uids.marked has them, without anything that is not ASCII, b"" where unset."""
    longest = pa.compute.max(pa.compute.binary_length(column)).as_py() or 0
    if longest > uids.LENGTH:
        found = uids.marked(
            one.decode("ascii", "replace").replace("\ufffd", "?")
            for one in column.fill_null(b"").to_pylist()
        )
    else:
        found = np.array(column.to_numpy(), uids.TEXT)
    found[found == unset] = b""
    return _printable(found)


def _printable(uid: np.ndarray) -> np.ndarray:
    letters = uid.view(np.uint8)
    letters[letters > 0x7E] = ord("?")
    short = letters.reshape(-1, uids.LENGTH)[:, 8] == 0
    if short.any():  # as nobody's of Zeek are
        few, place = np.unique(uid[short], return_inverse=True)
        none = np.array([one.decode("ascii").lower() in log_values.UNSET for one in few.tolist()])
        uid[np.flatnonzero(short)[none[place]]] = b""
    return uid


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


_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def _of_table(name: str, table: pa.Table, names: set[str]) -> Parsed:
    """The same of rows from Parquet, whatever types the columns have there; ``names`` are those of
    all columns."""
    parsed = Parsed()
    if "_path" in names and len(table):
        index, paths = _lake_texts(table["_path"])
        if any("\ufffd" in path for path in paths):
            raise ValueError("_path is not UTF-8")
        by_columns = log_columns.kind_of_columns(names - {"_path"}) or _by_name(name)
        kinds = np.array([kind(path) if path else by_columns for path in paths])[index]
        _set_apart(parsed, index, paths, kinds)
        if (kinds == "dhcp").any():
            parsed.dhcp = list(parquet.rows_of(table.filter(pa.array(kinds == "dhcp"))))
        is_conn = kinds == "conn"
        table = table if is_conn.all() else table.filter(pa.array(is_conn))
        if not len(table):
            return parsed
    elif "_path" not in names:
        of = log_columns.kind_of_columns(names) or _by_name(name)
        if of == "dhcp":
            parsed.dhcp = list(parquet.rows_of(table))
        if of != "conn":
            parsed.count(of or _word(name), len(table))
            return parsed
    _require(names)
    parsed.rows = len(table)
    ts, unit, odd = _lake_times(table["ts"])
    uid = np.zeros(len(table), uids.TEXT)
    if "uid" in names:
        uid = _uids(table["uid"].cast(pa.binary()).fill_null(b""), b"-")
    sport = np.zeros(len(table), np.int32)
    if "id.orig_p" in names:
        sport = _ports(_lake_texts(table["id.orig_p"]))
    segment, segments = _segments(
        {one: _lake_texts(table[one]) for one in table.column_names if is_place(one)}, len(table)
    )
    if "service" in names and pa.types.is_nested(table["service"].type):
        table = table.drop_columns("service")  # tunnels have their ports, too
    texts = {one: _lake_texts(table[one]) for one in _TEXTS if one in table.column_names}
    parsed.block = Block(ts, unit, odd, uid, sport, texts, segment, segments)
    return parsed


def _lake_times(column: pa.ChunkedArray) -> tuple[np.ndarray, float, str]:
    if any(is_kind(column.type) for is_kind in _NUMBERS):
        ts, unit = log_values.in_seconds(column.cast(pa.float64(), safe=False).to_numpy())
        return ts, unit, ""
    values = column.to_pylist()
    ts, unit = log_values.times(values)
    return ts, unit, _odd(values, ts)


def _odd(values: Sequence[Any], ts: np.ndarray) -> str:
    """The first value that was not understood."""
    at = int(np.isnan(ts).argmax()) if len(ts) else 0
    return log_values.text(values[at]) if len(ts) and np.isnan(ts[at]) else ""


def _lake_texts(column: pa.ChunkedArray) -> Coded:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.binary())  # it may not be UTF-8, whatever it is called
    array = column.dictionary_encode("encode").unify_dictionaries().combine_chunks()
    texts = [log_values.text(one) for one in array.dictionary.to_pylist()]
    return array.indices.to_numpy(), ["" if text == "-" else text for text in texts]


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
        if not told and (log_columns.kind_of_columns(names) == "conn" or _by_name(name) == "conn"):
            conn += untold
        else:
            parsed.count(_word(name), len(untold))
    bad = len(lines) - len(rows)
    parsed.rows = len(conn) + bad
    if not conn:
        parsed.block = _nothing() if bad and not (parsed.others or parsed.dhcp) else None
        parsed.rows = bad if parsed.block else 0
        return parsed
    if len(conn) != len(rows):
        names = set().union(*conn)
    _require(names)
    values = [row.get("ts") for row in conn]
    ts, unit = _json_times(values)
    segment, segments = _segments(
        {one: _json_texts(conn, one) for one in names if is_place(one)}, len(conn)
    )
    uid = uids.marked(_ascii(row.get("uid")) for row in conn)
    parsed.block = Block(
        ts,
        unit,
        _odd(values, ts),
        _printable(uid),
        _ports(_json_texts(conn, "id.orig_p")),
        {one: _json_texts(conn, one) for one in _TEXTS if one in names},
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
