"""A decider of two classes, and windows for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nba_broker.model.manifest import Thresholds
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decision import Decider, Decision
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings

THRESHOLDS = Thresholds(
    known=0.0, support=(1.0, 1.0), possible=(0.4, 0.4), exponent=1.0, error_rate=0.01
)
SETTINGS = DecisionSettings(
    THRESHOLDS,
    weight=0.5,
    windows_for=2,
    windows_against=3,
    established=0,
    persistence=0,
    recovery=100,
    reminder=1000,
)
LAMP, LENS = [1.0, 0.0], [0.0, 1.0]
EITHER, NEITHER, SILENT = [0.5, 0.5], [0.6, 0.4], [0.7, 0.3]
"""Windows that support both classes, that are against both, and that say nothing."""

FAMILIAR, UNFAMILIAR = 1.0, -1.0

_RATIO = {
    tuple(LAMP): [2.0, -2.0],
    tuple(LENS): [-2.0, 2.0],
    tuple(EITHER): [2.0, 2.0],
    tuple(NEITHER): [-2.0, -2.0],
    tuple(SILENT): [0.0, 0.0],
}


def changed(**changes: float) -> DecisionSettings:
    return replace(SETTINGS, **changes)  # type: ignore[arg-type]


def decider(settings: DecisionSettings = SETTINGS) -> Decider:
    made = Decider(2, settings)
    made.slots.reserve(4)
    made.begin(np.arange(4), np.zeros(4))
    return made


def scored(
    windows: Sequence[list[float]],
    *,
    start: float = 1.0,
    slot: int = 0,
    known: Sequence[float] | float = FAMILIAR,
    ratio: Sequence[list[float]] | None = None,
    telling: float = 60,
) -> ScoredWindows:
    """Windows a second apart; the ratio is that of the probability if it is not given."""
    number = len(windows)
    if ratio is None:
        ratio = [_RATIO[tuple(one)] for one in windows]
    return ScoredWindows(
        np.full(number, slot),
        np.arange(number),
        start + np.arange(number, dtype=float),
        np.array(windows, np.float32).reshape(-1, 2),
        np.broadcast_to(np.array(known, np.float32), number),
        np.array(ratio, np.float32).reshape(-1, 2),
        np.full(number, telling, np.float32),
    )


def feed(made: Decider, windows: Sequence[list[float]], **given: object) -> list[Decision]:
    return made.update(scored(windows, **given))  # type: ignore[arg-type]


def lines(decisions: list[Decision]) -> list[tuple[str, int, str, float]]:
    return [(STATES[d.state], d.device, d.reason, d.since) for d in decisions]
