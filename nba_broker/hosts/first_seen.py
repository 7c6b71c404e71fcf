"""When each host was first seen, and whether its first line was written."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from nba_broker.records.slots import Column, Slots


class FirstSeen:
    """By slot: when a host had its first session, and whether a line announced it.

    A host without an address, which asks for a lease, is announced at its first session with one.
    """

    def __init__(self, slots: Slots | None = None) -> None:
        self.slots = Slots() if slots is None else slots
        self.columns = self.slots.add(
            "first_seen",
            {"first_seen": Column(np.float64, np.nan), "announced": Column(np.bool_)},
        )

    @property
    def first_seen(self) -> np.ndarray:
        """The time of each host's first session, float64 [slots], NaN before it."""
        return self.columns["first_seen"]

    @property
    def announced(self) -> np.ndarray:
        """Whether each host was announced, bool [slots]."""
        return self.columns["announced"]

    def see(
        self, slot: np.ndarray, ts: np.ndarray, host: Sequence[str], unspecified: Collection[str]
    ) -> np.ndarray:
        """Note sessions (slot int64 [n], ts float64 [n], host [n]) in order; returns those that
        announce their host, as places int64 [k]: its first with an address."""
        self.slots.reserve(int(slot.max(initial=-1)) + 1)
        first_seen, announced = self.first_seen, self.announced
        rows = []
        for row in np.flatnonzero(~announced[slot]).tolist():
            number = slot[row]
            if np.isnan(first_seen[number]):
                first_seen[number] = ts[row]
            if not announced[number] and host[row] not in unspecified:
                announced[number] = True
                rows.append(row)
        return np.array(rows, np.int64)

    @staticmethod
    def check(records: np.ndarray) -> None:
        """Raise ValueError unless these records of columns, [n], can be of hosts."""
        if not np.isfinite(records["first_seen"]).all():
            raise ValueError("a host was first seen at no time")

    def look_back(self, slots: np.ndarray, limit: float, now: float) -> None:
        """Hosts in these slots, int64 [n], first seen after ``limit`` were first seen ``now``."""
        times = self.first_seen[slots]
        self.first_seen[slots] = np.where(times > limit, now, times)
