"""MACs that stand for several hosts, as those of routers do: how alternating addresses prove it.

Addresses that return again and again to one MAC belong to several hosts behind it. One host has
alternating addresses, too: one in each of several networks, or IPv6 privacy addresses (RFC 8981)
that follow each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from nba_broker.hosts.address_table import (
    AddressTable,
    Binding,
    is_exclusive,
    is_link_local,
    network,
)
from nba_broker.hosts.host_table import HostTable
from nba_broker.hosts.leases import Leases
from nba_broker.records.evidence import Evidence, HostsApart, SharedMac
from nba_broker.records.segments import bare, is_ipv4

ROUTER_ADDRESSES = 3
"""Alternating IPv4 addresses that make a MAC a router's; one more for each further network. One
device may have two while it is set up: one of its own access point and one of the network."""

ROUTER_ADDRESSES_6 = 4
"""Alternating IPv6 addresses of one network, likewise. One device may have three: the stable one,
the leased one, and the latest temporary one."""

ROUTER_SPAN = 3600.0
"""Seconds within which an address must come and return. A host that DHCP moves to another address
does not return so soon."""

LASTING = 1800.0
"""Seconds for which IPv6 addresses must have alternated. One host may try many at once, and uses a
new one beside the old one only until the sessions of the old one end."""

AddressTimes = tuple[dict[str, float], dict[str, float], dict[str, float]]
"""By address of one MAC, in seconds: when it came into use last, when it returned last, and when it
came into use first."""

_CHANGES = 256  # addresses remembered per MAC
_ROUTERS = 4096  # remembered at most: MACs can be forged


@dataclass(frozen=True, slots=True)
class Router:
    """A MAC that stands for several hosts: that of a router, of a bridge that hides its stations,
    or of a host that impersonates its neighbours.

    ``slot``: the slot of the host that had this MAC until ``ts``; its history is a mixture.
    ``addresses``: the alternating addresses that prove it.
    """

    mac: str
    slot: int
    ts: float
    addresses: tuple[str, ...]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Why the host that had this MAC ends."""
        return (SharedMac(self.addresses, ROUTER_SPAN), HostsApart())


class Routers:
    """Finds and remembers the MACs of routers."""

    def __init__(self, hosts: HostTable, addresses: AddressTable, leases: Leases) -> None:
        self._hosts = hosts
        self._addresses = addresses
        self._leases = leases
        self.found: dict[str, float] = {}
        """MAC of a router -> time of the session that proved it, the least recently seen first."""
        self.changes: dict[str, AddressTimes] = {}
        """MAC -> times of its alternating addresses."""

    def refresh(self, macs: list[str]) -> None:
        """Move routers among the MACs of these sessions behind the others: MACs can be forged, so
        their number is bounded, and the least recently seen leave first."""
        found = self.found
        if found and not found.keys().isdisjoint(macs):
            last = dict(zip(macs, range(len(macs)), strict=True))
            for mac in sorted(found.keys() & last.keys(), key=last.__getitem__):
                found[mac] = found.pop(mac)
        while len(found) > _ROUTERS:
            del found[next(iter(found))]

    def check(self, ts: float, mac: str, zone: str, slot: int) -> Router | None:
        """Note a session of the host in ``slot``; returns its MAC as a router's if the address of
        the session proves that."""
        if is_ipv4(zone):
            before: str | None = self._hosts.address[slot]
            alternates = is_exclusive(zone) and is_exclusive(self._hosts.address[slot])
        else:
            before = self._addresses.in_network(slot, mac, zone)
            alternates = not is_link_local(zone)
        if before is None or not alternates or bare(before) == bare(zone):
            return None
        returned = self._note_change(ts, mac, zone)
        if not is_router(mac, returned, self._leases.of_address):
            return None
        return self._add(ts, mac, tuple(returned))

    def _note_change(self, ts: float, mac: str, zone: str) -> list[str]:
        """A MAC changed to another address; returns its addresses that alternate."""
        came, returned, first = self.changes.setdefault(mac, ({}, {}, {}))
        if ts - came.pop(zone, -math.inf) <= ROUTER_SPAN:
            returned[zone] = ts
        else:
            first[zone] = ts
        came[zone] = ts  # the latest last
        while ts - came[oldest := next(iter(came))] > ROUTER_SPAN or len(came) > _CHANGES:
            del came[oldest], first[oldest]
        for past in [one for one, when in returned.items() if ts - when > ROUTER_SPAN]:
            del returned[past]
        return [
            one
            for one, when in returned.items()
            if is_ipv4(one) or (first.get(one, ts) <= ts - LASTING < when)
        ]

    def _add(self, ts: float, mac: str, addresses: tuple[str, ...]) -> Router:
        """From the next session on, hosts behind this MAC are distinguished by their addresses."""
        slot = self._hosts.slot_of[mac]
        self.found[mac] = ts
        del self.changes[mac]
        zones = sorted({*self._addresses.others(mac), self._hosts.address[slot], *addresses})
        bindings = {zone: self._leases.of_address(zone) for zone in zones}
        for zone in addresses:
            self._addresses.keep(mac, zone)
        self._addresses.forget_all(slot)
        self._hosts.address[slot] = ""
        # Leases of these addresses hold again, as their MACs are not the router's.
        for zone, binding in bindings.items():
            if binding is not None and binding.mac not in self.found and is_ipv4(zone):
                self._addresses.bindings[zone] = binding
                self._addresses.assign(zone, binding.mac)
                self._addresses.keep(binding.mac, zone)
        return Router(mac, slot, ts, tuple(map(bare, addresses)))

    def contradict(self, ts: float, zone: str, mac: str) -> None:
        """A session with this MAC comes from an address that a lease may give to another MAC: note
        that with the lease, if it is recent."""
        binding = self._leases.of(zone)
        if binding is not None and binding.mac != mac and 0 <= ts - binding.ts <= ROUTER_SPAN:
            self._addresses.bindings[zone] = replace(binding, against=mac)

    def recent(self, mac: str, ts: float) -> set[str]:
        """The addresses that a MAC changed to within ROUTER_SPAN before ``ts``."""
        came, _, _ = self.changes.get(mac, ({}, {}, {}))
        return {zone for zone, when in came.items() if ts - when <= ROUTER_SPAN}

    def may_be_found(self, mac: str, zones: Collection[str]) -> bool:
        """Whether sessions of a MAC from these addresses may prove it a router's."""
        four = sum(map(is_ipv4, zones))
        return (
            mac in self.changes
            or four >= ROUTER_ADDRESSES
            or len(zones) - four >= ROUTER_ADDRESSES_6
            or (len(zones) > 1 and any(map(self._leases.of_address, zones)))
        )

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times later than ``limit`` become ``now``."""
        for times in (one for of_mac in self.changes.values() for one in of_mac):
            times |= {zone: min(ts, now) for zone, ts in times.items() if ts > limit}


def is_router(
    mac: str, returned: Collection[str], binding_of: Callable[[str], Binding | None]
) -> bool:
    """Whether addresses that returned to one MAC belong to several hosts.

    ``binding_of``: the MAC of an address by lease or EUI-64, None where neither is known. Two
    addresses that belong to different hosts are enough. If only one belongs to another MAC, its
    lease may be out of date, unless it came while this MAC used the address.
    """
    if len(returned) < 2:
        return False
    bindings = {zone: binding_of(zone) for zone in returned}
    known = [one for one in bindings.values() if one is not None]
    if not known and len(returned) < ROUTER_ADDRESSES:
        return False
    others = {one.mac for one in known if one.mac != mac}
    hostnames = {one.hostname.lower() for one in known if one.mac == mac and one.hostname}
    contradicted = any(one.against == mac for one in known)
    owners = {one.mac if one is not None else mac for one in bindings.values()}
    if len(others) > 1 or len(hostnames) > 1 or (contradicted and len(owners) > 1):
        return True
    # The same address with and without its segment is one.
    networks = {bare(zone): network(zone) for zone in returned}
    four = Counter(net for address, net in networks.items() if is_ipv4(address))
    six = Counter(net for address, net in networks.items() if not is_ipv4(address))
    return (
        four.total() - len(four) >= ROUTER_ADDRESSES - 1
        or max(six.values(), default=0) >= ROUTER_ADDRESSES_6
    )
