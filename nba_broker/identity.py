"""Which host a session belongs to: its MAC where one is known, else its address."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nba_broker.messages import Lease

UNSPECIFIED = frozenset({"0.0.0.0", "::"})
"""Originators that have no address yet; only their MAC says who they are."""


class Identity:
    """Gives every host a slot number, keeps who owns which address, frees idle slots.

    A host is named by its MAC, or by its address as long as no MAC was seen with that address. A
    host first known by its address keeps its slot, so its history, when its MAC becomes known.
    """

    def __init__(self) -> None:
        self._slot_of: dict[str, int] = {}
        self._mac_of_address: dict[str, str] = {}
        self._hostname_of_mac: dict[str, str] = {}
        self._address: dict[int, str] = {}
        self._key: list[str] = []
        self._free: list[int] = []
        # (mac, address) pairs that change nothing: most sessions end here.
        self._settled: dict[tuple[str, str], int] = {}

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
        pairs = list(zip(mac, host, strict=True))
        found = list(map(self._settled.get, pairs))
        if None in found:
            # An address may change hands within the batch, so all after a change is looked up
            # again, in order.
            for place in range(found.index(None), len(pairs)):
                slot = self._settled.get(pairs[place])
                if slot is None:
                    if place and self._names(*pairs[place]):
                        return np.array(found[:place], np.int64)
                    slot = self._settle(*pairs[place])
                found[place] = slot
        return np.array(found, np.int64)

    def _names(self, mac: str, address: str) -> bool:
        """Whether this MAC is the first one for a host that was known by its address."""
        return (
            mac != ""
            and address in self._slot_of
            and address not in self._mac_of_address
            and mac not in self._slot_of
        )

    def _settle(self, mac: str, address: str) -> int:
        unspecified = address in UNSPECIFIED
        if mac and not unspecified:
            self._take_over(mac, address)
        key = self._owner(mac, address)
        slot = self._slot_of.get(key)
        if slot is None:
            slot = self._new(key)
        self._settled[mac, address] = slot
        if not unspecified:
            self._address[slot] = address
        return slot

    def _owner(self, mac: str, address: str) -> str:
        return mac or self._mac_of_address.get(address, address)

    def _take_over(self, mac: str, address: str) -> None:
        """From now on the address belongs to this MAC; nobody else's history goes with it."""
        before = self._mac_of_address.get(address)
        if before == mac:
            return
        if self._names(mac, address):
            slot = self._slot_of[mac] = self._slot_of.pop(address)
            self._key[slot] = mac
        self._mac_of_address[address] = mac
        self._settled.pop(("", address), None)
        if before is not None:
            self._settled.pop((before, address), None)

    def lease(self, lease: Lease) -> None:
        """From here on, sessions of ``lease.ip`` without a MAC belong to ``lease.mac``."""
        self._take_over(lease.mac, lease.ip)
        if lease.hostname:
            self._hostname_of_mac[lease.mac] = lease.hostname

    def _new(self, key: str) -> int:
        if self._free:
            slot = self._free.pop()
            self._key[slot] = key
        else:
            slot = len(self._key)
            self._key.append(key)
        self._slot_of[key] = slot
        return slot

    def newcomers(self, host: Sequence[str], mac: Sequence[str]) -> int:
        """At most how many of these sessions' hosts have no slot yet."""
        unsettled = set(zip(mac, host, strict=True)) - self._settled.keys()
        return len({self._owner(*pair) for pair in unsettled} - self._slot_of.keys())

    def release(self, slots: Sequence[int]) -> None:
        """Give up these hosts and what is known of their addresses."""
        gone = set(slots)
        keys = {self._key[slot] for slot in gone}
        for slot in gone:
            del self._slot_of[self._key[slot]]
            self._address.pop(slot, None)
            self._free.append(slot)
        self._settled = {pair: s for pair, s in self._settled.items() if s not in gone}
        self._mac_of_address = {a: m for a, m in self._mac_of_address.items() if m not in keys}
        self._hostname_of_mac = {m: n for m, n in self._hostname_of_mac.items() if m not in keys}

    def mac(self, slot: int) -> str:
        """The host's MAC, "" when only its address is known."""
        key = self._key[slot]
        return key if _is_mac(key) else ""

    def address(self, slot: int) -> str:
        """An address the host was seen with, "" when none was."""
        return self._address.get(slot, "")

    def hostname(self, slot: int) -> str:
        """The name the host asked a lease with, "" when none is known."""
        return self._hostname_of_mac.get(self._key[slot], "")


def _is_mac(key: str) -> bool:
    # An address of six groups of two digits does not exist, so the colons' places decide.
    return len(key) == 17 and key[2::3] == ":::::"
