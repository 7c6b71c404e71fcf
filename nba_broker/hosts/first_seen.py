"""When each host was first seen, and whether its first line was written."""

from __future__ import annotations

import numpy as np


class FirstSeen:
    """By slot: first_seen float64, seconds, NaN before; announced bool."""

    def __init__(self) -> None:
        self.first_seen = np.zeros(0)
        self.announced = np.zeros(0, bool)

    def columns(self) -> dict[str, np.ndarray]:
        """The state itself by name; the first axis is the slot."""
        return {"first_seen": self.first_seen, "announced": self.announced}

    def reserve(self, slots: int) -> None:
        """Make room for slot numbers below ``slots``."""
        have = len(self.first_seen)
        if slots > have:
            more = max(slots, 2 * have, 64) - have
            self.first_seen = np.concatenate([self.first_seen, np.full(more, np.nan)])
            self.announced = np.concatenate([self.announced, np.zeros(more, bool)])

    def reset(self, slots: np.ndarray) -> None:
        """These slots hold new hosts now, or none."""
        self.first_seen[slots] = np.nan
        self.announced[slots] = False
