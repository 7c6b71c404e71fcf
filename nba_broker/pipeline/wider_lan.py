"""Finds LANs that are wider than the /24 assumed for them, from their hosts' sessions.

Outside the /24 a gateway or a neighbour counts as any other private address, and known devices
become unknown. No session shows how wide a network is, so this only suggests a network to the
operator.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from nba_broker.destinations.pools import PRIVATE, Pools, in_networks
from nba_broker.hosts.identity import UNSPECIFIED, Identity
from nba_broker.records.addresses import Address, Network
from nba_broker.records.ports import PROTOCOL_CODES, PROTOCOLS, port_code
from nba_broker.records.sessions import Sessions
from nba_broker.records.slots import Column, Slots


class _Kind(IntEnum):
    """What a destination outside the /24 does; the strongest evidence first."""

    DNS = 0
    DHCP = 1
    BROADCAST = 2
    NEIGHBOUR = 3


_SERVICES = {
    port_code(53, "udp"): _Kind.DNS,
    port_code(53, "tcp"): _Kind.DNS,
    port_code(853, "tcp"): _Kind.DNS,
    port_code(67, "udp"): _Kind.DHCP,
}
_IS_SERVICE = np.zeros(len(PROTOCOLS) << 16, bool)
_IS_SERVICE[list(_SERVICES)] = True
_TEXT = {
    _Kind.DNS: "{address} answers DNS for {hosts}",
    _Kind.DHCP: "{address} leases addresses to {hosts}",
    _Kind.BROADCAST: "{address} is the broadcast address of {hosts}",
    _Kind.NEIGHBOUR: "the sensor sees the MACs of {address} and of {hosts} that talk to it",
}
_WIDEST = 16  # bits of a LAN's prefix, unless its first or last address serves it
_SEVERAL = 2  # hosts, so that one misconfigured host is not enough
_MOST = 4096  # hosts, destinations, and hosts of a destination remembered, each per kind
_LANS = 65_536  # /24s with a gateway remembered
_SERVERS, _NEIGHBOURS = 4, 64  # destinations per host; a host with more servers is a scanner
_NAMED = 3  # networks in a line, at most
_LENGTH = 24  # bits of the LAN that pools assume


class _Sign(NamedTuple):
    """A destination that hosts of one /24 talk to. ``net``: the first three numbers of the /24."""

    kind: _Kind
    destination: str
    net: str


class WiderLans:
    """Watches sessions to private addresses outside the LANs of their hosts.

    slots: the store of slots; one of its own if None. Its column ``served``, bool: the gateway of
    the host's own /24 serves it.
    """

    def __init__(self, pools: Pools, identity: Identity, slots: Slots | None = None) -> None:
        self._pools = pools
        self._identity = identity
        self.slots = Slots() if slots is None else slots
        self.columns = self.slots.add("wider_lan", {"served": Column(bool)})
        self._own: set[str] = set()  # /24s whose gateway serves a host, by their first numbers
        self._hosts: dict[_Sign, set[str]] = defaultdict(set)
        self._destinations = dict.fromkeys(_Kind, 0)
        # By kind and slot: destinations of the host.
        self._seen: dict[_Kind, dict[int, set[str]]] = {kind: defaultdict(set) for kind in _Kind}
        self._scanning: set[str] = set()  # hosts
        self._reported: set[Network] = set()

    def see(self, sessions: Sessions, slot: np.ndarray, pool: np.ndarray) -> None:
        """Take sessions [n] with the slot int64 [n] and pool int32 [n] of each."""
        gateway, private = self._pools.index("gw"), self._pools.index("private")
        if gateway is not None:
            self._note_served(sessions, slot, (pool == gateway) & _IS_SERVICE[sessions.dport])
        if private is None:
            return
        rows = np.flatnonzero(pool == private)
        columns = slot[rows].tolist(), sessions.dport[rows].tolist()
        places = [(sessions.host[row], sessions.dst[row]) for row in rows.tolist()]
        for number, port, (host, dst) in set(zip(*columns, places, strict=True)):
            self._take(number, port, host, dst)

    def _note_served(self, sessions: Sessions, slot: np.ndarray, used: np.ndarray) -> None:
        """Note the /24s of hosts that use their own gateway's service, ``used`` bool [n]."""
        self.slots.reserve(int(slot.max(initial=-1)) + 1)
        served, rows = self.columns["served"], np.flatnonzero(used)
        for row in rows[~served[slot[rows]]].tolist():
            if not served[slot[row]]:
                served[slot[row]] = True
                if len(self._own) < _LANS:
                    self._own.add(_net(sessions.host[row]))

    def _take(self, slot: int, port: int, host: str, dst: str) -> None:
        if ":" in host or ":" in dst or host in UNSPECIFIED:
            return
        kind = _SERVICES.get(port, _Kind.NEIGHBOUR)
        is_neighbour = kind == _Kind.NEIGHBOUR
        if is_neighbour and dst.endswith(".255") and port >> 16 == PROTOCOL_CODES["udp"]:
            kind, is_neighbour = _Kind.BROADCAST, False
        if is_neighbour and not self._identity.mac(slot):
            return
        of_kind = self._seen[kind]
        if slot not in of_kind and len(of_kind) >= _MOST:
            return
        seen = of_kind[slot]
        if dst in seen:
            return
        if len(seen) >= (_NEIGHBOURS if is_neighbour else _SERVERS):
            if not is_neighbour and len(self._scanning) < _MOST:
                self._scanning.add(host)
            return
        seen.add(dst)
        sign = _Sign(kind, dst, _net(host))
        if sign not in self._hosts:
            if self._destinations[kind] >= _MOST:
                return
            self._destinations[kind] += 1
        self._hosts[sign].add(host)

    def hints(self, remedy: str) -> list[str]:
        """A line for each LAN that may be wider, once per LAN. ``remedy`` is the text of what to
        do, with ``{lan}`` in it."""
        wider: dict[Network, list[_Sign]] = {}
        for sign, lan in sorted(self._plausible(), key=lambda found: found[1].prefixlen):
            for known in wider:
                if lan.version == known.version and lan.network_address in known:
                    wider[known].append(sign)
                    break
            else:
                wider[lan] = [sign]
        lines = []
        for lan, signs in wider.items():
            if lan not in self._reported:
                self._reported.add(lan)
                reason = self._reason(signs)
                lines.append(f"{reason}: if the LAN is {lan}, {remedy.format(lan=lan)}")
        return lines

    def _plausible(self) -> list[tuple[_Sign, Network]]:
        """The signs of a wider LAN, each with that LAN."""
        found = []
        for sign in list(self._hosts):  # the worker's pipeline continues in another thread
            hosts = self._hosts[sign] - self._scanning
            # A /24 whose gateway serves it is a LAN of its own.
            if sign.net in self._own or not hosts:
                continue
            address = ipaddress.ip_address(sign.destination)
            start = ipaddress.ip_address(f"{sign.net}.0")
            lan = _around(address, start)
            if lan is None or in_networks(start, self._pools.lans):
                continue
            near = lan.prefixlen >= _WIDEST
            ends = (lan.network_address + 1, lan.broadcast_address - 1)
            if sign.kind in (_Kind.DNS, _Kind.DHCP):
                plausible = address in ends or (near and len(hosts) >= _SEVERAL)
            elif sign.kind == _Kind.BROADCAST:
                plausible = near and address == lan.broadcast_address
            else:
                plausible = near and len(hosts) >= _SEVERAL and self._has_mac(sign.destination)
            if plausible:
                found.append((sign, lan))
        return found

    def _has_mac(self, address: str) -> bool:
        slots = self._identity.present([address], [""]).tolist()
        return any(map(self._identity.mac, slots))

    def _reason(self, signs: Sequence[_Sign]) -> str:
        """The strongest evidence, for the destination that most hosts talk to."""
        best = min(sign.kind for sign in signs)
        hosts: dict[str, set[str]] = defaultdict(set)
        nets: dict[str, set[str]] = defaultdict(set)
        for sign in signs:
            if sign.kind == best:
                hosts[sign.destination] |= self._hosts[sign] - self._scanning
                nets[sign.destination].add(f"{sign.net}.0/{_LENGTH}")
        address = min(hosts, key=lambda dst: (-len(hosts[dst]), dst))
        number = len(hosts[address])
        names = sorted(nets[address], key=ipaddress.ip_network)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        of = f"{number} host{'s' * (number > 1)} of {', '.join(names[:_NAMED])}{more}"
        return _TEXT[best].format(address=address, hosts=of)


def _net(host: str) -> str:
    """The first three numbers of an IPv4 address."""
    return host.rpartition(".")[0]


def _around(a: Address, b: Address) -> Network | None:
    """The smallest network that holds both addresses, None unless it is private."""
    bits = (int(a) ^ int(b)).bit_length()
    lan = ipaddress.ip_network((a, min(32 - bits, _LENGTH)), strict=False)
    is_private = any(in_networks(a, (block,)) and in_networks(b, (block,)) for block in PRIVATE)
    return lan if is_private else None
