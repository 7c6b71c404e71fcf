"""Columns of sessions as any form of a log gives them, and what is read from them everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from nba_broker.archive import log_values
from nba_broker.archive.log_columns import CONTEXT, PLACE, REQUIRED, kind
from nba_broker.records import uids
from nba_broker.records.errors import ArchiveError
from nba_broker.records.sessions import segment_name, site_of

TEXTS = (
    *("id.orig_h", "id.resp_h", "id.resp_p", "proto", "service", "local_orig", "orig_l2_addr"),
)
"""Columns with few different values, each of which is looked at once."""

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

    def unset(self, name: str) -> np.ndarray:
        """Where a column has no value, bool [n]."""
        if name in self.texts and not any(map(log_values.is_unset, self.texts[name][1])):
            return np.zeros(len(self), bool)  # as nearly always
        return self.coded(name, log_values.is_unset) > 0

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


def by_name(name: str) -> str:
    """What a file is taken for whose content does not tell: standard input for a conn log."""
    return "conn" if name == "-" or "conn" in name.lower() else ""


def word(name: str) -> str:
    """What a file's name says that it is."""
    return name.partition(".")[0]


def require(names: Sequence[str] | set[str]) -> None:
    """Raise ArchiveError where a conn log lacks what sessions need."""
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


def segments_of(columns: Mapping[str, Coded], rows: int) -> tuple[np.ndarray, list[str]]:
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


def set_apart(parsed: Parsed, index: np.ndarray, paths: Sequence[str], kinds: np.ndarray) -> None:
    """Count the rows of other logs, by name."""
    number = np.bincount(index, minlength=len(paths)).tolist()
    for path, rows in zip(paths, number, strict=True):
        if rows and kind(path) not in ("conn", "dhcp"):
            parsed.count(path, rows)


def nothing() -> Block:
    """A block without rows."""
    none = np.zeros(0, np.int32)
    return Block(np.zeros(0), 0.0, "", np.zeros(0, uids.TEXT), none, {}, none, [])


def ports(column: Coded) -> np.ndarray:
    """The numbers of a column of ports, int32 [n], 0 for what is none."""
    index, texts = column
    numbers = [max(log_values.port(text)[0], 0) for text in texts]
    ports: np.ndarray = np.array(numbers, np.int32)[index]
    return ports


def uid_column(column: pa.ChunkedArray, unset: bytes) -> np.ndarray:
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
    return printable(found)


def printable(uid: np.ndarray) -> np.ndarray:
    """Uids in place without anything that is not ASCII, and without what stands for none."""
    letters = uid.view(np.uint8)
    letters[letters > 0x7E] = ord("?")
    short = letters.reshape(-1, uids.LENGTH)[:, 8] == 0
    if short.any():  # as nobody's of Zeek are
        few, place = np.unique(uid[short], return_inverse=True)
        none = np.array([one.decode("ascii").lower() in log_values.UNSET for one in few.tolist()])
        uid[np.flatnonzero(short)[none[place]]] = b""
    return uid


def odd(values: Sequence[Any], ts: np.ndarray) -> str:
    """The first value that was not understood."""
    at = int(np.isnan(ts).argmax()) if len(ts) else 0
    if not len(ts) or not np.isnan(ts[at]) or values[at] is None:
        return ""
    try:
        return log_values.text(values[at]) or str(values[at])
    except RecursionError:  # nested so deep, it cannot even be printed
        return "{...}"
