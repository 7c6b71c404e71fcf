"""Applies the annotations of analysts to hosts.

An annotation applies from its ``at`` on, in event time. It is applied when that time comes, when
the file is read, and when a host that it matches appears or gets another name or address.

A label stays with its host, at every address, until another label replaces it or its row is removed
from the file. A row counts as removed when no row has its time, host and device, and no other row
gives the host the same label.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from nba_broker.baseline.host_baseline import HostBaseline
from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.first_seen import FirstSeen
from nba_broker.hosts.identity import Identity
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.records.classes import Class
from nba_broker.records.errors import AnnotationError
from nba_broker.records.evidence import (
    AcceptedDevice,
    AnnotationApplied,
    Evidence,
    SimilarHost,
)
from nba_broker.verdicts.annotation_file import Annotation, check_pool, misspelt
from nba_broker.verdicts.annotation_index import AnnotationIndex
from nba_broker.verdicts.decision import Decider, Decision
from nba_broker.verdicts.decision_rules import similar_device
from nba_broker.verdicts.ignored_destinations import IgnoredDestinations
from nba_broker.verdicts.prototypes import Prototypes
from nba_broker.verdicts.states import NO_DEVICE

LOG = logging.getLogger("nba_broker")

PROTOTYPE_SESSIONS = 16
"""Sessions from which a host may be a prototype; a full window replaces the first profile."""

_CHUNK = 4096  # hosts compared with a new prototype at once
_NAMES = 16  # sets of names remembered of a host: an IPv6 host has several addresses at once
_PAST = float(np.nextafter(0.0, 1.0))  # the end of an "ignore" that is over


@dataclass(frozen=True, slots=True)
class Applied:
    """A decision that an annotation led to, with its time and its evidence."""

    decision: Decision
    ts: float
    evidence: tuple[Evidence, ...]


class AppliedAnnotations:
    """Keeps the annotations and applies them to hosts."""

    def __init__(
        self,
        classes: Sequence[Class],
        pools: Pools,
        names: NameTable,
        identity: Identity,
        windows: HostWindows,
        decider: Decider,
        baseline: HostBaseline,
        first_seen: FirstSeen,
    ) -> None:
        self.devices = list(classes)
        """All devices by number: the model's classes, then the devices that analysts added."""
        self.prototypes = Prototypes()
        self.labelled_by: dict[int, str] = {}
        """The ``host`` of the annotation that labelled a host, by the host's slot."""
        self._classes = len(classes)
        self._pools = pools
        self._identity = identity
        self._windows = windows
        self._decider = decider
        self._baseline = baseline
        self._first_seen = first_seen
        self.next_at = np.inf
        """The event time at which the next annotation is due; infinity if none waits."""
        self.total = 0
        """The number of all annotations."""
        self._annotations: tuple[Annotation, ...] = ()
        self._waiting: list[Annotation] = []  # not due yet; the latest first
        self._index = AnnotationIndex(identity)
        # By slot: the names under which a host was looked up.
        self._looked_up: dict[int, set[tuple[str, ...]]] = defaultdict(set)
        self.ignored_destinations = IgnoredDestinations(pools, names)
        # A device in the file, and the class's spelling; or a pool in it.
        self._warned: set[tuple[str, str]] = set()

    @property
    def waiting(self) -> int:
        """The number of annotations that are not due yet."""
        return len(self._waiting)

    @property
    def added_devices(self) -> list[Class]:
        """The devices that analysts added to the model's classes."""
        return self.devices[self._classes :]

    def number(self, device: str, category: str = "") -> int:
        """The number of a device; a new name gets a new number, and an added device gets
        ``category``, if given."""
        for number, known in enumerate(self.devices):
            if known.device == device:
                if number >= self._classes and category:
                    self.devices[number] = Class(device, category)
                return number
        self.devices.append(Class(device, category))
        return len(self.devices) - 1

    def use(self, classes: Sequence[Class]) -> np.ndarray:
        """Replace the model's classes. Returns each device's new number by its old one, int16
        [devices]: NO_DEVICE for a former class that no annotation uses."""
        before, classes_before = self.devices, self._classes
        named = set(self._decider.label_of(self._decider.labelled()).tolist())
        named |= {one.device for one in self.prototypes}
        self.devices, self._classes = list(classes), len(classes)
        known = {one.device for one in classes}
        number = np.array(
            [
                self.number(one.device, one.category)
                if one.device in known or place >= classes_before or place in named
                else NO_DEVICE
                for place, one in enumerate(before)
            ],
            np.int16,
        )
        self.prototypes.renumber(number)
        self._warn_of_misspelt()
        return number

    def take_over(self, annotations: Sequence[Annotation], now: float) -> list[Applied]:
        """Replace all annotations by these, which are in the order of their time; ``now`` is in
        event time. Returns what was applied."""
        self._annotations = tuple(annotations)
        self.total = len(self._annotations)
        self._waiting = [
            annotation for annotation in reversed(self._annotations) if annotation.at > now
        ]
        self._set_next_at()
        self._warn_of_misspelt()
        self._warn_of_pools()
        self._index = AnnotationIndex(self._identity, self._annotations)
        slots = cache(self._index.hosts_of)  # a network is looked up again for each of its hosts
        self._looked_up.clear()
        self._set_ignored_destinations(slots)
        applied = self._withdraw_labels(slots)
        decider = self._decider
        until: dict[int, float] = {}
        for annotation in self._annotations:
            ignores = annotation.action == "ignore" and not annotation.of_destinations
            if ignores and annotation.at <= now:
                for slot in slots(annotation):
                    until[slot] = max(until.get(slot, _PAST), annotation.expires)
        for slot in decider.ignored().tolist():
            if until.get(slot, _PAST) < decider.host(slot).ignored_until:
                decider.ignore(slot, until.get(slot, _PAST))
        for annotation in self._annotations:
            if annotation.at <= now:
                applied += self._apply_to_all(annotation, slots)
        return applied

    def due(self, now: float) -> list[Applied]:
        """Apply the annotations that are due at ``now``, in event time."""
        applied = []
        while self._waiting and self._waiting[-1].at <= now:
            applied += self._apply_to_all(self._waiting.pop(), self._index.hosts_of)
        self._set_next_at()
        return applied

    def _set_next_at(self) -> None:
        self.next_at = self._waiting[-1].at if self._waiting else np.inf

    def newly_matching(self, slot: int, address: str, ts: float) -> list[Annotation]:
        """The annotations to apply to a host that has a session at ``ts`` from this address, in the
        order of their time: those that match it and were not applied to it yet.

        Each set of names and addresses of a host is looked up once; the caller passes the result to
        :meth:`apply`.
        """
        names = (*self._identity.macs(slot), address, self._identity.hostname(slot))
        looked_up = self._looked_up[slot]
        if names in looked_up or not self._first_seen.announced[slot]:
            return []
        if len(looked_up) >= _NAMES:
            looked_up.clear()
        looked_up.add(names)
        found = [one for one in self._index.annotations_of(address, names) if one.at <= ts]
        return [annotation for annotation in found if self._is_new(annotation, slot, ts)]

    def apply(self, slot: int, ts: float, annotations: Sequence[Annotation]) -> list[Applied]:
        """Apply annotations to a host at its session of ``ts``."""
        return [one for annotation in annotations for one in self._apply(annotation, slot, ts)]

    def hosts_of(self, annotation: Annotation) -> list[int]:
        """The slots of the present hosts that match an annotation, ascending."""
        return self._index.hosts_of(annotation)

    def forget(self, slots: np.ndarray) -> None:
        """These slots hold new hosts."""
        self.prototypes.forget(slots)
        for slot in slots.tolist():
            self._looked_up.pop(slot, None)
            self.labelled_by.pop(slot, None)
        self.ignored_destinations.forget(slots)

    def ends_with_prototype(self, windows: Windows) -> bool:
        """Whether the last of these windows may make its host, which an analyst named, a
        prototype."""
        if not self.total or not len(windows):
            return False
        last = slice(-1, None)
        reaches = self._reaches_prototype(windows.count[last], self._windows.schedule.stride)
        return bool((reaches & self._decider.is_labelled(windows.slot[last])).all())

    def prototype_sessions(self, slot: np.ndarray, annotated: Collection[int]) -> np.ndarray:
        """Places of the sessions, of these hosts int64 [n], that may make their host a prototype:
        an analyst named the host, or it is in ``annotated``, the hosts to which an annotation is
        about to be applied."""
        windows = self._windows
        named = self._decider.is_labelled(slot)
        if annotated:
            named |= np.isin(slot, list(annotated))
        rows = np.flatnonzero(named)
        count = windows.numbers(slot[rows])
        due = np.flatnonzero(windows.schedule.due(count))
        stride = windows.schedule.stride
        places: np.ndarray = rows[due[self._reaches_prototype(count[due], stride)]]
        return places

    def _reaches_prototype(self, count: np.ndarray, stride: int) -> np.ndarray:
        """Whether a window after ``count`` sessions int64 [B] is the first that may make a
        prototype, or the first full one, bool [B]."""
        full, first = self._windows.length, PROTOTYPE_SESSIONS
        reaches: np.ndarray = (count >= full) & (count - stride < full)
        reaches |= (count >= first) & (count - stride < first) & (full > first)
        return reaches

    def add_prototype(self, slot: int, ts: float, window: Windows) -> list[Applied]:
        """Make a labelled host a prototype, and give its name to similar hosts. ``window`` is the
        host's present window.

        Nothing happens where the model knows the device and names the host so, or where the model
        calls the host another device.
        """
        decider = self._decider
        device = decider.host(slot).label
        if not decider.is_example(slot):
            return []
        if not self.prototypes.learn(slot, device, window, self._pools.table):
            return []
        applied = []
        slots = decider.recognisable(device)
        slots = slots[self._first_seen.announced[slots]]
        for start in range(0, len(slots), _CHUNK):
            some = slots[start : start + _CHUNK]
            found = self.prototypes.similarity(self._windows.latest(some), self._pools.table)
            devices, similarities = similar_device(found, self.prototypes.devices)
            for other in np.flatnonzero(devices == device).tolist():
                number = int(some[other])
                if not self._identity.address(number):
                    continue
                similarity = float(similarities[other])
                decision = decider.recognise(number, self._last(number), device, similarity)
                identity = self._identity
                why = SimilarHost(identity.address(slot), identity.mac(slot), similarity)
                applied += self._applied(number, decision, ts, (why,))
        return applied

    def _warn_of_misspelt(self) -> None:
        """Warn once of each device whose name nearly equals that of a class."""
        classes = [one.device for one in self.devices[: self._classes]]
        for name in sorted(
            {annotation.device for annotation in self._annotations if annotation.device}
        ):
            known = misspelt(name, classes)
            if known and (name, known) not in self._warned:
                self._warned.add((name, known))
                LOG.warning(
                    "annotations name a device %s; the model's class is spelt %s", name, known
                )

    def _warn_of_pools(self) -> None:
        """Warn once of each ignored pool in which no destination can be. Its row may become right
        with other overrides, so it does not make the file invalid."""
        for annotation in self._annotations:
            if annotation.pool and (annotation.pool, "") not in self._warned:
                try:
                    check_pool(annotation, self._pools.own)
                except AnnotationError as error:
                    self._warned.add((annotation.pool, ""))
                    LOG.warning("annotations: %s", error)

    def _withdraw_labels(self, slots: Callable[[Annotation], Sequence[int]]) -> list[Applied]:
        """Withdraw the labels whose rows are no longer in the file."""
        decider = self._decider
        rows: dict[tuple[float, str], dict[str, Annotation]] = defaultdict(dict)
        for annotation in self._annotations:
            if annotation.action == "label":
                rows[annotation.at, annotation.device].setdefault(annotation.host, annotation)

        @cache
        def labelled_now(label: tuple[float, str]) -> dict[int, str]:
            """The hosts that match a label's rows now, with the ``host`` of the first such row."""
            found = reversed(rows[label].values())
            return {slot: annotation.host for annotation in found for slot in slots(annotation)}

        applied = []
        for slot in decider.labelled().tolist():
            host = decider.host(slot)
            label = host.label_at, self.devices[host.label].device
            if self.labelled_by[slot] in rows[label]:
                continue
            # After a correction, another row with the same label may match this host.
            if slot in labelled_now(label):
                self.labelled_by[slot] = labelled_now(label)[slot]
                continue
            del self.labelled_by[slot]
            self.prototypes.forget(np.array([slot]))
            applied += self._applied(slot, decider.unlabel(slot, self._last(slot)), 0.0, ())
        return applied

    def _set_ignored_destinations(self, slots: Callable[[Annotation], Sequence[int]]) -> None:
        # Also before an annotation is due: a worker that starts again has passed that time.
        self.ignored_destinations.clear()
        for annotation in self._annotations:
            if annotation.of_destinations:
                self.ignored_destinations.set(
                    annotation, set(slots(annotation)) if annotation.host else set()
                )

    def _apply_to_all(
        self, annotation: Annotation, slots: Callable[[Annotation], Sequence[int]]
    ) -> list[Applied]:
        """Apply an annotation to all present hosts that match it, which ``slots`` finds."""
        if not annotation.host:
            return []
        announced = self._first_seen.announced
        return [
            one
            for slot in slots(annotation)
            if announced[slot]
            for one in self._apply(annotation, slot, self._last(slot))
        ]

    def _is_new(self, annotation: Annotation, slot: int, now: float) -> bool:
        """Whether neither this annotation nor a later one of its kind was applied to the host."""
        host = self._decider.host(slot)
        if annotation.action == "label":
            return host.label == NO_DEVICE or annotation.at > host.label_at
        if annotation.action == "confirm":
            began = self._first_seen.first_seen[slot]
            return bool(annotation.at > host.confirmed_at and annotation.at >= began)
        if annotation.of_destinations:
            return not self.ignored_destinations.applies(annotation, slot)
        return bool(annotation.expires > max(annotation.at, now, host.ignored_until))

    def _apply(self, annotation: Annotation, slot: int, now: float) -> list[Applied]:
        """Apply an annotation to a host, unless it, or a later one, was applied before."""
        if not self._is_new(annotation, slot, now):
            return []
        decider = self._decider
        ts = max(annotation.at, now)
        evidence: tuple[Evidence, ...] = (
            AnnotationApplied(annotation.action, annotation.at, annotation.reason),
        )
        if annotation.action == "label":
            label_before = decider.host(slot).label
            device = self.number(annotation.device, annotation.category)
            decision = decider.label(slot, ts, device, annotation.at)
            accepted = decider.host(slot).lookalike
            if accepted != NO_DEVICE:
                evidence += (AcceptedDevice(self.devices[accepted].device),)
            applied = self._applied(slot, decision, ts, evidence)
            self.labelled_by[slot] = annotation.host
            if label_before not in (NO_DEVICE, device):
                self.prototypes.forget(np.array([slot]))
            if self._windows.count[slot] >= min(PROTOTYPE_SESSIONS, self._windows.length):
                applied += self.add_prototype(slot, ts, self._windows.latest(np.array([slot])))
            return applied
        if annotation.action == "confirm":
            self._baseline.accept(np.array([slot]))
            return self._applied(slot, decider.confirm(slot, ts, annotation.at), ts, evidence)
        if annotation.of_destinations:
            self.ignored_destinations.add(annotation, slot)
        else:
            decider.ignore(slot, annotation.expires)
        return []

    def _applied(
        self, slot: int, decision: Decision | None, ts: float, evidence: tuple[Evidence, ...]
    ) -> list[Applied]:
        return [] if decision is None else [Applied(decision, max(ts, self._last(slot)), evidence)]

    def _last(self, slot: int) -> float:
        """The time of the host's latest session."""
        return float(self._windows.last_ts[slot])
