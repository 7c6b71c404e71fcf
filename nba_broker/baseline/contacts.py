"""New contacts of hosts within the site: a resolver that a host has not used before, or a service
of a neighbour that it has not."""

from __future__ import annotations

import numpy as np

from nba_broker.baseline.uses import Use
from nba_broker.records.slots import Column, Columns

KINDS = (Use.DNS, Use.LOCAL)
"""The uses whose contacts are remembered; the place of each in the columns."""

RESOLVER, PEER = range(len(KINDS))

_KNOWN = 8  # contacts of each kind that are remembered of a host
_KIND = np.full(len(Use), -1)
_KIND[list(KINDS)] = range(len(KINDS))

COLUMNS = {
    "known": Column(np.uint32, shape=(len(KINDS), _KNOWN)),  # keys; 0 for none
    "next": Column(np.uint8, shape=(len(KINDS),)),  # the place that the next new one gets
    "new": Column(np.uint32, shape=(len(KINDS),)),  # the latest new contact
    "met": Column(np.int32, shape=(len(KINDS),)),  # the tick in which it was first used
    "seen": Column(np.int32, shape=(len(KINDS),)),  # the last tick with it
}


def contact_keys(
    use: np.ndarray, pool: np.ndarray, dport: np.ndarray, dst: np.ndarray | None
) -> np.ndarray:
    """The keys of n sessions, uint32 and above 0. A resolver is its address, where ``dst`` "V16"
    [n] is known, else its pool int32 [n]; a peer is the pool and service, ``dport`` int32 [n]."""
    value = pool.astype(np.uint64) << np.uint64(20)
    value += np.where(use == Use.DNS, 1, dport.astype(np.int64) + 2).astype(np.uint64)
    if dst is not None:
        asks = use == Use.DNS
        halves = np.ascontiguousarray(dst[asks]).view(np.uint64).reshape(-1, 2)
        value[asks] = halves[:, 0] * _ODD[0] ^ halves[:, 1]
    value = (value ^ value >> np.uint64(29)) * _ODD[1]
    return np.asarray((value >> np.uint64(32)).astype(np.uint32) | np.uint32(1))


_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))  # spread bits, as SplitMix64


class Contacts:
    """The contacts of all hosts, in a stage's ``columns``, which have those of COLUMNS.

    A host gets one new contact of each kind in a tick at most.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def add(self, slot: np.ndarray, use: np.ndarray, key: np.ndarray, tick: int) -> np.ndarray:
        """Take sessions of one tick, in order, that have a kind: slot int64 [n], use int8 [n], key
        uint32 [n]. Returns the places of those that are new contacts, int64."""
        columns, kind = self._columns, _KIND[use]
        is_latest = columns["new"][slot, kind] == key
        columns["seen"][slot[is_latest], kind[is_latest]] = tick
        new = (columns["known"][slot, kind] != key[:, None]).all(1)
        new &= columns["met"][slot, kind] < tick
        rows = np.flatnonzero(new)
        if not len(rows):
            return rows
        _, first = np.unique(slot[rows] * len(KINDS) + kind[rows], return_index=True)
        rows = np.sort(rows[first])
        host, which = slot[rows], kind[rows]
        place = columns["next"][host, which]
        columns["known"][host, which, place] = columns["new"][host, which] = key[rows]
        columns["next"][host, which] = (place + 1) % _KNOWN
        columns["met"][host, which] = columns["seen"][host, which] = tick
        # Later sessions of the batch with the same contact change nothing: it is of this tick.
        return rows
