"""The stage that decides: what is known of hosts before a step, and what the step changes."""

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
    """What is known of the hosts of n sessions before these.

    device_class: the class that the host is taken for, int16 [n], or NO_DEVICE. named: whether it
    was ever called a device, bool [n]. counted: whether the baseline counts the session, bool [n]:
    not where an analyst ignores its destination.
    """

    device_class: np.ndarray
    named: np.ndarray
    counted: np.ndarray


class Verdicts:
    """Decides with the hosts' states and the annotations that apply to them."""

    def __init__(self, decider: Decider, annotations: AppliedAnnotations, pools: Pools) -> None:
        self._decider = decider
        self._annotations = annotations
        self._pools = pools

    def context(
        self, slot: np.ndarray, ts: np.ndarray, pool: np.ndarray, dst: np.ndarray
    ) -> Context:
        """What is known before sessions: slot int64 [n], ts float64 [n], pool int32 [n] into the
        table of pools, dst "V16" [n]."""
        return Context(
            device_class=self._decider.kinds(slot),
            named=self._decider.is_named(slot),
            counted=~self._annotations.ignored_destinations.ignored(slot, ts, pool, dst),
        )

    def decide(
        self,
        slot: np.ndarray,
        ts: np.ndarray,
        windows: Windows,
        scores: Scores | None,
        alarms: Sequence[int],
    ) -> Sequence[Decision | Applied]:
        """What the windows and alarms of a step change, in event order.

        slot int64 [n], ts float64 [n]: its sessions. scores: of the windows, None where there are
        none. alarms: the places of the sessions that raised one. Applied are labels that a new
        prototype gave to similar hosts.
        """
        if scores is None and not alarms:
            return ()
        teaches = self._annotations.teaches(windows)
        return decide(
            self._decider,
            self._scored(windows, scores, ts),
            Alarms.at(alarms, slot, ts),
            teach=partial(self._teach, windows, ts) if teaches else None,
        )

    def _scored(self, windows: Windows, scores: Scores | None, ts: np.ndarray) -> ScoredWindows:
        """Windows with their scores, and with what annotations say of them."""
        if scores is None:
            return ScoredWindows.none()
        when, prototypes = ts[windows.index], self._annotations.prototypes
        return ScoredWindows(
            windows.slot,
            windows.index,
            when,
            scores.probability,
            scores.known,
            similarity=(
                prototypes.similarity(windows, self._pools.table) if len(prototypes) else None
            ),
            devices=prototypes.devices,
            muted=self._annotations.ignored_destinations.muted(windows, scores.attention, when),
        )

    def _teach(self, windows: Windows, ts: np.ndarray) -> list[Applied]:
        """The host of the last window, which an analyst named, may become a prototype."""
        last = len(windows) - 1
        when = float(ts[windows.index[last]])
        return self._annotations.teach(int(windows.slot[last]), when, windows.part(last, last + 1))
