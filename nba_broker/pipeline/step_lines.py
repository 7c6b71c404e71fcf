"""The lines that a step's new hosts, decisions, alarms and annotations lead to, with evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nba_broker.baseline.host_baseline import Anomaly
from nba_broker.baseline.missing import Regular
from nba_broker.destinations.lookup import Lookup
from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.bonds import Bond
from nba_broker.hosts.routers import Router
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scores
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.pipeline.lines import At, Lines
from nba_broker.pipeline.timeline import Step
from nba_broker.records.evidence import Evidence, NamedByAnalyst, uids
from nba_broker.records.verdicts import STATES, SessionCount, Verdict
from nba_broker.verdicts import evidence
from nba_broker.verdicts.applied_annotations import Applied, AppliedAnnotations
from nba_broker.verdicts.decision import NO_ROW, Decider, Decision
from nba_broker.verdicts.state_evidence import StateEvidence
from nba_broker.verdicts.states import IMPOSTOR, NO_DEVICE


class StepLines:
    """Makes the lines of a step. It changes no state but ``state_evidence``.

    lines: makes one line from a decision. destinations: knows an address in each pool.
    state_evidence: keeps the evidence of lines with which a state began.
    """

    def __init__(
        self,
        lines: Lines,
        windows: HostWindows,
        annotations: AppliedAnnotations,
        decider: Decider,
        pools: Pools,
        names: NameTable,
        destinations: Lookup,
        state_evidence: StateEvidence,
    ) -> None:
        self._lines = lines
        self._windows = windows
        self._annotations = annotations
        self._decider = decider
        self._pools = pools
        self._names = names
        self._destinations = destinations
        self._state_evidence = state_evidence

    def use(self, model: str) -> None:
        """Name another model in the lines."""
        self._lines.model = model

    def new(self, step: Step, manifest: Manifest) -> list[Verdict]:
        """The first line of each new host, before the windows have the step's sessions."""
        if not len(step.new):
            return []
        slots = step.slot[step.new].tolist()
        numbers = self._windows.numbers(step.slot)[step.new].tolist()
        lines = []
        for row, slot, count in zip(step.new.tolist(), slots, numbers, strict=True):
            at = self._lines.at(step, row, count)
            missing = evidence.of_missing(count, manifest, self._decider.settings)
            lines.append(self._lines.new(slot, at, missing, step.sessions.uid[row]))
        return lines

    def annotated(self, step: Step, row: int, applied: Sequence[Applied]) -> list[Verdict]:
        """The lines of annotations that are first applied to a host at this session, before the
        windows have the step's sessions."""
        slot = int(step.slot[row])
        here = self._lines.at(step, row, int(self._windows.count[slot]) + 1)
        return [
            self._lines.decided(one.decision, here._replace(ts=one.ts), one.evidence)
            if one.decision.slot == slot
            else self.applied(one)
            for one in applied
        ]

    def applied(self, applied: Applied) -> Verdict:
        """The line of an annotation that was applied to a host without a session."""
        slot = applied.decision.slot
        at = self._lines.latest(slot, applied.ts, int(self._windows.count[slot]))
        return self._lines.decided(applied.decision, at, applied.evidence)

    def decided(
        self,
        step: Step,
        windows: Windows,
        scores: Scores | None,
        anomalies: Sequence[Anomaly],
        changes: Sequence[Decision | Applied],
    ) -> list[Verdict]:
        """The lines of decisions, with their evidence."""
        lines = []
        for one in changes:
            if isinstance(one, Applied):
                lines.append(self.applied(one))
            elif one.alarm != NO_ROW:
                lines.append(self._alarm(step, anomalies[one.alarm], one))
            elif scores is not None:
                lines.append(self._window(step, windows, scores, one))
        return lines

    def _window(self, step: Step, windows: Windows, scores: Scores, decision: Decision) -> Verdict:
        """The line that a window leads to."""
        row = decision.window
        why = evidence.of_window(windows, scores, row, self._pools, self._names)
        if decision.state == IMPOSTOR:
            named = self._annotations.devices[decision.label].device
            why = (NamedByAnalyst(named), *why)
        at = self._lines.at(step, int(windows.index[row]), int(windows.count[row]))
        self._keep(decision, at, why)
        # Other lines of a step know no names: the present window may have sessions after the line.
        asked = self._names.asked(windows.columns["name"][row])
        return self._lines.decided(decision, at, why, uids(why), asked)

    def _alarm(self, step: Step, anomaly: Anomaly, decision: Decision) -> Verdict:
        """The line of an alarm."""
        why = evidence.of_anomaly(anomaly, self._pools, self._names)
        at = self._at(step, anomaly.index)
        self._keep(decision, at, why)
        return self._lines.decided(decision, at, why, uids(why))

    def _keep(self, decision: Decision, at: At, why: tuple[Evidence, ...]) -> None:
        began = decision.since == at.ts
        self._state_evidence.take(decision.slot, decision.state, why, began)

    def regular(self, step: Step, regular: Regular) -> Verdict:
        """The line of a regular destination that is missing or back; the host's state stays."""
        address = self._destinations.address(regular.pool)
        why = evidence.of_regular(regular, address, self._pools)
        decision = replace(self._decider.standing(regular.slot), reason="missing")
        return self._lines.decided(decision, self._at(step, regular.index), why)

    def ended(self, step: Step, ended: Router | Bond) -> Verdict:
        """The last line of a host that turned out to be a router, or part of a bond."""
        slot, was = ended.slot, self._decider.host(ended.slot)
        count = int(self._windows.count[slot])
        at = At(ended.ts, step.sessions.host[-1], step.segment(-1), count)
        previous = (
            STATES[was.state]
            if was.device == NO_DEVICE
            else self._annotations.devices[was.device].device
        )
        return self._lines.ended(slot, at, previous, ended.evidence, step.sessions.uid[-1])

    def standing(self, slots: Sequence[int]) -> Iterator[Verdict]:
        """The present verdict of these hosts, as of each one's latest session, with the evidence
        with which a state that needs attention began, and with where it goes."""
        for slot in slots:
            ts, count = float(self._windows.last_ts[slot]), int(self._windows.count[slot])
            at = self._lines.latest(slot, ts, count)
            goes = evidence.of_host(self._windows, slot, self._names)
            asked = self._names.asked(self._windows.latest(np.array([slot])).columns["name"][0])
            standing = self._decider.standing(slot)
            why = self._state_evidence.of(slot, standing.state)
            yield self._lines.decided(
                standing, at, (*why, *goes), uids(why), asked=asked, before=np.inf
            )

    def session_counts(self, slots: Sequence[int]) -> Iterator[SessionCount]:
        """How many sessions each of these hosts has had, as in :meth:`standing`."""
        for slot in slots:
            yield self._lines.session_count(slot, int(self._windows.count[slot]))

    def _at(self, step: Step, row: int) -> At:
        count = int(self._windows.count[step.slot[row]]) - step.after(row)
        return self._lines.at(step, row, count)
