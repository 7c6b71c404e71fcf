"""Events of the whole site: many hosts that change at once, as data."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = (
    "internet",  # sessions to the Internet stop
    "dns",  # DNS queries are only repeated
    "dhcp",  # requests of DHCP are only repeated
    "ntp",  # requests of NTP are only repeated
    "resolver",  # many hosts use another resolver
    "probe",  # one host starts sessions with many hosts at once: a router, a scanner
)

STATES = ("begun", "over")


@dataclass(frozen=True, slots=True)
class SiteEvent:
    """Many hosts that changed at once. One record when it begins, one when it is over.

    ``ts`` is the start of the session that led to the record, ``since`` when the event began; both
    in seconds since the epoch. ``hosts`` is the number of hosts affected, ``watched`` that of hosts
    of the partition that could have been. ``where`` is what it is about, for a person and a search:
    ``192.168.1.1 53/udp``, a pool ``as:15169``, or "". ``examples`` are the addresses of at most 5
    of the hosts.
    """

    ts: float
    kind: str
    state: str
    since: float
    hosts: int
    watched: int
    where: str
    examples: tuple[str, ...]
    worker: str = ""
