"""Applies the annotations of analysts to hosts.

An annotation holds from its ``at`` on, in event time. It is applied when that time comes, when the
file is read, and when a host that it matches appears or gets another name or address. A label stays
with its host, at every address, until another label replaces it or its row is gone from the file:
no row with that time, host and device is left, and no other row that means the same.
"""

from __future__ import annotations

import ipaddress
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from nba_broker.baseline.host_baseline import HostBaseline
from nba_broker.destinations.pools import Pools, in_networks
from nba_broker.hosts.first_seen import FirstSeen
from nba_broker.hosts.identity import Identity
from nba_broker.model.windows import HostWindows, Windows
from nba_broker.records.addresses import Network
from nba_broker.records.classes import Class
from nba_broker.records.evidence import (
    AcceptedDevice,
    AnnotationApplied,
    Evidence,
    SimilarHost,
)
from nba_broker.records.segments import bare
from nba_broker.verdicts.annotation_file import Annotation, misspelt
from nba_broker.verdicts.decision import Decider, Decision
from nba_broker.verdicts.decision_rules import similar_device
from nba_broker.verdicts.ignored_destinations import IgnoredDestinations
from nba_broker.verdicts.prototypes import Prototypes
from nba_broker.verdicts.states import NO_DEVICE

LOG = logging.getLogger("nba_broker")

TAUGHT = 16
"""Sessions from which a host may be a prototype; it is one anew when its window is full."""

_CHUNK = 4096  # hosts compared with a new prototype at once
_ADDRESSES = 16  # of a host that are remembered: an IPv6 host has several at once
_PAST = float(np.nextafter(0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Applied:
    """A decision that an annotation led to, with its time and what an analyst should know of it."""

    decision: Decision
    ts: float
    evidence: tuple[Evidence, ...]


class AppliedAnnotations:
    """Brings annotations to hosts."""

    def __init__(
        self,
        classes: Sequence[Class],
        pools: Pools,
        identity: Identity,
        windows: HostWindows,
        decider: Decider,
        baseline: HostBaseline,
        first_seen: FirstSeen,
    ) -> None:
        self.devices = list(classes)
        """Everything that a host can be called: the model's classes, then what analysts named."""
        self.prototypes = Prototypes()
        self.labelled_by: dict[int, str] = {}
        """By slot, of each host with a label: the ``host`` of the annotation that set it."""
        self._classes = len(classes)
        self._pools = pools
        self._identity = identity
        self._windows = windows
        self._decider = decider
        self._baseline = baseline
        self._first_seen = first_seen
        self.next_at = np.inf
        """When the next annotation is due; infinity if none waits."""
        self.total = 0
        """How many annotations there are."""
        self._annotations: tuple[Annotation, ...] = ()
        self._waiting: list[Annotation] = []  # their time has not come; the latest first
        self._by_name: dict[str, list[Annotation]] = defaultdict(
            list
        )  # of MAC, address or hostname
        self._by_network: list[tuple[Network, Annotation]] = []
        self._met: dict[int, set[tuple[str, ...]]] = defaultdict(set)
        self.ignored_destinations = IgnoredDestinations(pools)
        self._told: set[tuple[str, str]] = set()  # names that seem to mean classes

    @property
    def waiting(self) -> int:
        """How many annotations are not due yet."""
        return len(self._waiting)

    @property
    def taught(self) -> list[Class]:
        """What analysts named that is no class of the model."""
        return self.devices[self._classes :]

    def number(self, device: str, category: str = "") -> int:
        """The number of a device by its name, which is given one if it has none."""
        for number, known in enumerate(self.devices):
            if known.device == device:
                if number >= self._classes and category:
                    self.devices[number] = Class(device, category)
                return number
        self.devices.append(Class(device, category))
        return len(self.devices) - 1

    def use(self, classes: Sequence[Class]) -> np.ndarray:
        """Go on with another model's classes; returns the number that each device, by its old one,
        has now, int16 [devices]: NO_DEVICE for a class that is gone and that no analyst named."""
        before, taught = self.devices, self._classes
        named = set(self._decider.label_of(self._decider.labelled()).tolist())
        named |= {one.device for one in self.prototypes}
        self.devices, self._classes = list(classes), len(classes)
        known = {one.device for one in classes}
        number = np.array(
            [
                self.number(one.device, one.category)
                if one.device in known or place >= taught or place in named
                else NO_DEVICE
                for place, one in enumerate(before)
            ],
            np.int16,
        )
        self.prototypes.renumber(number)
        self._tell_misspelt()
        return number

    def take_over(self, annotations: Sequence[Annotation], now: float) -> list[Applied]:
        """Replace all annotations by these, which are in the order of their time; ``now`` is in
        event time. Returns what was applied."""
        self._annotations = tuple(annotations)
        self.total = len(self._annotations)
        self._waiting = [
            annotation for annotation in reversed(self._annotations) if annotation.at > now
        ]
        self._look_ahead()
        self._tell_misspelt()
        slots = cache(self.meant)  # a wide annotation is asked for again for each of its hosts
        self._index(slots)
        said = self._withdraw_labels(slots)
        decider = self._decider
        until: dict[int, float] = {}
        for annotation in self._annotations:
            if annotation.action == "ignore" and not annotation.pool and annotation.at <= now:
                for slot in slots(annotation):
                    until[slot] = max(until.get(slot, _PAST), annotation.expires)
        for slot in decider.ignored().tolist():
            if until.get(slot, _PAST) < decider.host(slot).ignored_until:
                decider.ignore(slot, until.get(slot, _PAST))
        for annotation in self._annotations:
            if annotation.at <= now:
                said += self._apply(annotation, slots)
        return said

    def due(self, now: float) -> list[Applied]:
        """Event time has come to ``now``: what the annotations that are due say of the hosts."""
        said = []
        while self._waiting and self._waiting[-1].at <= now:
            said += self._apply(self._waiting.pop(), self.meant)
        self._look_ahead()
        return said

    def _look_ahead(self) -> None:
        self.next_at = self._waiting[-1].at if self._waiting else np.inf

    def new_to(self, slot: int, address: str, ts: float) -> list[Annotation]:
        """A host has a session at ``ts`` from this address: the annotations, in the order of their
        time, that say something new of it, if it is new, or has another name or address.

        It is told of them once; then :meth:`meet` brings them.
        """
        who = (*self._identity.macs(slot), address, self._identity.hostname(slot))
        met = self._met[slot]
        if who in met or not self._first_seen.announced[slot]:
            return []
        if len(met) >= _ADDRESSES:
            met.clear()
        met.add(who)
        meant = [annotation for annotation in self._meant(address, who) if annotation.at <= ts]
        return [annotation for annotation in meant if self._is_new(annotation, slot, ts)]

    def meet(self, slot: int, ts: float, news: Sequence[Annotation]) -> list[Applied]:
        """Apply annotations, which are new to a host at its session of ``ts``."""
        return [one for annotation in news for one in self._bring(annotation, slot, ts)]

    def forget(self, slots: np.ndarray) -> None:
        """These slots hold new hosts."""
        self.prototypes.forget(slots)
        for slot in slots.tolist():
            self._met.pop(slot, None)
            self.labelled_by.pop(slot, None)
        self.ignored_destinations.forget(slots)

    def teaches(self, windows: Windows) -> bool:
        """Whether the last of these windows may make its host, which an analyst named, a
        prototype."""
        if not self.total or not len(windows):
            return False
        last = slice(-1, None)
        grown = self._grown(windows.count[last], self._windows.schedule.stride)
        return bool((grown & self._decider.is_labelled(windows.slot[last])).all())

    def may_teach(self, slot: np.ndarray, annotated: Collection[int]) -> np.ndarray:
        """Places of the sessions, of these hosts [n], with which a host that an analyst named, or
        to which an annotation is about to be applied, may become a prototype."""
        windows = self._windows
        named = self._decider.is_labelled(slot)
        if annotated:
            named |= np.isin(slot, list(annotated))
        rows = np.flatnonzero(named)
        count = windows.numbers(slot[rows])
        due = np.flatnonzero(windows.schedule.due(count))
        stride = windows.schedule.stride
        grown: np.ndarray = rows[due[self._grown(count[due], stride)]]
        return grown

    def _grown(self, count: np.ndarray, stride: int) -> np.ndarray:
        """Whether a window at so many sessions [B] is the first from which a host may be a
        prototype, or the first full one, bool [B]."""
        full = self._windows.length
        grown: np.ndarray = (count >= full) & (count - stride < full)
        grown |= (count >= TAUGHT) & (count - stride < TAUGHT) & (full > TAUGHT)
        return grown

    def teach(self, slot: int, ts: float, window: Windows) -> list[Applied]:
        """A host that was named becomes a prototype: what that says of others. ``window`` is its
        present one.

        Unless the model knows the device, and names it so by itself or says that it is another.
        """
        decider = self._decider
        device = decider.host(slot).label
        if not decider.is_example(slot):
            return []
        if not self.prototypes.teach(slot, device, window, self._pools.table):
            return []
        said = []
        slots = decider.recognisable(device)
        slots = slots[self._first_seen.announced[slots]]
        for start in range(0, len(slots), _CHUNK):
            some = slots[start : start + _CHUNK]
            found = self.prototypes.similarity(self._windows.latest(some), self._pools.table)
            devices, how = similar_device(found, self.prototypes.devices)
            for other in np.flatnonzero(devices == device).tolist():
                number = int(some[other])
                if not self._identity.address(number):
                    continue
                similarity = float(how[other])
                decision = decider.recognise(number, self._last(number), device, similarity)
                identity = self._identity
                why = SimilarHost(identity.address(slot), identity.mac(slot), similarity)
                said += self._said(number, decision, ts, (why,))
        return said

    def _tell_misspelt(self) -> None:
        """Warn, once each, of names that seem to mean a class of the model, and do not."""
        classes = [one.device for one in self.devices[: self._classes]]
        for name in sorted(
            {annotation.device for annotation in self._annotations if annotation.device}
        ):
            known = misspelt(name, classes)
            if known and (name, known) not in self._told:
                self._told.add((name, known))
                LOG.warning(
                    "annotations name a device %s; the model's class is spelt %s", name, known
                )

    def _withdraw_labels(self, slots: Callable[[Annotation], Sequence[int]]) -> list[Applied]:
        """What it says of hosts that the rows which labelled them are gone."""
        decider = self._decider
        rows: dict[tuple[float, str], dict[str, Annotation]] = defaultdict(dict)
        for annotation in self._annotations:
            if annotation.action == "label":
                rows[annotation.at, annotation.device].setdefault(annotation.host, annotation)

        @cache
        def means(label: tuple[float, str]) -> dict[int, str]:
            """The hosts that a label's rows mean now, with the ``host`` of the first such row."""
            found = reversed(rows[label].values())
            return {slot: annotation.host for annotation in found for slot in slots(annotation)}

        said = []
        for slot in decider.labelled().tolist():
            host = decider.host(slot)
            label = host.label_at, self.devices[host.label].device
            if self.labelled_by[slot] in rows[label]:
                continue
            # A row that was corrected may now mean another host by the same name, or this one yet.
            if slot in means(label):
                self.labelled_by[slot] = means(label)[slot]
                continue
            del self.labelled_by[slot]
            self.prototypes.forget(np.array([slot]))
            said += self._said(slot, decider.unlabel(slot, self._last(slot)), 0.0, ())
        return said

    def _index(self, slots: Callable[[Annotation], Sequence[int]]) -> None:
        self._by_name.clear()
        self._by_network.clear()
        self._met.clear()
        self.ignored_destinations.clear()
        for annotation in self._annotations:
            network = annotation.hosts
            if network is None or network.num_addresses == 1:
                self._by_name[annotation.host].append(annotation)
            else:
                self._by_network.append((network, annotation))
            if annotation.pool:
                # Not only when its time comes: a worker that starts again is beyond that.
                self.ignored_destinations.set(
                    annotation, set(slots(annotation)) if annotation.host else set()
                )

    def _meant(self, address: str, names: Sequence[str]) -> list[Annotation]:
        """The annotations that mean a host of these names, in the order of their time."""
        found = [
            annotation
            for name in map(str.lower, names)
            if name
            for annotation in self._by_name.get(name, ())
        ]
        if self._by_network and address:
            ip = ipaddress.ip_address(address)
            found += [one for net, one in self._by_network if in_networks(ip, (net,))]
        return sorted(found, key=lambda annotation: annotation.at)

    def meant(self, annotation: Annotation) -> list[int]:
        """The hosts that there are and that an annotation means, in order."""
        identity = self._identity
        addresses, macs, segments = [""], [annotation.mac], None
        network = annotation.hosts
        if annotation.hostname:
            named = identity.hostnames().items()
            macs = [mac for mac, name in named if name.lower() == annotation.hostname]
            addresses = [""] * len(macs)
        elif network is not None:
            addresses = [annotation.host]
            if network.num_addresses > 1:
                known = dict.fromkeys(map(bare, identity.addresses()))
                addresses = [a for a in known if in_networks(ipaddress.ip_address(a), (network,))]
            pairs = [(a, segment) for a in addresses for segment in identity.everywhere(a)]
            addresses, segments = [a for a, _ in pairs], [segment for _, segment in pairs]
            macs = [""] * len(addresses)
        found: list[int] = np.sort(identity.present(addresses, macs, segments)).tolist()
        return found

    def _apply(
        self, annotation: Annotation, slots: Callable[[Annotation], Sequence[int]]
    ) -> list[Applied]:
        if not annotation.host:
            return []
        announced = self._first_seen.announced
        return [
            said
            for slot in slots(annotation)
            if announced[slot]
            for said in self._bring(annotation, slot, self._last(slot))
        ]

    def _is_new(self, annotation: Annotation, slot: int, now: float) -> bool:
        """Whether neither this annotation nor a later one was applied to a host."""
        host = self._decider.host(slot)
        if annotation.action == "label":
            return host.label == NO_DEVICE or annotation.at > host.label_at
        if annotation.action == "confirm":
            began = self._first_seen.first_seen[slot]
            return bool(annotation.at > host.confirmed_at and annotation.at >= began)
        if annotation.pool:
            return not self.ignored_destinations.applies(annotation, slot)
        return bool(annotation.expires > max(annotation.at, now, host.ignored_until))

    def _bring(self, annotation: Annotation, slot: int, now: float) -> list[Applied]:
        """Apply an annotation to a host, if it is new."""
        if not self._is_new(annotation, slot, now):
            return []
        decider = self._decider
        ts = max(annotation.at, now)
        evidence: tuple[Evidence, ...] = (
            AnnotationApplied(annotation.action, annotation.at, annotation.reason),
        )
        if annotation.action == "label":
            given = decider.host(slot).label
            device = self.number(annotation.device, annotation.category)
            decision = decider.label(slot, ts, device, annotation.at)
            accepted = decider.host(slot).lookalike
            if accepted != NO_DEVICE:
                evidence += (AcceptedDevice(self.devices[accepted].device),)
            said = self._said(slot, decision, ts, evidence)
            self.labelled_by[slot] = annotation.host
            if given not in (NO_DEVICE, device):
                self.prototypes.forget(np.array([slot]))
            if self._windows.count[slot] >= min(TAUGHT, self._windows.length):
                said += self.teach(slot, ts, self._windows.latest(np.array([slot])))
            return said
        if annotation.action == "confirm":
            self._baseline.accept(np.array([slot]))
            return self._said(slot, decider.confirm(slot, ts, annotation.at), ts, evidence)
        if annotation.pool:
            self.ignored_destinations.add(annotation, slot)
        else:
            decider.ignore(slot, annotation.expires)
        return []

    def _said(
        self, slot: int, decision: Decision | None, ts: float, evidence: tuple[Evidence, ...]
    ) -> list[Applied]:
        return [] if decision is None else [Applied(decision, max(ts, self._last(slot)), evidence)]

    def _last(self, slot: int) -> float:
        """The host's latest session."""
        return float(self._windows.last_ts[slot])
