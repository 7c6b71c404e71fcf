"""The pools of sessions to whose destinations an override gives a pool by their names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nba_broker.destinations.name_values import NameValues
from nba_broker.destinations.pools import Pools


class NamedPools:
    """Looks each name up once, by its number, in the overrides of ``pools``."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._by_name = pools.by_name
        self._values = NameValues(self._value, np.int32)

    def __call__(
        self, pool: np.ndarray, name: np.ndarray, text: Callable[[int], str]
    ) -> np.ndarray:
        """The pools of sessions, int32 [n]. pool: those of their addresses. name: numbers of names,
        int32 [n]. text: see :meth:`NameValues.of`."""
        if not self._pools.by_name or not name.any():
            return pool
        if self._by_name is not self._pools.by_name:  # there is a new file
            self._by_name, self._values = self._pools.by_name, NameValues(self._value, np.int32)
        found = self._values.of(name, text)
        return np.where(found, found - 1, pool) if found.any() else pool

    def _value(self, name: str) -> int:
        """The index of a name's pool, plus 1; 0 for none."""
        pool = self._pools.of_name(name)
        return 0 if pool is None else pool + 1
