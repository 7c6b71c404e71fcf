"""Pools: what a destination address means to its host.

Pools are named by meaning (``as:16509``, ``lan``, ``gw``, ``mcast:224.0.0.251``), never by row
number, so a model trained with one edition of a database works with another.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np

from nba_broker.destinations.databases import Database, Place, check, look_up
from nba_broker.destinations.nat64 import Translation
from nba_broker.destinations.overrides import Override
from nba_broker.records.addresses import Address, Network
from nba_broker.records.columns import Memo
from nba_broker.records.name_patterns import patterns_of

PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Address space of no autonomous system: the part of Zeek's Site::private_address_space that hosts
use."""

GROUPS = 1024
"""Multicast groups with a pool of their own, beside those that a model knows. A bound, because
traffic can forge millions; a network uses few."""

ANY_GROUP = "mcast:other"
"""The pool of all other groups."""

SOLICITED = "mcast:ff02::1:ff00:0/104"
"""The pool of all solicited-node groups (RFC 4291, 2.7.1): there is one for every IPv6 address that
a host looks up."""

FIXED = frozenset(
    {"gw", "lan", "private", "local", "none", "bcast", "bcast:lan", ANY_GROUP, SOLICITED}
)
"""The pools of every site, besides those that are named by a database or by a group."""

_SOLICITED = ipaddress.IPv6Network("ff02::1:ff00:0/104")
_GROUP = "mcast:"

_LAN_PREFIX = {4: 24, 6: 64}
_UNKNOWN = np.int32(-1)
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


def in_networks(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address.version == net.version and address in net for net in networks)


def of_database(pool: str) -> bool:
    """Whether a pool is named by a database: by an autonomous system, or a country."""
    return pool.startswith(("as:", "cc:"))


class Pools:
    """Maps (host, destination) to pools. ``table`` names the pools by index; it only grows, and is
    bounded by the names in the databases and overrides and by GROUPS multicast groups.

    scheme: one of SCHEMES. lans: networks of hosts that are not the /24 or /64 around the host.
    local: the site's own public networks. overrides: see :meth:`override`. nat64: the site's
    prefixes beside the well-known one, see nat64.Translation. cache: how many destinations are
    remembered at most.

    Raises DatabaseError when the databases lack what the scheme names destinations by, ValueError
    for an invalid NAT64 prefix.
    """

    def __init__(
        self,
        databases: Sequence[Database],
        *,
        scheme: str = "asn",
        lans: Sequence[Network] = (),
        local: Sequence[Network] = (),
        overrides: Sequence[Override] = (),
        nat64: Sequence[Network] = (),
        cache: int = 1_000_000,
    ) -> None:
        check(databases, scheme)
        self.scheme = scheme
        self.databases = tuple(databases)
        self.lans = tuple(lans)
        self.local = tuple(local)
        self.translation = Translation(nat64)
        self.table: list[str] = []
        self._index: dict[str, int] = {}
        self._known_groups: frozenset[str] = frozenset()
        self._groups = 0  # with a pool of their own that no model knows
        self._shared: dict[str, int] = {}
        self._shared_pools = Memo(self._known, _UNKNOWN)
        self._private_hosts: set[str] = set()
        self._pairs: dict[tuple[str, str], int] = {}
        self._cache = cache
        self.override(overrides)

    def ids(self, host: Sequence[str], dst: Sequence[str]) -> np.ndarray:
        """Indices into ``table``, int32 [n], of n destinations as seen from n hosts."""
        found = self._shared_pools(dst)
        # A host with a public address may have public neighbours that are remote to other hosts.
        if not self._private_hosts.issuperset(host):
            for place, address in enumerate(host):
                if not self._is_private_host(address):
                    found[place] = _UNKNOWN
        for place in np.flatnonzero(found == _UNKNOWN).tolist():
            found[place] = self._pair(host[place], dst[place])
        return found

    def _known(self, dst: Sequence[str]) -> np.ndarray:
        """The remembered pools that are the same for all hosts, int32 [n], else _UNKNOWN."""
        pools = map(self._shared.get, dst, repeat(_UNKNOWN))
        return np.fromiter(pools, np.int32, len(dst))

    def _is_private_host(self, host: str) -> bool:
        if host in self._private_hosts:
            return True
        address = ipaddress.ip_address(host)
        if not (address.is_unspecified or in_networks(address, PRIVATE)):
            return False
        if len(self._private_hosts) >= self._cache:
            self._private_hosts.clear()
        self._private_hosts.add(host)
        return True

    def _pair(self, host: str, dst: str) -> int:
        """The pool of one destination, remembered without the host where it is the same for all."""
        known = self._pairs.get((host, dst))
        if known is None and self._is_private_host(host):
            known = self._shared.get(dst)  # since this batch began, in which destinations repeat
        if known is not None:
            return known
        name, shared = self._name(host, dst)
        pool = self._add(name)
        if name in (SOLICITED, ANY_GROUP):
            return pool  # not remembered: traffic can forge any number of these
        # Random scans must not grow memory. A full cache starts empty, which costs only look-ups.
        if shared and self._is_private_host(host):
            if len(self._shared) >= self._cache:
                self._clear_shared()
            self._shared[dst] = pool
        else:
            if len(self._pairs) >= self._cache:
                self._pairs.clear()
            self._pairs[host, dst] = pool
        return pool

    def _add(self, name: str) -> int:
        """The index of a pool by its name."""
        pool = self._index.get(name)
        if pool is None:
            pool = self._index[name] = len(self.table)
            self.table.append(name)
            self._groups += self._is_counted(name)
        return pool

    def _is_counted(self, name: str) -> bool:
        own = name.startswith(_GROUP) and name not in (SOLICITED, ANY_GROUP)
        return own and name not in self._known_groups

    def _name(self, host: str, dst: str) -> tuple[str, bool]:
        """The name of a destination's pool, and whether it is the same for all private hosts."""
        given = ipaddress.ip_address(dst)
        address = self.translation.within(given)
        for network, name in self._by_network:
            if in_networks(address, (network,)) or in_networks(given, (network,)):
                return name, True
        if address.is_multicast:
            return self._group(address), True
        if address == _BROADCAST:
            return "bcast", True
        if address.is_unspecified or address.is_loopback:
            return "none", True
        lan = self._lan(ipaddress.ip_address(host))
        if lan is not None and address.version == lan.version and address in lan:
            return _name_in_lan(address, lan), False
        if address.is_link_local:
            return "lan", False
        if in_networks(address, PRIVATE):
            return "private", False
        # A network that is configured as a LAN may have public addresses and private hosts.
        if in_networks(address, self.lans):
            return "local", False
        if in_networks(address, self.local):
            return "local", True
        return look_up(self.databases, str(address)).pool(self.scheme), True

    def _group(self, address: Address) -> str:
        name = f"{_GROUP}{address}"
        if name in self._known_groups:
            return name
        if address.version == 6 and address in _SOLICITED:
            return SOLICITED
        return name if name in self._index or self._groups < GROUPS else ANY_GROUP

    def _lan(self, host: Address) -> Network | None:
        """The host's own network: the configured one that holds it, else its /24 or /64."""
        if host.is_unspecified:
            return None
        for lan in self.lans:
            if host.version == lan.version and host in lan:
                return lan
        return ipaddress.ip_network((host, _LAN_PREFIX[host.version]), strict=False)

    def use(self, databases: Sequence[Database]) -> None:
        """Replace the databases by newer editions; existing pools keep their names and indices.

        Raises DatabaseError, and keeps the old ones, when they lack what the scheme needs.
        """
        check(databases, self.scheme)
        self.databases = tuple(databases)
        self._clear_shared()
        self._pairs.clear()

    def override(self, rows: Sequence[Override]) -> None:
        """Replace the overrides, whose order does not matter; existing pools keep their names and
        indices."""
        by_network = [(key, pool) for key, pool in rows if not isinstance(key, str)]
        self._by_network = tuple(sorted(by_network, key=lambda row: -_specific(row[0])))
        self.by_name = {key: pool for key, pool in rows if isinstance(key, str)}
        """The pools that overrides give to patterns of names."""
        self.own = frozenset(pool for _, pool in rows)
        """The pools that overrides give."""
        lines = sorted(f"{key},{pool}\n" for key, pool in rows)
        self.overrides = hashlib.sha256("".join(lines).encode()).hexdigest() if lines else ""
        """The SHA-256 of the overrides, "" if there are none."""
        self._clear_shared()
        self._pairs.clear()

    def of_name(self, name: str) -> int | None:
        """The index of the pool that an override gives to destinations of this name, by the most
        specific pattern; None if none does."""
        for one in patterns_of(name) if self.by_name else ():
            if one in self.by_name:
                return self._add(self.by_name[one])
        return None

    def of_names(self, names: Sequence[str]) -> np.ndarray:
        """The same for many, int32 [n], -1 for none; empty if no override is of a name."""
        found = map(self.of_name, names) if self.by_name else ()
        return np.array([-1 if one is None else one for one in found], np.int32)

    def know(self, names: Iterable[str]) -> None:
        """Set the pools that models know by name; a multicast group among them has its own pool."""
        known = frozenset(name for name in names if name.startswith(_GROUP))
        if known != self._known_groups:
            self._known_groups = known
            self._groups = sum(map(self._is_counted, self.table))
            self._clear_shared()
            self._pairs.clear()

    def index(self, name: str) -> int | None:
        """The index of a pool, None while no destination was in it."""
        return self._index.get(name)

    def _clear_shared(self) -> None:
        self._shared.clear()
        self._shared_pools.forget()

    def restore(self, table: Sequence[str]) -> None:
        """Start with the table of a snapshot, which the indices in it refer to."""
        self.table = list(table)
        self._index = {name: index for index, name in enumerate(table)}
        self._groups = sum(map(self._is_counted, table))

    def place(self, dst: str) -> Place:
        """What the databases know about an address, or about the IPv4 address within it."""
        return look_up(self.databases, str(self.translation.within(ipaddress.ip_address(dst))))


def _specific(network: Network) -> int:
    """The length of a prefix in bits, as of the IPv6 addresses that stand for its addresses."""
    return network.prefixlen + (96 if network.version == 4 else 0)


def _name_in_lan(address: Address, lan: Network) -> str:
    """Broadcast, gateway or other neighbour.

    No session says which neighbour routes. The gateway is assumed at the network's first or last
    usable address, as in nearly every home and office; an override names any other.
    """
    if address.version == 4 and address == lan.broadcast_address:
        return "bcast:lan"
    if address in (lan.network_address + 1, lan.broadcast_address - 1):
        return "gw"
    return "lan"
