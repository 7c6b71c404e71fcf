"""The last N sessions of every host in flat rings, and the windows that are due for a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NO_POOL = -1
"""Pool index in front of a window that is not full yet."""

NO_INTERVAL = np.float32(np.inf)
"""Interval of a host's very first session: nothing came before it, a silence without an end."""

_COLUMNS: dict[str, np.dtype] = {
    "pool": np.dtype(np.int32),
    "interval": np.dtype(np.float32),
    "ts": np.dtype(np.float64),
    "dst": np.dtype("V16"),
    "dport": np.dtype(np.int32),
    "uid": np.dtype("S20"),
}
_FEATURES = ("pool", "interval", "dport")


@dataclass(slots=True)
class Windows:
    """Windows that end at their deciding session, right-aligned, in the order of those sessions.

    slot int64 [B]; index int64 [B], the deciding session's place in the pushed batch; count
    int64 [B], sessions of the host up to then. The others are [B, N]: pool int32 (NO_POOL in
    front), interval float32 in seconds, dport int32, and, unless left out, ts, dst, uid as
    evidence.
    """

    slot: np.ndarray
    index: np.ndarray
    count: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.slot)

    def part(self, start: int, stop: int) -> Windows:
        """The windows from ``start`` up to ``stop``."""
        rows = slice(start, stop)
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Windows(self.slot[rows], self.index[rows], self.count[rows], columns)

    @property
    def pool(self) -> np.ndarray:
        """Indices into the pool table, int32 [B, N], NO_POOL where there is no session yet."""
        return self.columns["pool"]

    @property
    def interval(self) -> np.ndarray:
        """Seconds since the host's previous session, float32 [B, N]."""
        return self.columns["interval"]

    @property
    def dport(self) -> np.ndarray:
        """Destination ports with their transport (see messages.port_code), int32 [B, N]."""
        return self.columns["dport"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a host is scored, by the number of its sessions alone.

    First at its ``min_sessions``-th session; then every ``early_stride`` sessions while its window
    of ``length`` is not full, as a new host should have its name soon; then every ``stride``.
    """

    length: int
    min_sessions: int
    stride: int = 1
    early_stride: int = 1

    def due(self, count: np.ndarray) -> np.ndarray:
        """Whether a score is due, bool, at these session numbers int64 of any shape, from 1."""
        since = count - self.min_sessions
        stride = np.where(count <= self.length, self.early_stride, self.stride)
        due: np.ndarray = (since >= 0) & (since % stride == 0)
        return due


class Sequences:
    """Rings of the last N sessions per slot, and windows when the schedule says so.

    However the sessions were cut into batches, a replay gives the same windows.
    """

    def __init__(self, schedule: Schedule, *, evidence: bool = True) -> None:
        self.schedule = schedule
        self.length = schedule.length
        self.names = tuple(_COLUMNS) if evidence else _FEATURES
        self.count = np.zeros(0, np.int64)
        self.last_ts = np.full(0, -np.inf)
        self._rings = {name: np.zeros((0, self.length), _COLUMNS[name]) for name in self.names}

    def reserve(self, slots: int) -> None:
        """Make room for slot numbers below ``slots``, doubling so that growth stays cheap."""
        have = len(self.count)
        if slots <= have:
            return
        more = max(slots, 2 * have, 64) - have
        self.count = np.concatenate([self.count, np.zeros(more, np.int64)])
        self.last_ts = np.concatenate([self.last_ts, np.full(more, -np.inf)])
        for name, ring in self._rings.items():
            # Zeros that are never written take no memory, so nobody pays for hosts to come.
            self._rings[name] = np.zeros((have + more, self.length), ring.dtype)
            self._rings[name][:have] = ring

    def columns(self) -> dict[str, np.ndarray]:
        """The state itself by name; the first axis is the slot."""
        return {"count": self.count, "last_ts": self.last_ts, **self._rings}

    def use(self, schedule: Schedule) -> None:
        """Go on with another schedule; of each host the last sessions that fit both stay."""
        before, self.schedule, self.length = self.length, schedule, schedule.length
        if self.length == before:
            return
        slots = np.flatnonzero(self.count)
        number = self.count[slots, None] - 1 - np.arange(min(before, self.length))
        row, place = np.nonzero(number >= 0)
        host, number = slots[row], number[row, place]
        for name, ring in self._rings.items():
            self._rings[name] = fresh = np.zeros((len(ring), self.length), ring.dtype)
            if name == "pool":
                fresh[slots] = NO_POOL  # what the shorter window did not keep
            fresh[host, number % self.length] = ring[host, number % before]

    def copy(self) -> Sequences:
        """The same hosts with the same sessions, without evidence."""
        other = Sequences(self.schedule, evidence=False)
        other.count, other.last_ts = self.count.copy(), self.last_ts.copy()
        other._rings = {name: self._rings[name].copy() for name in other.names}
        return other

    def reset(self, slots: np.ndarray) -> None:
        """Forget what these slots hold; their numbers may go to other hosts."""
        self.count[slots] = 0
        self.last_ts[slots] = -np.inf

    def push(self, slot: np.ndarray, ts: np.ndarray, **columns: np.ndarray) -> Windows:
        """Append sessions (all columns [n], in time order) and return the windows now due.

        ``columns`` are pool, dport and, with evidence, dst and uid.
        """
        self.reserve(int(slot.max(initial=-1)) + 1)
        order = _order(slot)
        by_host = slot[order]
        new_host = np.ones(len(order), bool)
        new_host[1:] = by_host[1:] != by_host[:-1]
        start = np.flatnonzero(new_host)
        host = by_host[start]
        size = np.diff(np.append(start, len(order)))
        rank = np.arange(len(order)) - np.repeat(start, size)

        batch = {name: columns[name][order] for name in self.names if name in columns}
        batch["ts"] = when = ts[order]
        before = np.empty(len(order))
        before[1:] = when[:-1]
        before[start] = self.last_ts[host]
        # A late session lies before its predecessor: no time has passed between them.
        batch["interval"] = np.maximum(when - before, 0.0).astype(np.float32)

        count = self.count[by_host] + rank + 1
        due = np.flatnonzero(self.schedule.due(count))
        due = due[np.argsort(order[due], kind="stable")]
        windows = Windows(
            by_host[due], order[due], count[due], self._gather(batch, by_host, rank, count, due)
        )

        self._append(batch, by_host, rank, np.repeat(size, size))
        self.count[host] += size
        self.last_ts[host] = np.maximum(self.last_ts[host], when[start + size - 1])
        return windows

    def latest(self, slot: np.ndarray) -> Windows:
        """The windows that the sessions of these hosts, int64 [B], end with now; no deciding
        session is in a batch, so ``index`` is -1."""
        nothing = {name: np.zeros(0, _COLUMNS[name]) for name in self.names}
        count, outside = self.count[slot], np.full(len(slot), -1)
        columns = self._gather(nothing, slot, outside, count, np.arange(len(slot)))
        return Windows(slot, outside, count, columns)

    def _gather(
        self,
        batch: dict[str, np.ndarray],
        slot: np.ndarray,
        rank: np.ndarray,
        count: np.ndarray,
        due: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """The last N sessions before and with each due one, from the batch and from the rings."""
        back = np.arange(self.length - 1, -1, -1)
        in_batch = rank[due, None] >= back
        from_batch = (due[:, None] - back)[in_batch]
        number = count[due, None] - 1 - back  # 0-based number of the session in its host's life
        from_ring = slot[due, None] * self.length + number % self.length
        gathered = {}
        for name in self.names:
            # take() on the flat ring: half the time of an index per axis.
            value = self._rings[name].reshape(-1).take(from_ring)
            value[in_batch] = batch[name].take(from_batch)
            gathered[name] = value
        gathered["pool"][number < 0] = NO_POOL
        return gathered

    def _append(
        self, batch: dict[str, np.ndarray], slot: np.ndarray, rank: np.ndarray, size: np.ndarray
    ) -> None:
        """Write the batch into the rings; of more than N sessions of a host only the last N."""
        kept = np.flatnonzero(size - rank <= self.length)
        place = (self.count[slot[kept]] + rank[kept]) % self.length
        for name in self.names:
            self._rings[name][slot[kept], place] = batch[name][kept]


def _order(slot: np.ndarray) -> np.ndarray:
    """The stable order of slot numbers: numpy sorts 16 bits at a time ten times as fast."""
    order = np.argsort(slot.astype(np.uint16), kind="stable")
    if slot.max(initial=0) > 0xFFFF:
        order = order[np.argsort((slot >> 16).astype(np.uint16)[order], kind="stable")]
    return order
