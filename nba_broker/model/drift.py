"""Measures drift: means over the last day that change when traffic moves away from the model.

Only hosts that have had a name count, because other hosts show nothing about the model's age. Time
is event time, in hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nba_broker.records.times import DAY, HOUR

HOURS = 24
"""Hours over which the figures are means."""

LEAST = 500
"""Sessions, or scores, that a figure needs; with fewer it would be mostly chance."""

FIGURES = ("never_seen_pools", "known", "confidence", "surprise")

_WEIGHED_BY = {"never_seen_pools": "sessions", "surprise": "sessions"}
_SUMS = ("sessions", "scores", *FIGURES)

_ADVICE = "see docs/renewal.md: nba-train refresh on newer traffic"
_TEXT = {
    "never_seen_pools": "of named hosts' sessions go to pools that the model never saw",
    "known": "of named hosts' scores are of a kind that the model knows",
    "confidence": "is the mean probability of named hosts' first choice",
}


class Drift:
    """Sums by hour, and the means of the last day.

    usual: the figures that the model's manifest has from held-out sessions. For a figure that it
    lacks, this worker's own first day counts as usual.
    """

    def __init__(self, usual: Mapping[str, Any] | None = None) -> None:
        self._sums = np.zeros((HOURS, len(_SUMS)))
        self._hour = np.full(HOURS, -1, np.int64)  # which hour each row holds
        self._now = -1
        self._began = -1
        self.usual: dict[str, float] = {}
        self._own_usual: dict[str, float] = {}
        self._warned: dict[str, int] = {}  # figure -> day
        self.use(usual)

    def use(self, usual: Mapping[str, Any] | None) -> None:
        """Start again for another model."""
        self._sums[:] = 0
        self._hour[:] = -1
        self._began = -1
        self._warned.clear()
        self.usual = {
            name: float(value)
            for name, value in (usual or {}).items()
            if name in FIGURES and isinstance(value, int | float) and 0 <= value <= 1
        }
        self._own_usual = {}

    def sessions(self, ts: float, number: int, never_seen: int, surprise: float) -> None:
        """Count ``number`` sessions of named hosts, the latest at ``ts``. never_seen: how many of
        them went to pools that the model never saw. surprise: the sum of their surprise, in
        nats."""
        self._add(ts, sessions=number, never_seen_pools=never_seen, surprise=surprise)

    def scores(self, ts: float, number: int, known: int, confidence: float) -> None:
        """Count ``number`` scores of named hosts, the latest at ``ts``. known: how many of them are
        familiar enough. confidence: the sum of their highest probabilities."""
        self._add(ts, scores=number, known=known, confidence=confidence)

    def figures(self) -> dict[str, float]:
        """The means over the last day, by figure; only figures with enough data."""
        recent = self._hour > self._now - HOURS
        sums = dict(zip(_SUMS, self._sums[recent].sum(0).tolist(), strict=True))
        found = {}
        for name in FIGURES:
            number = sums[_WEIGHED_BY.get(name, "scores")]
            if number >= LEAST:
                found[name] = sums[name] / number
        return found

    def warnings(self) -> list[str]:
        """A warning for each figure that differs too much from the usual, once a day."""
        if self._now < 0:
            return []
        figures = self.figures()
        if self._began >= 0 and self._now - self._began >= HOURS and not self._own_usual:
            self._own_usual = figures
        usual = self._own_usual | self.usual
        day = int(self._now * HOUR // DAY)
        warnings = []
        for name, text in _TEXT.items():
            if name not in figures or name not in usual or self._warned.get(name) == day:
                continue
            now, before = figures[name], usual[name]
            worse = now > before + max(before, 0.05)
            if name != "never_seen_pools":
                worse = now < before - 0.1
            if worse:
                self._warned[name] = day
                warnings.append(f"drift: {now:.0%} {text} (usual {before:.0%}); {_ADVICE}")
        return warnings

    def _add(self, ts: float, **sums: float) -> None:
        hour = int(ts // HOUR)
        if hour > self._now or hour <= self._now - HOURS:
            self._now = hour  # a sensor's clock may be wrong by years, in either direction
        if self._began < 0:
            self._began = hour
        row = hour % HOURS
        if self._hour[row] != hour:
            self._hour[row] = hour
            self._sums[row] = 0
        for name, value in sums.items():
            self._sums[row, _SUMS.index(name)] += value
