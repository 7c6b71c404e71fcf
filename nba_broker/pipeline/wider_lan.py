"""Whether a LAN is wider than the /24 that is taken for it: what its hosts' sessions say of that.

Beyond the /24 a gateway or a neighbour looks like any other private address, and known devices look
strange. No session says how wide a network is, so it is told, and left to whoever knows.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nba_broker.destinations.pools import PRIVATE, Pools, in_networks
from nba_broker.hosts.identity import UNSPECIFIED, Identity
from nba_broker.records.addresses import Address, Network
from nba_broker.records.ports import PROTOCOL_CODES, PROTOCOLS, port_code
from nba_broker.records.sessions import Sessions

_DNS, _DHCP, _BROADCAST, _NEIGHBOUR = range(4)  # the most telling first
_SERVICES = {
    port_code(53, "udp"): _DNS,
    port_code(53, "tcp"): _DNS,
    port_code(853, "tcp"): _DNS,
    port_code(67, "udp"): _DHCP,
}
_SERVES = np.zeros(len(PROTOCOLS) << 16, bool)
_SERVES[list(_SERVICES)] = True
_TEXT = {
    _DNS: "{address} answers DNS for {hosts}",
    _DHCP: "{address} leases addresses to {hosts}",
    _BROADCAST: "{address} is the broadcast address of {hosts}",
    _NEIGHBOUR: "{address} has its MAC seen, as have {hosts} that talk to it",
}
_WIDEST = 16  # bits of a LAN's prefix, unless its first or last address serves it
_SEVERAL = 2  # hosts, so that one that is set up by hand does not speak for all
_MOST = 4096  # of each kind: hosts, their destinations, and hosts of a destination remembered
_SERVERS, _NEIGHBOURS = 4, 64  # of a host; one with more servers looks for some
_NAMED = 3  # networks in a line
_LENGTH = 24  # bits, see pools


class WiderLans:
    """Watches sessions to private addresses outside their hosts' LANs."""

    def __init__(self, pools: Pools, identity: Identity) -> None:
        self._pools = pools
        self._identity = identity
        self._served = np.zeros(0, bool)  # by slot: its own /24's gateway serves it
        self._own: set[str] = set()  # the /24s, by their first three numbers, of such hosts
        # Of what kind, to which destination, from which /24: the hosts.
        self._found: dict[tuple[int, str, str], set[str]] = defaultdict(set)
        self._destinations = [0] * len(_TEXT)
        self._met: tuple[dict[int, set[str]], ...] = tuple(defaultdict(set) for _ in _TEXT)
        self._scanning: set[str] = set()  # hosts
        self._told: set[Network] = set()

    def see(self, sessions: Sessions, slot: np.ndarray, pool: np.ndarray) -> None:
        """Take sessions with the slot and pool of each."""
        gateway, private = self._pools.index("gw"), self._pools.index("private")
        if gateway is not None:
            self._reserve(int(slot.max(initial=-1)) + 1)
            rows = np.flatnonzero((pool == gateway) & _SERVES[sessions.dport])
            for row in rows[~self._served[slot[rows]]].tolist():
                if not self._served[slot[row]]:
                    self._served[slot[row]] = True
                    self._own.add(_net(sessions.host[row]))
        if private is None:
            return
        rows = np.flatnonzero(pool == private)
        columns = slot[rows].tolist(), sessions.dport[rows].tolist()
        places = [(sessions.host[row], sessions.dst[row]) for row in rows.tolist()]
        for number, port, (host, dst) in set(zip(*columns, places, strict=True)):
            self._take(number, port, host, dst)

    def _take(self, slot: int, port: int, host: str, dst: str) -> None:
        if ":" in host or ":" in dst or host in UNSPECIFIED:
            return
        kind = _SERVICES.get(port, _NEIGHBOUR)
        if kind == _NEIGHBOUR and dst.endswith(".255") and port >> 16 == PROTOCOL_CODES["udp"]:
            kind = _BROADCAST
        if kind == _NEIGHBOUR and not self._identity.mac(slot):
            return
        of_kind = self._met[kind]
        if slot not in of_kind and len(of_kind) >= _MOST:
            return
        met = of_kind[slot]
        if dst in met:
            return
        if len(met) >= (_NEIGHBOURS if kind == _NEIGHBOUR else _SERVERS):
            if kind != _NEIGHBOUR and len(self._scanning) < _MOST:
                self._scanning.add(host)
            return
        met.add(dst)
        key = kind, dst, _net(host)
        if key not in self._found:
            if self._destinations[kind] >= _MOST:
                return
            self._destinations[kind] += 1
        self._found[key].add(host)

    def _reserve(self, slots: int) -> None:
        have = len(self._served)
        if slots > have:
            more = max(slots, 2 * have) - have
            self._served = np.concatenate([self._served, np.zeros(more, bool)])

    def hints(self, remedy: str) -> list[str]:
        """A line for each LAN that may be wider and was not told before; ``remedy`` says what to
        do about ``{lan}``."""
        wider: dict[Network, list[tuple[int, str, str]]] = {}
        for key, lan in sorted(self._plausible(), key=lambda found: found[1].prefixlen):
            for known in wider:
                if lan.version == known.version and lan.network_address in known:
                    wider[known].append(key)
                    break
            else:
                wider[lan] = [key]
        lines = []
        for lan, keys in wider.items():
            if lan not in self._told:
                self._told.add(lan)
                lines.append(f"{self._why(keys)}: if the LAN is {lan}, {remedy.format(lan=lan)}")
        return lines

    def _plausible(self) -> list[tuple[tuple[int, str, str], Network]]:
        """What speaks for a wider LAN, and for which."""
        found = []
        for key in list(self._found):  # a worker's pipeline goes on meanwhile
            kind, dst, net = key
            hosts = self._found[key] - self._scanning
            # A /24 with a gateway that serves it is a LAN; what is beyond is beyond.
            if net in self._own or not hosts:
                continue
            address = ipaddress.ip_address(dst)
            start = ipaddress.ip_address(f"{net}.0")
            lan = _around(address, start)
            if lan is None or in_networks(start, self._pools.lans):
                continue
            near = lan.prefixlen >= _WIDEST
            ends = (lan.network_address + 1, lan.broadcast_address - 1)
            if kind in (_DNS, _DHCP):
                meant = address in ends or (near and len(hosts) >= _SEVERAL)
            elif kind == _BROADCAST:
                meant = near and address == lan.broadcast_address
            else:
                meant = near and len(hosts) >= _SEVERAL and self._has_mac(dst)
            if meant:
                found.append((key, lan))
        return found

    def _has_mac(self, address: str) -> bool:
        slots = self._identity.present([address], [""]).tolist()
        return any(map(self._identity.mac, slots))

    def _why(self, keys: Sequence[tuple[int, str, str]]) -> str:
        """What tells the most, with all the hosts of which it does."""
        best = min(kind for kind, *_ in keys)
        hosts: dict[str, set[str]] = defaultdict(set)
        nets: dict[str, set[str]] = defaultdict(set)
        for key in keys:
            kind, dst, net = key
            if kind == best:
                hosts[dst] |= self._found[key] - self._scanning
                nets[dst].add(f"{net}.0/{_LENGTH}")
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
    """The smallest network that holds both, if it is private."""
    bits = (int(a) ^ int(b)).bit_length()
    lan = ipaddress.ip_network((a, min(32 - bits, _LENGTH)), strict=False)
    one = any(in_networks(a, (block,)) and in_networks(b, (block,)) for block in PRIVATE)
    return lan if one else None
