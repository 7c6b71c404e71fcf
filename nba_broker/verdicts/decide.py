"""One step's scored windows and alarms, decided in event order.

The live worker, ``score``, the evaluations and the shadow all decide here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import overload

import numpy as np

from nba_broker.records.grouping import changes
from nba_broker.verdicts.applied_annotations import Applied
from nba_broker.verdicts.decision import Decider, Decision
from nba_broker.verdicts.decision_rules import ScoredWindows


@dataclass(frozen=True, slots=True)
class Alarms:
    """A alarms of host baselines, in the order of their sessions.

    slot: the host, int64 [A]. index: the place of the deciding session in the step, int64 [A]. ts:
    that session's time, float64 [A].
    """

    slot: np.ndarray
    index: np.ndarray
    ts: np.ndarray

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def at(cls, index: Sequence[int], slot: np.ndarray, ts: np.ndarray) -> Alarms:
        """The alarms at these places of a step's sessions: slot int64 [n], ts float64 [n]."""
        place = np.array(index, np.int64)
        return cls(slot[place], place, ts[place])


@overload
def decide(
    decider: Decider, windows: ScoredWindows, alarms: Alarms | None = None
) -> list[Decision]: ...


@overload
def decide(
    decider: Decider,
    windows: ScoredWindows,
    alarms: Alarms | None = None,
    *,
    add_prototype: Callable[[], Sequence[Applied]] | None,
) -> list[Decision | Applied]: ...


def decide(
    decider: Decider,
    windows: ScoredWindows,
    alarms: Alarms | None = None,
    *,
    add_prototype: Callable[[], Sequence[Applied]] | None = None,
) -> Sequence[Decision | Applied]:
    """The decisions that the windows and alarms of one step lead to, in event order.

    An alarm follows the window of its session. If the step's last window may make its host a
    prototype, ``add_prototype`` is called after that window and before the alarms of the same
    session, and its results are placed there. The step must end with that session, because other
    hosts are compared with the prototype in their state of that moment.
    """
    alarms = Alarms.at([], windows.slot, windows.ts) if alarms is None else alarms
    rows = np.arange(len(alarms))
    if add_prototype is None:
        return _in_order(decider, windows, alarms, rows)
    late = alarms.index >= windows.index[-1]
    return [
        *_in_order(decider, windows, alarms, rows[~late]),
        *add_prototype(),
        *_in_order(decider, ScoredWindows.none(), alarms, rows[late]),
    ]


def _in_order(
    decider: Decider, windows: ScoredWindows, alarms: Alarms, rows: np.ndarray
) -> list[Decision]:
    """The decisions that windows, and the alarms in ``rows`` int64 [n], lead to."""
    if not len(rows):
        return decider.update(windows)
    of_window, of_alarm = _earlier_alarms(windows, alarms, rows)
    found: list[tuple[int, bool, Decision]] = []
    # No host's state depends on another's. Before round r each host has had r alarms.
    for turn in range(int(of_alarm.max()) + 2):
        own = np.flatnonzero(of_window == turn)
        for one in decider.update(windows.part(own)):
            row = int(own[one.window])
            found.append((int(windows.index[row]), False, changed(one, window=row)))
        for row in rows[of_alarm == turn].tolist():
            decision = decider.alarm(int(alarms.slot[row]), float(alarms.ts[row]), row)
            if decision is not None:
                found.append((int(alarms.index[row]), True, decision))
    found.sort(key=lambda one: one[:2])
    return [decision for *_, decision in found]


def _earlier_alarms(
    windows: ScoredWindows, alarms: Alarms, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many of these alarms the host of each window, int64 [B], and of each alarm, int64 [n],
    had before it."""
    slot = np.append(windows.slot, alarms.slot[rows])
    index = np.append(windows.index, alarms.index[rows])
    is_alarm = np.arange(len(slot)) >= len(windows)
    order = np.lexsort((is_alarm, index, slot))
    before = is_alarm[order].cumsum() - is_alarm[order]
    before -= np.maximum.accumulate(np.where(changes(slot[order]), before, 0))
    earlier = np.empty(len(slot), np.int64)
    earlier[order] = before
    return earlier[: len(windows)], earlier[len(windows) :]
