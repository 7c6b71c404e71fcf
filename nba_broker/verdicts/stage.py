"""The stage that decides: the context of hosts before a step, and the decisions after it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scores
from nba_broker.model.windows import Windows
from nba_broker.verdicts.applied_annotations import Applied, AppliedAnnotations
from nba_broker.verdicts.decide import Alarms, decide
from nba_broker.verdicts.decision import Decider, Decision
from nba_broker.verdicts.decision_rules import ScoredWindows


class Context(NamedTuple):
    """The context of n sessions' hosts before these sessions.

    device_class: the class whose baseline applies to the host, int16 [n], or NO_DEVICE. named:
    whether the host has ever had a device name, bool [n]. counted: whether the baseline counts the
    session, bool [n]; it does not if an analyst ignores the destination.
    """

    device_class: np.ndarray
    named: np.ndarray
    counted: np.ndarray


class Verdicts:
    """Decides from scores, alarms, the hosts' states and the applied annotations."""

    def __init__(self, decider: Decider, annotations: AppliedAnnotations, pools: Pools) -> None:
        self._decider = decider
        self._annotations = annotations
        self._pools = pools

    def context(
        self,
        slot: np.ndarray,
        ts: np.ndarray,
        pool: np.ndarray,
        dst: np.ndarray,
        name: np.ndarray,
    ) -> Context:
        """The context before sessions: slot int64 [n], ts float64 [n], pool int32 [n] into the
        table of pools, dst "V16" [n], name int32 [n] by number."""
        return Context(
            device_class=self._decider.class_of(slot),
            named=self._decider.is_named(slot),
            counted=~self._annotations.ignored_destinations.ignored(slot, ts, pool, dst, name),
        )

    def decide(
        self,
        slot: np.ndarray,
        ts: np.ndarray,
        windows: Windows,
        scores: Scores | None,
        alarms: Sequence[int],
    ) -> Sequence[Decision | Applied]:
        """The decisions that a step's windows and alarms lead to, in event order.

        slot int64 [n], ts float64 [n]: the step's sessions. scores: of the windows, None if there
        are none. alarms: the places of the sessions that raised an alarm. An Applied is a name that
        a new prototype gives to a similar host.
        """
        if scores is None and not alarms:
            return ()
        ends_with_prototype = self._annotations.ends_with_prototype(windows)
        return decide(
            self._decider,
            self._scored(windows, scores, ts),
            Alarms.at(alarms, slot, ts),
            add_prototype=(
                partial(self._add_prototype, windows, ts) if ends_with_prototype else None
            ),
        )

    def _scored(self, windows: Windows, scores: Scores | None, ts: np.ndarray) -> ScoredWindows:
        """Windows with their scores, their similarity to prototypes, and whether they are muted."""
        if scores is None:
            return ScoredWindows.none()
        when, prototypes = ts[windows.index], self._annotations.prototypes
        return ScoredWindows.of(
            windows,
            when,
            scores,
            similarity=(
                prototypes.similarity(windows, self._pools.table) if len(prototypes) else None
            ),
            devices=prototypes.devices,
            muted=self._annotations.ignored_destinations.muted(windows, scores.attention, when),
        )

    def _add_prototype(self, windows: Windows, ts: np.ndarray) -> list[Applied]:
        """Make the host of the last window, which an analyst named, a prototype."""
        last = len(windows) - 1
        when = float(ts[windows.index[last]])
        window = windows.part(last, last + 1)
        return self._annotations.add_prototype(int(windows.slot[last]), when, window)
