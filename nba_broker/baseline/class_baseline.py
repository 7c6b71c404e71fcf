"""What hosts of each class do in an hour, by those that the model learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nba_broker.baseline import keys
from nba_broker.model.manifest import Manifest
from nba_broker.records.errors import ModelError
from nba_broker.records.ports import PROTOCOL_CODES, port_code

MOST = 128
"""Pairs that are known of a class at most."""

_DOUBT = 24.0  # hours without a pair that every class is imagined to have had
_UNASSIGNED_PORT = 0xFFFF


@dataclass(frozen=True, slots=True)
class Known:
    """Of n pairs: ``share`` of the class's hours with one, and over these hours, which are
    ``hours`` in number, ``mean`` and ``variance`` of log(sessions); float64 [n], 0 for what its
    hosts never did."""

    share: np.ndarray
    hours: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


class ClassBaseline:
    """The tables of K classes, from a manifest's ``baseline``; of no class without one.

    Each is ``{"span": hours, "pairs": [[pool, service, hours, log, log2], ...]}``, where ``log``
    and ``log2`` are the sums of log(sessions) and of its square over these hours. A pair without a
    pool is any new one of the service, as is ``/udp`` at any port of a transport that is drawn at
    random, and without both any new pair at all. Raises ValueError at anything else.
    """

    def __init__(self, tables: Sequence[dict[str, Any]] = ()) -> None:
        size = max((len(table["pairs"]) for table in tables), default=0)
        if size > MOST:
            raise ValueError(f"more than {MOST} pairs of a class")
        self._key = np.zeros((len(tables), size), np.uint16)
        hours, log, log2 = sums = np.zeros((3, len(tables), size))
        self._span = np.array([float(table["span"]) for table in tables])
        for number, table in enumerate(tables):
            for place, (pool, service, *counted) in enumerate(table["pairs"]):
                self._key[number, place] = _key(str(pool), str(service))
                first, second, third = map(float, counted)
                sums[:, number, place] = first, second, third
        for column in (self._span, sums):
            if not ((column >= 0) & (column < np.inf)).all():
                raise ValueError("a baseline's hours or sums are out of range")
        if (hours > self._span[:, None] + 1).any():
            raise ValueError("a pair has more hours than its class")
        met = np.where(hours > 0, hours, 1)
        mean = log / met
        self._known = np.stack([hours, mean, np.maximum(log2 / met - mean**2, 0)])

    @classmethod
    def of_model(cls, manifest: Manifest) -> ClassBaseline:
        """What a model's manifest says of its classes; raises ModelError where it cannot be."""
        try:
            return cls(manifest.class_baseline)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelError(
                f"model {manifest.id}: its class baseline is malformed ({error!r})"
            ) from error

    def __len__(self) -> int:
        return len(self._key)

    def of(self, kind: np.ndarray, key: np.ndarray) -> Known:
        """What is known of keys uint16 [n] of classes int [n], below 0 for none."""
        found = np.zeros((4, len(kind)))
        rows = np.flatnonzero((kind >= 0) & (key != keys.FREE))
        if len(self) and len(rows):
            number = kind[rows]
            same = self._key[number] == key[rows, None]
            place = same.argmax(1)
            found[1:, rows] = np.where(same.any(1), self._known[:, number, place], 0)
            found[0, rows] = found[1, rows] / (self._span[number] + _DOUBT)
        return Known(*found)


def _key(pool: str, service: str) -> int:
    if not pool and not service:
        return keys.ANY
    port, _, protocol = service.partition("/")
    number = int(port) if port else _UNASSIGNED_PORT
    if protocol not in PROTOCOL_CODES or not 0 <= number < 65_536 or (pool and not port):
        raise ValueError(f"not a pair: {pool!r}, {service!r}")
    code = np.array([port_code(number, protocol)], np.int32)
    if pool:
        return int(keys.pairs(np.array([keys.crc(pool)], np.uint64), code)[0])
    return int((keys.services(code) if port else keys.transports(code))[0])
