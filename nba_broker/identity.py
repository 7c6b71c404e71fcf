"""Which host a session belongs to: its MAC where one is known, else its address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nba_broker.messages import Lease

UNSPECIFIED = frozenset({"0.0.0.0", "::"})
"""Originators that have no address yet; only their MAC says who they are."""

_ADDRESSES = 4  # remembered per host at most, on average: privacy addresses come anew every day


class Identity:
    """Gives every host a slot number, keeps who owns which address, frees idle slots.

    A host is named by its MAC, or by its address as long as no MAC was seen with that address. A
    host first known by its address keeps its slot, so its history, when its MAC becomes known.
    """

    def __init__(self) -> None:
        self._slot_of: dict[str, int] = {}
        self._owner: dict[str, str] = {}  # address -> its host's name: a MAC, or itself
        self._hostname_of_mac: dict[str, str] = {}
        self._key: list[str] = []  # by slot; "" where it is free
        self._address: list[str] = []  # by slot: the latest one
        self._free: list[int] = []

    def __len__(self) -> int:
        """Hosts that hold a slot."""
        return len(self._slot_of)

    @property
    def capacity(self) -> int:
        """One more than the highest slot number ever given."""
        return len(self._key)

    def slots(self, host: Sequence[str], mac: Sequence[str]) -> np.ndarray:
        """Slots int64 of sessions in time order: all n, or those before one that tells the MAC of
        a host that had none, so that what is said of a host rests on nothing later."""
        key = list(map(self._owner.get, host))
        found = list(map(self._slot_of.get, key))  # type: ignore[arg-type]  # None has no slot
        # Nearly always every row has its MAC and nothing is new: then no row is looked at here.
        if None in found or key != mac:
            moved: set[str] = set()  # addresses with another owner than ``key`` says
            for place, (owner, told) in enumerate(zip(key, mac, strict=True)):
                known = found[place] is not None and host[place] not in moved
                if known and (told == owner or not told):
                    continue
                if place and self._names(told, host[place]):
                    return np.array(found[:place], np.int64)
                if owner is not None and told:
                    moved.add(host[place])
                found[place] = self._settle(told, host[place])
        return np.array(found, np.int64)

    def _names(self, mac: str, address: str) -> bool:
        """Whether this MAC is the first one for a host that was known by its address."""
        return (
            mac != ""
            and mac not in self._slot_of
            and address in self._slot_of
            and self._owner.get(address) == address
        )

    def _settle(self, mac: str, address: str) -> int:
        if address in UNSPECIFIED:
            key = mac or address
            return self._slot_of[key] if key in self._slot_of else self._new(key)
        owner = self._owner.get(address)
        if mac:
            self._take_over(mac, address)
        key = self._owner.setdefault(address, address)
        slot = self._slot_of.get(key)
        if slot is None:
            slot = self._new(key)
        if key != owner or not self._address[slot]:
            self._address[slot] = address
        return slot

    def _take_over(self, mac: str, address: str) -> None:
        """From now on the address belongs to this MAC; nobody else's history goes with it."""
        if self._owner.get(address) == mac:
            return
        if self._names(mac, address):
            slot = self._slot_of[mac] = self._slot_of.pop(address)
            self._key[slot] = mac
        if len(self._owner) >= _ADDRESSES * max(len(self), 1024):
            self._owner = {a: self._owner[a] for a in self._address if a in self._owner}
        self._owner[address] = mac

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
        keys = set(mac)
        if "" in keys:
            owners = map(self._owner.get, host, host)
            keys = {told or owner for told, owner in zip(mac, owners, strict=True)}
        return keys

    def release(self, slots: Iterable[int]) -> None:
        """Give up these hosts and what is known of their addresses."""
        gone = {self._key[slot] for slot in slots}
        for key in gone:
            slot = self._slot_of.pop(key)
            self._key[slot] = self._address[slot] = ""
            self._free.append(slot)
            self._hostname_of_mac.pop(key, None)
        for address in [a for a, key in self._owner.items() if key in gone]:
            del self._owner[address]

    def names(self, start: int, stop: int) -> dict[int, tuple[str, str]]:
        """Name and latest address of the hosts in these slots."""
        pairs = zip(self._key[start:stop], self._address[start:stop], strict=True)
        return {slot: pair for slot, pair in enumerate(pairs, start) if pair[0]}

    def addresses(self) -> dict[str, str]:
        """Every address that is known, with the name of its host: the state itself."""
        return self._owner

    def hostnames(self) -> dict[str, str]:
        """Every MAC's name that is known: the state itself."""
        return self._hostname_of_mac

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
            # A MAC that became known while the snapshot was written came too late for its host.
            if key in self._slot_of or address not in self._slot_of:
                self._owner[address] = key
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


def _is_mac(key: str) -> bool:
    # An address of six groups of two digits does not exist, so the colons' places decide.
    return len(key) == 17 and key[2::3] == ":::::"
