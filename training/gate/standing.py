"""The verdict in which each host stands at each of its windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nba_broker.model.windows import Windows
from nba_broker.verdicts.states import LEARNING, NO_DEVICE
from training.evaluation.verdicts import Change


def standing(windows: Windows, changes: Sequence[Change]) -> tuple[np.ndarray, np.ndarray]:
    """State int8 [B] and device int64 [B] of the host of each of B windows, after the changes up to
    that window."""
    last = np.full(len(windows), -1)
    for place, one in enumerate(changes):
        last[one.row] = place
    order = np.argsort(windows.slot, kind="stable")
    slot = windows.slot[order]
    start = np.searchsorted(slot, slot)
    row = np.maximum.accumulate(np.where(last[order] >= 0, np.arange(len(order)), -1))
    there = row >= start
    state = np.full(len(windows), LEARNING, np.int8)
    device = np.full(len(windows), NO_DEVICE)
    which = last[order][row[there]]
    state[order[there]] = np.array([one.decision.state for one in changes], np.int8)[which]
    device[order[there]] = np.array([one.decision.device for one in changes], np.int64)[which]
    return state, device
