"""Which host a session belongs to: its MAC where one is known, else its address.

A MAC tells the host unless it is a router's, which stands for many hosts, or another interface of
one: see :mod:`nba_broker.hosts.routers`. An address tells it within its segment of the network: see
:mod:`nba_broker.records.segments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from nba_broker.hosts.routers import (
    ROUTER_ADDRESSES,
    ROUTER_ADDRESSES_6,
    ROUTER_SPAN,
    Bond,
    Claim,
    Comings,
    Router,
    Turns,
    network,
)
from nba_broker.hosts.vendor import vendor
from nba_broker.records.macs import eui64_mac, is_mac, is_virtual
from nba_broker.records.ports import PROTOCOL_CODES
from nba_broker.records.segments import bare, is_ipv4, may_be_one, segment_of, zoned, zoned_all
from nba_broker.records.sessions import Lease

UNSPECIFIED = frozenset({"0.0.0.0", "::"})
"""Originators that have no address yet; only their MAC says who they are."""

_ADDRESSES = 4  # remembered per host at most, on average: privacy addresses come anew every day
# A VLAN's tag can be made up: an address known in more segments tells nothing of another one, so
# that a session costs no walk over all of them.
_SEGMENTS = 64
_ROUTERS = 4096  # remembered at most, and as many bonds: MACs can be made up

_ICMP = PROTOCOL_CODES["icmp"]

# A router never forwards these (RFC 3927, RFC 4291), so they are the MAC's own.
_LINK_LOCAL = ("169.254.", "fe80:")


class Identity:
    """Gives every host a slot number, keeps who owns which address, frees idle slots.

    A host is named by its MAC, or by its address, in its segment, as long as no MAC was seen with
    that address. A host first known by its address keeps its slot, so its history, when its MAC
    becomes known. Addresses are kept with their segments throughout; the hosts of two segments
    that may be one are one, as long as no third says otherwise.
    """

    def __init__(self) -> None:
        self.ended: Router | Bond | None = None
        """Whose host the latest call of :meth:`slots` found to be none of its own."""
        self._slot_of: dict[str, int] = {}  # a host's name -> slot
        # Addresses in use, one IPv4 address per host and one IPv6 address per network: with the MAC
        # of its host's latest session, a session of these says nothing new. Any other known address
        # is with its host's name.
        self._slot_at: dict[str, int] = {}
        self._aside: dict[str, str] = {}
        # A host's name -> its addresses, but for that of _address: it goes without a walk over all.
        self._others: dict[str, set[str]] = {}
        # Bare address -> where it is known, but for ""; a dict, for its order, where that is many.
        self._segments: dict[str, list[str] | dict[str, None]] = {}
        self._claims: dict[str, Claim] = {}
        self._hostname_of_mac: dict[str, str] = {}
        self._key: list[str] = []  # by slot: the host's name, "" where it is free
        self._address: list[str] = []  # by slot: the IPv4 address in use, else the latest other
        self._address6: dict[int, dict[str, str]] = {}  # by slot and network: the one in use
        self._told: list[str] = []  # by slot: the MAC that its latest session came with
        self._free: list[int] = []
        self._turns = Turns()
        self._routers: dict[str, float] = {}  # the least recently seen first
        self._bonds: dict[str, str] = {}  # MAC -> that of the host whose other interface it is

    def __len__(self) -> int:
        """Hosts that hold a slot."""
        return len(self._slot_of)

    @property
    def capacity(self) -> int:
        """One more than the highest slot number ever given."""
        return len(self._key)

    @property
    def router(self) -> Router | None:
        """The router that the latest call of :meth:`slots` found."""
        return self.ended if isinstance(self.ended, Router) else None

    def slots(
        self,
        ts: np.ndarray,
        host: Sequence[str],
        mac: Sequence[str],
        segment: Sequence[str] | None = None,
        dport: np.ndarray | None = None,
    ) -> np.ndarray:
        """Slots int64 of sessions in time order: of all n, or of the first only.

        The columns are those of :class:`Sessions`. They end before a session
        that tells the MAC of a host that had none, or that a lease's MAC need not be a host's, so
        that what is said of a host rests on nothing later, and with the one that gives a router or
        a bond away.
        """
        self.ended = None
        host, mac = zoned_all(host, segment), list(mac)
        found = list(map(self._slot_at.get, host))
        # Nearly always nothing is new: then no row is looked at here.
        if None not in found and list(map(self._told.__getitem__, found)) == mac:  # type: ignore[arg-type]  # none is None
            self._see(mac)
            return np.array(found, np.int64)
        known = 0
        for slot, told in zip(found, mac, strict=True):
            if slot is None or (told and told != self._told[slot]):
                break
            known += 1
        # Whatever is new may change what was found of the rest.
        slots = found[:known]
        for zone, told in zip(islice(host, known, None), islice(mac, known, None), strict=True):
            slot = self._slot_at.get(zone)
            if slot is None or (told and told != self._told[slot]):
                fresh = slot is None and self._is_fresh(zone)
                if slots and not fresh:
                    mac_told = self._meant(told, zone)
                    if self._names(mac_told, zone) or self._unnames(mac_told, zone):
                        break
                row = len(slots)
                icmp = dport is not None and int(dport[row]) >> 16 == _ICMP
                slot = self._settle(float(ts[row]), zone, told, icmp, fresh)
            slots.append(slot)
            if self.ended is not None:
                break
        self._see(mac[: len(slots)])
        return np.array(slots, np.int64)

    def _see(self, mac: list[str]) -> None:
        """Routers that were seen leave last: MACs can be made up, and their number is bounded."""
        routers = self._routers
        if routers and not routers.keys().isdisjoint(mac):
            last = dict(zip(mac, range(len(mac)), strict=True))
            for one in sorted(routers.keys() & last.keys(), key=last.__getitem__):
                routers[one] = routers.pop(one)
        while len(routers) > _ROUTERS:
            del routers[next(iter(routers))]

    def _meant(self, told: str, zone: str) -> str:
        """The MAC that a session's own or its address tells its host by, "" for none."""
        if told and not is_virtual(told):
            mac = self._bonded(told, zone)
            if mac not in self._routers or zone.startswith(_LINK_LOCAL):
                return mac
        if not is_ipv4(zone) and self._belongs_to(zone) is None:
            mac = eui64_mac(bare(zone))
            return "" if is_virtual(mac) else mac
        return ""

    def _bonded(self, told: str, zone: str) -> str:
        """The MAC of the host that a MAC is an interface of: itself, or, as long as it comes with
        no address of its own, the one it takes turns with."""
        other = self._bonds.get(told)
        if other is None or (_alternates(zone) and self._owner(zone) != other):
            return told
        return other

    def _owner(self, zone: str) -> str | None:
        """The name of the host that an address belongs to."""
        slot = self._slot_at.get(zone)
        return self._aside.get(zone) if slot is None else self._key[slot]

    def _belongs_to(self, zone: str) -> str | None:
        """The owner of an address, or of the same in a segment that may be the same one."""
        owner = self._owner(zone)
        if owner is not None:
            return owner
        if "%" not in zone and zone not in self._segments:
            return None
        if self._is_everywhere(bare(zone)):
            return None
        address, segment = bare(zone), segment_of(zone)
        of = {one: self._owner(zoned(address, one)) for one in self._known(address)}
        near = {name for one, name in of.items() if may_be_one(one, segment)}
        if len(near) != 1:
            return None
        (name,) = near
        if all(may_be_one(one, segment) for one, owner in of.items() if owner == name):
            return name
        return None

    def _known(self, address: str) -> list[str]:
        """The segments that an address is known in."""
        some = list(self._segments.get(address, ()))
        return ["", *some] if self._owner(address) is not None else some

    def _is_everywhere(self, address: str) -> bool:
        """Whether an address is known in more segments than are looked at."""
        return len(self._segments.get(address, ())) > _SEGMENTS

    def _names(self, mac: str, zone: str) -> bool:
        """Whether this MAC is the first one for a host that was known by its address."""
        if mac == "" or mac in self._slot_of:
            return False
        name = self._belongs_to(zone)
        return name is not None and name in self._slot_of and not is_mac(name)

    def _is_fresh(self, zone: str) -> bool:
        """Whether nothing is known of an address that is not in use."""
        return zone not in self._aside and "%" not in zone and zone not in self._segments

    def _settle(self, ts: float, zone: str, told: str, icmp: bool, fresh: bool) -> int:
        """The slot of a session that says something new; ``fresh``: of its address, too."""
        if (bare(zone) if "%" in zone else zone) in UNSPECIFIED:
            key = self._nobody(told, zone)
            return self._slot_of[key] if key in self._slot_of else self._new(key)
        mac = self._meant(told, zone)
        if told in self._bonds and mac == told:
            del self._bonds[told]
        if fresh and (mac or zone) not in self._slot_of and (is_ipv4(zone) or not mac):
            # New hosts come by the thousand: what follows does the same, and more slowly.
            new = self._slot_at[zone] = self._new(mac or zone)
            self._address[new], self._told[new] = zone, told
            return new
        before = self._owner(zone)
        key = mac or before or self._belongs_to(zone) or zone
        if before is None and ("%" in zone or zone in self._segments):
            self._part(zone, key)
        if mac:
            self._take_over(mac, zone)
        slot = self._slot_of.get(key)
        # A host looks its neighbours up (RFC 4861) from every address that it ever had a session
        # with, old ones too, so this takes no turns.
        takes_turns = not icmp or is_ipv4(zone)
        if mac and slot is not None and takes_turns:
            self._turn(ts, mac, zone, slot)
        if slot is None:
            slot = self._new(key)
        if self.ended is None:
            self._use(zone, slot, takes_turns)
        if told:
            if mac and before is not None and before != mac and is_mac(before):
                self._dispute(ts, zone, mac)
                slot = self._next_mac(ts, zone, mac, before)
            self._told[slot] = told
        return slot

    def _dispute(self, ts: float, zone: str, mac: str) -> None:
        """A session with this MAC comes from an address that a lease gave to another one."""
        claim = self._lease_of(zone)
        if claim is not None and claim.mac != mac and 0 <= ts - claim.ts <= ROUTER_SPAN:
            self._claims[zone] = replace(claim, against=mac)

    def _nobody(self, told: str, zone: str) -> str:
        """The name of a host that has no address yet."""
        mac = self._bonds.get(told, told)
        return mac if mac and not is_virtual(mac) else zone

    def _use(self, zone: str, slot: int, takes_turns: bool = True) -> None:
        """An address of this host is in use, instead of the one before of its kind."""
        key, before = self._key[slot], self._address[slot]
        self._note(zone)
        six = is_mac(key) and not is_ipv4(zone) and not zone.startswith(_LINK_LOCAL)
        if six and not takes_turns and self._slot_at.get(zone) != slot:
            self._keep(key, zone)
            self._aside[zone] = key
            self._address[slot] = before or zone
            return
        if _alternates(zone) or not _alternates(before):
            if before and before != zone and self._owner(before) == key:
                self._keep(key, before)
                if _alternates(zone) and _alternates(before):
                    self._lay_aside(before, slot)
            self._address[slot] = zone
            self._lose(key, zone)
        else:
            self._keep(key, zone)
        if six and takes_turns:
            there = self._address6.setdefault(slot, {})
            place = self._network6(key, zone)
            if there.get(place, zone) != zone:
                self._lay_aside(there[place], slot)
            there[place] = zone
        self._slot_at[zone] = slot
        self._aside.pop(zone, None)

    def _lay_aside(self, zone: str, slot: int) -> None:
        """An address of a host is not in use any more."""
        if self._slot_at.get(zone) == slot:
            del self._slot_at[zone]
            self._aside[zone] = self._key[slot]

    def _network6(self, mac: str, zone: str) -> str:
        """Within what an IPv6 address of a MAC takes turns: all that hold another MAC do."""
        told = eui64_mac(bare(zone))
        return network(zone) if told in ("", mac) else ""

    def _keep(self, name: str, zone: str) -> None:
        self._others.setdefault(name, set()).add(zone)

    def _lose(self, name: str, zone: str) -> None:
        others = self._others.get(name)
        if others is not None:
            others.discard(zone)
            if not others:
                del self._others[name]

    def _note(self, zone: str) -> None:
        """An address is known in this segment."""
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

    def _part(self, zone: str, name: str) -> None:
        """An address turns up in one more segment, with a host of this name: what was known of it
        in a segment that may be this one or another is not known any more."""
        for theirs, place, other in self._parted(zone, name):
            self._lose(theirs, place)
            self._forget_address(place)
            if theirs == place or self._is_lent(theirs, place, other):
                self._rename(theirs, other)
                self._hostname_of_mac.pop(theirs, None)

    def _parted(self, zone: str, name: str) -> Iterator[tuple[str, str, str]]:
        """The hosts that :meth:`_part` is about, the address that each loses, and one that it
        keeps."""
        address, segment = bare(zone), segment_of(zone)
        known = [] if self._is_everywhere(address) else self._known(address)
        for near in known:
            place = zoned(address, near)
            theirs = self._owner(place)
            if theirs is None or theirs == name or not may_be_one(near, segment):
                continue
            for one in known:
                other = zoned(address, one)
                if self._owner(other) == theirs and not may_be_one(one, segment):
                    yield theirs, place, other
                    break

    def _unnames(self, mac: str, zone: str) -> bool:
        """Whether a session from this address takes a MAC from a host that only a lease gave it
        to."""
        if self._owner(zone) is not None or ("%" not in zone and zone not in self._segments):
            return False
        name = mac or self._belongs_to(zone) or zone
        return any(
            is_mac(theirs) and self._is_lent(theirs, place, other)
            for theirs, place, other in self._parted(zone, name)
        )

    def _is_lent(self, mac: str, place: str, other: str) -> bool:
        """Whether nothing but a lease of ``place`` says that a host, now at ``other``, has this
        MAC."""
        slot = self._slot_of.get(mac)
        if slot is None or self._told[slot] or other in self._claims:
            return False
        return not self._others.get(mac, set()) - {place, other}

    def _rename(self, old: str, new: str) -> None:
        """A host that has a slot is known by another name."""
        slot = self._slot_of[new] = self._slot_of.pop(old)
        self._key[slot] = new
        for zone in self._others.pop(old, ()):
            self._keep(new, zone)
            if zone in self._aside:
                self._aside[zone] = new

    def _turn(self, ts: float, mac: str, zone: str, slot: int) -> None:
        """A session of a host that has a slot: if it went on to another address, does that tell
        that its MAC is a router's?"""
        before = self._address[slot]
        if not is_ipv4(zone):
            there = self._address6.get(slot)
            if there is None or zone.startswith(_LINK_LOCAL):
                return
            before = there.get(self._network6(mac, zone), zone)
        elif not (_alternates(zone) and _alternates(before)):
            return
        if bare(before) == bare(zone):
            return
        addresses = self._turns.next_address(ts, mac, zone, self._claim)
        if addresses:
            self._expose(ts, mac, addresses)

    def _claim(self, zone: str) -> Claim | None:
        """Whom an address belongs to by lease or EUI-64."""
        claim = self._lease_of(zone)
        if claim is None and (mac := eui64_mac(bare(zone))):
            claim = Claim(mac)
        return claim

    def _lease_of(self, zone: str) -> Claim | None:
        """The latest lease of an address; one that tells no segment counts where there is one."""
        claim = self._claims.get(zone)
        if claim is None and len(self._segments.get(bare(zone), ())) == 1:
            claim = self._claims.get(bare(zone))
        return claim

    def _expose(self, ts: float, mac: str, addresses: tuple[str, ...]) -> None:
        """From the next session on, what comes through this MAC is told apart by its addresses."""
        slot = self._slot_of[mac]
        self.ended = Router(mac, slot, ts, tuple(map(bare, addresses)))
        self._routers[mac] = ts
        del self._turns.of_mac[mac]
        zones = sorted({*self._others.get(mac, ()), self._address[slot], *addresses})
        claims = {zone: claim for zone in zones if (claim := self._claim(zone)) is not None}
        self._others.setdefault(mac, set()).update(addresses)
        self._disown(slot)
        self._address[slot] = ""
        # What leases said of them holds again.
        for zone, claim in claims.items():
            if claim.mac not in self._routers and is_ipv4(zone):
                self._claims[zone] = claim
                self._take_over(claim.mac, zone)
                self._keep(claim.mac, zone)

    def _next_mac(self, ts: float, zone: str, mac: str, before: str) -> int:
        """The slot of a session whose address went from one MAC to another: are both one host's?"""
        slot = self._slot_of.get(before)
        seen = before if slot is not None and self._told[slot] else ""
        found = self._turns.next_mac(ts, zone, mac, seen)
        lent = claim.mac if (claim := self._lease_of(zone)) is not None else ""
        there = [one for one in found if one in self._slot_of] or [mac]
        first, *others = sorted(there, key=lambda one: one != lent)
        for other in others:
            if self.ended is None and self._share(ts, zone, first, other):
                self._join(ts, zone, first, other)
                return self._slot_of[first]
        return self._slot_of[mac]

    def _share(self, ts: float, zone: str, first: str, other: str) -> bool:
        """Whether two MACs that take turns with an address may be one host's: neither has an IPv4
        address of its own, nor both another one, nor a lease of this one, nor makers that
        differ."""
        claim = self._lease_of(zone)
        makers = {vendor(first), vendor(other)} - {""}
        if len(makers) > 1 or (claim is not None and {claim.mac, claim.before} == {first, other}):
            return False
        used, own = set[str](), []
        for mac in (first, other):
            others = self._others.get(mac, set()) - self._turns.of_address.keys()
            owned = {one for one in others if self._owner(one) == mac}
            used |= {self._address[self._slot_of[mac]], *self._turns.lately(mac, ts), *owned}
            own.append(bool(owned))
        return not all(own) and len({bare(one) for one in used if _alternates(one)}) <= 1

    def _join(self, ts: float, zone: str, first: str, other: str) -> None:
        """From here on, sessions with one MAC belong to the host of the other, the first: that of
        the lease, or that was seen first."""
        slot, gone = self._slot_of[first], self._slot_of[other]
        self.ended = Bond(other, gone, ts, bare(zone), first)
        while len(self._bonds) >= _ROUTERS:
            del self._bonds[next(iter(self._bonds))]
        self._bonds |= {mac: first for mac, host in self._bonds.items() if host == other}
        self._bonds[other] = first
        for one in {*self._others.pop(other, ()), self._address[gone], zone}:
            if self._owner(one) == other:
                self._slot_at.pop(one, None)
                self._aside[one] = first
                self._keep(first, one)
        self._address[gone] = ""
        self._address6.pop(gone, None)
        self._turns.of_address.pop(zone, None)
        self._use(zone, slot)

    def _disown(self, slot: int) -> None:
        """Forget all addresses of this slot's host."""
        name = self._key[slot]
        for zone in (*self._others.pop(name, ()), self._address[slot]):
            if self._owner(zone) == name:
                self._forget_address(zone)
        self._address6.pop(slot, None)

    def _forget_address(self, zone: str) -> None:
        self._slot_at.pop(zone, None)
        self._aside.pop(zone, None)
        self._claims.pop(zone, None)
        self._turns.of_address.pop(zone, None)
        if "%" in zone and (known := self._segments.get(bare(zone))):
            if isinstance(known, dict):
                known.pop(segment_of(zone), None)
            else:
                known.remove(segment_of(zone))
            if not known:
                del self._segments[bare(zone)]

    def _take_over(self, mac: str, zone: str) -> None:
        """From now on the address belongs to this MAC; nobody else's history goes with it."""
        owner = self._owner(zone)
        if owner == mac:
            return
        if self._names(mac, zone):
            self._rename(self._belongs_to(zone) or zone, mac)
        elif owner is not None:
            self._lose(owner, zone)
        if len(self._slot_at) + len(self._aside) >= self._limit():
            self._trim()
        self._slot_at.pop(zone, None)
        self._aside[zone] = mac
        self._note(zone)

    def _limit(self) -> int:
        return _ADDRESSES * max(len(self), 1024)

    def _trim(self) -> None:
        """Forget all addresses but one of each host."""
        self._slot_at = {
            zone: slot
            for slot, zone in enumerate(self._address)
            if zone and self._slot_at.get(zone) == slot
        }
        for table in (self._aside, self._others, self._address6, self._turns.of_address):
            table.clear()
        self._segments.clear()
        for zone in self._slot_at:
            self._note(zone)

    def lease(self, lease: Lease) -> None:
        """From here on, sessions of ``lease.ip`` without a MAC, or with a router's, belong to
        ``lease.mac``; unless that is a router's, or the address is known in several segments and
        the lease tells none."""
        mac = self._bonds.get(lease.mac, lease.mac)
        if mac in self._routers or is_virtual(mac):
            return
        for zone in self._lent(lease):
            owner, known = self._owner(zone), self._claims.get(zone)
            claim = Claim(mac, lease.hostname, lease.ts)
            if known is not None and known.mac == mac:
                claim = replace(claim, against=known.against, before=known.before)
            elif known is not None:
                claim = replace(claim, before=known.mac)
            if owner is not None and owner != mac and is_mac(owner):
                claim = replace(claim, against=owner)
            if known is None and len(self._claims) >= self._limit():
                self._claims = {
                    one: self._claims[one] for one in self._slot_at.keys() & self._claims.keys()
                }
            self._claims[zone] = claim
            if owner != mac:
                self._take_over(mac, zone)
                self._keep(mac, zone)
        if lease.hostname:
            if len(self._hostname_of_mac) >= self._limit():
                self._hostname_of_mac = {
                    one: name for one, name in self._hostname_of_mac.items() if one in self._slot_of
                }
            self._hostname_of_mac[mac] = lease.hostname

    def _lent(self, lease: Lease) -> list[str]:
        """The address of a lease in its segments; none where two hosts may be meant."""
        if self._is_everywhere(lease.ip):
            return [zoned(lease.ip, lease.segment)] if lease.segment else []
        known = self._known(lease.ip)
        near = [one for one in known if may_be_one(one, lease.segment)]
        if lease.segment in near and lease.segment:
            owner = self._owner(zoned(lease.ip, lease.segment))
            near = [one for one in near if self._owner(zoned(lease.ip, one)) == owner]
        if not all(may_be_one(one, other) for one in near for other in near):
            return []
        return [zoned(lease.ip, one) for one in near or [lease.segment]]

    def _new(self, key: str) -> int:
        if self._free:
            slot = self._free.pop()
            self._key[slot] = key
        else:
            slot = len(self._key)
            self._key.append(key)
            self._address.append("")
            self._told.append("")
        self._slot_of[key] = slot
        return slot

    def newcomers(
        self, host: Sequence[str], mac: Sequence[str], segment: Sequence[str] | None = None
    ) -> int:
        """At most how many of these sessions' hosts have no slot yet."""
        keys = self._keys(zoned_all(host, segment), mac)
        return len(keys) - len(keys & self._slot_of.keys())

    def present(
        self, host: Sequence[str], mac: Sequence[str], segment: Sequence[str] | None = None
    ) -> np.ndarray:
        """Slots int64 of those of these sessions' hosts that have one, in no order."""
        known = self._keys(zoned_all(host, segment), mac) & self._slot_of.keys()
        return np.array([self._slot_of[key] for key in known], np.int64)

    def everywhere(self, address: str) -> list[str]:
        """The segments that an address is known in; "" where it is in none."""
        return list(self._known(address)) or [""]

    def _keys(self, host: Sequence[str], mac: Sequence[str]) -> set[str]:
        """All names that these sessions' hosts may have."""
        keys: set[str] = set()
        zones: dict[str, list[str]] = {}  # by MAC, of those that may be a router's
        for zone, told in set(zip(host, mac, strict=True)):
            if bare(zone) in UNSPECIFIED:
                keys |= {self._nobody(told, zone), told or zone}
                continue
            named = self._meant(told, zone)
            owner = self._belongs_to(zone) or zone
            keys.add(named or owner)
            if owner in self._slot_of:
                keys.add(owner)  # it may be the one whose MAC is told here
            if "%" in zone or zone in self._segments:
                keys.add(zone)
            if told in self._bonds:
                keys.add(told)
            if named and not zone.startswith(_LINK_LOCAL):
                zones.setdefault(named, []).append(zone)
        for named, several in zones.items():
            claimed = {claim.mac for zone in several if (claim := self._claim(zone)) is not None}
            four = sum(map(is_ipv4, several))
            if (
                named in self._turns.of_mac
                or four >= ROUTER_ADDRESSES
                or len(several) - four >= ROUTER_ADDRESSES_6
                or (claimed and len(several) > 1)
            ):
                keys.update(several)
                keys |= claimed
        return keys

    def release(self, slots: Iterable[int]) -> None:
        """Give up these hosts and what is known of their addresses."""
        for slot in dict.fromkeys(slots):  # in their order, so that slots are given again alike
            self._disown(slot)
            key = self._key[slot]
            del self._slot_of[key]
            self._key[slot] = self._address[slot] = self._told[slot] = ""
            self._free.append(slot)
            hostname = self._hostname_of_mac.pop(key, None)
            # Not when the bond was found: lines from before it are written first.
            if hostname is not None and (first := self._bonds.get(key)) is not None:
                self._hostname_of_mac.setdefault(first, hostname)
            self._turns.of_mac.pop(key, None)

    def names(self, start: int, stop: int) -> dict[int, tuple[str, str]]:
        """Name and latest address, in its segment, of the hosts in these slots."""
        pairs = zip(self._key[start:stop], self._address[start:stop], strict=True)
        return {slot: pair for slot, pair in enumerate(pairs, start) if pair[0]}

    def addresses(self) -> Mapping[str, str]:
        """Every address that is known, with the name of its host: the state itself."""
        return _Owners(self._slot_at, self._key, self._aside)

    def hostnames(self) -> dict[str, str]:
        """Every MAC's name that is known: the state itself."""
        return self._hostname_of_mac

    def routers(self) -> dict[str, float]:
        """Every router's MAC, with the time of the session that gave it away, the least recently
        seen first: the state itself."""
        return self._routers

    def bonds(self) -> dict[str, str]:
        """MACs of other interfaces of a host, with the host's: the state itself."""
        return self._bonds

    def claims(self) -> dict[str, Claim]:
        """Whom addresses were lent to: the state itself."""
        return self._claims

    def turns(self) -> dict[str, Comings]:
        """What may yet give a MAC away as a router's: the state itself."""
        return self._turns.of_mac

    def takes(self) -> dict[str, list[tuple[float, str]]]:
        """What may yet tell that two MACs are one host's: the state itself."""
        return self._turns.of_address

    def admit(self, key: str, address: str) -> int:
        """The slot of a host that a snapshot tells of."""
        slot = self._slot_of.get(key)
        if slot is None:
            slot = self._new(key)
        self._address[slot] = address
        return slot

    def learn(self, addresses: Mapping[str, str], hostnames: Mapping[str, str]) -> None:
        """What a snapshot tells of addresses, once its hosts are admitted."""
        for zone, key in addresses.items():
            slot = self._slot_of.get(key)
            # A MAC that became known while the snapshot was written came too late for its host.
            if slot is None and zone in self._slot_of:
                continue
            if slot is not None and (zone == self._address[slot] or not _alternates(zone)):
                self._slot_at[zone] = slot
            else:
                self._aside[zone] = key
            if slot is None or zone != self._address[slot]:
                self._keep(key, zone)
            self._note(zone)
        self._hostname_of_mac.update(hostnames)

    def slots_of(self, mac: str) -> list[int]:
        """The slots of a MAC's host: its own, and those of the interfaces that take turns with
        it."""
        names = [mac]
        if self._bonds:
            first = self._bonds.get(mac, mac)
            names = [first, *(one for one, other in self._bonds.items() if other == first)]
        return [self._slot_of[name] for name in names if name in self._slot_of]

    def macs(self, slot: int) -> list[str]:
        """The MACs of all interfaces of a host that are known, its own first."""
        mac = self.mac(slot)
        if not mac or not self._bonds:
            return [mac] if mac else []
        # One that was just found is none of sessions from before it.
        new = self.ended.mac if isinstance(self.ended, Bond) else ""
        return [mac, *(one for one, at in self._bonds.items() if at == mac and one != new)]

    def mac(self, slot: int) -> str:
        """The host's MAC, "" when only its address is known."""
        key = self._key[slot]
        return key if is_mac(key) else ""

    def address(self, slot: int) -> str:
        """The address the host got last, "" when it was seen with none."""
        return bare(self._address[slot])

    def segment(self, slot: int) -> str:
        """The segment of that address."""
        return segment_of(self._address[slot])

    def hostname(self, slot: int) -> str:
        """The name the host asked a lease with, "" when none is known."""
        return self._hostname_of_mac.get(self._key[slot], "")


class _Owners(Mapping[str, str]):
    """Addresses with their hosts' names, from where they are kept."""

    def __init__(self, slot_at: dict[str, int], key: list[str], aside: dict[str, str]) -> None:
        self._slot_at, self._key, self._aside = slot_at, key, aside

    def __getitem__(self, address: str) -> str:
        slot = self._slot_at.get(address)
        return self._aside[address] if slot is None else self._key[slot]

    def __iter__(self) -> Iterator[str]:
        yield from self._slot_at
        yield from self._aside

    def __len__(self) -> int:
        return len(self._slot_at) + len(self._aside)


def _alternates(address: str) -> bool:
    """Whether a host has one such address at a time. IPv6 privacy addresses overlap (RFC 8981)."""
    return is_ipv4(address) and not address.startswith(_LINK_LOCAL)
