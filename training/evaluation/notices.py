"""What a worker would say of labelled hosts, and which of it Zeek would raise a notice of.

As in the pipeline, but for what labelled sessions have no need of: identity, answers, evidence.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.host_baseline import (
    HOUR,
    Anomaly,
    BaselineSettings,
    HostBaseline,
    HostSessions,
)
from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import HostWindows
from nba_broker.records.ports import port_name
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decide import Alarms, decide
from nba_broker.verdicts.decision import NO_ROW, Decider, Decision
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.states import ALARMING, NO_DEVICE, UNKNOWN

BASELINE = 604_800.0
"""Seconds after a host's first session in which it is not noticed for being unknown alone; the
default of the package's option, as is SUPPRESSION."""

SUPPRESSION = 86_400.0
"""Seconds in which the same notice about the same host and device is not raised again."""

_CHUNK = 65_536  # sessions at once, so that windows take no memory to speak of


@dataclass(frozen=True, slots=True)
class Turn:
    """A host's state changed at the session ``index``, at ``ts``; ``anomaly`` is the alarm that
    did it, if one did."""

    index: int
    ts: float
    decision: Decision
    anomaly: Anomaly | None = None

    @property
    def slot(self) -> int:
        """The host."""
        return self.decision.slot


@dataclass(frozen=True, slots=True)
class Stream:
    """Sessions of hosts, in time order: slot int64 [n], ts float64 [n], pool int32 [n] into
    ``table``, dport int32 [n]."""

    slot: np.ndarray
    ts: np.ndarray
    pool: np.ndarray
    dport: np.ndarray
    table: list[str]

    def first_seen(self) -> np.ndarray:
        """Each host's first session, float64 [slots]; infinity for one without any."""
        first = np.full(int(self.slot.max(initial=-1)) + 1, np.inf)
        np.minimum.at(first, self.slot, self.ts)
        return first

    def turns(self, scorer: Scorer, settings: BaselineSettings) -> list[Turn]:
        """All changes of state, in the order of the sessions."""
        manifest = scorer.manifest
        sequences = HostWindows(manifest.schedule, evidence=False)
        baseline = HostBaseline(settings, ClassBaseline.of_model(manifest))
        decider = Decider(len(manifest.classes), DecisionSettings.of_model(manifest))
        decider.slots.reserve(int(self.slot.max(initial=-1)) + 1)
        found: list[Turn] = []
        for start, stop in self._parts():
            rows = slice(start, stop)
            slot, ts = self.slot[rows], self.ts[rows]
            columns = {"pool": self.pool[rows], "dport": self.dport[rows]}
            windows = sequences.push(slot, ts, **columns)
            kind = decider.kinds(slot)
            sessions = HostSessions(slot, ts, device_class=kind, **columns)
            _, anomalies = baseline.push(sessions, self.table)
            scored = ScoredWindows.none()
            if len(windows):
                scores = scorer(windows, self.table)
                scored = ScoredWindows(
                    windows.slot,
                    windows.index,
                    ts[windows.index],
                    scores.probability,
                    scores.known,
                )
            alarms = Alarms.at([one.index for one in anomalies], slot, ts)
            for one in decide(decider, scored, alarms):
                anomaly = None if one.alarm == NO_ROW else anomalies[one.alarm]
                index = int(windows.index[one.window]) if anomaly is None else anomaly.index
                found.append(Turn(start + index, float(ts[index]), one, anomaly))
        return found

    def _parts(self) -> Iterator[tuple[int, int]]:
        """Where parts begin and end: none goes on beyond an hour, as in the pipeline, since what a
        host is taken for as one begins counts for all of it."""
        hours = np.flatnonzero(np.diff(self.ts // HOUR)) + 1
        ends = np.union1d(hours, np.arange(_CHUNK, len(self.ts) + _CHUNK, _CHUNK))
        ends = np.minimum(ends, len(self.ts)).tolist()
        yield from zip([0, *ends[:-1]], ends, strict=True)


class Manager:
    """Zeek's manager with its default options, as far as it raises notices about hosts."""

    def __init__(self) -> None:
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
        """Whether a line about a host has a notice; lines come in their order."""
        if state not in ALARMING or reason != "change":
            return False
        if state == UNKNOWN and ts - first_seen < BASELINE:
            return False
        key = (host, state, device)
        if ts - self._latest.get(key, -np.inf) < SUPPRESSION:
            return False
        self._latest[key] = ts
        return True


def raised(turns: Sequence[Turn], first_seen: np.ndarray) -> Iterator[Turn]:
    """Those of which Zeek's manager raises a notice."""
    manager = Manager()
    for turn in turns:
        one = turn.decision
        if manager.raises(
            turn.ts, turn.slot, one.state, one.device, one.reason, first_seen[turn.slot]
        ):
            yield turn


def told(turn: Turn, names: Sequence[str], table: Sequence[str]) -> str:
    """Why, in a line: ``names`` of the model's classes, ``table`` of pools."""
    decision = turn.decision
    if turn.anomaly is None:
        order = np.argsort(-decision.probability, kind="stable")[:2].tolist()
        nearest = ", ".join(f"{names[k]}={decision.probability[k]:.2f}" for k in order)
        before = STATES[decision.was_state]
        if decision.was_device != NO_DEVICE:
            before += f" {names[decision.was_device]}"
        return f"was {before}; {nearest}"
    parts = [
        f"{table[one.pool]} {port_name(one.dport)} {one.surprise:.1f}"
        for one in turn.anomaly.evidence
    ]
    return f"{turn.anomaly.sessions} sessions unlike it; {', '.join(parts)}"


def wrong(turn: Turn, truth: int) -> bool:
    """Whether a change of a host of class ``truth``, -1 where the model has none, that does nothing
    wrong, says something that is not so."""
    decision = turn.decision
    if decision.state == UNKNOWN:
        return truth >= 0
    return decision.state in ALARMING or decision.device != truth
