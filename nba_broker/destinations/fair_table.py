"""A table of bounded size in which no host can push out another's rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import Generic, TypeVar

import numpy as np

from nba_broker.records.grouping import changes

NOBODY = -1
"""The owner of rows whose host is unknown or has left; these rows count as those of one host."""

NO_ROW = 0

_LEAVING = 16  # a full table loses one row in so many, because the search costs a look at each

K = TypeVar("K", bound=Hashable)


class FairTable(Generic[K]):
    """Rows by key. A row belongs to the host that brought its key first.

    When the table is full, the host with the most rows loses the ones that were in use the longest
    ago. So one host may have all of it while no other needs it, and a host with few rows keeps them
    whatever others bring. This is longest queue drop (Suter, Lakshman, Stiliadis and Choudhury,
    "Design considerations for supporting TCP with per-flow queueing", INFOCOM 1998).

    size: rows at most. Columns by row, [size + 1], of which row NO_ROW stays empty: owner, the slot
    of the host, int32; used, seconds since the epoch, float64; value, int32, for the caller; times,
    how often the row has got another key, int32.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.row_of: dict[K, int] = {}
        self.keys: list[K | None] = [None]
        # Zeros that are never written take no memory.
        self.owner = np.zeros(size + 1, np.int32)
        self.used = np.zeros(size + 1)
        self.value = np.zeros(size + 1, np.int32)
        self.times = np.zeros(size + 1, np.int32)
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.row_of)

    def rows(self, keys: Sequence[K]) -> np.ndarray:
        """The rows of these keys, int64 [n], NO_ROW where there is none."""
        return np.fromiter(map(self.row_of.get, keys, repeat(NO_ROW)), np.int64, len(keys))

    def fitting(self, keys: Sequence[K | None]) -> int:
        """How many of these keys, from the first on, fit into the table as it is; None needs no
        row."""
        room = self.size - len(self)
        if len(keys) <= room:
            return len(keys)
        new: set[K] = set()
        for at, key in enumerate(keys):
            if key is not None and key not in self.row_of and key not in new:
                if len(new) == room:
                    return at
                new.add(key)
        return len(keys)

    def use(self, keys: Sequence[K], owner: np.ndarray, ts: np.ndarray) -> np.ndarray:
        """The rows of these keys, int64 [n], which fit; a new key gets one that belongs to its
        first ``owner``, int [n]. ts: times of use in ascending order, float64 [n]."""
        rows = self.rows(keys)
        for at in np.flatnonzero(rows == NO_ROW).tolist():
            rows[at] = self.row_of.get(keys[at]) or self._add(keys[at], int(owner[at]))
        self.used[rows] = ts
        return rows

    def _add(self, key: K, owner: int) -> int:
        if self._free:
            row = self._free.pop()
            self.keys[row] = key
        else:
            row = len(self.keys)
            self.keys.append(key)
        self.row_of[key], self.owner[row], self.value[row] = row, owner, 0
        return row

    def make_room(self) -> None:
        """Remove rows of the hosts that have the most."""
        rows = np.fromiter(self.row_of.values(), np.int64, len(self))
        rows = rows[np.lexsort((rows, -self.used[rows], self.owner[rows]))]
        # How many rows of the same host were in use later.
        begins = np.flatnonzero(changes(self.owner[rows]))
        rank = np.arange(len(rows)) - np.repeat(begins, np.diff(np.append(begins, len(rows))))
        order = np.lexsort((rows, self.used[rows], -rank))
        for row in rows[order[: max(self.size // _LEAVING, 1)]].tolist():
            self.remove(row)

    def remove(self, row: int) -> None:
        """Remove a row; its number may be used again."""
        key = self.keys[row]
        assert key is not None
        del self.row_of[key]
        self.keys[row] = None
        self.times[row] += 1
        self._free.append(row)

    def forget(self, slots: np.ndarray) -> None:
        """These hosts, int64 [n], left; their rows remain while there is room."""
        owned = self.owner[: len(self.keys)]
        owned[np.isin(owned, slots)] = NOBODY

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times later than ``limit`` become ``now``."""
        self.used[self.used > limit] = now

    def restore(self, row: int, key: K, owner: int, used: float, value: int = 0) -> None:
        """Fill a row of an empty table with that of a snapshot; call :meth:`restored` after the
        last. Raises ValueError if a row is out of range or twice there, or a key is."""
        if not 0 < row <= self.size or not np.isfinite(used):
            raise ValueError("a row that is out of range")
        if key in self.row_of:
            raise ValueError("a key that is twice in a table")
        self.keys += [None] * (row + 1 - len(self.keys))
        if self.keys[row] is not None:
            raise ValueError("a row that is twice in a table")
        self.keys[row], self.row_of[key] = key, row
        self.owner[row], self.used[row], self.value[row] = owner, used, value

    def restored(self) -> None:
        """All rows of the snapshot are there; the others are free."""
        self._free = [row for row in range(1, len(self.keys)) if self.keys[row] is None]
