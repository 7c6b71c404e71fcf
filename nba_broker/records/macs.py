"""Recognises MACs among hosts' keys, virtual MACs, and MACs within IPv6 addresses."""

from __future__ import annotations

import re
import socket
from functools import lru_cache

# VRRP and CARP (RFC 9568: IPv4, IPv6), HSRP 1 and 2 and its IPv6 form, GLBP; and the MAC of zeros
# that captures of a loopback have.
_VIRTUAL = re.compile(
    "00:00:5e:00:0[12]:.."
    "|00:00:0c:07:ac:.."
    "|00:00:0c:9f:f.:.."
    "|00:05:73:a0:0.:.."
    "|00:07:b4:0[0-3]:..:.."
    "|00:00:00:00:00:00"
)


def is_mac(key: str) -> bool:
    """Whether a host's key is a MAC rather than an address."""
    # No address consists of six groups of two digits, so the places of the colons decide.
    return len(key) == 17 and key[2::3] == ":::::"


def is_virtual(mac: str) -> bool:
    """Whether a MAC is of a gateway protocol: several gateways share it, so it is no host's."""
    return mac.startswith("00:0") and _VIRTUAL.fullmatch(mac) is not None


@lru_cache(4096)  # the same addresses come again and again
def eui64_mac(address: str) -> str:
    """The MAC in an IPv6 address whose interface identifier is a modified EUI-64, "" for others.

    RFC 4291, appendix A. One random identifier in 130,000 looks like a modified EUI-64.
    """
    if ":" not in address:
        return ""
    identifier = socket.inet_pton(socket.AF_INET6, address)[8:]
    first = identifier[0] ^ 0x02  # the universal/local bit is inverted
    if identifier[3:5] != b"\xff\xfe" or first & 0x01:
        return ""
    return (bytes([first]) + identifier[1:3] + identifier[5:]).hex(":")
