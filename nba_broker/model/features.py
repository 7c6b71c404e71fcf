"""Computes the model's inputs from windows of sessions, for training and serving alike.

The first two features are those of the NBA scheme (Chen et al., "IoT Devices Classification Base on
Network Behavior Analysis"): the pool of each session's destination, and the interval since the
host's previous session. The third is the service, the destination port with its transport, which
separates a device's different intervals. Only data known at ``new_connection`` can be a feature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from nba_broker.model.windows import Windows
from nba_broker.records.ports import HIGH, PROTOCOL_CODES, PROTOCOLS, port_code, port_name

FEATURE_VERSION = 2
"""Increases when the same sessions would give a model other inputs. A worker refuses a model of
another version."""

PADDING = 0
"""The id in front of a window that is not full; it is masked, and its attention is exactly 0."""

NEVER_SEEN = 1
"""The id of a pool or service that was in no training session."""

FIRST_ID = 2
"""The first id of a vocabulary."""

INPUTS = ("pool", "interval", "service")
"""The model's inputs by name, in the order of :func:`inputs`; a model may use some only."""


@dataclass(frozen=True, slots=True)
class IntervalScale:
    """Maps an interval in seconds to [0, 1] by ``log1p(dt/unit) / log1p(cap/unit)``.

    A logarithm with a unit of a millisecond keeps milliseconds apart from seconds, which a linear
    scale squeezes into one point: confusable devices with the same clouds and timers differ there.
    """

    unit: float = 1e-3
    cap: float = 86_400.0

    def __call__(self, interval: np.ndarray) -> np.ndarray:
        """Scale intervals of any shape to float32; negative ones (late sessions) count as 0."""
        clipped = np.clip(interval.astype(np.float64), 0.0, self.cap)
        scaled: np.ndarray = np.log1p(clipped / self.unit) / np.log1p(self.cap / self.unit)
        return scaled.astype(np.float32)

    def as_dict(self) -> dict[str, float]:
        """The scale as in the manifest."""
        return asdict(self)


class Vocabulary:
    """The pool names of the training data, by id; every other pool is :data:`NEVER_SEEN`."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self._ids: Mapping[str, int] = {name: number for number, name in enumerate(names, FIRST_ID)}
        self._lookup = np.array([PADDING], np.int64)  # shifted by one: pool index -1 is padding

    def __len__(self) -> int:
        """The number of ids, padding and never seen included."""
        return len(self.names) + FIRST_ID

    def ids(self, pools: np.ndarray, table: list[str]) -> np.ndarray:
        """The ids, int64, of indices into ``table``, of any shape; -1 is padding. The table may
        only grow between calls."""
        new = table[len(self._lookup) - 1 :]
        if new:
            ids = [self._ids.get(name, NEVER_SEEN) for name in new]
            self._lookup = np.concatenate([self._lookup, np.array(ids, np.int64)])
        found: np.ndarray = self._lookup[pools + 1]
        return found


class Services:
    """The service names of the training data, such as ``443/tcp`` or ``high/udp``, by id; every
    other service is :data:`NEVER_SEEN`. Raises ValueError for an invalid name."""

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
        """The services of sessions with these port codes."""
        return cls(sorted({_service(int(code)) for code in dport}))

    def ids(self, dport: np.ndarray) -> np.ndarray:
        """The ids, int64, of port codes (see :func:`~nba_broker.records.ports.port_code`) of any
        shape."""
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
    """The model's inputs for B windows, in the order of INPUTS, each [B, N]: pool int64; interval
    float32 in [0, 1]; service int64. All are 0 on padding. ``table`` has the names of the pools."""
    padding = windows.pool < 0
    interval = np.where(padding, np.float32(0), scale(windows.interval))
    service = np.where(padding, PADDING, services.ids(windows.dport))
    return vocabulary.ids(windows.pool, table), interval, service
