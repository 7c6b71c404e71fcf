"""What DHCP leases say of hosts: the MAC that has an address, the hostname and client of a MAC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nba_broker.hosts.address_table import AddressTable, Binding
from nba_broker.hosts.host_table import HostTable
from nba_broker.records.macs import eui64_mac, is_mac
from nba_broker.records.segments import bare, may_be_one, zoned
from nba_broker.records.sessions import Lease


@dataclass(frozen=True, slots=True)
class DhcpClient:
    """What a DHCP client says of itself: options 60 and 55 (RFC 2132), empty where unknown."""

    vendor_class: str = ""
    params: tuple[int, ...] = ()


class Leases:
    """Applies leases to the table of addresses, and keeps the hostnames and the clients."""

    def __init__(self, hosts: HostTable, addresses: AddressTable) -> None:
        self._hosts = hosts
        self._addresses = addresses
        self.hostnames: dict[str, str] = {}
        """MAC -> the hostname of its latest lease that gave one."""
        self.clients: dict[str, DhcpClient] = {}
        """MAC -> the client of its latest lease that described one."""

    def are_known(self, lease: Lease, mac: str) -> bool:
        """Whether :meth:`take` would change the time of a lease, and nothing else."""
        addresses = self._addresses
        for zone in self._zones(lease):
            binding = addresses.bindings.get(zone)
            if binding is None or (binding.mac, binding.hostname) != (mac, lease.hostname):
                return False
            if addresses.owner(zone) != mac:
                return False
        client = DhcpClient(lease.vendor_class, lease.params)
        return lease.hostname in ("", self.hostnames.get(mac)) and client in (
            DhcpClient(),
            self.clients.get(mac),
        )

    def take(self, lease: Lease, mac: str) -> None:
        """From here on the address of a lease belongs to ``mac``, the MAC of the lease or of the
        host that it is an interface of."""
        addresses = self._addresses
        for zone in self._zones(lease):
            owner, before = addresses.owner(zone), addresses.bindings.get(zone)
            binding = Binding(mac, lease.hostname, lease.ts)
            if before is not None and before.mac == mac:
                binding = replace(binding, against=before.against, before=before.before)
            elif before is not None:
                binding = replace(binding, before=before.mac)
            if owner is not None and owner != mac and is_mac(owner):
                binding = replace(binding, against=owner)
            if before is None and len(addresses.bindings) >= addresses.limit:
                self._trim_bindings()
            addresses.bindings[zone] = binding
            if owner != mac:
                addresses.assign(zone, mac)
                addresses.keep(mac, zone)
        if lease.hostname:
            self._make_room(self.hostnames)
            self.hostnames[mac] = lease.hostname
        if lease.vendor_class or lease.params:
            self._make_room(self.clients)
            self.clients[mac] = DhcpClient(lease.vendor_class, lease.params)

    def _zones(self, lease: Lease) -> list[str]:
        """The address of a lease in its segments; none where it may be that of two hosts."""
        addresses = self._addresses
        if addresses.is_in_too_many(lease.ip):
            return [zoned(lease.ip, lease.segment)] if lease.segment else []
        known = addresses.segments(lease.ip)
        near = [one for one in known if may_be_one(one, lease.segment)]
        if lease.segment in near and lease.segment:
            owner = addresses.owner(zoned(lease.ip, lease.segment))
            near = [one for one in near if addresses.owner(zoned(lease.ip, one)) == owner]
        if not all(may_be_one(one, other) for one in near for other in near):
            return []
        return [zoned(lease.ip, one) for one in near or [lease.segment]]

    def _trim_bindings(self) -> None:
        """Keep only the leases of addresses in use."""
        bindings, in_use = self._addresses.bindings, self._addresses.in_use
        kept = {zone: bindings[zone] for zone in in_use.keys() & bindings.keys()}
        bindings.clear()
        bindings.update(kept)

    def _make_room(self, table: dict[str, Any]) -> None:
        """Keep only the values of hosts that hold a slot, if the table is full."""
        if len(table) < self._addresses.limit:
            return
        kept = {mac: value for mac, value in table.items() if mac in self._hosts.slot_of}
        table.clear()
        table.update(kept)

    def forget(self, name: str, host: str | None) -> None:
        """Drop what leases said of a host, or leave it to ``host`` that this one is part of."""
        tables: tuple[dict[str, Any], ...] = (self.hostnames, self.clients)
        for table in tables:
            value = table.pop(name, None)
            if value is not None and host is not None:
                table.setdefault(host, value)

    def of(self, zone: str) -> Binding | None:
        """The latest lease of an address. A lease without a segment counts for the one segment that
        the address is known in."""
        binding = self._addresses.bindings.get(zone)
        if binding is None and self._addresses.has_one_segment(bare(zone)):
            binding = self._addresses.bindings.get(bare(zone))
        return binding

    def of_address(self, zone: str) -> Binding | None:
        """The latest lease of an address, else the MAC in it (RFC 4291, modified EUI-64)."""
        binding = self.of(zone)
        if binding is None and (mac := eui64_mac(bare(zone))):
            binding = Binding(mac)
        return binding

    def split(self, zone: str, name: str) -> None:
        """An address turns up, with a host of this name, in one more segment: other hosts lose it
        in segments that may be this one.

        A host loses its MAC and hostname, too, if only a lease without a segment gave them to it.
        """
        for theirs, place, kept in self._addresses.conflicts(zone, name):
            self._addresses.drop(theirs, place)
            self._addresses.forget(place)
            if theirs == place or self._is_only_source(theirs, place, kept):
                self._addresses.rename(theirs, kept)
                self.forget(theirs, None)

    def would_lose_mac(self, zone: str, name: str) -> bool:
        """Whether :meth:`split` would take its MAC from a host."""
        return any(
            is_mac(theirs) and self._is_only_source(theirs, place, kept)
            for theirs, place, kept in self._addresses.conflicts(zone, name)
        )

    def _is_only_source(self, mac: str, place: str, kept: str) -> bool:
        """Whether only a lease of ``place`` says that a host, now at ``kept``, has this MAC."""
        slot = self._hosts.slot_of.get(mac)
        if slot is None or self._hosts.mac_seen[slot] or kept in self._addresses.bindings:
            return False
        return not self._addresses.others(mac) - {place, kept}
