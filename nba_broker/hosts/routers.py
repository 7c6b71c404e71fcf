"""Addresses of one MAC, or MACs of one address, that take turns: what tells several hosts from one.

A MAC's addresses that come back in turn are several hosts' behind it; MACs that come back in turn
with one address are one host's. One host's addresses of several networks, or of privacy (RFC 8981),
come in turn, too, but one of each network, or one after another.
"""

from __future__ import annotations

import math
import socket
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache

from nba_broker.records.evidence import Evidence, HostsApart, OneHost, SharedAddress, SharedMac
from nba_broker.records.segments import bare, is_ipv4, segment_of

ROUTER_ADDRESSES = 3
"""IPv4 addresses in turn that make a MAC a router's; of several networks, one of each more. One
device may have two: its own access point's and the network's, while it is set up."""

ROUTER_ADDRESSES_6 = 4
"""IPv6 addresses of one network in turn, likewise. One device may have three: the stable one, that
of a lease, and the latest temporary one."""

ROUTER_SPAN = 3600.0
"""Seconds within which they come and come back. A host that DHCP moves does not go back so soon."""

LASTING = 1800.0
"""Seconds for which IPv6 addresses must have come in turn, as one host may try many at once, and
has its new one beside the old only while this one's sessions end."""

BOND_TURNS = 3
"""Times that each of two MACs must take an address from the other within BOND_SPAN to be one
host's. An address that DHCP lends anew does not go back."""

BOND_SPAN = 86_400.0
"""Seconds, likewise: a quiet host has two sessions an hour."""

Comings = tuple[dict[str, float], dict[str, float], dict[str, float]]

_TURNS = 256  # addresses of one MAC that are remembered in case they come back
_TAKES = 32  # of one address


@dataclass(frozen=True, slots=True)
class Claim:
    """Whom an address belongs to by its latest lease: a MAC, with the host's name, at ``ts``.

    ``against`` is another MAC that had the address in use as the lease came, or within ROUTER_SPAN
    of it, so that the lease is no old one; ``before`` is the MAC that it was lent to before. Both
    are "" where there is none.
    """

    mac: str
    hostname: str = ""
    ts: float = -math.inf
    against: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Router:
    """A MAC that stands for several hosts: a router's, a bridge's that hides its stations, or that
    of a host that pretends to be its neighbours.

    ``slot`` is the host that it was taken for until ``ts``, whose history is a mixture;
    ``addresses`` are those that gave it away.
    """

    mac: str
    slot: int
    ts: float
    addresses: tuple[str, ...]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Why the host that it was taken for ends."""
        return (SharedMac(self.addresses, ROUTER_SPAN), HostsApart())


@dataclass(frozen=True, slots=True)
class Bond:
    """A MAC that takes turns with that of another host, ``other``, at ``address``: one of its
    interfaces.

    ``slot`` is the host that it was taken for until ``ts``.
    """

    mac: str
    slot: int
    ts: float
    address: str
    other: str

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Why the host that it was taken for ends."""
        return (
            SharedAddress(self.mac, self.other, self.address, BOND_SPAN),
            OneHost(self.other),
        )


@lru_cache(4096)  # a host's addresses take turns
def network(zone: str) -> str:
    """The network that an address is of, in its segment: a /24, or a /64."""
    address, segment = bare(zone), segment_of(zone)
    if not is_ipv4(zone):
        address = socket.inet_pton(socket.AF_INET6, address)[:8].hex(":", 2)
    else:
        address = address.rpartition(".")[0]
    return f"{address}%{segment}"


class Turns:
    """What may yet tell that a MAC is a router's, or that two MACs are one host's."""

    def __init__(self) -> None:
        # MAC -> when each of its addresses came into use last, came back into use last, and came
        # into use first.
        self.of_mac: dict[str, Comings] = {}
        # Address -> when it was taken over, and by which MAC.
        self.of_address: dict[str, list[tuple[float, str]]] = {}

    def next_address(
        self, ts: float, mac: str, zone: str, claim: Callable[[str], Claim | None]
    ) -> tuple[str, ...]:
        """A MAC went on to another of its addresses; returns those that prove it a router's, if
        they do. ``claim``: see :func:`is_router`."""
        came, back, first = self.of_mac.setdefault(mac, ({}, {}, {}))
        if ts - came.pop(zone, -math.inf) <= ROUTER_SPAN:
            back[zone] = ts
        else:
            first[zone] = ts
        came[zone] = ts  # the latest last
        while ts - came[oldest := next(iter(came))] > ROUTER_SPAN or len(came) > _TURNS:
            del came[oldest], first[oldest]
        for past in [one for one, when in back.items() if ts - when > ROUTER_SPAN]:
            del back[past]
        lasting = [
            one
            for one, when in back.items()
            if is_ipv4(one) or (first.get(one, ts) <= ts - LASTING < when)
        ]
        return tuple(lasting) if is_router(mac, lasting, claim) else ()

    def lately(self, mac: str, ts: float) -> set[str]:
        """The addresses that a MAC went on to within ROUTER_SPAN."""
        came, _, _ = self.of_mac.get(mac, ({}, {}, {}))
        return {zone for zone, when in came.items() if ts - when <= ROUTER_SPAN}

    def next_mac(self, ts: float, zone: str, mac: str, before: str) -> list[str]:
        """An address went on from one MAC to another; returns the MACs that take turns, the first
        one first, if two or more do. ``before`` is "" where no session had it."""
        takes = self.of_address.setdefault(zone, [(ts, before)] if before else [])
        if not takes or takes[-1][1] != mac:
            takes.append((ts, mac))
        takes[:] = [take for take in takes[-_TAKES:] if ts - take[0] <= BOND_SPAN]
        number = Counter(one for _, one in takes)
        return [one for one, times in number.items() if times >= BOND_TURNS]


def is_router(mac: str, back: Collection[str], claim: Callable[[str], Claim | None]) -> bool:
    """Whether addresses that came back with one MAC are several hosts'.

    ``claim``: whom an address belongs to by lease or EUI-64, None where nothing tells. Two that
    belong to different hosts are enough. Where only one belongs to another MAC, its lease may just
    be old, unless it came while this MAC had the address.
    """
    if len(back) < 2:
        return False
    claims = {zone: claim(zone) for zone in back}
    told = [one for one in claims.values() if one is not None]
    if not told and len(back) < ROUTER_ADDRESSES:
        return False
    others = {one.mac for one in told if one.mac != mac}
    names = {one.hostname.lower() for one in told if one.mac == mac and one.hostname}
    disputed = any(one.against == mac for one in told)
    owned = {one.mac if one is not None else mac for one in claims.values()}
    if len(others) > 1 or len(names) > 1 or (disputed and len(owned) > 1):
        return True
    # The same address with and without its segment is one.
    networks = {bare(zone): network(zone) for zone in back}
    four = Counter(net for address, net in networks.items() if is_ipv4(address))
    six = Counter(net for address, net in networks.items() if not is_ipv4(address))
    return (
        four.total() - len(four) >= ROUTER_ADDRESSES - 1
        or max(six.values(), default=0) >= ROUTER_ADDRESSES_6
    )
