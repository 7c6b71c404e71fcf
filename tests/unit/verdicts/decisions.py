"""A decider of two classes, and windows for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decision import Decider, Decision
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings

SETTINGS = DecisionSettings(
    identified=0.7,
    known=0.0,
    keep_name=0.6,
    plausible=0.3,
    known_margin=0,
    weight=0.5,
    first_windows=2,
    unfamiliar_windows=3,
    slow_windows=3,
    change_windows=3,
    windows_before_impostor=0,
    established=0,
    persistence=0,
    recovery=100,
    reminder=1000,
)
LAMP, LENS = [1.0, 0.0], [0.0, 1.0]
NEITHER = [0.5, 0.5]
FAMILIAR, UNFAMILIAR = 1.0, -1.0


def decider(settings: DecisionSettings = SETTINGS) -> Decider:
    made = Decider(2, settings)
    made.slots.reserve(4)
    made.begin(np.arange(4), np.zeros(4))
    return made


def feed(
    made: Decider,
    windows: list[list[float]],
    *,
    start: float = 1.0,
    slot: int = 0,
    known: Sequence[float] | float = FAMILIAR,
) -> list[Decision]:
    times = start + np.arange(len(windows), dtype=float)
    return made.update(
        ScoredWindows(
            np.full(len(windows), slot),
            np.arange(len(windows)),
            times,
            np.array(windows, np.float32).reshape(-1, 2),
            np.broadcast_to(np.array(known, np.float32), len(windows)),
        )
    )


def lines(decisions: list[Decision]) -> list[tuple[str, int, str, float]]:
    return [(STATES[d.state], d.device, d.reason, d.since) for d in decisions]
