"""IP addresses as Zeek prints them, and as the 16 bytes of an IPv6 address."""

from __future__ import annotations

import ipaddress
import socket

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"


def canonical(text: str) -> tuple[str, bytes]:
    """An address as Zeek prints it, with its 16 bytes; OSError or ValueError if it is none.

    Zeek holds an IPv4-mapped address as IPv4; inet_ntop and Zeek agree on everything else that
    occurs, also where the ipaddress module does not (``::1.2.3.4``).
    """
    if ":" not in text:
        packed = socket.inet_pton(socket.AF_INET, text)
        return socket.inet_ntop(socket.AF_INET, packed), _IPV4_IN_IPV6 + packed
    packed = socket.inet_pton(socket.AF_INET6, text)
    return printed(packed), packed


def printed(packed: bytes) -> str:
    """The inverse: 16 bytes as Zeek prints the address."""
    if packed.startswith(_IPV4_IN_IPV6):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)
