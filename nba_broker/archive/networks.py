"""Sets of networks to look addresses up in: private space, and addresses that no host has."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable

# fmt: off
_PRIVATE_V4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/24", "239.0.0.0/8", "240.0.0.0/4",
)
_PRIVATE_V6 = (
    "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "fc00::/7",
    "fe80::/10", "fec0::/10",
)
# fmt: on


class Networks:
    """A set of networks. Look up addresses as 16 bytes, IPv4 as mapped IPv6, with ``in``."""

    def __init__(self, networks: Iterable[str]) -> None:
        spans = []
        for text in networks:
            network = ipaddress.ip_network(text, strict=False)
            first = int(network.network_address)
            if network.version == 4:
                first += 0xFFFF << 32
            spans.append((first, first + network.num_addresses - 1))
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in sorted(spans):
            if self._last and first <= self._last[-1]:
                self._last[-1] = max(self._last[-1], last)
            else:
                self._first.append(first)
                self._last.append(last)

    def __contains__(self, packed: bytes) -> bool:
        value = int.from_bytes(packed, "big")
        at = bisect_right(self._first, value) - 1
        return at >= 0 and value <= self._last[at]


def _six_to_four(network: str) -> str:
    net = ipaddress.IPv4Network(network)
    return f"2002:{int(net[0]) >> 16:x}:{int(net[0]) & 0xFFFF:x}::/{16 + net.prefixlen}"


# Zeek's Site::private_address_space, which Zeek counts as local by default.
PRIVATE = Networks(
    [*_PRIVATE_V4, *(_six_to_four(network) for network in _PRIVATE_V4), *_PRIVATE_V6]
)
NEVER_HOSTS = Networks(["127.0.0.0/8", "::1/128", "224.0.0.0/4", "255.255.255.255/32", "ff00::/8"])
UNSPECIFIED = Networks(["0.0.0.0/32", "::/128"])
