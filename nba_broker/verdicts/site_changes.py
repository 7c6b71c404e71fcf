"""What events of the site consist of: sessions, those that last, what they are about, and what
changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nba_broker.baseline.host_baseline import HostBaseline
from nba_broker.records.ports import PROTOCOLS
from nba_broker.records.site_events import KINDS


@dataclass(frozen=True, slots=True)
class SiteSessions:
    """Sessions in order: slot int64 [n], ts float64 [n] in seconds, pool int32 [n] into a table of
    pools, dport int32 [n] port codes, dst "V16" [n] addresses, None where they are not known."""

    slot: np.ndarray
    ts: np.ndarray
    pool: np.ndarray
    dport: np.ndarray
    dst: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What an event is about: an index into the table of pools, a port code, and an address of 16
    bytes, empty where it is not known."""

    pool: int
    dport: int
    dst: bytes = b""

    def packed(self) -> tuple[int, int, str]:
        """For a snapshot."""
        return self.pool, self.dport, self.dst.hex()

    @classmethod
    def unpacked(cls, packed: Sequence[Any], pools: int) -> About:
        """The inverse of :meth:`packed`, with a table of so many pools. Raises TypeError or
        ValueError for anything else."""
        pool, dport, dst = int(packed[0]), int(packed[1]), bytes.fromhex(packed[2])
        if not (0 <= pool < pools and 0 <= dport < len(PROTOCOLS) << 16 and len(dst) in (0, 16)):
            raise ValueError("a destination that is none")
        return cls(pool, dport, dst)


@dataclass(slots=True)
class Running:
    """An event that lasts or ended not long ago.

    since, until: seconds since the epoch; ``until`` is infinite while it lasts. tick: the number of
    the tick after which it was found, over_at of that after which it was over. hosts: the number
    affected then. key: the contact, 0 for none.
    """

    kind: str
    since: float
    tick: int
    hosts: int
    watched: int
    key: int = 0
    about: About | None = None
    until: float = np.inf
    over_at: int = 0

    @property
    def lasts(self) -> bool:
        """Whether it is not over."""
        return self.until == np.inf

    def packed(self) -> dict[str, Any]:
        """For a snapshot."""
        about = None if self.about is None else self.about.packed()
        return asdict(self) | {"about": about, "until": None if self.lasts else self.until}

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any], pools: int) -> Running:
        """The inverse of :meth:`packed`, with a table of so many pools. Raises LookupError,
        TypeError or ValueError for anything else."""
        about, until = packed["about"], packed["until"]
        given = dict(packed)
        given["about"] = None if about is None else About.unpacked(about, pools)
        given["until"] = np.inf if until is None else float(until)
        event = cls(**given)
        if event.kind not in KINDS or not np.isfinite(event.since):
            raise ValueError("an event of the site that is none")
        return event


@dataclass(frozen=True, slots=True)
class Change:
    """An event began, or is over: its affected hosts, slots int64 [n]. usual: whether what began is
    usual from now on."""

    event: Running
    state: str
    slots: np.ndarray
    usual: bool = False

    @property
    def watched(self) -> int:
        """The number of hosts that could have been affected."""
        return max(self.event.watched, len(self.slots))

    def explain(self, baseline: HostBaseline, table: Sequence[str]) -> None:
        """Tell the baselines of the affected hosts; ``table``: the table of pools."""
        baseline.calm(self.slots)
        about = self.event.about
        if self.usual and about is not None:
            baseline.adopt(self.slots, about.pool, about.dport, table)


@dataclass(frozen=True, slots=True)
class Part:
    """Sessions from ``start`` up to ``stop`` during which no event begins or ends, and the changes
    right before them."""

    start: int
    stop: int
    changes: tuple[Change, ...]
