"""Keeps every host's last N sessions in rings, and returns the windows due for a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.records import uids
from nba_broker.records.grouping import by_slot, changes
from nba_broker.records.ports import PROTOCOLS
from nba_broker.records.slots import Column, Slots

NO_POOL = -1
"""Pool index in front of a window that is not full yet."""

NO_INTERVAL = np.float32(np.inf)
"""Interval of a host's first session, which has no session before it."""

_SESSION = [("ts", "f8"), ("pool", "i4"), ("dport", "i4")]
_NAME = [("name", "i4")]
_EVIDENCE = [("dst", "V16"), *_NAME, ("uid", uids.PACKED)]
_WIDE_EVIDENCE = [("dst", "V16"), *_NAME, ("uid", uids.WIDE)]


@dataclass(slots=True)
class Windows:
    """B windows that end with their deciding session, right-aligned, in these sessions' order.

    slot: the host, int64 [B]. index: the place of the deciding session in the pushed batch, int64
    [B]. count: the number of the host's sessions until then, int64 [B]. columns, each [B, N]: pool
    int32 (NO_POOL in front), interval float32 in seconds, dport int32, name int32 (a number, see
    nba_broker.destinations.names), and, where evidence is kept, ts, dst and uid (see uids.unpack).
    """

    slot: np.ndarray
    index: np.ndarray
    count: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.slot)

    def part(self, start: int, stop: int) -> Windows:
        """The windows from ``start`` up to ``stop``."""
        return self.take(slice(start, stop))

    def take(self, rows: slice | np.ndarray) -> Windows:
        """The windows of these rows, a slice, int64 [n] or bool [B]."""
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
        """Codes of destination ports (see ports.port_code), int32 [B, N]."""
        return self.columns["dport"]

    @property
    def name(self) -> np.ndarray:
        """The numbers of the destinations' names, int32 [B, N], 0 where none is known."""
        return self.columns["name"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a host is scored; only the number of its sessions matters.

    The first score is at its ``min_sessions``-th session. Until its window of ``length`` sessions
    is full, a score follows every ``early_stride`` sessions, so that a new host soon has a name;
    after that, every ``stride`` sessions.
    """

    length: int
    min_sessions: int
    stride: int = 1
    early_stride: int = 1

    def due(self, count: np.ndarray) -> np.ndarray:
        """Whether a score is due at these session numbers, int64 of any shape, from 1; bool of the
        same shape."""
        since = count - self.min_sessions
        stride = np.where(count <= self.length, self.early_stride, self.stride)
        due: np.ndarray = (since >= 0) & (since % stride == 0)
        return due


class HostWindows:
    """Keeps a ring of each host's last sessions, and returns windows by the schedule.

    The windows do not depend on how the sessions are cut into batches. evidence: whether ts, dst
    and uid are kept. slots: the store of slots; one of its own if None.
    """

    def __init__(
        self, schedule: Schedule, *, evidence: bool = True, slots: Slots | None = None
    ) -> None:
        self.schedule = schedule
        self.length = schedule.length
        self.slots = Slots() if slots is None else slots
        self._record = np.dtype(_SESSION + (_EVIDENCE if evidence else _NAME))
        self._evidence = evidence
        self.columns = self.slots.add(
            "windows",
            {
                "count": Column(np.int64),
                "last_ts": Column(np.float64, -np.inf),
                "ring": self._ring(),
            },
        )

    def _ring(self) -> Column:
        """A host's last sessions. A session is one record, because most of the time is spent
        waiting for memory. The ring has one session more than a window, because the interval of a
        window's first session needs the session before it."""
        return Column(self._record, 0, (self.length + 1,))

    @property
    def count(self) -> np.ndarray:
        """Sessions of each host so far, int64 [slots]."""
        return self.columns["count"]

    @property
    def last_ts(self) -> np.ndarray:
        """The time of each host's latest session, float64 [slots], -inf before the first."""
        return self.columns["last_ts"]

    def use(self, schedule: Schedule) -> None:
        """Switch to another schedule; each host keeps the last sessions that fit both windows."""
        before, self.schedule, self.length = self.length, schedule, schedule.length
        if self.length == before:
            return
        slots = np.flatnonzero(self.count)
        number = self.count[slots, None] - 1 - np.arange(min(before, self.length) + 1)
        row, place = np.nonzero(number >= 0)
        host, kept = slots[row], number[row, place]
        old = self.columns.redefine("ring", self._ring())
        ring = self.columns["ring"]
        # Sessions that the shorter window did not keep. Of the session before the window, only the
        # time is used.
        ring["pool"][slots], ring["ts"][slots] = NO_POOL, -np.inf
        ring[host, kept % (self.length + 1)] = old[host, kept % (before + 1)]
        if self.length > before:
            whole = slots[self.count[slots] > before]
            ring["pool"][whole, (self.count[whole] - 1 - before) % (self.length + 1)] = NO_POOL

    @property
    def wide(self) -> bool:
        """Whether there is room for uids of more than 96 bits."""
        return self._record == np.dtype(_SESSION + _WIDE_EVIDENCE)

    def widen(self) -> None:
        """Make room for such uids. Few sites have them, and the memory of all hosts grows."""
        if self.wide or not self._evidence:
            return
        self._record = np.dtype(_SESSION + _WIDE_EVIDENCE)
        before = self.columns.redefine("ring", self._ring())
        for name in self._record.names or ():
            self.columns["ring"][name] = before[name]

    def copy(self) -> HostWindows:
        """A copy of all hosts and sessions, without evidence, in a store of its own."""
        other = HostWindows(self.schedule, evidence=False)
        other.slots.reserve(self.slots.capacity)
        some = slice(self.slots.capacity)
        for name in ("count", "last_ts"):
            other.columns[name][some] = self.columns[name]
        for name in other._record.names or ():
            other.columns["ring"][name][some] = self.columns["ring"][name]
        return other

    @staticmethod
    def check(records: np.ndarray) -> None:
        """Raise ValueError unless the values of these records of columns, [n], are valid."""
        ring = records["ring"]
        if not (
            (records["count"] > 0).all()
            and np.isfinite(records["last_ts"]).all()
            and (ring["ts"] < np.inf).all()  # -inf where a window grew
            and (ring["pool"] >= NO_POOL).all()
            and (ring["name"] >= 0).all()
            and ((ring["dport"] >= 0) & (ring["dport"] < len(PROTOCOLS) << 16)).all()
        ):
            raise ValueError("a host's sessions are out of range")

    def look_back(self, slots: np.ndarray, limit: float, now: float) -> None:
        """A clock was set back: times of these hosts, int64 [n], later than ``limit`` become
        ``now``."""
        for there in (self.last_ts, self.columns["ring"]["ts"]):
            times = there[slots]
            there[slots] = np.where(times > limit, now, times)

    def push(self, slot: np.ndarray, ts: np.ndarray, **columns: np.ndarray) -> Windows:
        """Append sessions, in time order, and return the windows that are due.

        slot int64 [n], ts float64 [n]; ``columns``, each [n], are pool, dport, name (the number of
        the destination's name, see nba_broker.destinations.names; by default none has one) and,
        with evidence, dst and uid (uids.TEXT).
        """
        self.slots.reserve(int(slot.max(initial=-1)) + 1)
        order = by_slot(slot)
        by_host = slot[order]
        start = np.flatnonzero(changes(by_host))
        host = by_host[start]
        size = np.diff(np.append(start, len(order)))
        rank = np.arange(len(order)) - np.repeat(start, size)

        columns["ts"] = ts
        columns.setdefault("name", np.zeros(len(ts), np.int32))
        if self._evidence:
            if uids.are_wide(columns["uid"]):
                self.widen()
            columns["uid"] = uids.pack(columns["uid"], self._record["uid"])
        sessions = np.empty(len(order), self._record)
        for name in self._record.names or ():
            sessions[name] = columns[name]
        batch = _whole(sessions).take(order)

        count = self.count[by_host] + rank + 1
        due = np.flatnonzero(self.schedule.due(count))
        due = due[np.argsort(order[due], kind="stable")]
        windows = Windows(
            by_host[due], order[due], count[due], self._gather(batch, by_host, rank, count, due)
        )

        self._append(batch, by_host, rank, np.repeat(size, size))
        self.count[host] += size
        self.last_ts[host] = np.maximum(self.last_ts[host], ts[order[start + size - 1]])
        return windows

    def numbers(self, slot: np.ndarray) -> np.ndarray:
        """The number that each of these sessions would have among its host's sessions if they came
        next, int64 [n], from 1."""
        order = by_slot(slot)
        by_host = slot[order]
        number = np.empty(len(slot), np.int64)
        number[order] = np.arange(len(slot)) - np.searchsorted(by_host, by_host)
        count: np.ndarray = self.count[slot] + number + 1
        return count

    def latest(self, slot: np.ndarray) -> Windows:
        """The present windows of these hosts, int64 [B]. ``index`` is -1, because no deciding
        session is in a batch."""
        nothing = _whole(np.zeros(0, self._record))
        count, outside = self.count[slot], np.full(len(slot), -1)
        columns = self._gather(nothing, slot, outside, count, np.arange(len(slot)))
        return Windows(slot, outside, count, columns)

    def _gather(
        self,
        batch: np.ndarray,
        slot: np.ndarray,
        rank: np.ndarray,
        count: np.ndarray,
        due: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """The columns of windows: the last N sessions until each due one, from the batch and from
        the rings."""
        kept = self.length + 1
        back = np.arange(self.length, -1, -1)
        in_batch = rank[due, None] >= back
        from_batch = (due[:, None] - back)[in_batch]
        number = (
            count[due, None] - 1 - back
        )  # the session's number among its host's sessions, from 0
        # take() on the flat ring needs half the time of an index per axis.
        found = _whole(self.columns["ring"]).take(slot[due, None] * kept + number % kept)
        found[in_batch] = batch.take(from_batch)
        sessions = found.view(self._record)
        ts = np.where(number < 0, -np.inf, sessions["ts"])
        nothing = (number < 0) | (sessions["pool"] == NO_POOL)
        columns = ("pool", "dport", "name")
        gathered = {name: np.ascontiguousarray(sessions[name][:, 1:]) for name in columns}
        if self._evidence:  # not copied, because few windows become evidence
            gathered |= {name: sessions[name][:, 1:] for name in ("ts", "dst", "uid")}
        gathered["pool"][nothing[:, 1:]] = NO_POOL
        gathered["interval"] = _intervals(ts, nothing)
        return gathered

    def _append(
        self, batch: np.ndarray, slot: np.ndarray, rank: np.ndarray, size: np.ndarray
    ) -> None:
        """Write the batch into the rings; if a host has more sessions than fit, only the last."""
        length = self.length + 1
        kept = np.flatnonzero(size - rank <= length)
        place = (self.count[slot[kept]] + rank[kept]) % length
        _whole(self.columns["ring"])[slot[kept] * length + place] = batch.take(kept)


def _whole(records: np.ndarray) -> np.ndarray:
    """The same memory, flat, as records that numpy copies as a whole."""
    return records.reshape(-1).view(f"V{records.dtype.itemsize}")


def _intervals(ts: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """Seconds since the session before, float32 [B, N], of each session but the first.

    ts float64 [B, N + 1], -inf where there is no time; nothing bool [B, N + 1]: where there is no
    session, whose interval is 0. A late session, earlier than the one before it, has the interval
    0; the next interval counts from the latest time.
    """
    latest = np.maximum.accumulate(ts, axis=1)
    interval = np.zeros((len(ts), ts.shape[1] - 1), np.float32)
    np.subtract(
        latest[:, 1:], latest[:, :-1], out=interval, where=~nothing[:, 1:], casting="same_kind"
    )
    return interval
