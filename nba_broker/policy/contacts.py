"""What a session asks of a policy: the places that a rule may name for it, and its service."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from nba_broker.destinations.pools import SOLICITED
from nba_broker.records.addresses import Network
from nba_broker.records.ports import HIGH, PROTOCOLS

LOCAL, DNS, NTP, NAME, NETWORK = "local", "dns", "ntp", "name", "network"
"""Kinds of places."""

ROUTED = {4: 24, 6: 48}
"""Bits of the longest prefixes that providers take from each other: one operator has all addresses
within, so that they may stand for each other."""

_LOCAL_POOLS = frozenset({"lan", "gw", "bcast:lan", "private", "local"})
_GROUPS = frozenset({"bcast"})
_CONTROLLERS = {53: DNS, 123: NTP}
# The type domain-name of ietf-inet-types (RFC 6991).
_LABEL = r"(?:[a-z0-9_][a-z0-9_-]{0,61})?[a-z0-9]"
_DOMAIN_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_LONGEST = 253


class Place(NamedTuple):
    """Where a session goes, in the terms of a rule.

    kind: NAME, a DNS name; NETWORK, a prefix; LOCAL, the local networks; DNS or NTP, the site's own
    servers. value: the name or the prefix, else "". version: 4 or 6, of the destination's address.
    """

    kind: str
    value: str
    version: int

    @property
    def is_group(self) -> bool:
        """Whether it is a multicast group or the broadcast address, which never answers itself."""
        network = self.network
        return network is not None and (
            network.is_multicast or str(network) == "255.255.255.255/32"
        )

    @property
    def network(self) -> Network | None:
        """The prefix, None for other kinds."""
        return ipaddress.ip_network(self.value) if self.kind == NETWORK else None

    @property
    def wider(self) -> Place | None:
        """The routed network around an address of the Internet, else None."""
        network = self.network
        if network is None or network.num_addresses > 1 or not network.is_global or self.is_group:
            return None
        return self._replace(value=str(network.supernet(new_prefix=ROUTED[self.version])))

    @property
    def text(self) -> str:
        """For people."""
        return (
            self.value
            or {LOCAL: "local networks", DNS: "the site's DNS", NTP: "the site's NTP"}[self.kind]
        )


class Service(NamedTuple):
    """Transport ``tcp``, ``udp`` or ``icmp``, and its ports from ``first`` to ``last``, 0 for
    icmp."""

    protocol: str
    first: int
    last: int

    @property
    def wider(self) -> Service | None:
        """All ports that systems draw at random, if the port is one of them, else None."""
        if self.protocol == "icmp" or self.first < HIGH or self.last > self.first:
            return None
        return self._replace(first=HIGH, last=65_535)

    def has(self, other: Service) -> bool:
        """Whether the other one is a part of this one."""
        return self.protocol == other.protocol and self.first <= other.first <= self.last

    @property
    def text(self) -> str:
        """For people: ``443/tcp``, ``32768-65535/udp``."""
        if self.protocol == "icmp":
            return "icmp"
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{ports}/{self.protocol}"


class Contact(NamedTuple):
    """What sessions alike have in common: the places that they go to, the one that a rule names
    first, and the service; None for a transport without ports that no rule can name (IGMP)."""

    places: tuple[Place, ...]
    service: Service | None


def contact(pool: str, dst: str, name: str, dport: int) -> Contact:
    """The contact of a session. pool: the destination's. dst: its address. name: as its host asked
    for it, "" for none. dport: see :func:`nba_broker.records.ports.port_code`."""
    address = ipaddress.ip_address(dst)
    service = _service(dport)
    version = address.version
    here = Place(NETWORK, f"{address}/{address.max_prefixlen}", version)
    if pool in _LOCAL_POOLS:
        return Contact((_local(service, version),), service)
    if pool == SOLICITED:
        return Contact((Place(NETWORK, SOLICITED.removeprefix("mcast:"), version),), service)
    if pool in _GROUPS or address.is_multicast or not (name := dns_name(name)):
        return Contact((here,), service)
    return Contact((Place(NAME, name, version), here), service)


def dns_name(text: str) -> str:
    """A name as a rule may have it: lower case, no final dot; "" if it is no domain name of RFC
    6991, or looks like an address. DNS allows any bytes in names, and a device may ask for any."""
    name = text.lower().removesuffix(".")
    is_valid = len(name) <= _LONGEST and _DOMAIN_NAME.fullmatch(name)
    return name if is_valid and not name.rpartition(".")[2].isdigit() else ""


def _local(service: Service | None, version: int) -> Place:
    if service is not None and service.protocol in ("tcp", "udp"):
        return Place(_CONTROLLERS.get(service.first, LOCAL), "", version)
    return Place(LOCAL, "", version)


def _service(dport: int) -> Service | None:
    protocol = PROTOCOLS[dport >> 16]
    if protocol == "unknown":
        return None
    port = 0 if protocol == "icmp" else dport & 0xFFFF  # of ICMP it is the code
    return Service(protocol, port, port)
