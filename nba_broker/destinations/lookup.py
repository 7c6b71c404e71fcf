"""Looks up where sessions go: the pool, address and name of each destination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nba_broker.destinations.named_pools import NamedPools
from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools
from nba_broker.records.addresses import canonical
from nba_broker.records.columns import Memo
from nba_broker.records.names import NO_ANSWERS, Answers
from nba_broker.records.sessions import Sessions

_MOST = 131_072  # addresses remembered


class Destinations(NamedTuple):
    """Of n sessions: pool int32 [n], an index into the table of pools, dst "V16" [n], name int32
    [n], a number of :class:`nba_broker.destinations.names.NameTable`.

    address_pool: int32 [n], the pool of the address alone; it differs from ``pool`` where an
    override gives one to the name. What a host always did is compared with what it does by this
    one, since a name may come late, or never.
    """

    pool: np.ndarray
    dst: np.ndarray
    name: np.ndarray
    address_pool: np.ndarray


class Lookup:
    """The stage between hosts and windows."""

    def __init__(self, pools: Pools, names: NameTable) -> None:
        self._pools, self._names = pools, names
        self._named = NamedPools(pools)
        self._packed = Memo(_Packed().of, np.void(bytes(16)))
        self._latest = np.zeros(0, "V16")  # by pool

    def __call__(
        self, sessions: Sessions, slot: np.ndarray, answers: Answers = NO_ANSWERS
    ) -> Destinations:
        """The destinations of these sessions, as their hosts, slots int64 [n], see them. answers:
        see :meth:`NameTable.ids`."""
        pool = self._pools.ids(sessions.host, sessions.dst)
        dst = self._packed(sessions.dst)
        name = self._names.ids(slot, dst, answers)
        if len(self._latest) < len(self._pools.table):
            more = len(self._pools.table) - len(self._latest)
            self._latest = np.append(self._latest, np.zeros(more, "V16"))
        self._latest[pool] = dst
        return Destinations(self._named(pool, name, self._names.text), dst, name, pool)

    def address(self, pool: int) -> bytes:
        """The latest destination whose address is in a pool, 16 bytes, since the start; empty if
        there is none."""
        found = self._latest[pool].tobytes() if pool < len(self._latest) else b""
        return found if any(found) else b""


class _Packed(dict[str, bytes]):
    """Addresses as the 16 bytes of an IPv6 address, remembered: destinations come again."""

    def __missing__(self, address: str) -> bytes:
        if len(self) >= _MOST:
            self.clear()
        _, packed = canonical(address)
        self[address] = packed
        return packed

    def of(self, addresses: Sequence[str]) -> np.ndarray:
        """Many at once, "V16" [n]."""
        return np.frombuffer(b"".join(map(self.__getitem__, addresses)), "V16")
