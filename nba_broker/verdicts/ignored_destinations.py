"""Destinations that analysts ignore: sessions to them raise no alarm and no notice."""

from __future__ import annotations

from functools import cache

import numpy as np

from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools
from nba_broker.model.windows import Windows
from nba_broker.records.addresses import in_network
from nba_broker.records.name_patterns import matches
from nba_broker.verdicts.annotation_file import Annotation


class IgnoredDestinations:
    """The annotations that ignore a pool, network or name, each with the slots of its hosts."""

    def __init__(self, pools: Pools, names: NameTable) -> None:
        self._pools = pools
        self._names = names
        self._hosts: dict[Annotation, set[int]] = {}

    def set(self, annotation: Annotation, slots: set[int]) -> None:
        """Add an annotation that applies to these hosts, or to every host if it names none."""
        self._hosts[annotation] = slots

    def clear(self) -> None:
        """Remove all annotations."""
        self._hosts.clear()

    def add(self, annotation: Annotation, slot: int) -> None:
        """Apply an annotation to one more host."""
        self._hosts[annotation].add(slot)

    def applies(self, annotation: Annotation, slot: int) -> bool:
        """Whether an annotation was applied to a host."""
        return slot in self._hosts[annotation]

    def forget(self, slots: np.ndarray) -> None:
        """Forget the hosts of these slots, int64 [n]; the slots may get new hosts."""
        for hosts in self._hosts.values():
            hosts.difference_update(slots.tolist())

    def muted(self, windows: Windows, attention: np.ndarray, ts: np.ndarray) -> np.ndarray | None:
        """Whether more than half of the attention, float32 [B, N], in each of B windows is on
        ignored destinations, bool [B]; None if none are ignored. ts float64 [B]: the times of the
        windows' deciding sessions."""
        if not self._hosts:
            return None
        shape = windows.pool.shape
        quiet = self.ignored(
            np.repeat(windows.slot, shape[1]),
            np.repeat(ts, shape[1]),
            windows.pool.reshape(-1),
            windows.columns["dst"].reshape(-1),
            windows.columns["name"].reshape(-1),
        ).reshape(shape)
        # Exactly half is common, because equal sessions have equal attention. Rounding must not
        # decide then.
        muted: np.ndarray = (attention * quiet).sum(1) > 0.5 + 1e-3
        return muted

    def ignored(
        self,
        slot: np.ndarray,
        ts: np.ndarray,
        pool: np.ndarray,
        dst: np.ndarray,
        name: np.ndarray,
    ) -> np.ndarray:
        """Whether an analyst ignores the destination of each of n sessions for its host, bool [n].

        slot int64 [n]: the hosts. ts float64 [n]. pool int [n]: indices into the table of pools.
        dst V16 [n]: addresses. name int32 [n]: numbers of names.
        """
        ignored = np.zeros(len(slot), bool)
        within = cache(lambda: self._pools.translation.unpacked(dst))
        for annotation, slots in self._hosts.items():
            holds = (ts >= annotation.at) & (ts < annotation.expires)
            if annotation.host:
                holds &= np.isin(slot, list(slots))
            network = annotation.destinations
            if annotation.name:
                holds &= np.isin(name, self._matching(annotation.name, name))
            elif network is not None:
                there = in_network(dst, network)
                if network.version == 4:
                    there |= in_network(within(), network)
                holds &= there
            elif (number := self._pools.index(annotation.pool)) is not None:
                holds &= pool == number
            else:
                continue
            ignored |= holds
        return ignored

    def _matching(self, pattern: str, name: np.ndarray) -> list[int]:
        """Those of these numbers, int32 [n], whose names match a pattern."""
        numbers = np.unique(name).tolist()
        return [one for one in numbers if matches(pattern, self._names.text(one))]
