"""Leaves out of an archive what its own file contradicts: a few sessions, years from all others.

Where a capture or a year of logs has gaps, each part has sessions of its own; a clock that was
wrong for a moment stamps a few. A file whose clock was wrong throughout is read as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from nba_broker.records.times import DAY, FEW, SHARE, printed

MONTH = 30 * DAY
NO_CLOCK = 315_532_800 // MONTH
"""The month in which 1980 begins: Zeek is younger."""
YEAR = 12  # months without a session between a stray one and all others


@dataclass(slots=True)
class FileTimes:
    """When the sessions of each file are, by months; files are numbers, as rows' ``log``."""

    _months: dict[int, Counter[int]] = field(default_factory=dict)
    _strays: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    number: int = 0
    """Sessions left out, once :meth:`judge` was called."""

    def see(self, file: int, ts: np.ndarray) -> None:
        """Note the times of some of a file's sessions."""
        if not len(ts):
            return
        months = self._months.setdefault(file, Counter())
        first, last = int(ts.min() // MONTH), int(ts.max() // MONTH)
        if first == last:
            months[first] += len(ts)
        else:
            found, number = np.unique((ts // MONTH).astype(np.int64), return_counts=True)
            months.update(dict(zip(found.tolist(), number.tolist(), strict=True)))

    def judge(self) -> Counter[int]:
        """Which sessions are strays; how many of each file."""
        left_out: Counter[int] = Counter()
        for file, months in self._months.items():
            islands: list[tuple[int, int, int]] = []  # first month, last, and sessions
            for month, number in sorted(months.items()):
                if islands and month - islands[-1][1] <= YEAR:
                    first, _, before = islands.pop()
                    islands.append((first, month, before + number))
                else:
                    islands.append((month, month, number))
            most = max(number for _, _, number in islands)
            for first, last, number in islands:
                if number < FEW and number * SHARE <= most:
                    left_out[file] += number
                    self._strays.setdefault(file, []).append((first * MONTH, (last + 1) * MONTH))
        self.number = left_out.total()
        return left_out

    def remarks(self) -> Iterator[str]:
        """What whoever asked is to know of the times that are left; after :meth:`judge`."""
        left = Counter[bool]()
        for file, months in self._months.items():
            for month, number in months.items():
                spans = self._strays.get(file, ())
                if not any(start <= month * MONTH < stop for start, stop in spans):
                    left[month < NO_CLOCK] += number
        if left[True] and left[False]:
            yield (
                f"{left[True]} of {left.total()} sessions are from before 1980: the clock of their "
                "sensor was not set"
            )

    def without(self, parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Rows with ``ts`` and ``log``, in the same parts, but for the strays."""
        for rows in parts:
            there = self._are_strays(rows["log"], rows["ts"]) if self._strays else None
            yield rows if there is None or not there.any() else rows[~there]

    def lines(self, names: Sequence[str], parts: Iterable[np.ndarray]) -> Iterator[str]:
        """One line for each file with strays, with the time of the first; ``parts`` as for
        :meth:`without`."""
        wrong: dict[int, list[float]] = {}
        if self._strays:
            for rows in parts:
                there = self._are_strays(rows["log"], rows["ts"])
                for row in rows[there]:
                    wrong.setdefault(int(row["log"]), []).append(float(row["ts"]))
        for file, times in sorted(wrong.items()):
            which = "session is" if len(times) == 1 else "sessions are"
            yield (
                f"{names[file]}: {len(times)} {which} left out, years from all others of the file, "
                f"as at {printed(times[0])}; correct the ts there to have them read"
            )

    def _are_strays(self, log: np.ndarray, ts: np.ndarray) -> np.ndarray:
        found = np.zeros(len(ts), bool)
        for file, spans in self._strays.items():
            for start, stop in spans:
                found |= (log == file) & (ts >= start) & (ts < stop)
        return found
