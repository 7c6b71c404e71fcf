"""Destinations to pools: what an address means to its host, the same with every database edition.

Pools are named by meaning (``as:16509``, ``lan``, ``gw``, ``mcast:224.0.0.251``), never by row
number, so a model trained with one ASN database works with another.
"""

from __future__ import annotations

import hashlib
import ipaddress
import lzma
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import maxminddb
import numpy as np

from nba_broker.destinations.nat64 import Translation
from nba_broker.records.addresses import Address, Network
from nba_broker.records.columns import Memo
from nba_broker.records.errors import DatabaseError

SCHEMES = ("asn", "asn+cc", "cc")
"""What a public destination is named by: its autonomous system, its country, or both."""

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
"""Space that belongs to no autonomous system: the part of Zeek's Site::private_address_space in
which hosts live."""

GROUPS = 1024
"""Multicast groups that have a pool of their own, beside those that a model knows: anybody can make
up millions, and nobody can use many."""

ANY_GROUP = "mcast:other"
"""The pool of every further group."""

SOLICITED = "mcast:ff02::1:ff00:0/104"
"""The pool of all solicited-node groups (RFC 4291, 2.7.1): there is one for every IPv6 address that
somebody looks for."""

_SOLICITED = ipaddress.IPv6Network("ff02::1:ff00:0/104")
_GROUP = "mcast:"

_WELL_KNOWN = ("8.8.8.8", "1.1.1.1", "9.9.9.9", "2001:4860:4860::8888")

_LAN_PREFIX = {4: 24, 6: 64}
_UNKNOWN = np.int32(-1)
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class Place:
    """What an IP database says of an address; zero or "" where it says nothing."""

    asn: int = 0
    organisation: str = ""
    country: str = ""


def in_networks(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address.version == net.version and address in net for net in networks)


class Database:
    """One MaxMind-format file: GeoLite2, DB-IP or IPinfo, ASN or country or both.

    Raises DatabaseError when the file is missing, damaged or says neither ASN nor country.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = path.read_bytes()
            if path.suffix == ".xz":
                content = lzma.decompress(content)
            self._reader = _reader(content)
            metadata = self._reader.metadata()
            self.kind = metadata.database_type
            self.built = datetime.fromtimestamp(metadata.build_epoch, UTC)
            self._ipv6 = metadata.ip_version == 6
        except FileNotFoundError:
            raise DatabaseError(f"{path}: no such IP database; check --pools") from None
        except Exception as error:
            # A damaged file can make the reader raise nearly anything.
            raise DatabaseError(
                f"{path}: not a readable MaxMind database ({error}); "
                "fetch the file again or leave --pools out for the embedded one"
            ) from error
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self._check()

    def _check(self) -> None:
        """A database of cities or domains would silently make every pool ``none``: refuse it."""
        places = [self.place(address) for address in _WELL_KNOWN]
        self.has_asn = any(place.asn for place in places)
        self.has_country = any(place.country for place in places)
        if not (self.has_asn or self.has_country):
            raise DatabaseError(
                f"{self.path}: {self.kind!r} gives neither ASN nor country for well-known "
                "addresses; use an ASN or country database in MaxMind format"
            )

    def place(self, address: str) -> Place:
        """Look one address up; the field names of the three usual vendors are understood.

        What cannot be read, in a file that is damaged in places, is as good as not there.
        """
        if not self._ipv6 and ":" in address:
            return Place()
        try:
            record = self._reader.get(address)
        except (maxminddb.InvalidDatabaseError, ValueError):
            return Place()
        if not isinstance(record, dict):
            return Place()
        number: Any = record.get("autonomous_system_number", record.get("asn", 0))
        if isinstance(number, str):  # IPinfo writes "AS15169"
            number = number.upper().removeprefix("AS")
            number = int(number) if number.isdigit() else 0
        organisation = record.get("autonomous_system_organization", record.get("as_name", ""))
        country: Any = record.get("country_code", record.get("country", ""))
        if isinstance(country, dict):
            country = country.get("iso_code", "")
        number = number if isinstance(number, int) else 0
        return Place(number, str(organisation or ""), str(country or ""))

    def describe(self) -> dict[str, str]:
        """Kind, edition and SHA-256, as a manifest records them."""
        return {
            "file": self.path.name,
            "type": self.kind,
            "built": self.built.strftime("%Y-%m-%d"),
            "sha256": self.fingerprint,
        }


def _reader(content: bytes) -> maxminddb.Reader:
    """A reader of a copy in memory. It maps its file, and a file that is overwritten in place would
    change under it; a file without a folder needs none that is writable."""
    with open(os.memfd_create("nba-pools"), "wb") as copy:
        copy.write(content)
        copy.flush()
        try:
            return maxminddb.open_database(f"/proc/self/fd/{copy.fileno()}")
        except maxminddb.InvalidDatabaseError:  # it would name the copy
            raise ValueError("its content is another") from None


def of_database(pool: str) -> bool:
    """Whether a pool has its name from a database: it is an autonomous system, or a country."""
    return pool.startswith(("as:", "cc:"))


class Pools:
    """Maps (host, destination) to pools; ``table`` names them by index and only ever grows, up to
    what the databases and overrides name and GROUPS multicast groups.

    lans: networks of hosts that are not the /24 or /64 around them. local: the site's own public
    networks. overrides: names of the site's own. nat64: its prefixes beside the well-known one, see
    nat64.Translation. cache: destinations that are remembered at most.
    """

    def __init__(
        self,
        databases: Sequence[Database],
        *,
        scheme: str = "asn",
        lans: Sequence[Network] = (),
        local: Sequence[Network] = (),
        overrides: Sequence[tuple[Network, str]] = (),
        nat64: Sequence[Network] = (),
        cache: int = 1_000_000,
    ) -> None:
        self.scheme = scheme
        self._take(databases)
        self.lans = tuple(lans)
        self.local = tuple(local)
        self.translation = Translation(nat64)
        # The most specific override wins, whatever the order of the file.
        self.overrides = tuple(sorted(overrides, key=lambda rule: -_specific(rule[0])))
        self.table: list[str] = []
        self._index: dict[str, int] = {}
        self._known_groups: frozenset[str] = frozenset()
        self._groups = 0  # with a pool of their own that no model knows
        self._shared: dict[str, int] = {}
        self._shared_pools = Memo(self._known, _UNKNOWN)
        self._private_hosts: set[str] = set()
        self._pairs: dict[tuple[str, str], int] = {}
        self._cache = cache

    def ids(self, host: Sequence[str], dst: Sequence[str]) -> np.ndarray:
        """Indices into ``table``, int32 [n], of n destinations as seen from n hosts."""
        found = self._shared_pools(dst)
        # A host with a public address may have public neighbours that are elsewhere's for others.
        if not self._private_hosts.issuperset(host):
            for place, address in enumerate(host):
                if not self._is_private_host(address):
                    found[place] = _UNKNOWN
        for place in np.flatnonzero(found == _UNKNOWN).tolist():
            found[place] = self._pair(host[place], dst[place])
        return found

    def _known(self, dst: Sequence[str]) -> np.ndarray:
        """The pools of those that are the same for all hosts, int32 [n], _UNKNOWN for others."""
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
        """The pool of one destination, remembered by itself where it is the same for all hosts."""
        known = self._pairs.get((host, dst))
        if known is not None:
            return known
        name, shared = self._name(host, dst)
        pool = self._add(name)
        if name in (SOLICITED, ANY_GROUP):
            return pool  # not remembered: there are as many as somebody makes up
        # Random scans must not grow memory: a full cache starts again, which costs only look-ups.
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
        """A destination's pool, and whether every host with a private address sees it so."""
        given = ipaddress.ip_address(dst)
        address = self.translation.within(given)
        for network, name in self.overrides:
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
        # A network configured as a LAN may hold public addresses and private hosts.
        if in_networks(address, self.lans):
            return "local", False
        if in_networks(address, self.local):
            return "local", True
        return self._public_name(str(address)), True

    def _group(self, address: Address) -> str:
        name = f"{_GROUP}{address}"
        if name in self._known_groups:
            return name
        if address.version == 6 and address in _SOLICITED:
            return SOLICITED
        return name if name in self._index or self._groups < GROUPS else ANY_GROUP

    def _lan(self, host: Address) -> Network | None:
        """The host's own network: the one configured that holds it, else its /24 or /64."""
        if host.is_unspecified:
            return None
        for lan in self.lans:
            if host.version == lan.version and host in lan:
                return lan
        return ipaddress.ip_network((host, _LAN_PREFIX[host.version]), strict=False)

    def _public_name(self, address: str) -> str:
        place = self._place(address)
        country = place.country.lower()
        if self.scheme == "cc":
            return f"cc:{country}" if country else "none"
        if not place.asn:
            return "none"
        if self.scheme == "asn+cc":
            return f"as:{place.asn}/{country}" if country else f"as:{place.asn}"
        return f"as:{place.asn}"

    def _take(self, databases: Sequence[Database]) -> None:
        """Raises DatabaseError unless they say what the scheme names destinations by: without it
        every public destination would be the same one."""
        missing = {
            "asn": "an ASN",
            "cc": "a country",
            "asn+cc": "an ASN and a country",
        }[self.scheme]
        has_asn = any(database.has_asn for database in databases)
        has_country = any(database.has_country for database in databases)
        if ("asn" in self.scheme and not has_asn) or ("cc" in self.scheme and not has_country):
            raise DatabaseError(
                f"--pools: the model names destinations by {self.scheme!r} and needs {missing} "
                "database; give one, or leave --pools out for the embedded ASN database"
            )
        self.databases = tuple(databases)

    def use(self, databases: Sequence[Database]) -> None:
        """Go on with newer editions; pools that were named before keep their names. Raises
        DatabaseError when they do not serve the scheme."""
        self._take(databases)
        self._clear_shared()
        self._pairs.clear()

    def know(self, names: Iterable[str]) -> None:
        """Models know these pools by their names: of multicast groups, each stays a pool."""
        known = frozenset(name for name in names if name.startswith(_GROUP))
        if known != self._known_groups:
            self._known_groups = known
            self._groups = sum(map(self._is_counted, self.table))
            self._clear_shared()
            self._pairs.clear()

    def index(self, name: str) -> int | None:
        """The index of a pool, None where no destination was in it so far."""
        return self._index.get(name)

    def _clear_shared(self) -> None:
        self._shared.clear()
        self._shared_pools.forget()

    def restore(self, table: Sequence[str]) -> None:
        """Begin with the names that a snapshot's indices refer to."""
        self.table = list(table)
        self._index = {name: index for index, name in enumerate(table)}
        self._groups = sum(map(self._is_counted, table))

    def place(self, dst: str) -> Place:
        """What all databases together say of an address, or of the IPv4 address within; the first
        that knows a field wins."""
        return self._place(str(self.translation.within(ipaddress.ip_address(dst))))

    def _place(self, dst: str) -> Place:
        asn, organisation, country = 0, "", ""
        for database in self.databases:
            place = database.place(dst)
            if not asn:
                asn, organisation = place.asn, place.organisation
            country = country or place.country
        return Place(asn, organisation, country)


def _specific(network: Network) -> int:
    """How many bits it gives, of an IPv6 address or of one that stands for an IPv4 address."""
    return network.prefixlen + (96 if network.version == 4 else 0)


def _name_in_lan(address: Address, lan: Network) -> str:
    """Broadcast, gateway or plain neighbour.

    No session says which neighbour routes, so the gateway is taken to be the network's first or
    last usable address, as nearly every home and office has it; an override names any other.
    """
    if address.version == 4 and address == lan.broadcast_address:
        return "bcast:lan"
    if address in (lan.network_address + 1, lan.broadcast_address - 1):
        return "gw"
    return "lan"
