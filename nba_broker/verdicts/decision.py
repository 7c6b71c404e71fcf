"""From scores, alarms and answers to verdicts: what is said of a host, and when.

A host is ``learning`` until enough windows agree. It is believed to be the device that an analyst
named and that its windows are like; else the class with the highest probability, if that is high
enough and the windows are of a kind that the model was trained on; else it is unknown. All is
smoothed over windows, and a state that was reached is left only after several windows in a row
speak for another one (hysteresis), so that a device that does nothing new never flips::

    learning -> identified | unknown            enough windows agree on a name, or on none
    identified <-> unknown                      a name is lost, or found
    identified | unknown -> changed             it had another name for long
    identified | unknown -> impostor            an analyst gave it another name
    any of these <-> misbehaving                an alarm of its own baseline, and calm after it
    changed, impostor -> identified             it behaves as it should again, or an answer

Event time drives everything; no host's state depends on another's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from nba_broker.model.windows import by_slot, changes
from nba_broker.records.verdicts import STATES

LEARNING, IDENTIFIED, UNKNOWN, CHANGED, MISBEHAVING, IMPOSTOR = range(len(STATES))
ALARMING = (UNKNOWN, CHANGED, MISBEHAVING, IMPOSTOR)
"""States that an analyst is notified of."""

NOTHING = -1
"""No device: the host is, or may be, unknown."""

# Columns that hold a device, or NOTHING.
DEVICES = ("device", "was_device", "name", "candidate", "given", "accepted")
# And those that hold when something was.
SINCE = ("named", "turning", "since", "logged", "alarmed")


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The policy's few numbers.

    identified, known: the smoothed probability and familiarity from which a class is believed
        (from the model's manifest).
    kept: the smoothed probability down to which a host keeps the name it has, as long as no other
        reaches ``identified``: a host torn between twins stays the one that it was.
    plausible: the smoothed probability from which a host may still be what an analyst named it.
    estranged: by how much the familiarity must be below ``known`` before a host loses the name it
        has; 1 is by how much a usual window is above the edge of what the model tolerates.
    weight, known_weight: of the newest window in the smoothed probability and familiarity, once
        there are so many that their mean would give it less. 0.1 looks back over about twenty,
        as twins differ on average only; 0.15 over about thirteen, as strangers should be seen soon.
    agree: windows in a row that must name the same thing before a host is called something.
    doubt: strange windows in a row before a host that never had a name is unknown.
    torn: windows in a row in which a host that never had a name is familiar, but might be this or
        that, before it is unknown; and in which one that had a name for long, or that may still be
        what an analyst named it, must have another one, or none, before it has it. Twins part only
        in the long run; and what an attacker does with a host takes its name from it no sooner than
        its baseline tells of the attack.
    leave: windows in a row before a host is called something else than it was.
    met: windows that a host must have had before what it is like says anything against an analyst's
        word; 15 are a first full one of the model's. Twins may differ late.
    settled: seconds for which a host must have had a name before another one means that it has
        changed, and not that the first was a mistake.
    lasting: seconds for which such a host must have looked like another, or like none: a burst of
        sessions is its baseline's to judge, hour by hour.
    calm: seconds without an alarm after which a host no longer misbehaves.
    reminder: seconds of event time after which an unchanged host is logged again; 0 for never.
    """

    identified: float = 0.7
    known: float = -np.inf
    kept: float = 0.3
    plausible: float = 0.1
    estranged: float = 0.5
    weight: float = 0.1
    known_weight: float = 0.15
    agree: int = 2
    doubt: int = 3
    torn: int = 24
    leave: int = 6
    met: int = 15
    settled: float = 86_400.0
    lasting: float = 3600.0
    calm: float = 86_400.0
    reminder: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One line to be logged: what is said of a host, and why now.

    ``window``: which window of the batch decided, NOTHING where an alarm or an answer did.
    ``was_state`` and ``was_device`` are what the host was before ``since``. ``given``: the device
    that an analyst named it, or NOTHING. ``confidence``: in ``device``, or in the nearest class
    where that is NOTHING; 1 where an analyst said it. ``reason``: ``annotation`` also for a turn
    into one of ALARMING that nobody wants to be notified of.
    """

    window: int
    slot: int
    state: int
    device: int
    was_state: int
    was_device: int
    given: int
    confidence: float
    probability: np.ndarray
    since: float
    reason: str


class Policy:
    """The state of every host slot.

    ``classes`` is the number K of the model's classes. Devices are numbers: below K the classes,
    from K on those that only analysts named.
    """

    def __init__(self, classes: int, settings: PolicySettings) -> None:
        self.settings = settings
        self._classes = classes
        self._state = np.zeros(0, np.int8)
        self._device = np.zeros(0, np.int16)
        self._was_state = np.zeros(0, np.int8)
        self._was_device = np.zeros(0, np.int16)
        self._beneath = np.zeros(0, np.int8)  # the state to which calm leads back
        self._name = np.zeros(0, np.int16)  # the last device it was called, if any
        self._named = np.zeros(0)  # since when
        self._given = np.zeros(0, np.int16)  # what an analyst called it
        self._accepted = np.zeros(0, np.int16)  # what it may look like all the same
        self._candidate = np.zeros(0, np.int16)
        self._agreeing = np.zeros(0, np.int32)
        self._turning = np.zeros(0)  # since when it has looked like the candidate
        self._windows = np.zeros(0, np.int32)
        self._since = np.zeros(0)
        self._logged = np.zeros(0)
        self._alarmed = np.zeros(0)  # the latest alarm
        self._ignored = np.zeros(0)  # until when nobody wants to be notified
        self._labelled = np.zeros(0)  # the ``at`` of the answers that were applied last
        self._confirmed = np.zeros(0)
        self._smoothed = np.zeros((0, classes), np.float32)
        self._known = np.zeros(0, np.float32)
        self._likeness = np.zeros(0, np.float32)  # to the device that was taught

    def reserve(self, slots: int) -> None:
        """Make room for slot numbers below ``slots``."""
        have = len(self._state)
        if slots <= have:
            return
        size = max(slots, 2 * have, 64)
        for name, old in self.columns().items():
            # Zeros that are never written take no memory, so nobody pays for hosts to come.
            grown = np.zeros((size, *old.shape[1:]), old.dtype)
            grown[:have] = old
            setattr(self, f"_{name}", grown)
        for name in DEVICES:
            getattr(self, f"_{name}")[have:] = NOTHING

    def columns(self) -> dict[str, np.ndarray]:
        """The state itself by name; the first axis is the slot."""
        return {
            name.removeprefix("_"): value
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray)
        }

    def reset(self, slots: np.ndarray) -> None:
        """These slots hold new hosts now, of which nothing is known."""
        for name, column in self.columns().items():
            column[slots] = NOTHING if name in DEVICES else 0

    def use(
        self, classes: int, settings: PolicySettings, number: np.ndarray, last: np.ndarray
    ) -> None:
        """Go on with another model, of ``classes`` classes.

        number: what each device's number is now, int16 [devices], NOTHING for one that is gone;
        last: each host's latest session, float64 [slots]. A host whose name is still one keeps it,
        and its state, until the new model's windows say otherwise for long enough; the others are
        learned anew, without a line. For a day another name is a correction, no change of a host.
        """
        number = np.append(number, NOTHING).astype(np.int16)  # so that NOTHING stays it
        had = self._device != NOTHING
        for name in DEVICES:
            setattr(self, f"_{name}", number[getattr(self, f"_{name}")])
        self._candidate[:] = NOTHING
        judged = np.flatnonzero(self._smoothed.any(1))
        smoothed = np.zeros((len(self._smoothed), classes), np.float32)
        for before in range(self._classes):
            if 0 <= number[before] < classes:
                smoothed[judged, number[before]] = self._smoothed[judged, before]
        self._smoothed = smoothed
        # What the other model thought has no weight beside the new one's first window.
        self._windows[judged] = self._agreeing[judged] = 0
        named = np.flatnonzero(self._name != NOTHING)
        self._named[named] = np.maximum(self._named[named], last[named])

        lost = np.flatnonzero(had & (self._device == NOTHING))
        for states, instead in ((self._state, LEARNING), (self._beneath, UNKNOWN)):
            impostor = lost[states[lost] == IMPOSTOR]
            states[impostor] = IDENTIFIED
            self._device[impostor] = self._given[impostor]
            gone = lost[np.isin(states[lost], (IDENTIFIED, CHANGED))]
            gone = gone[self._device[gone] == NOTHING]
            states[gone] = instead
        self._since[lost] = last[lost]
        self.settings, self._classes = settings, classes

    def begin(self, slots: np.ndarray, ts: np.ndarray) -> None:
        """These hosts have just been logged as ``learning``, at these times."""
        self._since[slots] = ts
        self._logged[slots] = ts

    def update(
        self,
        slot: np.ndarray,
        ts: np.ndarray,
        probability: np.ndarray,
        known: np.ndarray,
        *,
        likeness: np.ndarray | None = None,
        devices: np.ndarray | None = None,
        muted: np.ndarray | None = None,
    ) -> list[Decision]:
        """Take B windows (slot int64 [B], ts float64 [B], probability float32 [B, K], known
        float32 [B]) in time order and return the lines they give rise to, in the same order.

        likeness: how much each is like D devices that analysts named, float32 [B, D], 0 for not
        enough; devices: their numbers, int16 [D]. muted: whether nobody wants an alarm that rests
        on this window, bool [B].
        """
        if not len(slot):
            return []
        decisions: list[Decision] = []
        devices = np.zeros(0, np.int16) if devices is None else devices
        likeness = np.zeros((len(slot), 0), np.float32) if likeness is None else likeness
        muted = np.zeros(len(slot), bool) if muted is None else muted
        order = by_slot(slot)
        windows = self._smooth(order, slot[order], ts[order], probability[order], known[order])
        while len(windows):
            # Few windows do anything: all are looked at as if none did, and again from behind the
            # first of each host that does.
            start, stop = _hosts(windows.slot)
            own = self._device[windows.slot]
            like = taught(likeness[windows.window], devices, own)
            looks = self._looks(windows, start, like[0])
            turns = self._turns(windows, looks)
            acting = np.append(np.flatnonzero(turns.acts), len(windows))
            last = np.minimum(acting[np.searchsorted(acting, start)], stop - 1)
            self._settle(windows, looks, *like, start, last)
            for row in last[turns.acts[last]].tolist():
                decisions += self._act(windows, turns, row, bool(muted[windows.window[row]]))
            windows = windows.part(np.arange(len(windows)) > np.repeat(last, stop - start))
        return sorted(decisions, key=lambda decision: decision.window)

    def alarm(self, slot: int, ts: float) -> Decision | None:
        """The host did what it never does; the line, unless it misbehaved already.

        A host of which nothing is known yet cannot misbehave; what one that has just changed does
        is new for it, and was told with the change.
        """
        self._alarmed[slot] = ts
        state = self._state[slot]
        if state in (LEARNING, MISBEHAVING):
            return None
        if state == CHANGED and ts - self._since[slot] < self.settings.calm:
            return None
        self._beneath[slot] = state
        return self._turn(
            slot, ts, MISBEHAVING, self._device[slot], self._reason(slot, ts, MISBEHAVING)
        )

    def label(self, slot: int, ts: float, device: int, at: float) -> Decision:
        """An analyst says, from ``at`` on, what the host is.

        Said of a host that had another name, it is a correction: behaving as before is right. A
        device that the model does not know may be like one of its classes all the same: what it
        settles on in the first ``settled`` seconds is accepted as well, and what it settles on
        first of all in its first ``torn`` windows.
        """
        before, given = self._device[slot], self._given[slot]
        if before != given:
            self._accepted[slot] = NOTHING if before == device else before
        self._given[slot] = device
        self._labelled[slot] = at
        if not before == given == device:
            self._rename(slot, ts, device)
        self._agreeing[slot] = 0
        return self._turn(slot, ts, IDENTIFIED, device, "annotation")

    def recognise(self, slot: int, ts: float, device: int, likeness: float) -> Decision:
        """The host has behaved all along like one that an analyst has just named."""
        self._likeness[slot] = likeness
        self._rename(slot, ts, device)
        return self._turn(slot, ts, IDENTIFIED, device, "annotation")

    def unlabel(self, slot: int, ts: float) -> Decision | None:
        """What an analyst called the host no longer counts, so it is no impostor either; it keeps
        the name until it acts as another."""
        self._given[slot] = self._accepted[slot] = NOTHING
        self._labelled[slot] = 0
        device = self._device[slot]
        self._rename(slot, ts, device)  # that it had it for long was the analyst's word
        if self._beneath[slot] == IMPOSTOR:
            self._beneath[slot] = IDENTIFIED
        if self._state[slot] != IMPOSTOR:
            return None
        return self._turn(slot, ts, IDENTIFIED, device, "annotation")

    def confirm(self, slot: int, ts: float, at: float) -> Decision:
        """An analyst says that what the host does at ``at`` is right, whatever was said of it."""
        self._confirmed[slot] = at
        self._alarmed[slot] = 0
        state, device = self._state[slot], self._device[slot]
        if state == MISBEHAVING:
            state = self._beneath[slot]
        if state == IMPOSTOR:
            self._accepted[slot] = device
            device = self._given[slot]
        if device != NOTHING:
            state = IDENTIFIED
            self._rename(slot, ts - self.settings.settled, device)
        return self._turn(slot, ts, state, device, "annotation")

    def kinds(self, slot: np.ndarray) -> np.ndarray:
        """The class that each host is taken for, int16 [n], NOTHING for none: what a device that
        only analysts named may look like, or looks like."""
        kind: np.ndarray = self._device[slot]
        foreign = np.flatnonzero(kind >= self._classes)
        if len(foreign):
            hosts = slot[foreign]
            best = self._smoothed[hosts].argmax(1)
            looks = self._smoothed[hosts, best] >= self.settings.identified
            looks &= self._known[hosts] >= self.settings.known
            accepted = self._accepted[hosts]
            ours = (accepted >= 0) & (accepted < self._classes)
            still = self._smoothed[hosts, np.where(ours, accepted, 0)] >= self.settings.kept
            ours &= still & (self._known[hosts] >= self.settings.known - self.settings.estranged)
            kind[foreign] = np.where(ours, accepted, np.where(looks, best, NOTHING))
        return kind

    def standing(self, slot: int) -> Decision:
        """What is said of the host now, as a reminder."""
        return self._decision(NOTHING, slot, "reminder")

    def ignore(self, slot: int, until: float) -> None:
        """Nobody wants to be notified of this host until then.

        If something is wrong with it at its first window after that, it is said again.
        """
        self._ignored[slot] = until

    def _rename(self, slot: int, ts: float, device: int) -> None:
        self._name[slot] = device
        self._named[slot] = ts
        self._agreeing[slot] = 0

    def _turn(self, slot: int, ts: float, state: int, device: int, reason: str) -> Decision:
        self._was_state[slot] = self._state[slot]
        self._was_device[slot] = self._device[slot]
        self._state[slot] = state
        self._device[slot] = device
        self._since[slot] = self._logged[slot] = ts
        return self._decision(NOTHING, slot, reason)

    def _reason(self, slot: int, ts: float, state: int, muted: bool = False) -> str:
        """Why a turn into ``state`` is logged."""
        quiet = muted or ts < self._ignored[slot]
        return "annotation" if quiet and state in ALARMING else "change"

    def _decision(self, window: int, slot: int, reason: str) -> Decision:
        device, given = int(self._device[slot]), int(self._given[slot])
        probability = self._smoothed[slot].copy()
        if device == NOTHING:
            confidence = probability.max()
        elif device == given:
            confidence = np.float32(1)
        else:
            known = device < self._classes
            confidence = probability[device] if known else self._likeness[slot]
        return Decision(
            window=window,
            slot=slot,
            state=int(self._state[slot]),
            device=device,
            was_state=int(self._was_state[slot]),
            was_device=int(self._was_device[slot]),
            given=given,
            confidence=float(confidence),
            probability=probability,
            since=float(self._since[slot]),
            reason=reason,
        )

    def _smooth(
        self,
        window: np.ndarray,
        slot: np.ndarray,
        ts: np.ndarray,
        probability: np.ndarray,
        known: np.ndarray,
    ) -> _Windows:
        """Windows smoothed with those before them, which need not be in this batch."""
        start, stop = _hosts(slot)
        size = stop - start
        count = self._windows[slot] + np.arange(len(slot)) - np.repeat(start, size) + 1
        least = np.full(self._classes + 1, self.settings.weight, np.float32)
        least[-1] = self.settings.known_weight
        weight = np.maximum((1 / count).astype(np.float32)[:, None], least)
        share = weight * np.column_stack([probability, known])
        kept = 1 - weight
        smoothed = np.empty_like(share)
        # Round r takes each host's r-th, the hosts of the most windows first.
        start = start[np.argsort(-size, kind="stable")]
        number = len(size) - np.searchsorted(np.sort(size), np.arange(size.max()), side="right")
        before = np.column_stack([self._smoothed[slot[start]], self._known[slot[start]]])
        for turn, hosts in enumerate(number.tolist()):
            at = start[:hosts] + turn
            smoothed[at] = before = kept[at] * before[:hosts] + share[at]
        return _Windows(window, slot, ts, count, smoothed[:, :-1], smoothed[:, -1])

    def _looks(self, windows: _Windows, start: np.ndarray, like: np.ndarray) -> _Looks:
        """What each window's host looks like, and for how many windows it has."""
        settings, slot = self.settings, windows.slot
        row = np.arange(len(windows))
        device, best = self._device[slot], windows.probability.argmax(1)
        keeps = (device >= 0) & (device < self._classes)
        keeps &= windows.probability[row, np.where(keeps, device, 0)] >= settings.kept
        candidate = np.where(keeps, device, NOTHING)
        candidate = np.where(windows.probability[row, best] >= settings.identified, best, candidate)
        has_name = (candidate != NOTHING) & (candidate == device)
        least = settings.known - np.where(has_name, settings.estranged, 0)
        candidate = np.where(windows.known >= least, candidate, NOTHING)
        # The model cannot know that it has met a stranger before; who named one does.
        candidate = np.where(like == NOTHING, candidate, like).astype(np.int16)

        before = np.append(NOTHING, candidate[:-1])
        before[start] = self._candidate[slot[start]]
        same = (windows.count > 1) & (candidate == before)
        began = ~same
        began[start] = True
        began = np.maximum.accumulate(np.where(began, row, 0))
        earlier = np.where(same, self._agreeing[slot], 0)[began]
        turning = np.where(same, self._turning[slot], windows.ts)[began]
        return _Looks(candidate, earlier + row - began + 1, turning)

    def _turns(self, windows: _Windows, looks: _Looks) -> _Turns:
        """What each window would turn its host's state into."""
        settings, slot, ts = self.settings, windows.slot, windows.ts
        state, device, given = self._state[slot], self._device[slot], self._given[slot]
        familiar = windows.known >= settings.known
        labelled, misbehaving = given != NOTHING, state == MISBEHAVING
        candidate = looks.candidate
        accepted = self._accepted[slot]
        accepts = (given >= self._classes) & (device == given)
        new = (windows.count < settings.torn) & (accepted == NOTHING)
        accepts &= new | (ts - self._named[slot] < settings.settled)
        accepts &= candidate < self._classes
        alike = candidate != NOTHING
        settles = accepts & alike & (candidate != accepted) & ~misbehaving
        settles &= looks.agreeing >= settings.leave
        candidate = np.where(alike & (accepts | (candidate == accepted)), given, candidate)
        # That it is like nobody says nothing against an analyst's word, and is no news of a host
        # that misbehaves.
        holds = (labelled | misbehaving) & (candidate == NOTHING)
        candidate = np.where(holds, device, candidate)

        name = self._name[slot]
        renamed = (name != NOTHING) & (name != candidate)
        renamed &= ts - self._named[slot] >= settings.settled
        first = np.where(familiar, settings.torn, settings.doubt)
        first[candidate != NOTHING] = settings.agree
        slow = np.where(labelled, self._plausible(windows), renamed)
        later = np.where(slow, settings.torn, settings.leave)
        needed = np.where(state == LEARNING, first, later)
        another = (state == LEARNING) | (candidate != device)
        turned = another & (looks.agreeing >= needed)
        turned &= ~(renamed | slow) | (ts - looks.turning >= settings.lasting)
        turned &= ~labelled | (candidate == given) | (windows.count >= settings.met)

        new_state = np.where(renamed, CHANGED, IDENTIFIED)
        new_state[labelled] = np.where(candidate == given, IDENTIFIED, IMPOSTOR)[labelled]
        new_state[candidate == NOTHING] = UNKNOWN

        calm = misbehaving & (ts - self._alarmed[slot] >= settings.calm)
        turned &= ~misbehaving | (new_state == CHANGED) | (new_state == IMPOSTOR)
        calm &= ~turned
        new_state[calm] = self._beneath[slot][calm]
        candidate[calm] = device[calm]
        turned |= calm

        over = (self._ignored[slot] > 0) & (ts >= self._ignored[slot])
        due = (settings.reminder > 0) & (ts - self._logged[slot] >= settings.reminder)
        return _Turns(turned, calm, over, due, settles, new_state, candidate)

    def _plausible(self, windows: _Windows) -> np.ndarray:
        """Whether each window's host may still be what an analyst named it, bool [n]."""
        given = self._given[windows.slot]
        plausible: np.ndarray = (given != NOTHING) & (given == self._device[windows.slot])
        rows = np.flatnonzero(plausible)  # of few hosts
        kind = given[rows]
        kind = np.where(kind < self._classes, kind, self._accepted[windows.slot[rows]])
        known = (kind >= 0) & (kind < self._classes)
        probability = windows.probability[rows, np.where(known, kind, 0)]
        plausible[rows] = known & (probability >= self.settings.plausible)
        return plausible

    def _settle(
        self,
        windows: _Windows,
        looks: _Looks,
        like: np.ndarray,
        likeness: np.ndarray,
        start: np.ndarray,
        last: np.ndarray,
    ) -> None:
        """Remember each host as it is after its window ``last``, the first here being ``start``."""
        slot = windows.slot[last]
        self._windows[slot] = windows.count[last]
        self._smoothed[slot] = windows.probability[last]
        self._known[slot] = windows.known[last]
        self._candidate[slot] = looks.candidate[last]
        self._agreeing[slot] = looks.agreeing[last]
        self._turning[slot] = looks.turning[last]
        at = np.where(like == NOTHING, NOTHING, np.arange(len(windows)))
        at = np.maximum.accumulate(at)[last]
        alike = at >= start
        self._likeness[slot[alike]] = likeness[at[alike]]

    def _act(self, windows: _Windows, turns: _Turns, row: int, muted: bool) -> list[Decision]:
        """Turn a host's state, and return the line if there is one."""
        slot, ts = int(windows.slot[row]), float(windows.ts[row])
        turned, over = bool(turns.turned[row]), bool(turns.over[row])
        if turns.settles[row]:
            self._accepted[slot] = self._candidate[slot]
        if turned:
            device, name = turns.device[row], self._name[slot]
            changed = turns.state[row] == CHANGED
            self._was_state[slot] = self._state[slot]
            # What it changed from is the name that it had for long, even if it was unknown since.
            self._was_device[slot] = name if changed else self._device[slot]
            self._state[slot] = turns.state[row]
            self._device[slot] = device
            if device not in (NOTHING, name) and self._given[slot] == NOTHING:
                self._name[slot] = device
                self._named[slot] = ts
            self._since[slot] = ts
        if over:
            self._ignored[slot] = 0
        now = int(self._state[slot])
        again = over and now in ALARMING and not muted
        if not (turned or again or turns.due[row]):
            return []
        self._logged[slot] = ts
        reason = "change" if again else "reminder"
        # What it goes back to when it calms down was told before.
        if turned and not (turns.calm[row] and now in ALARMING):
            reason = self._reason(slot, ts, now, muted)
        return [self._decision(int(windows.window[row]), slot, reason)]


@dataclass(frozen=True, slots=True)
class _Windows:
    """Windows in groups of one host each, in time order.

    window: which of the batch it is; count: how many its host has had, this one included;
    probability float32 [n, K] and known float32 [n]: smoothed.
    """

    window: np.ndarray
    slot: np.ndarray
    ts: np.ndarray
    count: np.ndarray
    probability: np.ndarray
    known: np.ndarray

    def __len__(self) -> int:
        return len(self.slot)

    def part(self, rows: np.ndarray) -> _Windows:
        """Some of them."""
        return _Windows(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class _Looks:
    """What hosts look like at n windows (candidate, a device or NOTHING), for how many windows in
    a row (agreeing), and since when (turning)."""

    candidate: np.ndarray
    agreeing: np.ndarray
    turning: np.ndarray


@dataclass(frozen=True, slots=True)
class _Turns:
    """What n windows do: bool [n] for a state that turns, that does so because its host has calmed
    down, for the end of what an analyst ignores, for a reminder, and for a class that a labelled
    host may be like from now on; the new state and device."""

    turned: np.ndarray
    calm: np.ndarray
    over: np.ndarray
    due: np.ndarray
    settles: np.ndarray
    state: np.ndarray
    device: np.ndarray

    @property
    def acts(self) -> np.ndarray:
        """Which of them do anything."""
        acts: np.ndarray = self.turned | self.over | self.due | self.settles
        return acts


def _hosts(slot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each host's windows, which lie together, start and stop."""
    start = np.flatnonzero(changes(slot))
    return start, np.append(start[1:], len(slot))


def taught(
    likeness: np.ndarray, devices: np.ndarray, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Which of D devices (numbers int16 [D]) B windows are like (float32 [B, D], 0 for not enough):
    numbers int16 [B], and how much, float32 [B].

    NOTHING where it is none, or more than one, unless ``own`` [B], what the host is already, is
    among them.
    """
    if not len(devices):
        return np.full(len(likeness), NOTHING, np.int16), np.zeros(len(likeness), np.float32)
    alike = likeness > 0
    if own is not None:
        mine = alike & (devices == own[:, None])
        alike = np.where(mine.any(1)[:, None], mine, alike)
    one = alike.sum(1) == 1
    place = alike.argmax(1)
    how = likeness[np.arange(len(likeness)), place]
    return np.where(one, devices[place], NOTHING).astype(np.int16), np.where(one, how, 0)
