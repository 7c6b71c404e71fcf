"""Events of the whole site from their beginning to their end, as an operator reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from nba_broker.records.site_events import SiteEvent

WORDS = {
    "internet": "Internet down",
    "dns": "DNS down",
    "dhcp": "DHCP down",
    "ntp": "NTP down",
    "resolver": "Another resolver",
    "probe": "Hosts probed",
}
"""What each kind of event is called; NBA::Site_Event uses the same words."""


@dataclass(frozen=True, slots=True)
class SiteSpan:
    """An event, as its last record describes it.

    ``until`` is its end in seconds since the epoch, None while it lasts or if no record says so.
    """

    event: SiteEvent
    until: float | None

    @property
    def text(self) -> str:
        """For an operator to read: ``Internet down: 7 of 9 hosts from 2026-01-05 12:00:00 to
        18:00:00``. Times are UTC."""
        event = self.event
        where = f" ({event.where})" if event.where else ""
        begin = _utc(event.since)
        if self.until is None:
            when = f"since {begin}"
        else:
            end = _utc(self.until)
            day, _, time = end.partition(" ")
            when = f"from {begin} to {time if begin.startswith(day) else end}"
        return f"{WORDS[event.kind]}{where}: {event.hosts} of {event.watched} hosts {when}"


def spans(events: Iterable[SiteEvent]) -> list[SiteSpan]:
    """The events that these records, in any order, tell of, by their beginning.

    Several workers may tell of one event, each of its own hosts. A restarted worker has another
    name; it may end what the one before it began.
    """
    found: list[SiteSpan] = []
    begun: dict[tuple[str, str, float], list[SiteEvent]] = {}
    for event in sorted(events, key=lambda one: one.ts):
        of_event = begun.setdefault((event.kind, event.where, event.since), [])
        if event.state == "begun":
            of_event.append(event)
            continue
        found.append(SiteSpan(event, event.ts))
        if of_event:
            own = (at for at, one in enumerate(of_event) if one.worker == event.worker)
            del of_event[next(own, 0)]
    found += [SiteSpan(event, None) for of_event in begun.values() for event in of_event]
    return sorted(found, key=lambda one: (one.event.since, one.event.ts))


def _utc(ts: float) -> str:
    return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%d %H:%M:%S}"
