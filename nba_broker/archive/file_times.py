"""Finds stray sessions: a few in a file whose times are years away from all others of that file.

A clock that is wrong for a moment stamps only a few sessions. Parts of a capture or of a year of
logs that gaps separate have many sessions each, so they stay. A file whose clock is wrong
throughout is read as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from nba_broker.records.times import DAY, print_second

FEW = 32
"""From so many sessions on, a time years away from all others is believed."""

_SHARE = 10  # and if the others are fewer than this many times as many

MONTH = 30 * DAY
NO_CLOCK = 315_532_800 // MONTH
"""The month in which 1980 begins. Zeek is younger, so earlier times are of an unset clock."""
YEAR = 12  # months without a session that separate strays from all others


def are_strays(number: int, others: int) -> bool:
    """Whether ``number`` sessions are too few, beside ``others``, to be believed about a time that
    is years away."""
    return number < FEW and number * _SHARE <= others


@dataclass(slots=True)
class FileTimes:
    """Counts the sessions of each file by month; a file is its number, as rows' ``log`` has it."""

    _months: dict[int, Counter[int]] = field(default_factory=dict)
    _strays: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    number: int = 0
    """Strays; known after :meth:`judge`."""

    def see(self, file: int, ts: np.ndarray) -> None:
        """Count some of a file's sessions; ``ts`` float64 [n]."""
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
        """Decide which sessions are strays; returns how many each file has."""
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
                if are_strays(number, most):
                    left_out[file] += number
                    self._strays.setdefault(file, []).append((first * MONTH, (last + 1) * MONTH))
        self.number = left_out.total()
        return left_out

    def remarks(self) -> Iterator[str]:
        """Warnings about the times of the sessions that stay; call it after :meth:`judge`."""
        left = Counter[bool]()
        for file, months in self._months.items():
            for month, number in months.items():
                spans = self._strays.get(file, ())
                if not any(start <= month * MONTH < stop for start, stop in spans):
                    left[month < NO_CLOCK] += number
        if left[True] and left[False]:
            yield (
                f"{left[True]} of {left.total()} sessions have times before 1980: the sensor's "
                "clock was not set"
            )

    def without(self, parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same parts of rows, which have ``ts`` and ``log``, without the strays."""
        for rows in parts:
            is_stray = self._is_stray(rows["log"], rows["ts"]) if self._strays else None
            yield rows if is_stray is None or not is_stray.any() else rows[~is_stray]

    def lines(self, names: Sequence[str], parts: Iterable[np.ndarray]) -> Iterator[str]:
        """A warning for each file with strays, with the time of the first; ``parts`` as for
        :meth:`without`."""
        wrong: dict[int, list[float]] = {}
        if self._strays:
            for rows in parts:
                is_stray = self._is_stray(rows["log"], rows["ts"])
                for row in rows[is_stray]:
                    wrong.setdefault(int(row["log"]), []).append(float(row["ts"]))
        for file, times in sorted(wrong.items()):
            which = "session is" if len(times) == 1 else "sessions are"
            yield (
                f"{names[file]}: {len(times)} {which} left out: years away from all others of the "
                f"file, such as {print_second(times[0])}; correct their ts to include them"
            )

    def _is_stray(self, log: np.ndarray, ts: np.ndarray) -> np.ndarray:
        found = np.zeros(len(ts), bool)
        for file, spans in self._strays.items():
            for start, stop in spans:
                found |= (log == file) & (ts >= start) & (ts < stop)
        return found
