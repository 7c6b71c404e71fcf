"""Normalizes IP addresses and MACs to the form in which Zeek prints them."""

from __future__ import annotations

import ipaddress
import re
import socket

import numpy as np

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"

# How Zeek, Windows, switches, SNMP and inventories print a MAC. Each byte needs two digits: with a
# digit missing, the text may mean another host's MAC.
_MAC_IN_BYTES = re.compile(r"[0-9a-f]{2}(?:([-: ])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4})")
_MAC_IN_GROUPS = re.compile(
    r"(?:0x)?[0-9a-f]{12}|[0-9a-f]{6}([-.:])[0-9a-f]{6}|[0-9a-f]{4}([-.:])[0-9a-f]{4}\2[0-9a-f]{4}"
)


def canonical(text: str) -> tuple[str, bytes]:
    """An address as Zeek prints it, and its 16 bytes; raises OSError or ValueError for other text.

    Zeek treats an IPv4-mapped address as IPv4. Otherwise inet_ntop prints addresses as Zeek does;
    the ipaddress module does not always (``::1.2.3.4``).
    """
    if ":" not in text:
        packed = socket.inet_pton(socket.AF_INET, text)
        return socket.inet_ntop(socket.AF_INET, packed), _IPV4_IN_IPV6 + packed
    packed = socket.inet_pton(socket.AF_INET6, text)
    return printed(packed), packed


def printed(packed: bytes) -> str:
    """The address of 16 bytes, as Zeek prints it."""
    if packed.startswith(_IPV4_IN_IPV6):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


def halves(addresses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last eight bytes of addresses "V16" [n], as numbers, uint64 [n]."""
    both = np.ascontiguousarray(addresses).view(">u8").reshape(-1, 2).astype(np.uint64)
    return both[:, 0], both[:, 1]


def in_network(addresses: np.ndarray, network: Network) -> np.ndarray:
    """Which addresses "V16" [n] a network holds, bool [n]."""
    length = network.prefixlen + (96 if network.version == 4 else 0)
    bits = 128 - length
    mask = np.frombuffer((((1 << length) - 1) << bits).to_bytes(16, "big"), np.uint8)
    whole = int(network.network_address) + ((0xFFFF << 32) if network.version == 4 else 0)
    prefix = np.frombuffer(whole.to_bytes(16, "big"), np.uint8)
    packed = np.ascontiguousarray(addresses).view(np.uint8).reshape(-1, 16)
    inside: np.ndarray = ((packed & mask) == prefix).all(1)
    return inside


def canonical_mac(text: str) -> str:
    """A MAC in any notation, as lower case with colons; any other text is returned unchanged.

    Twelve hexadecimal digits count as a MAC, not as a hostname.
    """
    lower = text.strip().lower()
    if match := _MAC_IN_BYTES.fullmatch(lower):
        return lower.replace(match[1], ":")
    if _MAC_IN_GROUPS.fullmatch(lower):
        digits = re.sub("^0x|[-.:]", "", lower)
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    return text
