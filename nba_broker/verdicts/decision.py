"""The decision: the state of every host, and the log lines of its changes.

A host is ``learning`` until enough windows agree. Its name is the device of an analyst that its
windows are similar to; else the class that they support, if no other class is possible: the network
chooses the class, and a likelihood ratio against hosts in general decides whether it may be said.
Absence of evidence keeps a name; only windows against it, several in a row, take it::

    learning -> identified | unknown            enough windows support a device, or none
    any of these -> ambiguous                   enough windows support one of several devices
    ambiguous -> identified | unknown           one of them remains, or none
    identified <-> unknown                      a name is lost, or found
    identified | unknown -> changed             it had another name for long
    identified | unknown -> impostor            its label names another device
    any of these <-> misbehaving                an alarm of its baseline; none for long
    changed, impostor -> identified             it behaves as its device again; an annotation

Event time drives everything. No host's state depends on another host's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.verdicts.decision_rules import (
    Appearance,
    ScoredWindows,
    SmoothedWindows,
    Transitions,
    appearance,
    hosts,
    similar_device,
    smooth,
    transitions,
)
from nba_broker.verdicts.host_states import HostStates
from nba_broker.verdicts.states import (
    ALARMING,
    AMBIGUOUS,
    CHANGED,
    IDENTIFIED,
    IMPOSTOR,
    LEARNING,
    MISBEHAVING,
    NO_DEVICE,
    UNKNOWN,
)

NO_ROW = -1
"""The row of a decision without a window, or without an alarm."""

ANNOTATED = "annotation"
"""The reason of a line that an annotation causes, or that an annotation mutes."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One line to be logged: the state of a host, and why it is logged now.

    window, alarm: the row of the step's window or alarm that decided; NO_ROW for the other one, or
    for both. was_state, was_device: the state and device before ``since``. label: the device that
    an analyst gave the host, or NO_DEVICE. confidence: the probability of ``device``, or of the
    nearest class if that is NO_DEVICE; 1 if an analyst named it. probability: smoothed and
    calibrated, float32 [K]. possible: which classes the evidence does not rule out, bool [K].
    reason: ``change``, ``reminder``, or ANNOTATED, which also marks a change into one of
    ALARMING that an annotation mutes.
    """

    window: int
    slot: int
    state: int
    device: int
    was_state: int
    was_device: int
    label: int
    confidence: float
    probability: np.ndarray
    possible: np.ndarray
    since: float
    reason: str
    alarm: int = NO_ROW


class Decider(HostStates):
    """Changes the states of hosts; :class:`HostStates` reads them."""

    def standing(self, slot: int) -> Decision:
        """The present state of the host, as a reminder."""
        return self._decision(slot, "reminder")

    def begin(self, slots: np.ndarray, ts: np.ndarray) -> None:
        """These hosts, int64 [n], have just been logged as ``learning``, at ts float64 [n]."""
        self.columns["since"][slots] = ts
        self.columns["logged_at"][slots] = ts

    def update(self, scored: ScoredWindows) -> list[Decision]:
        """Take B windows in time order; returns the decisions, in the same order."""
        if not len(scored):
            return []
        decisions: list[Decision] = []
        windows = smooth(self.columns, self.settings, scored)
        while len(windows):
            # Few windows change a state. All are judged as if none did; those after the first
            # change of each host are judged again.
            start, stop = hosts(windows.slot)
            similar, similarity = self._similar(windows, scored)
            looks = appearance(self.columns, self.settings, windows, start, similar)
            found = transitions(self.columns, self.settings, windows, looks)
            acting = np.append(np.flatnonzero(found.acts), len(windows))
            last = np.minimum(acting[np.searchsorted(acting, start)], stop - 1)
            self._remember(windows, looks, last)
            self._remember_similarity(windows.slot, similar, similarity, start, last)
            for row in last[found.acts[last]].tolist():
                decision = self._act(windows, found, row, scored)
                decisions += [] if decision is None else [decision]
            windows = windows.part(np.arange(len(windows)) > np.repeat(last, stop - start))
        return sorted(decisions, key=lambda decision: decision.window)

    def alarm(self, slot: int, ts: float, row: int = NO_ROW) -> Decision | None:
        """Take an alarm of the host's baseline, number ``row`` of the step; returns the decision,
        or None if there is none.

        A ``learning`` host cannot be ``misbehaving``. The sessions of a host that has just changed
        are new for it, and its change is logged already.
        """
        self.columns["alarmed_at"][slot] = ts
        state = self.columns["state"][slot]
        if state in (LEARNING, MISBEHAVING):
            return None
        if state == CHANGED and ts - self.columns["since"][slot] < self.settings.recovery:
            return None
        self.columns["underlying"][slot] = state
        device = int(self.columns["device"][slot])
        reason = self._reason(slot, ts, MISBEHAVING)
        return self._turn(slot, ts, MISBEHAVING, device, reason, alarm=row)

    # Annotations.

    def label(self, slot: int, ts: float, device: int, at: float) -> Decision:
        """Apply a label, an annotation of ``at`` that names the host.

        If the host had another name, the label corrects it: the host may still resemble that
        device. If the model does not know the label's device, the host may resemble one class, see
        :mod:`nba_broker.verdicts.decision_rules`.
        """
        columns = self.columns
        before, label = columns["device"][slot], columns["label"][slot]
        if before != label:
            columns["lookalike"][slot] = NO_DEVICE if before == device else before
        columns["label"][slot] = device
        columns["label_at"][slot] = at
        if not before == label == device:
            self._rename(slot, ts, device)
        self._restart(slot)
        return self._turn(slot, ts, IDENTIFIED, device, ANNOTATED)

    def recognise(self, slot: int, ts: float, device: int, similarity: float) -> Decision:
        """Name a host that is similar to one that an analyst has just named."""
        self.columns["similarity"][slot] = similarity
        self._rename(slot, ts, device)
        return self._turn(slot, ts, IDENTIFIED, device, ANNOTATED)

    def unlabel(self, slot: int, ts: float) -> Decision | None:
        """Withdraw the host's label. The host is no longer an ``impostor``; it keeps its name
        until its windows show another device."""
        columns = self.columns
        columns["label"][slot] = columns["lookalike"][slot] = NO_DEVICE
        columns["label_at"][slot] = 0
        device = int(columns["device"][slot])
        self._rename(slot, ts, device)  # only the label had established it
        if columns["underlying"][slot] == IMPOSTOR:
            columns["underlying"][slot] = IDENTIFIED
        if columns["state"][slot] != IMPOSTOR:
            return None
        return self._turn(slot, ts, IDENTIFIED, device, ANNOTATED)

    def confirm(self, slot: int, ts: float, at: float) -> Decision:
        """Apply a confirmation of ``at``: the host's behaviour is right, in any state."""
        columns = self.columns
        columns["confirmed_at"][slot] = at
        columns["alarmed_at"][slot] = 0
        state, device = int(columns["state"][slot]), int(columns["device"][slot])
        if state == MISBEHAVING:
            state = int(columns["underlying"][slot])
        if state == IMPOSTOR:
            columns["lookalike"][slot] = device
            device = int(columns["label"][slot])
        if device != NO_DEVICE:
            state = IDENTIFIED
            self._rename(slot, ts - self.settings.established, device)
        return self._turn(slot, ts, state, device, ANNOTATED)

    def ignore(self, slot: int, until: float) -> None:
        """Suppress notices about the host until ``until``, in seconds since the epoch. If its state
        is in ALARMING at its first window after that, the state is logged again."""
        self.columns["ignored_until"][slot] = until

    # Changes of a host's state.

    def _rename(self, slot: int, ts: float, device: int) -> None:
        self.columns["last_name"][slot] = device
        self.columns["former_name"][slot] = NO_DEVICE
        self.columns["named_since"][slot] = ts
        self._restart(slot)

    def _restart(self, slot: int) -> None:
        """Count the host's windows anew."""
        self.columns["candidate_windows"][slot] = self.columns["against_windows"][slot] = 0

    def _turn(
        self, slot: int, ts: float, state: int, device: int, reason: str, alarm: int = NO_ROW
    ) -> Decision:
        columns = self.columns
        columns["was_state"][slot] = columns["state"][slot]
        columns["was_device"][slot] = columns["device"][slot]
        columns["state"][slot] = state
        columns["device"][slot] = device
        columns["since"][slot] = columns["logged_at"][slot] = ts
        return self._decision(slot, reason, alarm=alarm)

    def _reason(self, slot: int, ts: float, state: int, muted: bool = False) -> str:
        """The reason of the line of a change into ``state``."""
        muted = muted or ts < self.columns["ignored_until"][slot]
        return ANNOTATED if muted and state in ALARMING else "change"

    def _decision(
        self, slot: int, reason: str, *, window: int = NO_ROW, alarm: int = NO_ROW
    ) -> Decision:
        columns = self.columns
        device, label = int(columns["device"][slot]), int(columns["label"][slot])
        smoothed = columns["probability"][slot]
        probability = self.settings.calibrated(smoothed)
        possible = self.settings.are_possible(smoothed)
        name = int(columns["last_name"][slot])
        if columns["state"][slot] == UNKNOWN:  # no device explains it
            possible[:] = False
        if columns["state"][slot] == AMBIGUOUS and 0 <= name < self._classes:
            possible[name] = True
        if device == NO_DEVICE:
            confidence = probability.max()
        elif device == label:
            confidence = np.float32(1)
        else:
            of_model = device < self._classes
            confidence = probability[device] if of_model else columns["similarity"][slot]
        return Decision(
            window=window,
            slot=slot,
            state=int(columns["state"][slot]),
            device=device,
            was_state=int(columns["was_state"][slot]),
            was_device=int(columns["was_device"][slot]),
            label=label,
            confidence=float(confidence),
            probability=probability,
            possible=possible,
            since=float(columns["since"][slot]),
            reason=reason,
            alarm=alarm,
        )

    def _similar(
        self, windows: SmoothedWindows, scored: ScoredWindows
    ) -> tuple[np.ndarray, np.ndarray]:
        """The device of an analyst that each window is similar to, int16 [n], or NO_DEVICE; and the
        similarity, float32 [n]."""
        if scored.similarity is None or scored.devices is None:
            nothing = np.full(len(windows), NO_DEVICE, np.int16)
            return nothing, np.zeros(len(windows), np.float32)
        own = self.device_of(windows.slot)
        return similar_device(scored.similarity[windows.row], scored.devices, own)

    def _remember(self, windows: SmoothedWindows, looks: Appearance, last: np.ndarray) -> None:
        """Store each host's state after its window ``last``, int64 [hosts]."""
        columns, slot = self.columns, windows.slot[last]
        columns["windows"][slot] = windows.count[last]
        columns["probability"][slot] = windows.probability[last]
        columns["candidate"][slot] = looks.candidate[last]
        columns["candidate_windows"][slot] = looks.windows[last]
        columns["candidate_since"][slot] = looks.since[last]
        columns["against_windows"][slot] = looks.against[last]
        columns["against_since"][slot] = looks.against_since[last]

    def _remember_similarity(
        self,
        slot: np.ndarray,
        similar: np.ndarray,
        similarity: np.ndarray,
        start: np.ndarray,
        last: np.ndarray,
    ) -> None:
        """Store each host's similarity at the last of its windows, ``start`` to ``last``, that was
        similar to any device."""
        at = np.where(similar == NO_DEVICE, NO_ROW, np.arange(len(slot)))
        at = np.maximum.accumulate(at)[last]
        found = at >= start
        self.columns["similarity"][slot[last[found]]] = similarity[at[found]]

    def _act(
        self, windows: SmoothedWindows, found: Transitions, row: int, scored: ScoredWindows
    ) -> Decision | None:
        """Apply the transition of one window to its host; returns the decision if a line is due."""
        columns = self.columns
        slot, ts, window = int(windows.slot[row]), float(windows.ts[row]), int(windows.row[row])
        muted = scored.muted is not None and bool(scored.muted[window])
        turns, unmutes = bool(found.turns[row]), bool(found.unmutes[row])
        if found.settles[row]:
            columns["lookalike"][slot] = columns["candidate"][slot]
        if turns:
            self._change(slot, ts, int(found.state[row]), int(found.device[row]))
        if unmutes:
            columns["ignored_until"][slot] = 0
        now = int(columns["state"][slot])
        again = unmutes and now in ALARMING and not muted
        if not (turns or again or found.due[row]):
            return None
        columns["logged_at"][slot] = ts
        reason = "change" if again else "reminder"
        # The state to which a host recovers was logged before; there is no second notice.
        if turns and not (found.recovers[row] and now in ALARMING):
            reason = self._reason(slot, ts, now, muted)
        return self._decision(slot, reason, window=window)

    def _change(self, slot: int, ts: float, state: int, device: int) -> None:
        """Set the state and the device that a host's windows show."""
        columns, name = self.columns, self.columns["last_name"][slot]
        columns["was_state"][slot] = columns["state"][slot]
        # A changed host had its last name for long, even if it was unknown in between.
        columns["was_device"][slot] = name if state == CHANGED else columns["device"][slot]
        columns["state"][slot] = state
        columns["device"][slot] = device
        columns["against_windows"][slot] = 0
        if device not in (NO_DEVICE, name) and columns["label"][slot] == NO_DEVICE:
            columns["former_name"][slot] = name
            columns["last_name"][slot] = device
            columns["named_since"][slot] = ts
        columns["since"][slot] = ts
