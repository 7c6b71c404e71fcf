"""The model's inputs from a window of sessions: the one definition that training and serving share.

The first two features are those of the NBA scheme (Chen et al., "IoT Devices Classification Base on
Network Behavior Analysis"): the pool of each session's destination, and the interval since the
host's previous session. The third is the service, its destination port with the transport: it says
which of a device's intervals is which. Only what is known at ``new_connection`` can be a feature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from nba_broker.model.windows import Windows
from nba_broker.records.ports import HIGH, PROTOCOL_CODES, PROTOCOLS, port_code, port_name

FEATURE_VERSION = 2
"""Raised when the same sessions would give a model other inputs; a worker refuses other models."""

PADDING = 0
"""The pool id in front of a window that is not full: masked, its attention is exactly 0."""

NEVER_SEEN = 1
"""The id of a pool or service that was in no training session."""

FIRST_ID = 2
"""The first id of a vocabulary."""

INPUTS = ("pool", "interval", "service")
"""What :func:`inputs` returns, by the names of the model's inputs; a model may leave some out."""


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
        self._ids: Mapping[str, int] = {name: number for number, name in enumerate(names, FIRST_ID)}
        self._lookup = np.array([PADDING], np.int64)  # shifted by one: pool index -1 is padding

    def __len__(self) -> int:
        """The number of ids, padding and never seen included."""
        return len(self.names) + FIRST_ID

    def ids(self, pools: np.ndarray, table: list[str]) -> np.ndarray:
        """Vocabulary ids int64 of indices into ``table``, which only ever grows; -1 is padding."""
        fresh = table[len(self._lookup) - 1 :]
        if fresh:
            ids = [self._ids.get(name, NEVER_SEEN) for name in fresh]
            self._lookup = np.concatenate([self._lookup, np.array(ids, np.int64)])
        found: np.ndarray = self._lookup[pools + 1]
        return found


class Services:
    """Service names of the training data, ``443/tcp`` or ``high/udp``, by id; every other service
    is :data:`NEVER_SEEN`. Raises ValueError at a name that is none."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._lookup = np.full(len(PROTOCOLS) << 16, NEVER_SEEN, np.int64)
        for number, name in enumerate(self.names, FIRST_ID):
            port, _, protocol = name.partition("/")
            known = port == "high" or (port.isdecimal() and int(port[:9]) < 65_536)
            if not known or protocol not in PROTOCOL_CODES:
                raise ValueError(f"not a service: {name!r}")
            if port == "high":
                start = port_code(HIGH, protocol)
                self._lookup[start : start + 65_536 - HIGH] = number
            else:
                self._lookup[port_code(int(port), protocol)] = number

    def __len__(self) -> int:
        """The number of ids, padding and never seen included."""
        return len(self.names) + FIRST_ID

    @classmethod
    def of(cls, dport: Iterable[int]) -> Services:
        """The services of these sessions' port codes."""
        return cls(sorted({_service(int(code)) for code in dport}))

    def ids(self, dport: np.ndarray) -> np.ndarray:
        """Ids int64 of port codes (see messages.port_code) of any shape."""
        found: np.ndarray = self._lookup[dport]
        return found


def _service(code: int) -> str:
    port, _, protocol = port_name(code).partition("/")
    return f"{'high' if int(port) >= HIGH else port}/{protocol}"


def inputs(
    windows: Windows,
    table: list[str],
    vocabulary: Vocabulary,
    scale: IntervalScale,
    services: Services,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the model is given for B windows, in the order of INPUTS, each [B, N]: pool int64;
    interval float32 in [0, 1]; service int64. All are 0 on padding. ``table`` names the pools."""
    padding = windows.pool < 0
    interval = np.where(padding, np.float32(0), scale(windows.interval))
    service = np.where(padding, PADDING, services.ids(windows.dport))
    return vocabulary.ids(windows.pool, table), interval, service
