"""The cumulative sum of each host's surprise over its hours, which raises an alarm where it reaches
a threshold.

A CUSUM (E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954) of the surprise of an
hour, less its mean, its standard deviation and a drift, never below 0. One surprising session does
not reach the threshold; many at once do, and so do few that keep coming.
"""

from __future__ import annotations

import numpy as np

from nba_broker.baseline.settings import BaselineSettings
from nba_broker.records.grouping import changes
from nba_broker.records.slots import Column, Columns

PER_NAT = 256
"""Surprise is summed in whole parts of a nat: the sum is the same in any order."""

COLUMNS = {
    "cusum": Column(np.int32),  # up to the current hour, in parts of a nat
    "hour_surprise": Column(np.int32),  # of the current hour, in parts of a nat
    "mean_surprise": Column(np.float32),  # of an hour, in nats
    "mean_square": Column(np.float32),  # of the surprise of an hour, in nats squared
}


class Cusum:
    """The sums of all hosts, in a stage's ``columns``, which have those of COLUMNS."""

    def __init__(self, columns: Columns, settings: BaselineSettings) -> None:
        self._columns, self._settings = columns, settings

    def add(self, slot: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add the surprise of sessions, in order.

        slot: int64 [n], where the sessions of a host follow each other. parts: surprise in parts of
        a nat, int64 [n]. Returns the sum after each session, int64 [n] in parts of a nat, and
        whether it is an alarm, bool [n]. After an alarm the sum starts again with what exceeded the
        threshold.
        """
        columns = self._columns
        threshold = round(self._settings.threshold * PER_NAT)
        start = np.flatnonzero(changes(slot))
        size = np.diff(np.append(start, len(slot)))
        total = np.cumsum(parts)
        total -= np.repeat(total[start] - parts[start], size)
        level = total + columns["cusum"][slot] + columns["hour_surprise"][slot]
        level -= (level - parts) // threshold * threshold
        alarm = level >= threshold

        host, last = slot[start], start + size - 1
        alarmed = np.logical_or.reduceat(alarm, start)
        surprise = columns["hour_surprise"][host] + total[last]
        columns["hour_surprise"][host] = np.where(alarmed, level[last] % threshold, surprise)
        columns["cusum"][host[alarmed]] = 0
        return level, alarm

    def end_hours(self, slot: np.ndarray, passed: np.ndarray) -> np.ndarray:
        """Add the current hour of these hosts, slot int64 [n], to their sums; ``passed``: hours
        until their next, float64 [n], at least 1. Returns whose sum is 0, bool [n]."""
        columns, settings = self._columns, self._settings
        surprise = columns["hour_surprise"][slot] / PER_NAT
        mean, square = columns["mean_surprise"][slot], columns["mean_square"][slot]
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        level = columns["cusum"][slot] / PER_NAT + surprise - mean - deviation
        level = np.maximum(0, level - settings.drift * passed)
        columns["cusum"][slot] = np.round(level * PER_NAT)
        columns["hour_surprise"][slot] = 0
        weight = 1 - np.exp(-passed / settings.mean_memory)
        hourly = np.minimum(surprise, settings.hourly_cap) / passed
        columns["mean_surprise"][slot] += weight * (hourly - mean)
        columns["mean_square"][slot] += weight * (hourly**2 - square)
        return np.asarray(level == 0)

    def clear(self, slot: np.ndarray) -> None:
        """Set the sums of these hosts to 0; their mean stays."""
        for name in ("cusum", "hour_surprise"):
            self._columns[name][slot] = 0
