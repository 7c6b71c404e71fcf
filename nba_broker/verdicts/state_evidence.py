"""The evidence with which the present state of a host began, of hosts that need attention."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nba_broker.records.evidence import Evidence
from nba_broker.verdicts.states import CHANGED, IMPOSTOR, MISBEHAVING

KEPT = (CHANGED, MISBEHAVING, IMPOSTOR)
"""States whose evidence is kept; not ``unknown``, as nearly all hosts of a new site are."""


class StateEvidence:
    """Evidence by slot, beside the columns: few hosts have any."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[int, tuple[Evidence, ...]]] = {}

    def take(self, slot: int, state: int, evidence: tuple[Evidence, ...], began: bool) -> None:
        """Note the evidence of a line; ``began``: whether the state began with it."""
        if state not in KEPT:
            self._of.pop(slot, None)
        elif began:
            self._of[slot] = state, evidence

    def of(self, slot: int, state: int) -> tuple[Evidence, ...]:
        """The evidence with which the state of a host began, () where it is not known. The state
        may have ended without a line since, by an annotation or another model."""
        kept, evidence = self._of.get(slot, (state, ()))
        return evidence if kept == state else ()

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times later than ``limit`` become ``now``."""
        for slot, (state, evidence) in self._of.items():
            self._of[slot] = state, tuple(_no_later(one, limit, now) for one in evidence)

    def forget(self, slots: Iterable[int]) -> None:
        """These hosts left."""
        for slot in slots:
            self._of.pop(slot, None)


def _no_later(evidence: Evidence, limit: float, now: float) -> Evidence:
    times = {name: getattr(evidence, name, 0.0) for name in ("ts", "since")}
    late = {name: now for name, value in times.items() if value > limit}
    return replace(evidence, **late)
