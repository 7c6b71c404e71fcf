"""Keys of what a host does: a pair (pool, service), and the kinds of pairs that a new one is of."""

from __future__ import annotations

import zlib

import numpy as np

from nba_broker.records.ports import drawn

FREE, ANY = 0, 1
"""Keys that no pair has: of an empty place in a table, and of any pair at all."""


def crc(pool: str) -> int:
    """A pool's name as a number."""
    return zlib.crc32(pool.encode())


def pairs(pool: np.ndarray, dport: np.ndarray) -> np.ndarray:
    """Keys uint16 [n] of pools, given by :func:`crc` as uint64 [n], with port codes int32 [n]."""
    return _hashed(pool << np.uint64(20) | dport.astype(np.uint64))


def services(dport: np.ndarray) -> np.ndarray:
    """Keys uint16 [n] of these port codes at whatever pool."""
    return _hashed(np.uint64(1 << 60) | dport.astype(np.uint64))


def transports(dport: np.ndarray) -> np.ndarray:
    """Keys uint16 [n] of any port of the same transport that is drawn at random, at whatever pool;
    FREE for any other port."""
    protocol = dport.astype(np.uint64) >> np.uint64(16)
    return np.where(drawn(dport), _hashed(np.uint64(2 << 60) | protocol), FREE).astype(np.uint16)


def _hashed(value: np.ndarray) -> np.ndarray:
    """A key, uint16 from 2 on, of 64 bits (the finaliser of SplitMix64)."""
    value = (value ^ value >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ value >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    value = (value ^ value >> np.uint64(31)) % np.uint64(65_534) + np.uint64(2)
    return np.asarray(value, np.uint16)
