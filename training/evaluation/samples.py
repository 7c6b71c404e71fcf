"""Samples of baselines as slices of segments: windows of N sessions, or half-hours of the clock.

A segment is a run of one host's sessions in one part of a split. Its windows start empty, as those
of a new host, so no sample crosses its borders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nba_broker.model.windows import Schedule
from training.data.labelled_sessions import LabelledSessions

HALF_HOUR = 1800.0
"""Seconds of a sample of the baselines that use windows of time."""


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The sessions of a split side by side, segment after segment, each in time order.

    row: int64 [m], number of the session. segment: int64 [m], ascending. ts: float64 [m].
    interval: float32 [m], seconds since the segment's previous session, infinite at its first.
    start: int64 [m], the position at which the session's segment begins.
    """

    row: np.ndarray
    segment: np.ndarray
    ts: np.ndarray
    interval: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, sessions: LabelledSessions, segment: np.ndarray) -> Segments:
        """Cut sessions by ``segment``, int64 [n], -1 for none."""
        row = np.flatnonzero(segment >= 0)
        row = row[np.argsort(segment[row], kind="stable")]
        part = replace(sessions, series=np.maximum(segment, 0)).select(segment >= 0)
        # The runtime's own code makes the intervals: here of windows of a single session.
        windows = part.windows(Schedule(1, 1))
        interval = np.zeros(len(sessions), np.float32)
        interval[np.flatnonzero(segment >= 0)[windows.index]] = windows.interval[:, 0]
        cut = segment[row]
        return cls(row, cut, sessions.ts[row], interval[row], np.searchsorted(cut, cut))

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """B slices ``begin`` to before ``end`` of positions in segments, in their order.

    ready: the position of the first session that the sample can predict; it lies in another
    segment, or behind the last, when a segment ends before its sample is complete. All int64.
    """

    begin: np.ndarray
    end: np.ndarray
    ready: np.ndarray

    def __len__(self) -> int:
        return len(self.begin)

    def select(self, keep: np.ndarray) -> Samples:
        """The samples at ``keep``, bool [B] or indices."""
        return Samples(self.begin[keep], self.end[keep], self.ready[keep])

    def positions(self, width: int) -> np.ndarray:
        """The last ``width`` positions of each, int64 [B, width], left-aligned, -1 behind."""
        begin = np.maximum(self.begin, self.end - width)
        place = begin[:, None] + np.arange(width)
        return np.where(place < self.end[:, None], place, -1)

    def covers(self, size: int) -> np.ndarray:
        """Which of ``size`` positions lie in some sample, bool."""
        edges = np.zeros(size + 1, np.int64)
        np.add.at(edges, self.begin, 1)
        np.add.at(edges, self.end, -1)
        covered: np.ndarray = np.cumsum(edges)[:-1] > 0
        return covered


def windows(segments: Segments, length: int, least: int, stride: int = 1) -> Samples:
    """The last ``length`` sessions at every ``stride``-th session from the ``least``-th on."""
    position = np.arange(len(segments))
    number = position - segments.start + 1
    due = position[(number >= least) & ((number - least) % stride == 0)]
    return Samples(np.maximum(segments.start[due], due + 1 - length), due + 1, due)


def half_hours(segments: Segments) -> Samples:
    """The sessions of each half-hour of the clock, complete when the next one has begun."""
    if not len(segments):
        return Samples(*np.zeros((3, 0), np.int64))
    number = (segments.ts // HALF_HOUR).astype(np.int64)
    first = np.ones(len(segments), bool)
    first[1:] = (np.diff(number) != 0) | (np.diff(segments.segment) != 0)
    begin = np.flatnonzero(first)
    end = np.append(begin[1:], len(segments))
    return Samples(begin, end, end)


def latest(samples: Samples, segments: Segments, positions: np.ndarray) -> np.ndarray:
    """The latest complete sample of the same segment at each position, int64, -1 for none.

    positions: positions int64 [A].
    """
    if not len(samples):
        return np.full(len(positions), -1)
    place = np.searchsorted(samples.ready, positions, side="right") - 1
    own = (place >= 0) & (samples.begin[place] >= segments.start[positions])
    return np.where(own, place, -1)
