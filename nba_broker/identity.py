"""Which host a session belongs to: its MAC where one is known, else its address.

A MAC tells the host unless it is a router's, which stands for many hosts. A router gives itself
away by the addresses that come through it in turn: see :class:`Router`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nba_broker.messages import Lease

UNSPECIFIED = frozenset({"0.0.0.0", "::"})
"""Originators that have no address yet; only their MAC says who they are."""

ROUTER_ADDRESSES = 3
"""IPv4 addresses in turn that make a MAC a router's. One device may have two: its own access
point's and the network's, while it is set up."""

ROUTER_SPAN = 3600.0
"""Seconds within which they come and come back. A host that DHCP moves does not go back so soon."""

_ADDRESSES = 4  # remembered per host at most, on average: privacy addresses come anew every day
_TURNS = 256  # addresses of one MAC that are remembered in case they come back
_ROUTERS = 4096  # remembered at most: MACs can be made up

# A router never forwards these (RFC 3927, RFC 4291), so they are the MAC's own.
_LINK_LOCAL = ("169.254.", "fe80:")


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


class Identity:
    """Gives every host a slot number, keeps who owns which address, frees idle slots.

    A host is named by its MAC, or by its address as long as no MAC was seen with that address. A
    host first known by its address keeps its slot, so its history, when its MAC becomes known.
    """

    def __init__(self) -> None:
        self.router: Router | None = None
        """The router that the latest call of :meth:`slots` found."""
        self._slot_of: dict[str, int] = {}  # a host's name -> slot
        # Addresses in use, one IPv4 address per host: with the MAC of its host's latest session,
        # a session of these says nothing new. Any other known address is with its host's name.
        self._slot_at: dict[str, int] = {}
        self._aside: dict[str, str] = {}
        self._hostname_of_mac: dict[str, str] = {}
        self._key: list[str] = []  # by slot: the host's name, "" where it is free
        self._address: list[str] = []  # by slot: the IPv4 address in use, else the latest other
        self._told: list[str] = []  # by slot: the MAC that its latest session came with
        self._free: list[int] = []
        # MAC -> when each of its IPv4 addresses came into use, and came back into use.
        self._turns: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
        self._routers: dict[str, float] = {}

    def __len__(self) -> int:
        """Hosts that hold a slot."""
        return len(self._slot_of)

    @property
    def capacity(self) -> int:
        """One more than the highest slot number ever given."""
        return len(self._key)

    def slots(self, ts: np.ndarray, host: Sequence[str], mac: Sequence[str]) -> np.ndarray:
        """Slots int64 of sessions in time order: of all n, or of the first only.

        They end before a session that tells the MAC of a host that had none, so that what is said
        of a host rests on nothing later, and with the one that gives a router away.
        """
        self.router = None
        host, mac = list(host), list(mac)
        found = list(map(self._slot_at.get, host))
        # Nearly always nothing is new: then no row is looked at here.
        if None not in found and list(map(self._told.__getitem__, found)) == mac:  # type: ignore[arg-type]  # none is None
            return np.array(found, np.int64)
        known = 0
        for slot, told in zip(found, mac, strict=True):
            if slot is None or (told and told != self._told[slot]):
                break
            known += 1
        # Whatever is new may change what was found of the rest.
        slots = found[:known]
        for address, told in zip(host[known:], mac[known:], strict=True):
            slot = self._slot_at.get(address)
            if slot is None or (told and told != self._told[slot]):
                if slots and self._names(self._meant(told, address), address):
                    break
                slot = self._settle(float(ts[len(slots)]), address, told)
            slots.append(slot)
            if self.router is not None:
                break
        return np.array(slots, np.int64)

    def _meant(self, told: str, address: str) -> str:
        """The MAC that a session's own or its address tells its host by, "" for none."""
        if told and (told not in self._routers or address.startswith(_LINK_LOCAL)):
            return told
        if self._owner(address) is None:
            return eui64_mac(address)
        return ""

    def _owner(self, address: str) -> str | None:
        """The name of the host that an address belongs to."""
        slot = self._slot_at.get(address)
        return self._aside.get(address) if slot is None else self._key[slot]

    def _names(self, mac: str, address: str) -> bool:
        """Whether this MAC is the first one for a host that was known by its address."""
        return (
            mac != ""
            and mac not in self._slot_of
            and address in self._slot_of
            and self._owner(address) == address
        )

    def _settle(self, ts: float, address: str, told: str) -> int:
        """The slot of a session that says something new."""
        if address in UNSPECIFIED:
            key = told or address
            return self._slot_of[key] if key in self._slot_of else self._new(key)
        mac = self._meant(told, address)
        if mac:
            self._take_over(mac, address)
        key = self._owner(address) or address
        slot = self._slot_of.get(key)
        if slot is None:
            slot = self._new(key)
        elif mac and _alternates(address) and _alternates(self._address[slot]):
            self._turn(ts, mac, address)
        if self.router is None:
            self._use(address, slot)
        if told:
            self._told[slot] = told
        return slot

    def _use(self, address: str, slot: int) -> None:
        """An address of this host is in use, instead of the IPv4 address before."""
        before = self._address[slot]
        if _alternates(address):
            if before != address and self._slot_at.get(before) == slot and _alternates(before):
                del self._slot_at[before]
                self._aside[before] = self._key[slot]
            self._address[slot] = address
        elif not _alternates(before):
            self._address[slot] = address
        self._slot_at[address] = slot
        self._aside.pop(address, None)

    def _turn(self, ts: float, mac: str, address: str) -> None:
        """A MAC went on to another of its IPv4 addresses: is it a router's?"""
        if address == self._address[self._slot_of[mac]]:
            return
        came, back = self._turns.setdefault(mac, ({}, {}))
        if ts - came.pop(address, -np.inf) <= ROUTER_SPAN:
            back[address] = ts
        came[address] = ts  # the latest last
        while ts - came[oldest := next(iter(came))] > ROUTER_SPAN or len(came) > _TURNS:
            del came[oldest]
        for past in [one for one, when in back.items() if ts - when > ROUTER_SPAN]:
            del back[past]
        if len(back) >= ROUTER_ADDRESSES:
            self._expose(ts, mac, tuple(back))

    def _expose(self, ts: float, mac: str, addresses: tuple[str, ...]) -> None:
        """From the next session on, what comes through this MAC is told apart by its addresses."""
        slot = self._slot_of[mac]
        self.router = Router(mac, slot, ts, addresses)
        if len(self._routers) >= _ROUTERS:
            del self._routers[next(iter(self._routers))]
        self._routers[mac] = ts
        del self._turns[mac]
        self._disown({slot})
        self._address[slot] = ""

    def _disown(self, slots: set[int]) -> None:
        """Forget all addresses of these slots' hosts."""
        names = {self._key[slot] for slot in slots}
        for address in [one for one, slot in self._slot_at.items() if slot in slots]:
            del self._slot_at[address]
        for address in [one for one, name in self._aside.items() if name in names]:
            del self._aside[address]

    def _take_over(self, mac: str, address: str) -> None:
        """From now on the address belongs to this MAC; nobody else's history goes with it."""
        if self._owner(address) == mac:
            return
        if self._names(mac, address):
            slot = self._slot_of[mac] = self._slot_of.pop(address)
            self._key[slot] = mac
        if len(self._slot_at) + len(self._aside) >= _ADDRESSES * max(len(self), 1024):
            self._aside.clear()
            self._slot_at = {
                one: self._slot_at[one] for one in self._address if one in self._slot_at
            }
        self._slot_at.pop(address, None)
        self._aside[address] = mac

    def lease(self, lease: Lease) -> None:
        """From here on, sessions of ``lease.ip`` without a MAC belong to ``lease.mac``."""
        self._take_over(lease.mac, lease.ip)
        if lease.hostname:
            if len(self._hostname_of_mac) >= _ADDRESSES * max(len(self), 1024):
                self._hostname_of_mac = {
                    mac: name for mac, name in self._hostname_of_mac.items() if mac in self._slot_of
                }
            self._hostname_of_mac[lease.mac] = lease.hostname

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

    def newcomers(self, host: Sequence[str], mac: Sequence[str]) -> int:
        """At most how many of these sessions' hosts have no slot yet."""
        keys = self._keys(host, mac)
        return len(keys) - len(keys & self._slot_of.keys())

    def present(self, host: Sequence[str], mac: Sequence[str]) -> np.ndarray:
        """Slots int64 of those of these sessions' hosts that have one, in no order."""
        known = self._keys(host, mac) & self._slot_of.keys()
        return np.array([self._slot_of[key] for key in known], np.int64)

    def _keys(self, host: Sequence[str], mac: Sequence[str]) -> set[str]:
        """All names that these sessions' hosts may have."""
        keys: set[str] = set()
        addresses: dict[str, list[str]] = {}  # by MAC, of those that may be a router's
        for address, told in set(zip(host, mac, strict=True)):
            if address in UNSPECIFIED:
                keys.add(told or address)
                continue
            named = self._meant(told, address)
            owner = self._owner(address) or address
            keys.add(named or owner)
            if owner in self._slot_of:
                keys.add(owner)  # it may be the one whose MAC is told here
            if named and _alternates(address):
                addresses.setdefault(named, []).append(address)
        for named, several in addresses.items():
            if named in self._turns or len(several) >= ROUTER_ADDRESSES:
                keys.update(several)
        return keys

    def release(self, slots: Iterable[int]) -> None:
        """Give up these hosts and what is known of their addresses."""
        gone = dict.fromkeys(slots)  # in their order, so that slots are given again alike
        self._disown(set(gone))
        for slot in gone:
            key = self._key[slot]
            del self._slot_of[key]
            self._key[slot] = self._address[slot] = self._told[slot] = ""
            self._free.append(slot)
            self._hostname_of_mac.pop(key, None)
            self._turns.pop(key, None)

    def names(self, start: int, stop: int) -> dict[int, tuple[str, str]]:
        """Name and latest address of the hosts in these slots."""
        pairs = zip(self._key[start:stop], self._address[start:stop], strict=True)
        return {slot: pair for slot, pair in enumerate(pairs, start) if pair[0]}

    def addresses(self) -> Mapping[str, str]:
        """Every address that is known, with the name of its host: the state itself."""
        return _Owners(self._slot_at, self._key, self._aside)

    def hostnames(self) -> dict[str, str]:
        """Every MAC's name that is known: the state itself."""
        return self._hostname_of_mac

    def routers(self) -> dict[str, float]:
        """Every router's MAC, with the time of the session that gave it away: the state itself."""
        return self._routers

    def turns(self) -> dict[str, tuple[dict[str, float], dict[str, float]]]:
        """What may yet give a MAC away as a router's: the state itself."""
        return self._turns

    def admit(self, key: str, address: str) -> int:
        """The slot of a host that a snapshot tells of."""
        slot = self._slot_of.get(key)
        if slot is None:
            slot = self._new(key)
        self._address[slot] = address
        return slot

    def learn(self, addresses: Mapping[str, str], hostnames: Mapping[str, str]) -> None:
        """What a snapshot tells of addresses, once its hosts are admitted."""
        for address, key in addresses.items():
            slot = self._slot_of.get(key)
            if slot is not None and (address == self._address[slot] or not _alternates(address)):
                self._slot_at[address] = slot
            # A MAC that became known while the snapshot was written came too late for its host.
            elif slot is not None or address not in self._slot_of:
                self._aside[address] = key
        self._hostname_of_mac.update(hostnames)

    def mac(self, slot: int) -> str:
        """The host's MAC, "" when only its address is known."""
        key = self._key[slot]
        return key if _is_mac(key) else ""

    def address(self, slot: int) -> str:
        """The address the host got last, "" when it was seen with none."""
        return self._address[slot]

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


def eui64_mac(address: str) -> str:
    """The MAC in an IPv6 address whose interface identifier is a modified EUI-64, "" if none is.

    RFC 4291, appendix A. Of random identifiers one in 130,000 looks like one.
    """
    if ":" not in address:
        return ""
    identifier = socket.inet_pton(socket.AF_INET6, address)[8:]
    first = identifier[0] ^ 0x02  # the universal/local bit is inverted
    if identifier[3:5] != b"\xff\xfe" or first & 0x01:
        return ""
    return (bytes([first]) + identifier[1:3] + identifier[5:]).hex(":")


def _alternates(address: str) -> bool:
    """Whether a host has one such address at a time. IPv6 privacy addresses overlap (RFC 8981)."""
    return "." in address and not address.startswith(_LINK_LOCAL)


def _is_mac(key: str) -> bool:
    # An address of six groups of two digits does not exist, so the colons' places decide.
    return len(key) == 17 and key[2::3] == ":::::"
