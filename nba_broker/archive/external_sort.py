"""Sorts more rows than fit in memory: sorted runs in a temporary file, then a merge of them.

Knuth, The Art of Computer Programming, vol. 3, section 5.4.
"""

from __future__ import annotations

import tempfile
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np

from nba_broker.records.errors import ArchiveError

MEMORY = 256 << 20
"""Bytes to sort with by default: enough for 1.5 million sessions of an archive."""

# Rows exist twice while they are sorted, and their order takes less than a third of that memory.
_COPIES = 3
# Rows to read from a run at once: few enough for little memory, enough for a merge to be fast.
_LEAST, _MOST = 1024, 65_536


class Sorter:
    """Takes any number of rows, structured arrays of ``dtype``, and gives them in order.

    by: the column to sort by, without NaN. ties: gives the further keys of rows, most important
    last as for numpy.lexsort; called when rows are given back. Rows with all keys equal stay in the
    order in which they came, so the order does not depend on ``memory``: bytes beyond which rows
    are in a temporary file (in TMPDIR). Raises ArchiveError when that is full.
    """

    def __init__(
        self,
        dtype: np.dtype,
        by: str,
        ties: Callable[[np.ndarray], tuple[np.ndarray, ...]],
        memory: int = MEMORY,
    ) -> None:
        self._dtype, self._by, self._ties = dtype, by, ties
        self._limit = max(memory // (_COPIES * dtype.itemsize), 1)
        self._waiting: list[np.ndarray] = []
        self._number = 0
        self._runs: list[_Stored] = []
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._number + sum(run.length for run in self._runs)

    def add(self, rows: np.ndarray) -> None:
        """Take some rows."""
        # In pieces, so that a run never needs more than the memory.
        while self._number + len(rows) > self._limit:
            fitting = self._limit - self._number
            self._hold(rows[:fitting])
            self._spill()
            rows = rows[fitting:]
        self._hold(rows)

    def _hold(self, rows: np.ndarray) -> None:
        if len(rows):
            self._waiting.append(rows)
            self._number += len(rows)

    def _spill(self) -> None:
        """Write the rows in memory to the file, as one run."""
        offset = self._runs[-1].offset + self._runs[-1].length if self._runs else 0
        pieces = self._in_order()
        try:
            self._file = self._file or tempfile.TemporaryFile(prefix="nba-")  # noqa: SIM115
            self._file.seek(offset * self._dtype.itemsize)
            for rows in pieces:
                rows.tofile(self._file)
        except OSError as error:
            where = f"in {tempfile.tempdir}" if tempfile.tempdir else "on disk"
            raise ArchiveError(
                f"sorting {where}: {error.strerror or error}; set TMPDIR to a folder with more "
                "room, or allow more memory"
            ) from error
        first, last = pieces[0][self._by][0], pieces[-1][self._by][-1]
        self._runs.append(_Stored(offset, self._number, first.item(), last.item()))
        self._waiting, self._number = [], 0

    def _in_order(self) -> list[np.ndarray]:
        """The rows in memory, in pieces, in the order of ``by`` alone: ties are settled when rows
        are given back."""
        last = -np.inf
        for rows in self._waiting:
            by = rows[self._by]
            if len(by) and not (by[0] >= last and (by[1:] >= by[:-1]).all()):
                break
            last = by[-1] if len(by) else last
        else:
            return self._waiting  # as most archives are
        rows = np.concatenate(self._waiting)
        return [rows[np.argsort(rows[self._by], kind="stable")]]

    def parts(self, size: int) -> Iterator[np.ndarray]:
        """All rows in order, ``size`` at a time, fewer in the last part. May be called again."""
        held: list[np.ndarray] = []
        number = 0
        for rows in self._merged():
            while number + len(rows) >= size:
                yield np.concatenate([*held, rows[: size - number]])
                rows = rows[size - number :]
                held, number = [], 0
            held.append(rows)
            number += len(rows)
        if number:
            yield np.concatenate(held)

    def _merged(self) -> Iterator[np.ndarray]:
        """All rows in order, in parts of any length."""
        if self._runs and self._number:
            self._spill()
        runs: list[_Run] = []
        share = _MOST
        if self._runs:
            share = min(max(self._limit // _together(self._runs), _LEAST), _MOST)
        else:
            self._waiting = self._in_order()
            runs = [_Run(0, _slices(self._waiting, share), np.empty(0, self._dtype), self._by)]
        later = deque(sorted(enumerate(self._runs), key=lambda run: run[1].first))
        while True:
            runs = [run for run in runs if run.fill()]
            # No row that is still to come has a smaller key. Runs that begin later are not read
            # yet: most archives are in order, so that few runs are read at once.
            limit = min((run.reached for run in runs), default=-np.inf)
            while later and (not runs or later[0][1].first < limit):
                number, stored = later.popleft()
                run = _Run(number, self._read(stored, share), np.empty(0, self._dtype), self._by)
                run.fill()
                insort(runs, run, key=lambda run: run.number)
                limit = min(run.reached for run in runs)
            if not runs:
                return
            taken = [run.take(limit) for run in runs]
            yield self._settled(taken[0] if len(taken) == 1 else np.concatenate(taken))

    def _read(self, run: _Stored, size: int) -> Iterator[np.ndarray]:
        assert self._file is not None
        for at in range(0, run.length, size):
            self._file.seek((run.offset + at) * self._dtype.itemsize)
            yield np.fromfile(self._file, self._dtype, min(size, run.length - at))

    def _settled(self, rows: np.ndarray) -> np.ndarray:
        """Rows in the order of all keys. Ties are rare, so only tied rows are sorted by them."""
        by = rows[self._by]
        if not (by[1:] >= by[:-1]).all():
            rows = rows[np.argsort(by, kind="stable")]
            by = rows[self._by]
        same = by[1:] == by[:-1]
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        if len(tied):
            rows, among = rows.copy(), rows[tied]
            rows[tied] = among[np.lexsort((*self._ties(among), among[self._by]))]
        return rows


def _slices(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    return (rows[at : at + size] for rows in pieces for at in range(0, len(rows), size))


class _Stored(NamedTuple):
    """A sorted run in the file: offset and length, in rows, and the keys of its first and last."""

    offset: int
    length: int
    first: float
    last: float


def _together(runs: Sequence[_Stored]) -> int:
    """How many runs are read at once, at most: those that reach the first key of another one."""
    first, last = np.sort([run.first for run in runs]), np.sort([run.last for run in runs])
    begun = np.arange(1, len(runs) + 1)
    return int((begun - np.searchsorted(last, first)).max())


class _Run:
    """The rows of a sorted run that are in memory. ``reached`` is the key of the last of them, of
    which more rows may follow; infinite after the run's end. number: its place among the runs in
    the order in which they came."""

    def __init__(
        self, number: int, source: Iterator[np.ndarray], rows: np.ndarray, by: str
    ) -> None:
        self.number = number
        self._source, self._rows, self._by = source, rows, by
        self.reached = -np.inf

    def fill(self) -> bool:
        """Read until there are rows before ``reached``; False at the end of the run."""
        while self.reached < np.inf:
            if len(self._rows) and self._rows[self._by][0] < self.reached:
                break
            part = next(self._source, None)
            if part is None:
                self.reached = np.inf
            else:
                self._rows = np.concatenate([self._rows, part])
                self.reached = self._rows[self._by][-1]
        return len(self._rows) > 0

    def take(self, limit: float) -> np.ndarray:
        """Give the rows before ``limit``, and drop them here."""
        stop = int(np.searchsorted(self._rows[self._by], limit))
        taken, self._rows = self._rows[:stop], self._rows[stop:]
        return taken
