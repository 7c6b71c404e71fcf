"""What sessions are for, as far as their pools and services tell."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from nba_broker.destinations.pools import of_database
from nba_broker.records.ports import PROTOCOLS, port_code, service_codes


class Use(IntEnum):
    """What a session is for."""

    OTHER = 0
    INTERNET = 1  # a service of the Internet that has no use of its own below
    LOCAL = 2  # a service of another host of the site, or an ICMP message to one
    DNS = 3
    DHCP = 4
    NTP = 5


_ICMP = len(Use)  # a kind of service: its use depends on the pool

_SERVICES = {
    Use.DNS: ("53/udp", "53/tcp", "853/tcp"),
    Use.DHCP: ("67/udp", "547/udp"),
    Use.NTP: ("123/udp",),
}

_LOCAL = ("gw", "lan", "private", "local")


class Uses:
    """Tells the use of sessions."""

    def __init__(self) -> None:
        self._of_pool = np.zeros(0, np.int8)
        self._of_service = np.zeros(len(PROTOCOLS) << 16, np.int8)
        self._of_service[port_code(0, "icmp") : port_code(0, "icmp") + (1 << 16)] = _ICMP
        for use, services in _SERVICES.items():
            for service in services:
                self._of_service[service_codes(service)] = use

    def __call__(self, pool: np.ndarray, dport: np.ndarray, table: Sequence[str]) -> np.ndarray:
        """The use of each of n sessions, int8 [n]: pool int32 [n] into ``table``, which only grows,
        and dport int32 [n]."""
        if len(self._of_pool) < len(table):
            added = np.array(list(map(_of_pool, table[len(self._of_pool) :])), np.int8)
            self._of_pool = np.append(self._of_pool, added)
        return _USE.take(self._of_service.take(dport) * len(Use) + self._of_pool.take(pool))


def _of_pool(name: str) -> Use:
    if of_database(name) or name == "none":
        return Use.INTERNET
    return Use.LOCAL if name in _LOCAL else Use.OTHER


def _table() -> np.ndarray:
    """The use by the kind of service, 0 for any other, times that of the pool; flat."""
    use = np.zeros((len(Use) + 1, len(Use)), np.int8)
    use[0] = np.arange(len(Use))
    for kind in _SERVICES:
        use[kind] = kind
    use[_ICMP, Use.LOCAL] = Use.LOCAL
    return use.reshape(-1)


_USE = _table()
