"""The shadow: compares a candidate model with the running model, on the same sessions.

The candidate gives no verdicts. It scores the same sessions at the same moments, with its own
window if that differs, and its decisions start without any state of the hosts. It is skipped
whenever the worker is behind.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.identity import Identity
from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.records.errors import ModelError
from nba_broker.records.slots import Column, Slots
from nba_broker.records.times import DAY, print_time
from nba_broker.verdicts.applied_annotations import AppliedAnnotations
from nba_broker.verdicts.decide import decide
from nba_broker.verdicts.decision import Decider
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.host_states import HostStates
from nba_broker.verdicts.states import LEARNING, NO_DEVICE

LONG = 3600.0
"""Seconds of event time for which the two models must differ on a host before it is reported."""

SCORES = 6
"""Scores in a row on which they must differ, too: as many as a change of name needs."""

REPORTED = 20
"""Hosts that are logged a day at most; the summary has them all."""

LISTED = 1000
"""Hosts in the summary at most."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The parts of a pipeline that the shadow reads."""

    windows: HostWindows
    annotations: AppliedAnnotations
    running: HostStates
    identity: Identity
    pools: Pools
    names: NameTable


class Shadow:
    """Compares a candidate with the running model of a pipeline.

    scorer: of the candidate. paused: while true, the candidate scores nothing, and ``skipped``
    counts the scores that are left out. lines: messages for the log; the reader removes them.
    failure: the error after which the shadow turned itself off, or "". Counts only grow until
    :meth:`restart`.
    """

    def __init__(self, scorer: Scorer) -> None:
        manifest = scorer.manifest
        self.scorer = scorer
        self.paused = False
        self.failure = ""
        self.lines: deque[str] = deque(maxlen=4 * REPORTED)
        self._classes = [one.device for one in manifest.classes]
        self._slots = Slots()
        self._decider = Decider(
            len(self._classes), DecisionSettings.of_model(manifest), self._slots
        )
        self._columns = self._slots.add(
            "shadow",
            {
                "scores": Column(np.int32),  # in a row on which the two models differ
                "since": Column(np.float64),  # when they began to differ
                # The device of the running model, and that of the candidate.
                "devices": Column(np.int16, NO_DEVICE, (2,)),
                "reported": Column(np.bool_),
            },
        )
        self._watched: Watched
        self._own: HostWindows | None = None  # only if the candidate's schedule differs
        self.restart()

    def restart(self) -> None:
        """Start the comparison again, because the running model or a clock changed."""
        self.scores = self.agreeing = self.skipped = 0
        self._confusion: Counter[tuple[str, str]] = Counter()
        self._since, self._until = np.nan, np.nan
        self._day = -np.inf
        self._reported_today = 0
        self._columns.reset(np.arange(self._slots.capacity))

    @property
    def differing(self) -> np.ndarray:
        """The slots of hosts on which the two models have differed for long, int64."""
        return np.flatnonzero(self._columns["reported"])

    def watch(self, watched: Watched) -> None:
        """Compare with the running model of this pipeline."""
        self._watched = watched

    def see(
        self, slot: np.ndarray, ts: np.ndarray, columns: dict[str, np.ndarray], windows: Windows
    ) -> None:
        """Take a step after the running model has decided: slot int64 [n], ts float64 [n], columns
        as for :meth:`HostWindows.push`, and the windows that it returned. Never raises: after an
        error the shadow is off."""
        if self.failure or not len(slot):
            return
        try:
            if self._watched.windows.schedule != self.scorer.manifest.schedule:
                windows = self._windows(slot, ts, columns)
            else:
                self._own = None
            if len(windows):
                self._compare(windows, ts)
            self._end_day(float(ts[-1]))
        except Exception as error:  # no error of the shadow may stop the verdicts
            self.failure = repr(error)
            self.lines.append(
                f"the shadow failed and is off ({self.failure}); verdicts are not affected"
            )

    def forget(self, slots: np.ndarray) -> None:
        """Forget the hosts of these slots, int64 [n]; the slots may get new hosts."""
        if self._own is not None:
            self._own.slots.reserve(int(slots.max(initial=-1)) + 1)
            self._own.slots.reset(slots)
        self._slots.reset(slots[slots < self._slots.capacity])

    def summary(self, running: str) -> dict[str, Any]:
        """The comparison for ``shadow.json``; ``running``: the id of the running model."""
        identity, annotations = self._watched.identity, self._watched.annotations
        devices = annotations.devices
        differ = self.differing
        confusion: dict[str, dict[str, int]] = {}
        for (one, other), number in sorted(self._confusion.items()):
            confusion.setdefault(one, {})[other] = number
        return {
            "candidate": self.scorer.manifest.id,
            "running": running,
            "since": print_time(round(self._since)) if self.scores else None,
            "until": print_time(round(self._until)) if self.scores else None,
            "scores": self.scores,
            "agreeing": self.agreeing,
            "skipped": self.skipped,
            "hosts_that_differ": len(differ),
            "differ": [
                {
                    "host": identity.address(number),
                    "mac": identity.mac(number),
                    "running": self._name(int(self._columns["devices"][number, 0]), devices),
                    "candidate": self._name(int(self._columns["devices"][number, 1]), devices),
                    "since": print_time(round(self._columns["since"][number])),
                }
                for number in differ[:LISTED].tolist()
            ],
            "confusion": confusion,
            "failure": self.failure,
        }

    def summary_line(self) -> str:
        """The comparison in one line, for the log."""
        share = f"{self.agreeing / self.scores:.1%}" if self.scores else "none"
        skipped = (
            f"; {self.skipped} scores skipped while the worker was behind" if self.skipped else ""
        )
        return (
            f"shadow {self.scorer.manifest.id} agrees in {share} of {self.scores} scores; "
            f"{len(self.differing)} hosts differ{skipped}"
        )

    def _windows(self, slot: np.ndarray, ts: np.ndarray, columns: dict[str, np.ndarray]) -> Windows:
        if self._own is None:
            # It begins with the sessions of the running model's rings, including this step.
            self._own = self._watched.windows.copy()
            self._own.use(self.scorer.manifest.schedule)
            slot, ts = slot[:0], ts[:0]
        columns = {name: columns[name][: len(slot)] for name in ("pool", "dport", "name")}
        return self._own.push(slot, ts, **columns)

    def _compare(self, windows: Windows, ts: np.ndarray) -> None:
        annotations, running = self._watched.annotations, self._watched.running
        if self.paused:
            self.skipped += len(windows)
            return
        scores = self.scorer(windows, self._watched.pools.table, self._watched.names.text)
        self._slots.reserve(int(windows.slot.max()) + 1)
        when = ts[windows.index]
        # A host's verdicts at the end of a step count for all its windows in the step, mostly one.
        decide(
            self._decider,
            ScoredWindows.of(windows, when, scores),
        )
        slot, first, number = np.unique(windows.slot, return_index=True, return_counts=True)
        last = len(when) - 1 - np.unique(windows.slot[::-1], return_index=True)[1]
        began, when = when[first], when[last]
        compared = running.state_of(slot) != LEARNING
        compared &= self._decider.state_of(slot) != LEARNING
        numbers, not_known = self._numbers(annotations)
        current = running.device_of(slot).astype(np.int64)
        # The candidate cannot name a device that only an analyst added.
        compared &= ~np.isin(current, not_known)
        slot, number, current = slot[compared], number[compared], current[compared]
        began, when = began[compared], when[compared]
        candidate = numbers[self._decider.device_of(slot)]
        same = current == candidate
        self.scores += int(number.sum())
        self.agreeing += int(number[same].sum())
        if len(slot):
            self._since = np.fmin(self._since, began.min())
            self._until = np.fmax(self._until, when.max())
        devices = np.stack([current, candidate], 1)
        for (one, other), size in zip(devices.tolist(), number.tolist(), strict=True):
            names = self._name(one, annotations.devices), self._name(other, annotations.devices)
            self._confusion[names] += size
        for host in self._note(slot, devices, number, began, when).tolist():
            self._report(host)

    def _note(
        self,
        slot: np.ndarray,
        devices: np.ndarray,
        scores: np.ndarray,
        began: np.ndarray,
        ended: np.ndarray,
    ) -> np.ndarray:
        """Note both models' devices int64 [n, 2] of n hosts, over ``scores`` scores each from
        ``began`` to ``ended``. Returns the hosts, int64, on which the two have now differed for
        long and that are not reported yet."""
        columns = self._columns
        same = devices[:, 0] == devices[:, 1]
        continues = (
            ~same & (columns["devices"][slot] == devices).all(1) & (columns["scores"][slot] > 0)
        )
        before = np.where(continues, columns["scores"][slot], 0)
        columns["scores"][slot] = np.where(same, 0, scores + before)
        columns["since"][slot] = np.where(continues, columns["since"][slot], began)
        columns["devices"][slot] = devices
        known = columns["reported"][slot] & continues
        long = (columns["scores"][slot] >= SCORES) & (ended - columns["since"][slot] >= LONG)
        columns["reported"][slot] = known | long
        reported: np.ndarray = slot[long & ~known]
        return reported

    def _report(self, slot: int) -> None:
        identity, annotations = self._watched.identity, self._watched.annotations
        self._reported_today += 1
        if self._reported_today > REPORTED:
            return
        current, candidate = self._columns["devices"][slot].tolist()
        mac = identity.mac(slot)
        began = datetime.fromtimestamp(float(self._columns["since"][slot]), UTC)
        self.lines.append(
            f"shadow: {identity.address(slot)}{f' ({mac})' if mac else ''} is "
            f"{self._name(current, annotations.devices)}; {self.scorer.manifest.id} says "
            f"{self._name(candidate, annotations.devices)} since {began:%Y-%m-%dT%H:%M:%SZ}"
        )

    def _numbers(self, annotations: AppliedAnnotations) -> tuple[np.ndarray, list[int]]:
        """The worker's device number of each of the candidate's classes, then NO_DEVICE; and the
        numbers of devices that analysts added and the candidate does not know.

        A class that the worker does not know gets a number beyond the worker's devices.
        """
        devices = annotations.devices
        place = {one.device: number for number, one in enumerate(devices)}
        numbers = [
            place.get(name, len(devices) + number) for number, name in enumerate(self._classes)
        ]
        known = set(self._classes)
        not_known = {one.device for one in annotations.added_devices} - known
        return np.array([*numbers, NO_DEVICE]), [place[name] for name in not_known]

    def _name(self, number: int, devices: Sequence[Any]) -> str:
        if number == NO_DEVICE:
            return "unknown"
        if number < len(devices):
            return str(devices[number].device)
        return self._classes[min(number - len(devices), len(self._classes) - 1)]

    def _end_day(self, ts: float) -> None:
        """Log the summary line when a session of a later day, in UTC, has come."""
        if ts // DAY > self._day:
            if np.isfinite(self._day):
                hidden = self._reported_today - REPORTED
                more = f" ({hidden} of them not logged)" if hidden > 0 else ""
                self.lines.append(self.summary_line() + more)
            self._day = ts // DAY
            self._reported_today = 0


def fits(scorer: Scorer, scheme: str) -> None:
    """Raise ModelError unless a worker with this pool scheme can run the candidate."""
    manifest = scorer.manifest
    if manifest.pool_scheme != scheme:
        raise ModelError(
            f"shadow {manifest.id} names pools by {manifest.pool_scheme}, this worker by {scheme}: "
            "train it with the same databases"
        )
