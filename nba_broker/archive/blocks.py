"""What a part of a log file holds: a block of sessions as columns, rows of leases, and counts of
the rows of other logs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nba_broker.archive import log_values
from nba_broker.archive.log_columns import REQUIRED, kind
from nba_broker.records import uids
from nba_broker.records.errors import ArchiveError

TEXTS = (
    *("id.orig_h", "id.resp_h", "id.resp_p", "proto", "service", "local_orig", "orig_l2_addr"),
)
"""Columns with few distinct values; each value is interpreted once per block."""

Texts = tuple[np.ndarray, list[str]]
"""A column of text: each row's index, int32 [n], into the distinct texts; "" is unset."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """n rows of a conn log as columns.

    ts: float64 [n], seconds since the epoch, NaN if invalid. unit: see log_values.in_seconds.
    odd_ts: an invalid time, as text. uid: uids.TEXT [n], see uids.marked. sport: int32 [n], 0 if
    unset. texts: the columns of TEXTS that the log has. segment: each row's index, int32 [n], into
    ``segments``.
    """

    ts: np.ndarray
    unit: float
    odd_ts: str
    uid: np.ndarray
    sport: np.ndarray
    texts: dict[str, Texts]
    segment: np.ndarray
    segments: list[str]

    def __len__(self) -> int:
        return len(self.ts)

    def coded(self, name: str, code: Callable[[str], int]) -> np.ndarray:
        """Each row's ``code`` of a column, int32 [n]; computed once per distinct text."""
        if name not in self.texts:
            return np.full(len(self), code(""), np.int32)
        index, texts = self.texts[name]
        codes: np.ndarray = np.array([code(text) for text in texts], dtype=np.int32)[index]
        return codes

    def unset(self, name: str) -> np.ndarray:
        """The rows without a value in a column, bool [n]."""
        if name in self.texts and not any(map(log_values.is_unset, self.texts[name][1])):
            return np.zeros(len(self), bool)  # nearly always
        return self.coded(name, log_values.is_unset) > 0

    def an_example(self, name: str, is_odd: np.ndarray) -> str:
        """The text of a column in the first row where ``is_odd``, bool [n]."""
        if name not in self.texts or not is_odd.any():
            return ""
        index, texts = self.texts[name]
        example: str = texts[index[int(is_odd.argmax())]]
        return example


def empty_block() -> Block:
    """A block without rows."""
    none = np.zeros(0, np.int32)
    return Block(np.zeros(0), 0.0, "", np.zeros(0, uids.TEXT), none, {}, none, [])


@dataclass(slots=True, eq=False)
class Parsed:
    """What a part of a file holds.

    block: the sessions, None if the part has no conn rows. rows: the number of conn rows, those
    that do not parse included. dhcp: the dhcp rows. others: the number of rows of other logs, by
    name.
    """

    block: Block | None = None
    rows: int = 0
    dhcp: list[dict[str, Any]] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)

    def count(self, log: str, rows: int) -> None:
        """Count rows of another log."""
        self.others[log] = self.others.get(log, 0) + rows

    def count_others(self, index: np.ndarray, paths: Sequence[str]) -> None:
        """Count the rows that are of neither a conn nor a dhcp log; ``index``, int [n], into
        ``paths`` says which log each row is of."""
        number = np.bincount(index, minlength=len(paths)).tolist()
        for path, rows in zip(paths, number, strict=True):
            if rows and kind(path) not in ("conn", "dhcp"):
                self.count(path, rows)


def kind_by_name(name: str) -> str:
    """The log that a file is by its name: "conn" or ""; standard input counts as a conn log."""
    return "conn" if name == "-" or "conn" in name.lower() else ""


def first_word(name: str) -> str:
    """A file's name up to the first dot: what it calls its log."""
    return name.partition(".")[0]


def require(names: Collection[str]) -> None:
    """Raise ArchiveError if a conn log lacks a column that sessions need."""
    if missing := [column for column in REQUIRED if column not in names]:
        raise ArchiveError(
            f"no column {', '.join(missing)}: left out, because it is not a whole conn log"
        )
