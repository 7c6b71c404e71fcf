"""What a profile would have allowed and blocked of later sessions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from nba_broker.policy.contacts import Contact, Place
from nba_broker.policy.observe import Uses
from nba_broker.policy.profile import Extent, Profile, extent
from nba_broker.records.times import DAY


@dataclass(frozen=True, slots=True)
class Blocked:
    """Sessions to one place and service that would have been blocked; since: their first day, in
    seconds."""

    place: Place
    service: str
    extent: Extent
    since: float


@dataclass(frozen=True, slots=True)
class Check:
    """Later sessions under a profile. blocked: by place and service, most sessions first."""

    seen: Extent
    allowed: int
    blocked: tuple[Blocked, ...]

    @property
    def share(self) -> float:
        """The allowed share of the sessions, nan if there are none."""
        return self.allowed / self.seen.sessions if self.seen.sessions else float("nan")


def check(profile: Profile, uses: Uses) -> Check:
    """Apply a profile to uses of later days."""
    blocked: defaultdict[tuple[Place, str], list[Contact]] = defaultdict(list)
    for one in uses:
        if not profile.allows(one):
            service = "no port" if one.service is None else (one.service.wider or one.service).text
            blocked[one.places[0], service].append(one)
    found = [
        Blocked(
            place,
            service,
            extent(uses[one] for one in contacts),
            DAY * min(day for one in contacts for _, day in uses[one]),
        )
        for (place, service), contacts in blocked.items()
    ]
    found.sort(key=lambda one: (-one.extent.sessions, one.place, one.service))
    seen = extent(uses.values())
    allowed = seen.sessions - sum(one.extent.sessions for one in found)
    return Check(seen, allowed, tuple(found))
