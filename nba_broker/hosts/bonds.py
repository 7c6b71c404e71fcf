"""MACs that are several interfaces of one host: how a bond is found by an address that alternates.

An address that changes between two MACs again and again belongs to one host with two interfaces,
as a bond (NIC teaming) or a laptop with a dock has them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nba_broker.hosts.address_table import AddressTable, is_exclusive
from nba_broker.hosts.host_table import HostTable
from nba_broker.hosts.leases import Leases
from nba_broker.hosts.routers import Routers
from nba_broker.hosts.vendor import vendor
from nba_broker.records.evidence import Evidence, OneHost, SharedAddress
from nba_broker.records.segments import bare

BOND_CHANGES = 3
"""Times that each of two MACs must take an address from the other within BOND_SPAN to be one
host's. An address that DHCP leases to another host does not return."""

BOND_SPAN = 86_400.0
"""Seconds, likewise: a quiet host has two sessions an hour."""

_TAKES = 32  # changes remembered per address
_BONDS = 4096  # remembered at most: MACs can be forged


@dataclass(frozen=True, slots=True)
class Bond:
    """A MAC that is another interface of the host ``other``: both alternate at ``address``.

    ``slot``: the slot of the host that had this MAC until ``ts``.
    """

    mac: str
    slot: int
    ts: float
    address: str
    other: str

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Why the host that had this MAC ends."""
        return (SharedAddress(self.mac, self.other, self.address, BOND_SPAN), OneHost(self.other))


class Bonds:
    """Finds and remembers the MACs that are another interface of a host."""

    def __init__(
        self, hosts: HostTable, addresses: AddressTable, leases: Leases, routers: Routers
    ) -> None:
        self._hosts = hosts
        self._addresses = addresses
        self._leases = leases
        self._routers = routers
        self.host_of: dict[str, str] = {}
        """MAC of another interface -> MAC that its host is named by."""

    def name_of(self, mac: str, zone: str) -> str:
        """The MAC of the host that a session's MAC is an interface of: itself where it is none, or
        where it comes with an IPv4 address that is not that host's."""
        host = self.host_of.get(mac)
        if host is None or (is_exclusive(zone) and self._addresses.owner(zone) != host):
            return mac
        return host

    def interfaces(self, mac: str) -> list[str]:
        """The MACs of a host's other interfaces."""
        return [one for one, host in self.host_of.items() if host == mac]

    def separate(self, mac: str) -> None:
        """An interface has an address of its own: it is a host again."""
        del self.host_of[mac]

    def check(self, ts: float, zone: str, mac: str, before: str, may_join: bool) -> Bond | None:
        """Note that an address changed from one MAC to another; returns the bond that this proves,
        if it does and ``may_join``."""
        slot = self._hosts.slot_of.get(before)
        had_sessions = slot is not None and self._hosts.mac_seen[slot] != ""
        alternating = self._note_change(ts, zone, mac, before if had_sessions else "")
        lease = self._leases.of(zone)
        leased_to = lease.mac if lease is not None else ""
        there = [one for one in alternating if one in self._hosts.slot_of] or [mac]
        first, *others = sorted(there, key=lambda one: one != leased_to)
        for other in others:
            if may_join and self._may_be_one_host(ts, zone, first, other):
                return self._join(ts, zone, first, other)
        return None

    def _note_change(self, ts: float, zone: str, mac: str, before: str) -> list[str]:
        """Note that a MAC took an address; returns the MACs that alternate, the first one first.
        ``before``: the MAC that had it, "" where no session of that MAC was seen."""
        takes = self._addresses.takes.setdefault(zone, [(ts, before)] if before else [])
        if not takes or takes[-1][1] != mac:
            takes.append((ts, mac))
        takes[:] = [take for take in takes[-_TAKES:] if ts - take[0] <= BOND_SPAN]
        number = Counter(one for _, one in takes)
        return [one for one, times in number.items() if times >= BOND_CHANGES]

    def _may_be_one_host(self, ts: float, zone: str, first: str, other: str) -> bool:
        """Whether two MACs that alternate at an address may be one host's.

        They are not if either has another IPv4 address, if both have any other address, if this
        address was leased from one to the other, or if their vendors differ.
        """
        lease = self._leases.of(zone)
        vendors = {vendor(first), vendor(other)} - {""}
        if len(vendors) > 1 or (lease is not None and {lease.mac, lease.before} == {first, other}):
            return False
        used, has_own = set[str](), []
        for mac in (first, other):
            others = self._addresses.others(mac) - self._addresses.takes.keys()
            own = {one for one in others if self._addresses.owner(one) == mac}
            latest = self._hosts.address[self._hosts.slot_of[mac]]
            used |= {latest, *self._routers.recent(mac, ts), *own}
            has_own.append(bool(own))
        return not all(has_own) and len({bare(one) for one in used if is_exclusive(one)}) <= 1

    def _join(self, ts: float, zone: str, first: str, other: str) -> Bond:
        """From here on sessions with the MAC ``other`` belong to the host ``first``, which is that
        of the lease, or was seen first."""
        bond = Bond(other, self._hosts.slot_of[other], ts, bare(zone), first)
        while len(self.host_of) >= _BONDS:
            del self.host_of[next(iter(self.host_of))]
        self.host_of |= dict.fromkeys(self.interfaces(other), first)
        self.host_of[other] = first
        self._addresses.merge(other, first, zone)
        self._addresses.use(zone, self._hosts.slot_of[first])
        return bond
