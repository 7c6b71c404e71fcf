"""What systems decide on, as slices of stretches: windows of N sessions, half-hours of the clock.

A stretch is a run of one host's sessions that belongs to one part of a split as a whole. Its
sequence starts empty, as a host's that was just met, so no instance reaches over its borders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nba_broker.model.windows import Schedule
from training.data.dataset import LabelledSessions

HALF_HOUR = 1800.0
"""Seconds of an instance of the systems that look at time windows."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """The sessions of a split side by side, stretch after stretch, each in time order.

    row: int64 [m], number of the session. stretch: int64 [m], ascending. ts: float64 [m].
    interval: float32 [m], seconds since the stretch's previous session, infinite at its first.
    start: int64 [m], the position at which the session's stretch begins.
    """

    row: np.ndarray
    stretch: np.ndarray
    ts: np.ndarray
    interval: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, sessions: LabelledSessions, stretch: np.ndarray) -> Stretches:
        """Cut sessions by ``stretch``, int64 [n], -1 for those that take no part."""
        row = np.flatnonzero(stretch >= 0)
        row = row[np.argsort(stretch[row], kind="stable")]
        part = replace(sessions, series=np.maximum(stretch, 0)).select(stretch >= 0)
        # The runtime's own code says what an interval is: here of windows of a single session.
        windows = part.windows(Schedule(1, 1))
        interval = np.zeros(len(sessions), np.float32)
        interval[np.flatnonzero(stretch >= 0)[windows.index]] = windows.interval[:, 0]
        cut = stretch[row]
        return cls(row, cut, sessions.ts[row], interval[row], np.searchsorted(cut, cut))

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """B slices ``begin`` to before ``end`` of positions in stretches, in their order.

    ready: the position of the first session that can be answered with it; it lies in another
    stretch, or behind the last, where a stretch ends before its instance is complete. All int64.
    """

    begin: np.ndarray
    end: np.ndarray
    ready: np.ndarray

    def __len__(self) -> int:
        return len(self.begin)

    def select(self, keep: np.ndarray) -> Instances:
        """The instances at ``keep``, a bool [B] or places."""
        return Instances(self.begin[keep], self.end[keep], self.ready[keep])

    def positions(self, width: int) -> np.ndarray:
        """The last ``width`` positions of each, int64 [B, width], left-aligned, -1 behind."""
        begin = np.maximum(self.begin, self.end - width)
        place = begin[:, None] + np.arange(width)
        return np.where(place < self.end[:, None], place, -1)

    def covers(self, size: int) -> np.ndarray:
        """Which of ``size`` positions lie in some instance, bool."""
        edges = np.zeros(size + 1, np.int64)
        np.add.at(edges, self.begin, 1)
        np.add.at(edges, self.end, -1)
        covered: np.ndarray = np.cumsum(edges)[:-1] > 0
        return covered


def windows(stretches: Stretches, length: int, least: int, stride: int = 1) -> Instances:
    """The last ``length`` sessions at every ``stride``-th session from the ``least``-th on."""
    position = np.arange(len(stretches))
    number = position - stretches.start + 1
    due = position[(number >= least) & ((number - least) % stride == 0)]
    return Instances(np.maximum(stretches.start[due], due + 1 - length), due + 1, due)


def half_hours(stretches: Stretches) -> Instances:
    """The sessions of each half-hour of the clock, complete when the next one has begun."""
    if not len(stretches):
        return Instances(*np.zeros((3, 0), np.int64))
    number = (stretches.ts // HALF_HOUR).astype(np.int64)
    first = np.ones(len(stretches), bool)
    first[1:] = (np.diff(number) != 0) | (np.diff(stretches.stretch) != 0)
    begin = np.flatnonzero(first)
    end = np.append(begin[1:], len(stretches))
    return Instances(begin, end, end)


def latest(instances: Instances, stretches: Stretches, asked: np.ndarray) -> np.ndarray:
    """The latest complete instance of the own stretch at each asked position, int64, -1 for none.

    asked: positions int64 [A].
    """
    if not len(instances):
        return np.full(len(asked), -1)
    place = np.searchsorted(instances.ready, asked, side="right") - 1
    own = (place >= 0) & (instances.begin[place] >= stretches.start[asked])
    return np.where(own, place, -1)
