"""What analysts answered, brought to the hosts that there are: names, prototypes, and silence.

An answer holds from its ``at`` on, in event time. It is brought to a host when that time comes,
when the file that has it is taken over, or when a host appears, or is told another name or
address, that it means. A label stays with the host, wherever it moves, until another one, or until
its row is gone: no row with that time, host and device is left, nor one that says the same of it.
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
    """A decision that an answer led to, with its time and what an analyst should know of it."""

    decision: Decision
    ts: float
    evidence: tuple[Evidence, ...]


class AppliedAnnotations:
    """Brings answers to hosts."""

    def __init__(
        self,
        classes: Sequence[Class],
        pools: Pools,
        identity: Identity,
        sequences: HostWindows,
        policy: Decider,
        surprise: HostBaseline,
        sightings: FirstSeen,
    ) -> None:
        self.devices = list(classes)
        """Everything that a host can be called: the model's classes, then what analysts named."""
        self.prototypes = Prototypes()
        self.labelled_by: dict[int, str] = {}
        """The ``host`` of the answer that labelled a host, by slot, of all hosts with a label."""
        self._classes = len(classes)
        self._pools = pools
        self._identity = identity
        self._sequences = sequences
        self._policy = policy
        self._surprise = surprise
        self._sightings = sightings
        self.next_at = np.inf
        """When the next annotation is due; infinity if none waits."""
        self.total = 0
        """How many annotations there are."""
        self._answers: tuple[Annotation, ...] = ()
        self._waiting: list[Annotation] = []  # their time has not come; the latest first
        self._by_name: dict[str, list[Annotation]] = defaultdict(
            list
        )  # of MAC, address or hostname
        self._by_network: list[tuple[Network, Annotation]] = []
        self._met: dict[int, set[tuple[str, ...]]] = defaultdict(set)
        self._quiet: dict[Annotation, set[int]] = {}  # hosts for which a pool is ignored
        self._told: set[tuple[str, str]] = set()  # names that seem to mean classes

    @property
    def waiting(self) -> int:
        """How many answers are not due yet."""
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
        named = set(self._policy.label_of(self._policy.labelled()).tolist())
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

    def take_over(self, answers: Sequence[Annotation], now: float) -> list[Applied]:
        """These answers, in the order of their time, are all there are from now on; ``now`` is in
        event time. Returns what that says of hosts."""
        self._answers = tuple(answers)
        self.total = len(self._answers)
        self._waiting = [answer for answer in reversed(self._answers) if answer.at > now]
        self._look_ahead()
        self._tell_misspelt()
        slots = cache(self.meant)  # a wide answer is asked for again for each of its hosts
        self._index(slots)
        said = self._withdraw_labels(slots)
        policy = self._policy
        until: dict[int, float] = {}
        for answer in self._answers:
            if answer.action == "ignore" and not answer.pool and answer.at <= now:
                for slot in slots(answer):
                    until[slot] = max(until.get(slot, _PAST), answer.expires)
        for slot in policy.ignored().tolist():
            if until.get(slot, _PAST) < policy.host(slot).ignored_until:
                policy.ignore(slot, until.get(slot, _PAST))
        for answer in self._answers:
            if answer.at <= now:
                said += self._apply(answer, slots)
        return said

    def due(self, now: float) -> list[Applied]:
        """Event time has come to ``now``: what the answers that are due say of the hosts."""
        said = []
        while self._waiting and self._waiting[-1].at <= now:
            said += self._apply(self._waiting.pop(), self.meant)
        self._look_ahead()
        return said

    def _look_ahead(self) -> None:
        self.next_at = self._waiting[-1].at if self._waiting else np.inf

    def new_to(self, slot: int, address: str, ts: float) -> list[Annotation]:
        """A host has a session at ``ts`` from this address: the answers, in the order of their
        time, that say something new of it, if it is new, or has another name or address.

        It is told of them once; then :meth:`meet` brings them.
        """
        who = (*self._identity.macs(slot), address, self._identity.hostname(slot))
        met = self._met[slot]
        if who in met or not self._sightings.announced[slot]:
            return []
        if len(met) >= _ADDRESSES:
            met.clear()
        met.add(who)
        meant = [answer for answer in self._meant(address, who) if answer.at <= ts]
        return [answer for answer in meant if self._is_new(answer, slot, ts)]

    def meet(self, slot: int, ts: float, news: Sequence[Annotation]) -> list[Applied]:
        """What these answers say of a host, at the session of ``ts`` for which they are news."""
        return [said for answer in news for said in self._bring(answer, slot, ts)]

    def forget(self, slots: np.ndarray) -> None:
        """These slots hold new hosts."""
        self.prototypes.forget(slots)
        for slot in slots.tolist():
            self._met.pop(slot, None)
            self.labelled_by.pop(slot, None)
        for quiet in self._quiet.values():
            quiet.difference_update(slots.tolist())

    def grows(self, slot: np.ndarray, count: np.ndarray, stride: int) -> np.ndarray:
        """Places of the windows, of these hosts [B] at so many sessions [B], with which a host that
        was named may become a prototype."""
        return np.flatnonzero(self._grown(count, stride) & self._policy.is_labelled(slot))

    def may_teach(self, slot: np.ndarray, annotated: Collection[int]) -> np.ndarray:
        """Places of the sessions, of these hosts [n], with which a host that an analyst named, or
        to which an annotation is about to be applied, may become a prototype."""
        windows = self._sequences
        named = self._policy.is_labelled(slot)
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
        full = self._sequences.length
        grown: np.ndarray = (count >= full) & (count - stride < full)
        grown |= (count >= TAUGHT) & (count - stride < TAUGHT) & (full > TAUGHT)
        return grown

    def teach(self, slot: int, ts: float, window: Windows) -> list[Applied]:
        """A host that was named becomes a prototype: what that says of others. ``window`` is its
        present one.

        Unless the model knows the device, and names it so by itself or says that it is another.
        """
        policy = self._policy
        device = policy.host(slot).label
        if not policy.is_example(slot):
            return []
        if not self.prototypes.teach(slot, device, window, self._pools.table):
            return []
        said = []
        slots = policy.recognisable(device)
        slots = slots[self._sightings.announced[slots]]
        for start in range(0, len(slots), _CHUNK):
            some = slots[start : start + _CHUNK]
            likeness = self.prototypes.likeness(self._sequences.latest(some), self._pools.table)
            devices, how = similar_device(likeness, self.prototypes.devices)
            for other in np.flatnonzero(devices == device).tolist():
                number = int(some[other])
                if not self._identity.address(number):
                    continue
                similarity = float(how[other])
                decision = policy.recognise(number, self._last(number), device, similarity)
                identity = self._identity
                why = SimilarHost(identity.address(slot), identity.mac(slot), similarity)
                said += self._said(number, decision, ts, (why,))
        return said

    def _tell_misspelt(self) -> None:
        """Warn, once each, of names that seem to mean a class of the model, and do not."""
        classes = [one.device for one in self.devices[: self._classes]]
        for name in sorted({answer.device for answer in self._answers if answer.device}):
            known = misspelt(name, classes)
            if known and (name, known) not in self._told:
                self._told.add((name, known))
                LOG.warning("answers name a device %s; the model's class is spelt %s", name, known)

    def muted(self, windows: Windows, attention: np.ndarray, ts: np.ndarray) -> np.ndarray | None:
        """Whether most of what the model looked at (attention [B, N]) in each of B windows, decided
        at ts [B], is destinations that are ignored, bool [B]; None if there are none."""
        if not self._quiet:
            return None
        shape = windows.pool.shape
        quiet = self.ignored(
            np.repeat(windows.slot, shape[1]),
            np.repeat(ts, shape[1]),
            windows.pool.reshape(-1),
            windows.columns["dst"].reshape(-1),
        ).reshape(shape)
        # Sessions of a step share their attention equally, so that exactly half is common, and
        # rounding must not decide it.
        muted: np.ndarray = (attention * quiet).sum(1) > 0.5 + 1e-3
        return muted

    def ignored(
        self,
        slot: np.ndarray,
        ts: np.ndarray,
        pool: np.ndarray,
        dst: np.ndarray,
    ) -> np.ndarray:
        """Whether each of n sessions is to a destination that its host may go to as it likes, bool
        [n]; pool int [n] is an index into the table of pools, dst V16 [n] an address."""
        ignored = np.zeros(len(slot), bool)
        within = cache(lambda: self._pools.translation.unpacked(dst))
        for answer, slots in self._quiet.items():
            holds = (ts >= answer.at) & (ts < answer.expires)
            if answer.host:
                holds &= np.isin(slot, list(slots))
            network = answer.destinations
            if network is not None:
                there = _in_network(dst, network)
                if network.version == 4:
                    there |= _in_network(within(), network)
                holds &= there
            elif (number := self._pools.index(answer.pool)) is not None:
                holds &= pool == number
            else:
                continue
            ignored |= holds
        return ignored

    def _withdraw_labels(self, slots: Callable[[Annotation], Sequence[int]]) -> list[Applied]:
        """What it says of hosts that the rows which labelled them are gone."""
        policy = self._policy
        rows: dict[tuple[float, str], dict[str, Annotation]] = defaultdict(dict)
        for answer in self._answers:
            if answer.action == "label":
                rows[answer.at, answer.device].setdefault(answer.host, answer)

        @cache
        def means(label: tuple[float, str]) -> dict[int, str]:
            """The hosts that a label's rows mean now, with the ``host`` of the first such row."""
            found = reversed(rows[label].values())
            return {slot: answer.host for answer in found for slot in slots(answer)}

        said = []
        for slot in policy.labelled().tolist():
            host = policy.host(slot)
            label = host.label_at, self.devices[host.label].device
            if self.labelled_by[slot] in rows[label]:
                continue
            # A row that was corrected may now mean another host by the same name, or this one yet.
            if slot in means(label):
                self.labelled_by[slot] = means(label)[slot]
                continue
            del self.labelled_by[slot]
            self.prototypes.forget(np.array([slot]))
            said += self._said(slot, policy.unlabel(slot, self._last(slot)), 0.0, ())
        return said

    def _index(self, slots: Callable[[Annotation], Sequence[int]]) -> None:
        self._by_name.clear()
        self._by_network.clear()
        self._met.clear()
        self._quiet.clear()
        for answer in self._answers:
            network = answer.hosts
            if network is None or network.num_addresses == 1:
                self._by_name[answer.host].append(answer)
            else:
                self._by_network.append((network, answer))
            if answer.pool:
                # Not only when its time comes: a worker that starts again is beyond that.
                self._quiet[answer] = set(slots(answer)) if answer.host else set()

    def _meant(self, address: str, names: Sequence[str]) -> list[Annotation]:
        """The answers that mean a host of these names, in the order of their time."""
        found = [
            answer
            for name in map(str.lower, names)
            if name
            for answer in self._by_name.get(name, ())
        ]
        if self._by_network and address:
            ip = ipaddress.ip_address(address)
            found += [one for net, one in self._by_network if in_networks(ip, (net,))]
        return sorted(found, key=lambda answer: answer.at)

    def meant(self, answer: Annotation) -> list[int]:
        """The hosts that there are and that an answer means, in order."""
        identity = self._identity
        addresses, macs, segments = [""], [answer.mac], None
        network = answer.hosts
        if answer.hostname:
            named = identity.hostnames().items()
            macs = [mac for mac, name in named if name.lower() == answer.hostname]
            addresses = [""] * len(macs)
        elif network is not None:
            addresses = [answer.host]
            if network.num_addresses > 1:
                known = dict.fromkeys(map(bare, identity.addresses()))
                addresses = [a for a in known if in_networks(ipaddress.ip_address(a), (network,))]
            pairs = [(a, segment) for a in addresses for segment in identity.everywhere(a)]
            addresses, segments = [a for a, _ in pairs], [segment for _, segment in pairs]
            macs = [""] * len(addresses)
        found: list[int] = np.sort(identity.present(addresses, macs, segments)).tolist()
        return found

    def _apply(
        self, answer: Annotation, slots: Callable[[Annotation], Sequence[int]]
    ) -> list[Applied]:
        if not answer.host:
            return []
        announced = self._sightings.announced
        return [
            said
            for slot in slots(answer)
            if announced[slot]
            for said in self._bring(answer, slot, self._last(slot))
        ]

    def _is_new(self, answer: Annotation, slot: int, now: float) -> bool:
        """Whether neither this answer nor a later one was applied to a host."""
        host = self._policy.host(slot)
        if answer.action == "label":
            return host.label == NO_DEVICE or answer.at > host.label_at
        if answer.action == "confirm":
            began = self._sightings.first_seen[slot]
            return bool(answer.at > host.confirmed_at and answer.at >= began)
        if answer.pool:
            return slot not in self._quiet[answer]
        return bool(answer.expires > max(answer.at, now, host.ignored_until))

    def _bring(self, answer: Annotation, slot: int, now: float) -> list[Applied]:
        """Apply an answer to a host, if it is new."""
        if not self._is_new(answer, slot, now):
            return []
        policy = self._policy
        ts = max(answer.at, now)
        evidence: tuple[Evidence, ...] = (
            AnnotationApplied(answer.action, answer.at, answer.reason),
        )
        if answer.action == "label":
            given = policy.host(slot).label
            device = self.number(answer.device, answer.category)
            decision = policy.label(slot, ts, device, answer.at)
            accepted = policy.host(slot).lookalike
            if accepted != NO_DEVICE:
                evidence += (AcceptedDevice(self.devices[accepted].device),)
            said = self._said(slot, decision, ts, evidence)
            self.labelled_by[slot] = answer.host
            if given not in (NO_DEVICE, device):
                self.prototypes.forget(np.array([slot]))
            if self._sequences.count[slot] >= min(TAUGHT, self._sequences.length):
                said += self.teach(slot, ts, self._sequences.latest(np.array([slot])))
            return said
        if answer.action == "confirm":
            self._surprise.accept(np.array([slot]))
            return self._said(slot, policy.confirm(slot, ts, answer.at), ts, evidence)
        if answer.pool:
            self._quiet[answer].add(slot)
        else:
            policy.ignore(slot, answer.expires)
        return []

    def _said(
        self, slot: int, decision: Decision | None, ts: float, evidence: tuple[Evidence, ...]
    ) -> list[Applied]:
        return [] if decision is None else [Applied(decision, max(ts, self._last(slot)), evidence)]

    def _last(self, slot: int) -> float:
        """The host's latest session."""
        return float(self._sequences.last_ts[slot])


def _in_network(dst: np.ndarray, network: Network) -> np.ndarray:
    """Which addresses V16 [n] a network holds, bool [n]."""
    length = network.prefixlen + (96 if network.version == 4 else 0)
    bits = 128 - length
    mask = np.frombuffer((((1 << length) - 1) << bits).to_bytes(16, "big"), np.uint8)
    whole = int(network.network_address) + ((0xFFFF << 32) if network.version == 4 else 0)
    prefix = np.frombuffer(whole.to_bytes(16, "big"), np.uint8)
    packed = np.ascontiguousarray(dst).view(np.uint8).reshape(-1, 16)
    inside: np.ndarray = ((packed & mask) == prefix).all(1)
    return inside
