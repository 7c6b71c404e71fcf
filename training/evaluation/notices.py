"""The notices that Zeek raises of changes of verdict, and which changes are wrong."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from nba_broker.records.ports import port_name
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.states import ALARMING, NO_DEVICE, UNKNOWN
from training.evaluation.verdicts import Change

BASELINE = 604_800.0
"""Seconds after a host's first session in which ``unknown`` alone raises no notice. This is the
default of the package's option, as SUPPRESSION is."""

SUPPRESSION = 86_400.0
"""Seconds in which the same notice about the same host and device is raised once."""


class Manager:
    """The notices about hosts of zeek-scripts/notice.zeek.

    baseline, suppression: the package's options ``NBA::baseline`` and ``NBA::notice_suppression``,
    in seconds.
    """

    def __init__(self, baseline: float = BASELINE, suppression: float = SUPPRESSION) -> None:
        self._baseline = baseline
        self._suppression = suppression
        self._latest: dict[tuple[Hashable, ...], float] = {}

    def raises(
        self,
        ts: float,
        host: Hashable,
        state: int,
        device: Hashable,
        reason: str,
        first_seen: float,
    ) -> bool:
        """Whether a log line about a host raises a notice; lines come in their order."""
        if state not in ALARMING or reason != "change":
            return False
        if state == UNKNOWN and ts - first_seen < self._baseline:
            return False
        key = (host, state, device)
        if ts - self._latest.get(key, -np.inf) < self._suppression:
            return False
        self._latest[key] = ts
        return True


def raised(changes: Sequence[Change], first_seen: np.ndarray) -> Iterator[Change]:
    """The changes of which Zeek's manager raises a notice; first_seen: float64 [slots]."""
    manager = Manager()
    for change in changes:
        one = change.decision
        if manager.raises(
            change.ts, change.slot, one.state, one.device, one.reason, first_seen[change.slot]
        ):
            yield change


def reason(change: Change, names: Sequence[str], table: Sequence[str]) -> str:
    """The reason of a change in a line: ``names`` of the model's classes, ``table`` of pools."""
    decision = change.decision
    if change.anomaly is None:
        order = np.argsort(-decision.probability, kind="stable")[:2].tolist()
        nearest = ", ".join(f"{names[k]}={decision.probability[k]:.2f}" for k in order)
        before = STATES[decision.was_state]
        if decision.was_device != NO_DEVICE:
            before += f" {names[decision.was_device]}"
        return f"was {before}; {nearest}"
    parts = [
        f"{table[one.pool]} {port_name(one.dport)} {one.surprise:.1f}"
        for one in change.anomaly.evidence
    ]
    return f"{change.anomaly.sessions} surprising sessions; {', '.join(parts)}"


def wrong(change: Change, truth: int) -> bool:
    """Whether a change is wrong for a benign host of class ``truth``, -1 for a class that the model
    does not have."""
    decision = change.decision
    if decision.state == UNKNOWN:
        return truth >= 0
    return decision.state in ALARMING or decision.device != truth
