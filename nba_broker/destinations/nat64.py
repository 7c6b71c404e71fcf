"""The IPv4 address within a NAT64's IPv6 address (RFC 6052)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np

from nba_broker.records.addresses import Address, Network

WELL_KNOWN = ipaddress.IPv6Network("64:ff9b::/96")
"""The prefix that every network may use; a network may have others of its own."""

LENGTHS = (32, 40, 48, 56, 64, 96)
"""Valid lengths of a prefix, in bits."""

_RESERVED = 8  # the octet that the IPv4 address skips: bits 64 to 71 are 0
_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"


class Translation:
    """Finds the IPv4 addresses behind a network's prefixes, and behind the well-known one.

    Raises ValueError for a prefix whose length RFC 6052 does not allow.
    """

    def __init__(self, prefixes: Sequence[Network] = ()) -> None:
        for prefix in prefixes:
            if prefix.version != 6 or prefix.prefixlen not in LENGTHS:
                lengths = ", ".join(map(str, LENGTHS[:-1]))
                raise ValueError(f"{prefix}: a NAT64 prefix has {lengths} or {LENGTHS[-1]} bits")
        # The longest match first, as for routes.
        found = {WELL_KNOWN, *prefixes}
        self._prefixes = sorted(found, key=lambda one: (-one.prefixlen, one))
        self._places = [
            (one.network_address.packed[: one.prefixlen // 8], _octets(one.prefixlen))
            for one in self._prefixes
        ]

    def within(self, address: Address) -> Address:
        """The IPv4 address that an IPv6 address stands for; any other address unchanged."""
        if address.version == 4:
            return address
        packed = address.packed
        for start, octets in self._places:
            if packed.startswith(start) and _fits(packed, start):
                return ipaddress.IPv4Address(bytes(packed[at] for at in octets))
        return address

    def unpacked(self, addresses: np.ndarray) -> np.ndarray:
        """The same for addresses V16 [n], in which IPv4 addresses are IPv4-mapped (RFC 4291)."""
        packed = np.ascontiguousarray(addresses).view(np.uint8).reshape(-1, 16)
        found, left = packed.copy(), np.ones(len(packed), bool)
        for start, octets in self._places:
            prefix = np.frombuffer(start, np.uint8)
            meant = left & (packed[:, : len(prefix)] == prefix).all(1)
            if len(prefix) <= _RESERVED:
                meant &= packed[:, _RESERVED] == 0
            found[meant, :12] = np.frombuffer(_IPV4_IN_IPV6, np.uint8)
            found[meant, 12:] = packed[meant][:, octets]
            left &= ~meant
        return found.reshape(-1).view("V16")


def _octets(length: int) -> list[int]:
    """Which of the 16 octets hold the IPv4 address, behind a prefix of this length in bits."""
    first = length // 8
    return [at for at in range(first, 16) if at != _RESERVED or first > _RESERVED][:4]


def _fits(packed: bytes, start: bytes) -> bool:
    return len(start) > _RESERVED or packed[_RESERVED] == 0
