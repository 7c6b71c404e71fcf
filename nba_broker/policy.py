"""From scores to verdicts: what is said of a host, and when.

A host is ``learning`` until enough windows agree. It is believed to be the class with the highest
probability if that is high enough and the windows are of a kind that the model was trained on;
else it is unknown. Both are smoothed over windows, and a state that was reached is left only after
several windows in a row speak for another one (hysteresis), so that a device that does nothing new
never flips. Event time drives everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.messages import STATES

LEARNING, IDENTIFIED, UNKNOWN, CHANGED = map(
    STATES.index, ("learning", "identified", "unknown", "changed")
)
NOTHING = -1
"""No class: the host is, or may be, unknown."""

_CLASSES = ("device", "was_device", "name", "candidate")  # columns that hold a class, or NOTHING


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The policy's few numbers.

    identified, known: the smoothed probability and familiarity from which a class is believed
        (from the model's manifest).
    weight, known_weight: of the newest window in the smoothed probability and familiarity, once
        there are so many that their mean would give it less. 0.05 looks back over about forty,
        as twins differ on average only; 0.3 over about six, as a stranger should be seen soon.
    agree: windows in a row that must name the same thing before a host is called something.
    doubt: strange windows in a row before a host that never had a name is unknown.
    leave: windows in a row before a host is called something else than it was; and before one that
        is familiar, but might be this or that, is called unknown.
    settled: seconds for which a host must have had a name before another one means that it has
        changed, and not that the first was a mistake.
    reminder: seconds of event time after which an unchanged host is logged again; 0 for never.
    """

    identified: float = 0.7
    known: float = -np.inf
    weight: float = 0.05
    known_weight: float = 0.3
    agree: int = 2
    doubt: int = 3
    leave: int = 6
    settled: float = 86_400.0
    reminder: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One line to be logged: which window of the batch decided what, and why.

    ``was_state`` and ``was_device`` are what the host was before ``since``.
    """

    window: int
    slot: int
    state: int
    device: int
    was_state: int
    was_device: int
    probability: np.ndarray
    since: float
    reason: str


class Policy:
    """The state of every host slot; ``classes`` is the number K of things a host can be."""

    def __init__(self, classes: int, settings: PolicySettings) -> None:
        self.settings = settings
        self._state = np.zeros(0, np.int8)
        self._device = np.zeros(0, np.int16)
        self._was_state = np.zeros(0, np.int8)
        self._was_device = np.zeros(0, np.int16)
        self._name = np.zeros(0, np.int16)  # the last class it was called by, if any
        self._named = np.zeros(0)  # since when
        self._candidate = np.zeros(0, np.int16)
        self._agreeing = np.zeros(0, np.int32)
        self._windows = np.zeros(0, np.int32)
        self._since = np.zeros(0)
        self._logged = np.zeros(0)
        self._smoothed = np.zeros((0, classes), np.float32)
        self._known = np.zeros(0, np.float32)

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
        for name in _CLASSES:
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
            column[slots] = NOTHING if name in _CLASSES else 0

    def begin(self, slots: np.ndarray, ts: np.ndarray) -> None:
        """These hosts have just been logged as ``learning``, at these times."""
        self._since[slots] = ts
        self._logged[slots] = ts

    def update(
        self, slot: np.ndarray, ts: np.ndarray, probability: np.ndarray, known: np.ndarray
    ) -> list[Decision]:
        """Take B windows (slot int64 [B], ts float64 [B], probability float32 [B, K], known
        float32 [B]) in time order and return the lines they give rise to, in the same order."""
        decisions: list[Decision] = []
        order = np.argsort(slot, kind="stable")
        first = np.append(True, slot[order][1:] != slot[order][:-1])
        start = np.flatnonzero(first)
        size = np.diff(np.append(start, len(order)))
        # A host may have several windows in a batch: round r takes each host's r-th.
        for turn in range(int(size.max(initial=0))):
            window = order[start[size > turn] + turn]
            decisions += self._round(
                window, slot[window], ts[window], probability[window], known[window]
            )
        return sorted(decisions, key=lambda decision: decision.window)

    def _round(
        self,
        window: np.ndarray,
        slot: np.ndarray,
        ts: np.ndarray,
        probability: np.ndarray,
        known: np.ndarray,
    ) -> list[Decision]:
        settings = self.settings
        fresh = self._windows[slot] == 0
        mean = (1 / (self._windows[slot] + 1)).astype(np.float32)
        weight = np.maximum(mean, np.float32(settings.known_weight))
        known = (1 - weight) * self._known[slot] + weight * known
        self._known[slot] = known
        weight = np.maximum(mean, np.float32(settings.weight))[:, None]
        smoothed = (1 - weight) * self._smoothed[slot] + weight * probability
        self._smoothed[slot] = smoothed
        self._windows[slot] += 1

        best = smoothed.argmax(1)
        believed = smoothed[np.arange(len(best)), best] >= settings.identified
        familiar = known >= settings.known
        believed &= familiar
        candidate = np.where(believed, best, NOTHING).astype(np.int16)
        same = ~fresh & (candidate == self._candidate[slot])
        self._agreeing[slot] = np.where(same, self._agreeing[slot] + 1, 1)
        self._candidate[slot] = candidate

        state, device = self._state[slot], self._device[slot]
        first = np.where(familiar, settings.leave, settings.doubt)
        first[candidate != NOTHING] = settings.agree
        needed = np.where(state == LEARNING, first, settings.leave)
        another = (state == LEARNING) | (candidate != device)
        turned = another & (self._agreeing[slot] >= needed)

        name = self._name[slot]
        renamed = (name != NOTHING) & (name != candidate)
        renamed &= ts - self._named[slot] >= settings.settled
        new_state = np.where(candidate == NOTHING, UNKNOWN, np.where(renamed, CHANGED, IDENTIFIED))
        at = slot[turned]
        self._was_state[at] = state[turned]
        self._was_device[at] = device[turned]
        self._state[at] = new_state[turned]
        self._device[at] = candidate[turned]
        new_name = turned & (candidate != NOTHING) & (candidate != name)
        self._name[slot[new_name]] = candidate[new_name]
        self._named[slot[new_name]] = ts[new_name]
        self._since[at] = ts[turned]

        due = np.full(len(slot), settings.reminder > 0)
        due &= ts - self._logged[slot] >= settings.reminder
        speak = turned | due
        self._logged[slot[speak]] = ts[speak]
        return [
            Decision(
                window=int(window[row]),
                slot=int(slot[row]),
                state=int(self._state[slot[row]]),
                device=int(self._device[slot[row]]),
                was_state=int(self._was_state[slot[row]]),
                was_device=int(self._was_device[slot[row]]),
                probability=smoothed[row].copy(),
                since=float(self._since[slot[row]]),
                reason="change" if turned[row] else "reminder",
            )
            for row in np.flatnonzero(speak)
        ]
