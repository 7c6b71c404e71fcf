"""What hosts of each device class do in an hour, by the hosts that the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nba_broker.baseline import keys
from nba_broker.destinations.domains import IN_DOMAIN
from nba_broker.model.manifest import Manifest
from nba_broker.records.errors import ModelError
from nba_broker.records.ports import PROTOCOL_CODES, port_code

MAX_PAIRS = 128
"""Pairs in the table of a class, at most."""

_PRIOR_HOURS = 24.0  # hours without the pair that are added to the hours of every class
_ANY_PORT = 0xFFFF  # stands for all ephemeral ports of a transport


@dataclass(frozen=True, slots=True)
class ClassHours:
    """What classes do in an hour, of n pairs of a class and a key, all float64 [n] and 0 for what
    no host of the class does.

    share: of the class's hours, those with such a session. hours: their number. mean, variance: of
    log(sessions) in these hours.
    """

    share: np.ndarray
    hours: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


class ClassBaseline:
    """The tables of K classes, from a manifest's ``baseline``; K is 0 for a model without one.

    The table of a class is ``{"span": hours, "pairs": [[pool, service, hours, log, log2], ...]}``:
    ``span`` are the hours of all its hosts, ``hours`` those with a session of the pair, ``log`` and
    ``log2`` the sums of log(sessions) and of its square over these. A pair with an empty pool is
    the group of all new pairs of that service, or, with a service such as ``/udp``, of all new
    pairs at an ephemeral port of that transport; with an empty pool and service it is the group of
    all new pairs. A pool such as ``*.ring.com`` is the domain of the destination's name, and ``*.``
    the group of all new domains of that service. secret: see :mod:`nba_broker.baseline.keys`.
    Raises ValueError where a table is malformed.
    """

    def __init__(self, tables: Sequence[dict[str, Any]] = (), secret: bytes = b"") -> None:
        self._tables = tables
        size = max((len(table["pairs"]) for table in tables), default=0)
        if size > MAX_PAIRS:
            raise ValueError(f"a class has more than {MAX_PAIRS} pairs")
        self._key = np.zeros((len(tables), size), np.uint16)
        hours, log, log2 = sums = np.zeros((3, len(tables), size))
        self._span = np.array([float(table["span"]) for table in tables])
        self._has_names = np.array(
            [
                any(str(pool).startswith(IN_DOMAIN) for pool, *_ in table["pairs"])
                for table in tables
            ],
            bool,
        )
        for number, table in enumerate(tables):
            for place, (pool, service, *counted) in enumerate(table["pairs"]):
                self._key[number, place] = _key(str(pool), str(service), secret)
                first, second, third = map(float, counted)
                sums[:, number, place] = first, second, third
        for column in (self._span, sums):
            if not ((column >= 0) & (column < np.inf)).all():
                raise ValueError("a baseline's hours or sums are out of range")
        if (hours > self._span[:, None] + 1).any():
            raise ValueError("a pair has more hours than its class")
        some = np.where(hours > 0, hours, 1)
        mean = log / some
        self._known = np.stack([hours, mean, np.maximum(log2 / some - mean**2, 0)])

    @classmethod
    def of_model(cls, manifest: Manifest) -> ClassBaseline:
        """The tables of a model's manifest; raises ModelError where one is malformed."""
        try:
            return cls(manifest.class_baseline)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelError(
                f"model {manifest.id}: its class baseline is malformed ({error!r})"
            ) from error

    def keyed(self, secret: bytes) -> ClassBaseline:
        """The same tables with the keys of another secret."""
        return ClassBaseline(self._tables, secret)

    def __len__(self) -> int:
        return len(self._key)

    def have_names(self, device_class: np.ndarray) -> np.ndarray:
        """Which of these classes, int [n] and below 0 for none, have names of destinations, bool
        [n]."""
        found = np.zeros(len(device_class), bool)
        rows = np.flatnonzero(device_class >= 0)
        if len(self) and len(rows):
            found[rows] = self._has_names[device_class[rows]]
        return found

    def hours_of(self, device_class: np.ndarray, key: np.ndarray) -> ClassHours:
        """What these classes, int [n] and below 0 for none, do of these keys, uint16 [n]."""
        found = np.zeros((4, len(key)))
        rows = np.flatnonzero((device_class >= 0) & (key != keys.EMPTY))
        if len(self) and len(rows):
            number = device_class[rows]
            same = self._key[number] == key[rows, None]
            place = same.argmax(1)
            found[1:, rows] = np.where(same.any(1), self._known[:, number, place], 0)
            found[0, rows] = found[1, rows] / (self._span[number] + _PRIOR_HOURS)
        return ClassHours(*found)


def _key(pool: str, service: str, secret: bytes) -> int:
    """The key of a pair, or of a group of new pairs; raises ValueError for any other text."""
    if not pool and not service:
        return keys.ANY
    port, _, protocol = service.partition("/")
    number = int(port) if port else _ANY_PORT
    if protocol not in PROTOCOL_CODES or not 0 <= number < 65_536 or (pool and not port):
        raise ValueError(f"not a pair: {pool!r}, {service!r}")
    code = np.array([port_code(number, protocol)], np.int32)
    if pool == IN_DOMAIN:
        return int(keys.domain_services(code)[0])
    if pool:
        return int(keys.pairs(np.array([keys.pool_hash(pool, secret)], np.uint64), code)[0])
    return int((keys.services(code) if port else keys.ephemeral(code))[0])
