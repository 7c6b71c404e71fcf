"""The model's inputs from a window of sessions: the one definition that training and serving share.

The features are those of the NBA scheme (Chen et al., "IoT Devices Classification Base on Network
Behavior Analysis"): the pool of each session's destination, and the interval since the host's
previous session. Only what is known at ``new_connection`` can be a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from nba_broker.sequences import Windows

FEATURE_VERSION = 1
"""Raised when the same sessions would give a model other inputs; a worker refuses other models."""

PADDING = 0
"""The pool id in front of a window that is not full: masked, its attention is exactly 0."""

NEVER_SEEN = 1
"""The pool id of a destination that was in no training session."""

FIRST_POOL = 2
"""The first id of the vocabulary."""


@dataclass(frozen=True, slots=True)
class IntervalScale:
    """Maps an interval in seconds to [0, 1] by ``log1p(dt/unit) / log1p(cap/unit)``.

    A logarithm with a unit of a millisecond keeps milliseconds apart from seconds, which a linear
    scale squeezes into one point: twins with the same clouds and timers differ there.
    """

    unit: float = 1e-3
    cap: float = 86_400.0

    def __call__(self, interval: np.ndarray) -> np.ndarray:
        """Scale intervals of any shape to float32; negative ones (late sessions) count as 0."""
        clipped = np.clip(interval.astype(np.float64), 0.0, self.cap)
        scaled: np.ndarray = np.log1p(clipped / self.unit) / np.log1p(self.cap / self.unit)
        return scaled.astype(np.float32)

    def as_dict(self) -> dict[str, float]:
        """The scale as the manifest stores it."""
        return asdict(self)


class Vocabulary:
    """Pool names of the training data, by id; every other pool is :data:`NEVER_SEEN`."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self._ids: Mapping[str, int] = {
            name: number for number, name in enumerate(names, FIRST_POOL)
        }
        self._lookup = np.array([PADDING], np.int64)  # shifted by one: pool index -1 is padding

    def __len__(self) -> int:
        """The number of ids, padding and never seen included."""
        return len(self.names) + FIRST_POOL

    def ids(self, pools: np.ndarray, table: list[str]) -> np.ndarray:
        """Vocabulary ids int64 of indices into ``table``, which only ever grows; -1 is padding."""
        fresh = table[len(self._lookup) - 1 :]
        if fresh:
            ids = [self._ids.get(name, NEVER_SEEN) for name in fresh]
            self._lookup = np.concatenate([self._lookup, np.array(ids, np.int64)])
        found: np.ndarray = self._lookup[pools + 1]
        return found


def inputs(
    windows: Windows, table: list[str], vocabulary: Vocabulary, scale: IntervalScale
) -> tuple[np.ndarray, np.ndarray]:
    """What the model is given for B windows: pool int64 [B, N] and interval float32 [B, N], in
    [0, 1] and 0 on padding. ``table`` names the windows' pools."""
    interval = np.where(windows.pool < 0, np.float32(0), scale(windows.interval))
    return vocabulary.ids(windows.pool, table), interval
