"""Keys of what a host does in an hour: its pairs of pool and service, or of domain and service, and
the groups that a new pair belongs to.

A key is a hash of 16 bits, so that a host's table stays small. A new pair has the key of one in a
full table of 44 by chance in 0.07 % of cases, and is then taken for that one. So the hash of pools
and domains depends on a secret of the worker's state: nobody else can find a name that is taken for
another. An archive has no secret, so that the same archive always gives the same result.
"""

from __future__ import annotations

import hashlib
import re
import zlib

import numpy as np

from nba_broker.destinations.domains import IN_DOMAIN, domain
from nba_broker.records.ports import drawn

_ADDRESS = re.compile(r"[0-9]+(?:[.-][0-9]+){3}")  # in a name, such as ec2-203-0-113-9

EMPTY = 0
"""The key of an empty place in a table; no pair has it."""

ANY = 1
"""The key of the group of all new pairs; no pair has it."""


def pool_hash(pool: str, secret: bytes = b"") -> int:
    """A number of 40 bits for a pool's name, keyed by a secret of at most 64 bytes; without one,
    its CRC-32. Unlike a pool's index, it is the same after a restart."""
    if not secret:
        return zlib.crc32(pool.encode())
    return int.from_bytes(hashlib.blake2b(pool.encode(), key=secret, digest_size=5).digest())


def domain_of(name: str) -> str:
    """The registered domain of a name as a pool of its own, such as ``*.ring.com``; "" for a name
    without one, and for one that a cloud provider gives to each address: the pool says more."""
    registered = domain(name)
    return IN_DOMAIN + registered if registered and not _ADDRESS.search(name) else ""


def domain_hash(name: str, secret: bytes = b"") -> int:
    """The :func:`pool_hash` of the domain of a name, 0 for a name without one."""
    found = domain_of(name)
    return pool_hash(found, secret) if found else 0


def pairs(pool: np.ndarray, dport: np.ndarray) -> np.ndarray:
    """Keys of (pool, service) pairs, uint16 [n]. pool: :func:`pool_hash`, uint64 [n], or that of a
    domain. dport: port codes (:func:`nba_broker.records.ports.port_code`), int32 [n]."""
    return _hashed(pool << np.uint64(20) | dport.astype(np.uint64))


def services(dport: np.ndarray) -> np.ndarray:
    """Keys of services at any pool, uint16 [n], by their port codes int32 [n]: NTP at whatever time
    server."""
    return _hashed(np.uint64(1 << 60) | dport.astype(np.uint64))


def domain_services(dport: np.ndarray) -> np.ndarray:
    """Keys of services at any domain, uint16 [n], by their port codes int32 [n]."""
    return pairs(np.full(len(dport), pool_hash(IN_DOMAIN), np.uint64), dport)


def ephemeral(dport: np.ndarray) -> np.ndarray:
    """Keys of all ephemeral ports of a transport at any pool, uint16 [n], by port codes int32 [n]:
    calls and peers agree on such ports. EMPTY for a port that means a service."""
    protocol = dport.astype(np.uint64) >> np.uint64(16)
    key = _hashed(np.uint64(2 << 60) | protocol)
    return np.where(drawn(dport), key, EMPTY).astype(np.uint16)


def _hashed(value: np.ndarray) -> np.ndarray:
    """Keys from 2 on, uint16, of 64 bits each, uint64: the finaliser of SplitMix64 (Steele, Lea and
    Flood, "Fast Splittable Pseudorandom Number Generators", 2014)."""
    value = (value ^ value >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ value >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    value = (value ^ value >> np.uint64(31)) % np.uint64(65_534) + np.uint64(2)
    return np.asarray(value, np.uint16)
