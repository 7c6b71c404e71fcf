"""Learns a profile: the rules that allow what a device's hosts did repeatedly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from nba_broker.policy.contacts import NETWORK, Contact, Place, Service
from nba_broker.policy.observe import Uses

REPEATS = 2
"""Days on which, or hosts by which, a thing must have been done to become a rule. What was done
once, on one day by one host, may be the attack or the accident that the profile is to block."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What something rests on."""

    sessions: int
    days: int
    hosts: int

    @property
    def text(self) -> str:
        """``12 sessions on 3 days of 1 host``."""
        return (
            f"{number(self.sessions, 'session')} on {number(self.days, 'day')} of "
            f"{number(self.hosts, 'host')}"
        )


def number(count: int, thing: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows sessions to a place and service, and what answers them."""

    place: Place
    service: Service
    extent: Extent


@dataclass(frozen=True, slots=True)
class Profile:
    """Rules, the most used first. seen: all sessions learned from; left_out: those without a
    rule."""

    rules: tuple[Rule, ...]
    seen: Extent
    left_out: Extent

    def allows(self, contact: Contact) -> bool:
        """Whether a rule allows a session."""
        service = contact.service
        if service is None:
            return False
        places = {*contact.places, *(place.wider for place in contact.places)}
        return any(rule.place in places and rule.service.has(service) for rule in self.rules)

    def unnamed(self) -> list[Rule]:
        """The rules for addresses and networks of the Internet, whose names were not known."""
        return [
            rule for rule in self.rules if rule.place.kind == NETWORK and not rule.place.is_group
        ]


_Wish = Callable[[Place, Service], tuple[Place | None, Service | None]]

_WISHES: tuple[_Wish, ...] = (
    lambda place, service: (place, service),
    lambda place, service: (place, service.wider),
    lambda place, service: (place.wider, service),
    lambda place, service: (place.wider, service.wider),
)
"""What a rule may say, the most specific first: place and port as they are; the ports drawn at
random together, where no single one repeats; the routed network, where no single address does."""

_Terms = tuple[Place, Service]


def learn(uses: Uses, repeats: int = REPEATS, *, networks: bool = True) -> Profile:
    """The profile of hosts by their uses. A wider rule is made only for what no narrower one
    covers; it then replaces those that say less. networks: whether rules may name more than single
    addresses."""
    left = dict.fromkeys(uses)
    covered: dict[_Terms, list[Contact]] = {}
    for wish in _WISHES if networks else _WISHES[:2]:
        wanted: defaultdict[_Terms, list[Contact]] = defaultdict(list)
        for one in left:
            if one.service is not None:
                place, service = wish(one.places[0], one.service)
                if place is not None and service is not None:
                    wanted[place, service].append(one)
        for terms, contacts in wanted.items():
            found = extent(uses[one] for one in contacts)
            if max(found.days, found.hosts) >= repeats:
                covered[terms] = contacts
                for one in contacts:
                    del left[one]
    for place, service in list(covered):
        for wider in _wider(place, service):
            if wider in covered:
                covered[wider] += covered.pop((place, service))
                break
    rules = [
        Rule(*terms, extent(uses[one] for one in contacts)) for terms, contacts in covered.items()
    ]
    rules.sort(key=lambda one: (-one.extent.sessions, one.place, one.service))
    return Profile(tuple(rules), extent(uses.values()), extent(uses[one] for one in left))


def _wider(place: Place, service: Service) -> Iterator[_Terms]:
    """The terms that hold these, the widest first."""
    for where in (place.wider, place):
        for what in (service.wider, service):
            if where is not None and what is not None and (where, what) != (place, service):
                yield where, what


def extent(uses: Iterable[Mapping[tuple[int, int], int]]) -> Extent:
    """The extent of uses together."""
    sessions = 0
    keys: set[tuple[int, int]] = set()
    for one in uses:
        sessions += sum(one.values())
        keys |= one.keys()
    return Extent(sessions, len({day for _, day in keys}), len({slot for slot, _ in keys}))
