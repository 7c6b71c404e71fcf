"""What is known of each address: the host that has it, its segments, its latest lease."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from nba_broker.hosts.host_table import HostTable
from nba_broker.records.macs import eui64_mac, is_mac
from nba_broker.records.segments import bare, is_ipv4, may_be_one, segment_of, zoned

_ADDRESSES = 4  # per host at most, on average: IPv6 privacy addresses change every day
# VLAN tags can be forged. An address in more segments than this tells nothing about the same
# address in another segment, so no session costs a walk over all segments.
_SEGMENTS = 64

# A router never forwards these (RFC 3927, RFC 4291), so they are the MAC's own.
_LINK_LOCAL = ("169.254.", "fe80:")


@dataclass(frozen=True, slots=True)
class Binding:
    """The latest DHCP binding (RFC 2131) of an address: to which MAC it is leased, from ``ts``
    on, and the hostname that the client gave, "" for none.

    ``against``: another MAC that used the address when the lease came, or within
    routers.ROUTER_SPAN of it, so the lease is recent. ``before``: the MAC of the binding before
    this one. Both are "" where there is none.
    """

    mac: str
    hostname: str = ""
    ts: float = -math.inf
    against: str = ""
    before: str = ""


class AddressTable:
    """Maps addresses to hosts. Every address is kept with its segment, as ``address%segment``.

    The owner of an address is the name of a host, which need not hold a slot: a lease names the
    owner before its first session.
    """

    def __init__(self, hosts: HostTable) -> None:
        self._hosts = hosts
        self.in_use: dict[str, int] = {}
        """Address in use -> slot: one IPv4 address per host, one IPv6 address per network of it. A
        session from one of these, with its host's latest MAC, says nothing new."""
        self._idle: dict[str, str] = {}  # any other known address -> the name of its owner
        # Name of a host -> its addresses without HostTable.address: saves a walk over all.
        self._others: dict[str, set[str]] = {}
        # Bare address -> its segments, without ""; a dict, for its order, where they are many.
        self._segments: dict[str, list[str] | dict[str, None]] = {}
        self._in_use_6: dict[int, dict[str, str]] = {}  # by slot and IPv6 network
        self.bindings: dict[str, Binding] = {}
        """Address -> its latest lease."""
        self.takes: dict[str, list[tuple[float, str]]] = {}
        """Address -> when it changed to which MAC, see :mod:`nba_broker.hosts.bonds`."""

    def owner(self, zone: str) -> str | None:
        """The name of the host that an address belongs to."""
        slot = self.in_use.get(zone)
        return self._idle.get(zone) if slot is None else self._hosts.name[slot]

    def likely_owner(self, zone: str) -> str | None:
        """The owner of an address, or of the same address in a segment that may be the same."""
        owner = self.owner(zone)
        if owner is not None:
            return owner
        if ("%" not in zone and zone not in self._segments) or self.is_in_too_many(bare(zone)):
            return None
        address, segment = bare(zone), segment_of(zone)
        owners = {one: self.owner(zoned(address, one)) for one in self.segments(address)}
        near = {name for one, name in owners.items() if may_be_one(one, segment)}
        if len(near) != 1:
            return None
        (name,) = near
        if all(may_be_one(one, segment) for one, owner in owners.items() if owner == name):
            return name
        return None

    def is_unknown(self, zone: str) -> bool:
        """Whether nothing is known of an address that is not in use."""
        return zone not in self._idle and "%" not in zone and zone not in self._segments

    def has_segments(self, zone: str) -> bool:
        """Whether an address comes with a segment, or is known in one."""
        return "%" in zone or zone in self._segments

    def segments(self, address: str) -> list[str]:
        """The segments that a bare address is known in."""
        some = list(self._segments.get(address, ()))
        return ["", *some] if self.owner(address) is not None else some

    def is_in_too_many(self, address: str) -> bool:
        """Whether a bare address is in too many segments to look at each."""
        return len(self._segments.get(address, ())) > _SEGMENTS

    def has_one_segment(self, address: str) -> bool:
        """Whether a bare address is known in exactly one named segment."""
        return len(self._segments.get(address, ())) == 1

    def others(self, name: str) -> set[str]:
        """A host's addresses, in their segments, without its address in HostTable."""
        return self._others.get(name, set())

    def in_network(self, slot: int, mac: str, zone: str) -> str | None:
        """The IPv6 address that a host uses in the network of another; that other where it uses
        none there; None for a host without IPv6 addresses in use."""
        there = self._in_use_6.get(slot)
        return None if there is None else there.get(_network_6(mac, zone), zone)

    def owners(self) -> Mapping[str, str]:
        """Every known address with the name of its owner: a view."""
        return _Owners(self.in_use, self._hosts.name, self._idle)

    @property
    def limit(self) -> int:
        """How many addresses are remembered at most."""
        return _ADDRESSES * max(len(self._hosts.slot_of), 1024)

    def use(self, zone: str, slot: int, is_current: bool = True) -> None:
        """A host uses an address; it replaces the one of its kind before.

        ``is_current``: False for an IPv6 address that a host may only use to look up neighbours.
        """
        name, before = self._hosts.name[slot], self._hosts.address[slot]
        self._note_segment(zone)
        is_global_6 = is_mac(name) and not is_ipv4(zone) and not is_link_local(zone)
        if is_global_6 and not is_current and self.in_use.get(zone) != slot:
            self.keep(name, zone)
            self._idle[zone] = name
            self._hosts.address[slot] = before or zone
            return
        if is_exclusive(zone) or not is_exclusive(before):
            if before and before != zone and self.owner(before) == name:
                self.keep(name, before)
                if is_exclusive(zone) and is_exclusive(before):
                    self._set_idle(before, slot)
            self._hosts.address[slot] = zone
            self.drop(name, zone)
        else:
            self.keep(name, zone)
        if is_global_6 and is_current:
            there = self._in_use_6.setdefault(slot, {})
            network = _network_6(name, zone)
            if there.get(network, zone) != zone:
                self._set_idle(there[network], slot)
            there[network] = zone
        self.in_use[zone] = slot
        self._idle.pop(zone, None)

    def _set_idle(self, zone: str, slot: int) -> None:
        if self.in_use.get(zone) == slot:
            del self.in_use[zone]
            self._idle[zone] = self._hosts.name[slot]

    def keep(self, name: str, zone: str) -> None:
        """Note that a host has an address beside the one in HostTable."""
        self._others.setdefault(name, set()).add(zone)

    def drop(self, name: str, zone: str) -> None:
        """The inverse of :meth:`keep`."""
        others = self._others.get(name)
        if others is not None:
            others.discard(zone)
            if not others:
                del self._others[name]

    def _note_segment(self, zone: str) -> None:
        if "%" not in zone:
            return
        known = self._segments.setdefault(bare(zone), [])
        if (segment := segment_of(zone)) in known:
            return
        if len(known) == _SEGMENTS:
            known = self._segments[bare(zone)] = dict.fromkeys(known)
        if isinstance(known, dict):
            known[segment] = None
        else:
            known.append(segment)

    def is_first_mac(self, mac: str, zone: str) -> bool:
        """Whether a MAC is the first one seen of a host that is named by this address."""
        if mac == "" or mac in self._hosts.slot_of:
            return False
        name = self.likely_owner(zone)
        return name is not None and name in self._hosts.slot_of and not is_mac(name)

    def assign(self, zone: str, mac: str) -> None:
        """Make a MAC the owner of an address.

        The history of the owner before goes along only if it is the same host: one that was named
        by this address because no MAC of it was known.
        """
        owner = self.owner(zone)
        if owner == mac:
            return
        if self.is_first_mac(mac, zone):
            self.rename(self.likely_owner(zone) or zone, mac)
        elif owner is not None:
            self.drop(owner, zone)
        if len(self.in_use) + len(self._idle) >= self.limit:
            self._trim()
        self.in_use.pop(zone, None)
        self._idle[zone] = mac
        self._note_segment(zone)

    def rename(self, old: str, new: str) -> None:
        """A host that holds a slot gets another name; its addresses stay its own."""
        self._hosts.rename(old, new)
        for zone in self._others.pop(old, ()):
            self.keep(new, zone)
            if zone in self._idle:
                self._idle[zone] = new

    def merge(self, name: str, into: str, zone: str) -> None:
        """Give all addresses of a host, with ``zone``, to another one; none of them is in use."""
        slot = self._hosts.slot_of[name]
        for one in {*self._others.pop(name, ()), self._hosts.address[slot], zone}:
            if self.owner(one) == name:
                self.in_use.pop(one, None)
                self._idle[one] = into
                self.keep(into, one)
        self._hosts.address[slot] = ""
        self._in_use_6.pop(slot, None)
        self.takes.pop(zone, None)

    def restore(self, zone: str, name: str) -> None:
        """Take an address and its owner from a snapshot; the hosts hold their slots already."""
        slot = self._hosts.slot_of.get(name)
        # A host was renamed to its MAC while the snapshot was written.
        if slot is None and zone in self._hosts.slot_of:
            return
        is_latest = slot is not None and zone == self._hosts.address[slot]
        if slot is not None and (is_latest or not is_exclusive(zone)):
            self.in_use[zone] = slot
        else:
            self._idle[zone] = name
        if not is_latest:
            self.keep(name, zone)
        self._note_segment(zone)

    def forget(self, zone: str) -> None:
        """Forget all that is known of an address."""
        self.in_use.pop(zone, None)
        self._idle.pop(zone, None)
        self.bindings.pop(zone, None)
        self.takes.pop(zone, None)
        if "%" in zone and (known := self._segments.get(bare(zone))):
            if isinstance(known, dict):
                known.pop(segment_of(zone), None)
            else:
                known.remove(segment_of(zone))
            if not known:
                del self._segments[bare(zone)]

    def forget_all(self, slot: int) -> None:
        """Forget all addresses of a host."""
        name = self._hosts.name[slot]
        for zone in (*self._others.pop(name, ()), self._hosts.address[slot]):
            if self.owner(zone) == name:
                self.forget(zone)
        self._in_use_6.pop(slot, None)

    def _trim(self) -> None:
        """Forget all addresses but one of each host."""
        latest = {
            zone: slot
            for slot, zone in enumerate(self._hosts.address)
            if zone and self.in_use.get(zone) == slot
        }
        for table in (self.in_use, self._idle, self._others, self._in_use_6, self.takes):
            table.clear()
        self.in_use.update(latest)
        self._segments.clear()
        for zone in self.in_use:
            self._note_segment(zone)

    def conflicts(self, zone: str, name: str) -> Iterator[tuple[str, str, str]]:
        """Hosts that lose an address because it turns up, with a host of this name, in one more
        segment: (name of the other host, the address that it loses, one that it keeps).

        An address without a segment is that of one host only as long as one segment is known.
        """
        address, segment = bare(zone), segment_of(zone)
        known = [] if self.is_in_too_many(address) else self.segments(address)
        for near in known:
            place = zoned(address, near)
            theirs = self.owner(place)
            if theirs is None or theirs == name or not may_be_one(near, segment):
                continue
            for one in known:
                kept = zoned(address, one)
                if self.owner(kept) == theirs and not may_be_one(one, segment):
                    yield theirs, place, kept
                    break


class _Owners(Mapping[str, str]):
    """Addresses with the names of their owners, read from where they are kept."""

    def __init__(self, in_use: dict[str, int], name: list[str], idle: dict[str, str]) -> None:
        self._in_use, self._name, self._idle = in_use, name, idle

    def __getitem__(self, address: str) -> str:
        slot = self._in_use.get(address)
        return self._idle[address] if slot is None else self._name[slot]

    def __iter__(self) -> Iterator[str]:
        yield from self._in_use
        yield from self._idle

    def __len__(self) -> int:
        return len(self._in_use) + len(self._idle)


@lru_cache(4096)  # a host uses the same few addresses alternately
def network(zone: str) -> str:
    """The network of an address, with its segment: a /24, or a /64."""
    address, segment = bare(zone), segment_of(zone)
    if not is_ipv4(zone):
        address = socket.inet_pton(socket.AF_INET6, address)[:8].hex(":", 2)
    else:
        address = address.rpartition(".")[0]
    return f"{address}%{segment}"


def _network_6(mac: str, zone: str) -> str:
    """The network within which a MAC's IPv6 addresses alternate; "" for all that hold another MAC
    (RFC 4291, appendix A), whatever their network."""
    return network(zone) if eui64_mac(bare(zone)) in ("", mac) else ""


def is_link_local(zone: str) -> bool:
    """Whether an address is link-local."""
    return zone.startswith(_LINK_LOCAL)


def is_exclusive(zone: str) -> bool:
    """Whether a host has one such address at a time: IPv4, not link-local. IPv6 privacy addresses
    overlap (RFC 8981)."""
    return is_ipv4(zone) and not is_link_local(zone)
