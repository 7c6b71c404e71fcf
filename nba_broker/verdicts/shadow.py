"""A candidate that is asked beside the running model: how often they agree, and on which hosts not.

It never has a say. It is asked at the same moments about the same sessions (of its own window, if
that differs), its policy starts with every host unknown to it, and what it costs is left out
whenever the worker is behind.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nba_broker.destinations.pools import Pools
from nba_broker.hosts.identity import Identity
from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.records.errors import ModelError
from nba_broker.records.slots import Column, Slots
from nba_broker.records.times import print_time
from nba_broker.verdicts.applied_annotations import AppliedAnnotations
from nba_broker.verdicts.decide import decide
from nba_broker.verdicts.decision import Decider
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.host_states import HostStates
from nba_broker.verdicts.states import LEARNING, NO_DEVICE

LONG = 3600.0
"""Seconds of event time for which the two must differ about a host before that is told."""

SCORES = 6
"""And scores in a row: as many as the policy wants before a host is called something else."""

TOLD = 20
"""Hosts told of in a day's log; the summary has them all."""

LISTED = 1000
"""Hosts in the summary."""

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Watched:
    """The parts of a pipeline that a shadow compares with."""

    windows: HostWindows
    annotations: AppliedAnnotations
    running: HostStates
    identity: Identity
    pools: Pools


class Shadow:
    """Counts only grow until :meth:`restart`.

    paused: while true, nothing is scored and ``skipped`` counts what is left out. lines: for the
    log; whoever reads them removes them. failure: why it gave up, if it did.
    """

    def __init__(self, scorer: Scorer) -> None:
        manifest = scorer.manifest
        self.scorer = scorer
        self.paused = False
        self.failure = ""
        self.lines: deque[str] = deque(maxlen=4 * TOLD)
        self._classes = [one.device for one in manifest.classes]
        self._slots = Slots()
        self._decider = Decider(
            len(self._classes), DecisionSettings.of_model(manifest), self._slots
        )
        self._columns = self._slots.add(
            "shadow",
            {
                "scores": Column(np.int32),  # in a row in which the two differ
                "since": Column(np.float64),  # when they began to
                "devices": Column(
                    np.int16, NO_DEVICE, (2,)
                ),  # of the running model, of the candidate
                "reported": Column(np.bool_),
            },
        )
        self._watched: Watched
        self._own: HostWindows | None = None  # of another window than the running model's
        self.restart()

    def restart(self) -> None:
        """Count anew: the running model is another one."""
        self.scores = self.agreeing = self.skipped = 0
        self._confusion: Counter[tuple[str, str]] = Counter()
        self._since, self._until = np.nan, np.nan
        self._day = -np.inf
        self._told_today = 0
        self._columns.reset(np.arange(self._slots.capacity))

    @property
    def differing(self) -> np.ndarray:
        """The slots of hosts on which the two have differed for long, int64."""
        return np.flatnonzero(self._columns["reported"])

    def watch(self, watched: Watched) -> None:
        """Compare with this pipeline's running model."""
        self._watched = watched

    def see(
        self, slot: np.ndarray, ts: np.ndarray, columns: dict[str, np.ndarray], windows: Windows
    ) -> None:
        """Take a step after the running model decided: slot int64 [n], ts float64 [n], columns as
        for :meth:`HostWindows.push`, and the windows that this returned. Never raises."""
        if self.failure or not len(slot):
            return
        try:
            if self._watched.windows.schedule != self.scorer.manifest.schedule:
                windows = self._windows(slot, ts, columns)
            else:
                self._own = None
            if len(windows):
                self._compare(windows, ts)
            self._day_passes(float(ts[-1]))
        except Exception as error:  # whatever it is, verdicts go on without the shadow
            self.failure = repr(error)
            self.lines.append(f"the shadow failed and is off ({self.failure}); verdicts go on")

    def forget(self, slots: np.ndarray) -> None:
        """These slots hold new hosts, or none."""
        if self._own is not None:
            self._own.slots.reserve(int(slots.max(initial=-1)) + 1)
            self._own.slots.reset(slots)
        self._slots.reset(slots[slots < self._slots.capacity])

    def summary(self, running: str) -> dict[str, Any]:
        """What an operator needs before a switch; ``running``: the id of the running model."""
        identity, annotations = self._watched.identity, self._watched.annotations
        devices = annotations.devices
        differ = self.differing
        confusion: dict[str, dict[str, int]] = {}
        for (one, other), number in sorted(self._confusion.items()):
            confusion.setdefault(one, {})[other] = number
        return {
            "shadow": self.scorer.manifest.id,
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
                    "shadow": self._name(int(self._columns["devices"][number, 1]), devices),
                    "since": print_time(round(self._columns["since"][number])),
                }
                for number in differ[:LISTED].tolist()
            ],
            "confusion": confusion,
            "failure": self.failure,
        }

    def told(self) -> str:
        """The same in a line."""
        share = f"{self.agreeing / self.scores:.1%}" if self.scores else "none"
        left_out = f"; {self.skipped} scores left out, as the worker was behind" * bool(
            self.skipped
        )
        return (
            f"shadow {self.scorer.manifest.id} agrees in {share} of {self.scores} scores; "
            f"{len(self.differing)} hosts differ{left_out}"
        )

    def _windows(self, slot: np.ndarray, ts: np.ndarray, columns: dict[str, np.ndarray]) -> Windows:
        if self._own is None:
            # With what the running model's rings hold, this step included.
            self._own = self._watched.windows.copy()
            self._own.use(self.scorer.manifest.schedule)
            nothing = {"pool": columns["pool"][:0], "dport": columns["dport"][:0]}
            return self._own.push(slot[:0], ts[:0], **nothing)
        return self._own.push(slot, ts, pool=columns["pool"], dport=columns["dport"])

    def _compare(self, windows: Windows, ts: np.ndarray) -> None:
        annotations, running = self._watched.annotations, self._watched.running
        if self.paused:
            self.skipped += len(windows)
            return
        scores = self.scorer(windows, self._watched.pools.table)
        self._slots.reserve(int(windows.slot.max()) + 1)
        when = ts[windows.index]
        # What both say at a step's end counts for all of a host's windows in it, mostly one.
        decide(
            self._decider,
            ScoredWindows(windows.slot, windows.index, when, scores.probability, scores.known),
        )
        slot, first, number = np.unique(windows.slot, return_index=True, return_counts=True)
        last = len(when) - 1 - np.unique(windows.slot[::-1], return_index=True)[1]
        began, when = when[first], when[last]
        settled = running.state_of(slot) != LEARNING
        settled &= self._decider.state_of(slot) != LEARNING
        numbers, strange = self._numbers(annotations)
        main = running.device_of(slot).astype(np.int64)
        # What an analyst named and the candidate never learned is no question to it.
        settled &= ~np.isin(main, strange)
        slot, number, main = slot[settled], number[settled], main[settled]
        began, when = began[settled], when[settled]
        shadow = numbers[self._decider.device_of(slot)]
        same = main == shadow
        self.scores += int(number.sum())
        self.agreeing += int(number[same].sum())
        if len(slot):
            self._since = np.fmin(self._since, began.min())
            self._until = np.fmax(self._until, when.max())
        for one, other, size in zip(main.tolist(), shadow.tolist(), number.tolist(), strict=True):
            names = self._name(one, annotations.devices), self._name(other, annotations.devices)
            self._confusion[names] += size
        for one in self._compared(slot, np.stack([main, shadow], 1), number, began, when).tolist():
            self._report(one)

    def _compared(
        self,
        slot: np.ndarray,
        devices: np.ndarray,
        scores: np.ndarray,
        began: np.ndarray,
        ended: np.ndarray,
    ) -> np.ndarray:
        """Note what both models call n hosts, devices [n, 2], over so many scores between two
        times; returns the hosts on which they have now differed for long, int64."""
        columns = self._columns
        same = devices[:, 0] == devices[:, 1]
        goes_on = (
            ~same & (columns["devices"][slot] == devices).all(1) & (columns["scores"][slot] > 0)
        )
        before = np.where(goes_on, columns["scores"][slot], 0)
        columns["scores"][slot] = np.where(same, 0, scores + before)
        columns["since"][slot] = np.where(goes_on, columns["since"][slot], began)
        columns["devices"][slot] = devices
        known = columns["reported"][slot] & goes_on
        long = (columns["scores"][slot] >= SCORES) & (ended - columns["since"][slot] >= LONG)
        columns["reported"][slot] = known | long
        reported: np.ndarray = slot[long & ~known]
        return reported

    def _report(self, slot: int) -> None:
        identity, annotations = self._watched.identity, self._watched.annotations
        self._told_today += 1
        if self._told_today > TOLD:
            return
        main, shadow = self._columns["devices"][slot].tolist()
        mac = identity.mac(slot)
        began = datetime.fromtimestamp(float(self._columns["since"][slot]), UTC)
        self.lines.append(
            f"shadow: {identity.address(slot)}{f' ({mac})' if mac else ''} is "
            f"{self._name(main, annotations.devices)}, and to {self.scorer.manifest.id} "
            f"{self._name(shadow, annotations.devices)}, since {began:%Y-%m-%dT%H:%M:%SZ}"
        )

    def _numbers(self, annotations: AppliedAnnotations) -> tuple[np.ndarray, list[int]]:
        """By the candidate's classes the worker's number of the device, one beyond all where it has
        none, and NO_DEVICE at the end; and what analysts named that the candidate does not know."""
        devices = annotations.devices
        place = {one.device: number for number, one in enumerate(devices)}
        numbers = [
            place.get(name, len(devices) + number) for number, name in enumerate(self._classes)
        ]
        known = set(self._classes)
        taught = {one.device for one in annotations.taught} - known
        return np.array([*numbers, NO_DEVICE]), [place[name] for name in taught]

    def _name(self, number: int, devices: Sequence[Any]) -> str:
        if number == NO_DEVICE:
            return "unknown"
        if number < len(devices):
            return str(devices[number].device)
        return self._classes[min(number - len(devices), len(self._classes) - 1)]

    def _day_passes(self, ts: float) -> None:
        if ts // _DAY > self._day:
            if np.isfinite(self._day):
                hidden = self._told_today - TOLD
                more = f" ({hidden} of them not told of here)" if hidden > 0 else ""
                self.lines.append(self.told() + more)
            self._day = ts // _DAY
            self._told_today = 0


def fits(scorer: Scorer, scheme: str) -> None:
    """Raise ModelError where a worker with this pool scheme could not ask the model."""
    manifest = scorer.manifest
    if manifest.pool_scheme != scheme:
        raise ModelError(
            f"shadow {manifest.id} names pools by {manifest.pool_scheme}, this worker by {scheme}: "
            "train it with the same databases"
        )
