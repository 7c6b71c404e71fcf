"""Sorts more rows than fit in memory: sorted runs in a temporary file, then a merge of them.

Knuth, The Art of Computer Programming, vol. 3, section 5.4.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np

from nba_broker.records.errors import ArchiveError

MEMORY = 256 << 20
"""Bytes to sort with, unless told otherwise: enough for two million sessions of an archive."""

# Rows that are sorted exist twice, and their order takes less than a third time.
_COPIES = 3
# Rows read from a run at once: few enough for little memory, enough to be worth a step of a merge.
_LEAST, _MOST = 1024, 65_536


class Sorter:
    """Rows (structured arrays of ``dtype``) in any number, given back in the order of ``by``.

    by: a column without NaN. ties: of rows, their further keys, most important last as for
    numpy.lexsort; asked when they are given back. Rows with all keys equal stay in the order in
    which they came, so the order does not depend on ``memory``, bytes, beyond which rows lie in a
    temporary file (in TMPDIR). Raises ArchiveError when that is full.
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
        self._runs: list[tuple[int, int]] = []  # offset in the file and length, in rows
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._number + sum(length for _, length in self._runs)

    def add(self, rows: np.ndarray) -> None:
        """Take some rows."""
        # In pieces, so that a run is never longer than what memory is there for.
        while self._number + len(rows) > self._limit:
            fitting = self._limit - self._number
            self._hold(rows[:fitting])
            self._spill()
            rows = rows[fitting:]
        self._hold(rows)

    def _hold(self, rows: np.ndarray) -> None:
        self._waiting.append(rows)
        self._number += len(rows)

    def _spill(self) -> None:
        """Move what waits to the file, as one run."""
        offset = sum(length for _, length in self._runs)
        try:
            self._file = self._file or tempfile.TemporaryFile(prefix="nba-")  # noqa: SIM115
            self._file.seek(offset * self._dtype.itemsize)
            self._sorted().tofile(self._file)
        except OSError as error:
            where = f"in {tempfile.tempdir}" if tempfile.tempdir else "on disk"
            raise ArchiveError(
                f"sorting {where}: {error.strerror or error}; set TMPDIR to a folder with more "
                "room, or allow more memory"
            ) from error
        self._runs.append((offset, self._number))
        self._waiting, self._number = [], 0

    def _sorted(self) -> np.ndarray:
        """What waits, in the order of ``by`` alone: ties are settled at the end."""
        rows = np.concatenate([np.empty(0, self._dtype), *self._waiting])
        by = rows[self._by]
        if (by[1:] >= by[:-1]).all():
            return rows
        ordered: np.ndarray = rows[np.argsort(by, kind="stable")]
        return ordered

    def parts(self, size: int) -> Iterator[np.ndarray]:
        """All rows in order, ``size`` at a time, fewer in the last part; as often as one likes."""
        rest = np.empty(0, self._dtype)
        for rows in self._merged():
            rows = np.concatenate([rest, rows])
            whole = len(rows) // size * size
            yield from (rows[at : at + size] for at in range(0, whole, size))
            rest = rows[whole:]
        if len(rest):
            yield rest

    def _merged(self) -> Iterator[np.ndarray]:
        """All rows in order, in parts of any length."""
        if self._runs and self._number:
            self._spill()
        share = min(max(self._limit // max(len(self._runs), 1), _LEAST), _MOST)
        if self._runs:
            sources = [self._read(*run, share) for run in self._runs]
        else:
            self._waiting = [self._sorted()]
            sources = [_slices(self._waiting[0], share)]
        runs = [_Run(source, np.empty(0, self._dtype), self._by) for source in sources]
        while runs := [run for run in runs if run.fill()]:
            # Every row that is still to come lies here or later.
            limit = min(run.reached for run in runs)
            yield self._settled(np.concatenate([run.take(limit) for run in runs]))

    def _read(self, offset: int, length: int, size: int) -> Iterator[np.ndarray]:
        assert self._file is not None
        for at in range(0, length, size):
            self._file.seek((offset + at) * self._dtype.itemsize)
            yield np.fromfile(self._file, self._dtype, min(size, length - at))

    def _settled(self, rows: np.ndarray) -> np.ndarray:
        """Rows, which may be changed, in the order of all keys; ties are rare, and settled by
        themselves."""
        by = rows[self._by]
        if not (by[1:] >= by[:-1]).all():
            rows = rows[np.argsort(by, kind="stable")]
            by = rows[self._by]
        same = by[1:] == by[:-1]
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        if len(tied):
            among = rows[tied]
            rows[tied] = among[np.lexsort((*self._ties(among), among[self._by]))]
        return rows


def _slices(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (rows[at : at + size] for at in range(0, len(rows), size))


class _Run:
    """The part of a sorted run that is at hand, and ``reached``: its last key, infinite once
    everything is at hand. Of rows with that key some may still be to come."""

    def __init__(self, source: Iterator[np.ndarray], rows: np.ndarray, by: str) -> None:
        self._source, self._rows, self._by = source, rows, by
        self.reached = -np.inf

    def fill(self) -> bool:
        """Have rows before ``reached`` at hand; False when the run is at its end."""
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
        """Hand over the rows before ``limit``."""
        stop = int(np.searchsorted(self._rows[self._by], limit))
        taken, self._rows = self._rows[:stop], self._rows[stop:]
        return taken
