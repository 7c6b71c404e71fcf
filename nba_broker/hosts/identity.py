"""Which host a session belongs to: that of its MAC where one is known, else that of its address.

A MAC is a host's name, unless it is a router's, which stands for many hosts
(:mod:`nba_broker.hosts.routers`), or another interface of a host (:mod:`nba_broker.hosts.bonds`).
An address names a host within its segment of the network (:mod:`nba_broker.records.segments`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from nba_broker.hosts.address_table import AddressTable, Binding, is_link_local
from nba_broker.hosts.bonds import Bond, Bonds
from nba_broker.hosts.host_table import HostTable
from nba_broker.hosts.leases import DhcpClient, Leases
from nba_broker.hosts.routers import AddressTimes, Router, Routers
from nba_broker.hosts.vendor import vendor
from nba_broker.records.hints import HostFacts
from nba_broker.records.macs import eui64_mac, is_mac, is_virtual
from nba_broker.records.ports import PROTOCOL_CODES
from nba_broker.records.segments import bare, is_ipv4, segment_of, zoned_all
from nba_broker.records.sessions import Lease

UNSPECIFIED = frozenset({"0.0.0.0", "::"})
"""Originators without an address; only their MAC says which host they are."""

_ICMP = PROTOCOL_CODES["icmp"]
_NO_CLIENT = DhcpClient()


@dataclass(frozen=True, slots=True)
class Assignment:
    """The slots of the first sessions of a batch.

    slots: int64 [covered], one per session. ended: what the last of these sessions proves of its
    MAC, a Router or a Bond; None for neither. The host in ``ended.slot`` gets no further session:
    write its last line, then call :meth:`Identity.release`.
    """

    slots: np.ndarray
    ended: Router | Bond | None = None

    @property
    def covered(self) -> int:
        """How many sessions these are, at least one of a batch that is not empty and follows
        nothing."""
        return len(self.slots)


class Identity:
    """Assigns sessions to hosts: gives every host a slot number, and frees those of idle hosts.

    A host is named by its MAC; by its address, in its segment, as long as no MAC was seen with that
    address. Such a host keeps its slot, so its history, when its MAC becomes known. The hosts at
    one address in two segments that may be the same are one host, as long as no third segment
    contradicts that.
    """

    def __init__(self) -> None:
        self._hosts = HostTable()
        self._addresses = AddressTable(self._hosts)
        self._leases = Leases(self._hosts, self._addresses)
        self._routers = Routers(self._hosts, self._addresses, self._leases)
        self._bonds = Bonds(self._hosts, self._addresses, self._leases, self._routers)
        self._ended: Router | Bond | None = None  # found by the latest call of slots()

    def __len__(self) -> int:
        """Hosts that hold a slot."""
        return len(self._hosts.slot_of)

    @property
    def capacity(self) -> int:
        """One more than the highest slot number ever given."""
        return len(self._hosts.name)

    def slots(
        self,
        ts: np.ndarray,
        host: Sequence[str],
        mac: Sequence[str],
        segment: Sequence[str] | None = None,
        dport: np.ndarray | None = None,
        *,
        follows: bool = False,
    ) -> Assignment:
        """Assign sessions in time order, columns [n] as in :class:`Sessions`: all, or only the
        first ones. Call again with the rest.

        The assignment ends before a session that gives a host its first MAC, or takes from a host
        the MAC that a lease gave it, so that a verdict on the sessions before rests on nothing
        later. It ends after a session that proves a MAC a router's or another interface's.
        ``follows``: verdicts on earlier sessions are still to come, so that it may end before the
        first one.
        """
        self._ended = None
        in_use, mac_seen = self._addresses.in_use, self._hosts.mac_seen
        zones, macs = zoned_all(host, segment), list(mac)
        found = list(map(in_use.get, zones))
        # Nearly always nothing is new. Then no session is looked at by itself.
        if None not in found and list(map(mac_seen.__getitem__, found)) == macs:  # type: ignore[arg-type]  # none is None
            self._routers.refresh(macs)
            return Assignment(np.array(found, np.int64))
        known = 0
        for slot, seen in zip(found, macs, strict=True):
            if slot is None or (seen and seen != mac_seen[slot]):
                break
            known += 1
        # A session that says something new may change the slots found for those after it.
        slots = found[:known]
        for zone, seen in zip(islice(zones, known, None), islice(macs, known, None), strict=True):
            slot = in_use.get(zone)
            if slot is None or (seen and seen != mac_seen[slot]):
                is_unknown = slot is None and self._addresses.is_unknown(zone)
                has_earlier = bool(slots) or follows
                if has_earlier and not is_unknown and self._changes_mac(seen, zone):
                    break
                row = len(slots)
                icmp = dport is not None and int(dport[row]) >> 16 == _ICMP
                slot = self._assign(float(ts[row]), zone, seen, icmp, is_unknown)
            slots.append(slot)
            if self._ended is not None:
                break
        self._routers.refresh(macs[: len(slots)])
        return Assignment(np.array(slots, np.int64), self._ended)

    def _assign(self, ts: float, zone: str, seen: str, icmp: bool, is_unknown: bool) -> int:
        """The slot of a session that says something new. ``seen``: its MAC, "" for none;
        ``is_unknown``: nothing is known of its address."""
        hosts, addresses = self._hosts, self._addresses
        if (bare(zone) if "%" in zone else zone) in UNSPECIFIED:
            name = self._name_without_address(seen, zone)
            return hosts.slot_of[name] if name in hosts.slot_of else hosts.add(name)
        mac = self._host_mac(seen, zone)
        if mac == seen and seen in self._bonds.host_of:
            self._bonds.separate(seen)
        if is_unknown and (mac or zone) not in hosts.slot_of and (is_ipv4(zone) or not mac):
            # New hosts come by the thousand. What follows does the same, but slower.
            new = addresses.in_use[zone] = hosts.add(mac or zone)
            hosts.address[new], hosts.mac_seen[new] = zone, seen
            return new
        before = addresses.owner(zone)
        name = mac or before or addresses.likely_owner(zone) or zone
        if before is None and addresses.has_segments(zone):
            self._leases.split(zone, name)
        if mac:
            addresses.assign(zone, mac)
        slot = hosts.slot_of.get(name)
        # A host looks up its neighbours (RFC 4861) from every address that it ever had a session
        # with, old ones too. Such a session does not mean that the address alternates.
        is_current = not icmp or is_ipv4(zone)
        if mac and slot is not None and is_current:
            self._ended = self._routers.check(ts, mac, zone, slot)
        if slot is None:
            slot = hosts.add(name)
        if self._ended is None:
            addresses.use(zone, slot, is_current)
        if seen:
            if mac and before is not None and before != mac and is_mac(before):
                slot = self._check_bond(ts, zone, mac, before)
            hosts.mac_seen[slot] = seen
        return slot

    def _check_bond(self, ts: float, zone: str, mac: str, before: str) -> int:
        """The slot of a session whose address changed from one MAC to another."""
        self._routers.contradict(ts, zone, mac)
        bond = self._bonds.check(ts, zone, mac, before, may_join=self._ended is None)
        if bond is None:
            return self._hosts.slot_of[mac]
        self._ended = bond
        return self._hosts.slot_of[bond.other]

    def _host_mac(self, seen: str, zone: str) -> str:
        """The MAC of a session's host, by the session's MAC or its address; "" if unknown."""
        if seen and not is_virtual(seen):
            mac = self._bonds.name_of(seen, zone)
            if mac not in self._routers.found or is_link_local(zone):
                return mac
        if not is_ipv4(zone) and self._addresses.likely_owner(zone) is None:
            mac = eui64_mac(bare(zone))
            return "" if is_virtual(mac) else mac
        return ""

    def _name_without_address(self, seen: str, zone: str) -> str:
        """The name of a host that has no address yet."""
        mac = self._bonds.host_of.get(seen, seen)
        return mac if mac and not is_virtual(mac) else zone

    def _changes_mac(self, seen: str, zone: str) -> bool:
        """Whether a session gives a host its first MAC, or takes a host's MAC from it."""
        mac = self._host_mac(seen, zone)
        if self._addresses.is_first_mac(mac, zone):
            return True
        if self._addresses.owner(zone) is not None or not self._addresses.has_segments(zone):
            return False
        name = mac or self._addresses.likely_owner(zone) or zone
        return self._leases.would_lose_mac(zone, name)

    def lease(self, lease: Lease) -> None:
        """From here on sessions from ``lease.ip`` without a MAC, or with a router's, belong to the
        host ``lease.mac``.

        A lease has no effect if its MAC is a router's, or if the address is known in several
        segments and the lease names none.
        """
        mac = self._bonds.host_of.get(lease.mac, lease.mac)
        if self._is_hosts(mac):
            self._leases.take(lease, mac)

    def knows(self, lease: Lease) -> bool:
        """Whether a lease changes nothing that a host is known by. Most do not: hosts renew their
        leases all day."""
        mac = self._bonds.host_of.get(lease.mac, lease.mac)
        return not self._is_hosts(mac) or self._leases.are_known(lease, mac)

    def _is_hosts(self, mac: str) -> bool:
        return mac not in self._routers.found and not is_virtual(mac)

    def new_hosts(
        self, host: Sequence[str], mac: Sequence[str], segment: Sequence[str] | None = None
    ) -> int:
        """How many of the hosts of these sessions, columns [n], have no slot yet, at most."""
        names = self._possible_names(zoned_all(host, segment), mac)
        return len(names) - len(names & self._hosts.slot_of.keys())

    def present(
        self, host: Sequence[str], mac: Sequence[str], segment: Sequence[str] | None = None
    ) -> np.ndarray:
        """Slots int64 of the hosts of these sessions, columns [n], that have one; in no order."""
        slot_of = self._hosts.slot_of
        known = self._possible_names(zoned_all(host, segment), mac) & slot_of.keys()
        return np.array([slot_of[name] for name in known], np.int64)

    def _possible_names(self, zones: Sequence[str], macs: Sequence[str]) -> set[str]:
        """All names that the hosts of these sessions may have."""
        names: set[str] = set()
        zones_of: dict[str, list[str]] = {}  # by MAC that may turn out to be a router's
        for zone, seen in set(zip(zones, macs, strict=True)):
            if bare(zone) in UNSPECIFIED:
                names |= {self._name_without_address(seen, zone), seen or zone}
                continue
            mac = self._host_mac(seen, zone)
            owner = self._addresses.likely_owner(zone) or zone
            names.add(mac or owner)
            if owner in self._hosts.slot_of:
                names.add(owner)  # the host whose first MAC this may be
            if self._addresses.has_segments(zone):
                names.add(zone)
            if seen in self._bonds.host_of:
                names.add(seen)
            if mac and not is_link_local(zone):
                zones_of.setdefault(mac, []).append(zone)
        for mac, several in zones_of.items():
            if self._routers.may_be_found(mac, several):
                names.update(several)
                bindings = map(self._leases.of_address, several)
                names.update(binding.mac for binding in bindings if binding is not None)
        return names

    def release(self, slots: Iterable[int]) -> None:
        """Free these slots, and forget what is known of their hosts and addresses."""
        for slot in dict.fromkeys(slots):  # in this order, so that the slots are reused in it
            self._addresses.forget_all(slot)
            name = self._hosts.remove(slot)
            # Only now, not when the bond is found: lines from before the bond are written first.
            self._leases.forget(name, self._bonds.host_of.get(name))
            self._routers.changes.pop(name, None)

    def holder(self, zone: str, *, likely: bool = False) -> int | None:
        """The slot of the host that has an address in its segment, or, with ``likely``, in another
        one that may be the same; None if there is none, or if several may be the same."""
        owner = self._addresses.likely_owner if likely else self._addresses.owner
        name = owner(zone)
        return None if name is None else self._hosts.slot_of.get(name)

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times later than ``limit`` become ``now``."""
        self._routers.look_back(limit, now)

    def names(self, start: int, stop: int) -> dict[int, tuple[str, str]]:
        """Name and latest address, in its segment, of the hosts in slots ``start`` to ``stop``."""
        pairs = zip(self._hosts.name[start:stop], self._hosts.address[start:stop], strict=True)
        return {slot: pair for slot, pair in enumerate(pairs, start) if pair[0]}

    def slots_of(self, mac: str) -> list[int]:
        """The slots of a MAC's host: its own, and those of the host's other interfaces."""
        names = [mac]
        if self._bonds.host_of:
            host = self._bonds.host_of.get(mac, mac)
            names = [host, *self._bonds.interfaces(host)]
        return [self._hosts.slot_of[name] for name in names if name in self._hosts.slot_of]

    def macs(self, slot: int) -> list[str]:
        """The known MACs of all interfaces of a host, its own first."""
        mac = self.mac(slot)
        if not mac or not self._bonds.host_of:
            return [mac] if mac else []
        # An interface that the latest sessions proved is not yet one for these sessions.
        new = self._ended.mac if isinstance(self._ended, Bond) else ""
        return [mac, *(one for one in self._bonds.interfaces(mac) if one != new)]

    def mac(self, slot: int) -> str:
        """The host's MAC, "" when only its address is known."""
        name = self._hosts.name[slot]
        return name if is_mac(name) else ""

    def address(self, slot: int) -> str:
        """The host's latest address, "" when it was seen with none."""
        return bare(self._hosts.address[slot])

    def segment(self, slot: int) -> str:
        """The segment of that address, "" when unknown."""
        return segment_of(self._hosts.address[slot])

    def hostname(self, slot: int) -> str:
        """The name that the host gave when it asked for a lease, "" when unknown."""
        return self._leases.hostnames.get(self._hosts.name[slot], "")

    def facts(self, slot: int) -> HostFacts:
        """What is known of the host by its MAC and its leases."""
        client = self._leases.clients.get(self._hosts.name[slot], _NO_CLIENT)
        return HostFacts(
            vendor(self.mac(slot)), self.hostname(slot), client.vendor_class, client.params
        )

    def everywhere(self, address: str) -> list[str]:
        """The segments that an address is known in, [""] when it is known in none."""
        return self._addresses.segments(address) or [""]

    def addresses(self) -> Mapping[str, str]:
        """Every known address in its segment, with the name of its host; the state itself."""
        return self._addresses.owners()

    def hostnames(self) -> dict[str, str]:
        """Hostnames by MAC; the state itself."""
        return self._leases.hostnames

    def clients(self) -> dict[str, DhcpClient]:
        """DHCP clients by MAC; the state itself."""
        return self._leases.clients

    def claims(self) -> dict[str, Binding]:
        """The latest lease by address; the state itself."""
        return self._addresses.bindings

    def routers(self) -> dict[str, float]:
        """MACs of routers with the time of the session that proved each, the least recently seen
        first; the state itself."""
        return self._routers.found

    def turns(self) -> dict[str, AddressTimes]:
        """Times of alternating addresses by MAC, which may yet prove a router; the state itself."""
        return self._routers.changes

    def bonds(self) -> dict[str, str]:
        """MACs of other interfaces, with the MAC that their host is named by; the state itself."""
        return self._bonds.host_of

    def takes(self) -> dict[str, list[tuple[float, str]]]:
        """When an address changed to which MAC, by address, which may yet prove a bond; the state
        itself."""
        return self._addresses.takes

    def admit(self, name: str, address: str) -> int:
        """The slot of a host from a snapshot, with its latest address in its segment."""
        slot = self._hosts.slot_of.get(name)
        if slot is None:
            slot = self._hosts.add(name)
        self._hosts.address[slot] = address
        return slot

    def learn(self, addresses: Mapping[str, str], hostnames: Mapping[str, str]) -> None:
        """Take the addresses and hostnames of a snapshot; its hosts must be admitted before."""
        for zone, name in addresses.items():
            self._addresses.restore(zone, name)
        self._leases.hostnames.update(hostnames)
