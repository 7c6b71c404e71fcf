"""One source's clock: which times are plausible, and which sessions wait until that is known.

A batch with an implausible time is held until later batches decide. If the clock returns, the time
was a stray, and the batch's sessions get the time at which they arrived. If the clock continues
from the new time, it has jumped, and the batch keeps its time. Zeek's own clock never goes back:
after one packet from the future it stands still, and the sessions that follow show the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from nba_broker.archive.file_times import FEW, are_strays
from nba_broker.records.names import NO_NAMES, Names
from nba_broker.records.sessions import NO_SESSIONS, Sessions
from nba_broker.records.times import DAY, HOUR, MINUTE, YEAR

WAIT = 5.0
"""Seconds for which a clock must continue from a new time before the jump is accepted."""

PACE = 1.0
"""Seconds after which a clock is first compared with this machine's pace."""

_MOST = 100_000  # sessions held at most


class Batch(NamedTuple):
    """Sessions of one node. ``clock``: the node's time, in seconds since the epoch. ``now``: the
    arrival, in monotonic seconds. ``ticket``: the number of the batch in the order of arrival.
    ``names``: the node's DNS answers since its batch before."""

    node: str
    clock: float
    sessions: Sessions
    now: float
    ticket: int = 0
    names: Names = NO_NAMES

    @property
    def is_empty(self) -> bool:
        """Whether it only gives the node's time."""
        return not len(self.sessions) and not len(self.names)

    def at(self, clock: float, times: Callable[[np.ndarray], np.ndarray]) -> Batch:
        """The batch at another time; ``times`` gives its rows' new times for their old ones."""
        names = replace(self.names, ts=times(self.names.ts)) if len(self.names) else self.names
        sessions = replace(self.sessions, ts=times(self.sessions.ts))
        return self._replace(clock=clock, sessions=sessions, names=names)


@dataclass(slots=True)
class _Mark:
    """One moment by two clocks: this machine's monotonic one and the source's."""

    now: float
    clock: float


class Clock:
    """The clock of one source, and the batches that are held because of it.

    leap: seconds that the clock may jump ahead while it does not keep pace with this machine's.
    live: whether the source is a sensor; a sensor's clock should keep pace.

    All times named ``now`` are monotonic seconds of this machine; all others are event time.
    """

    def __init__(self, leap: float, *, live: bool) -> None:
        self.leap = leap
        self.live = live
        self.latest = -np.inf
        """The latest plausible time; -inf before the first batch."""
        self.started = -np.inf
        """When the first time came, in monotonic seconds."""
        self.last_batch = -np.inf
        """When the latest batch came, in monotonic seconds."""
        self.keeps_pace = False
        self.judged = False
        """Whether ``keeps_pace`` has been measured."""
        self.shift = 0.0
        """Seconds to subtract from its times, because the other nodes' clocks differ by them."""
        self.held: list[Batch] = []
        self.accepted = 0
        """Sessions that have passed."""
        self.restamped = 0
        """Sessions with an implausible time that got the time of their arrival."""
        self.restarted_at: float | None = None
        """The time at which the clock began or to which it went back; the reader resets it."""
        self.jumped = False
        """Whether a jump has just been accepted; the reader resets it."""
        self.stray: float | None = None
        """The first implausible time; infinity once it has been reported."""
        self._mark = _Mark(-np.inf, 0.0)
        self._offsets = [-np.inf, -np.inf]  # largest offset in the last period, and in this one

    @property
    def offset(self) -> float:
        """The clock minus monotonic time: the largest recent value, as messages are only ever
        delayed."""
        return max(self._offsets)

    def expected(self, now: float) -> float:
        """The highest time that the clock should show at ``now``."""
        return max(now + self.offset, self.latest) if self.keeps_pace else self.latest

    def take(self, batch: Batch) -> list[Batch]:
        """Judge a batch; returns the batches that may pass now, in order."""
        self.last_batch = batch.now
        ts = batch.sessions.ts
        if len(ts) and ts[-1] < batch.clock - YEAR and not self.keeps_pace:
            batch = batch._replace(clock=float(ts[-1]))  # Zeek's own clock stands still
        if self.latest == -np.inf:
            if not len(ts) and batch.clock < DAY:  # this Zeek has not seen a packet yet
                return [batch]
            self._start(batch)
        clock = None
        if self._is_plausible(batch.clock, batch.now):
            clock = batch.clock
        elif len(ts) and self._is_plausible(float(ts[-1]), batch.now):
            clock = float(ts[-1])
        if clock is None and not self.live and batch.is_empty:
            # An empty batch is the end of a capture; its clock is an hour ahead.
            return [*self.finish(), batch._replace(clock=self.latest + HOUR)]
        if clock is None:
            return self._hold(batch)
        returned = self._restamp_held() if self.held else []
        self._observe(clock, batch.now)
        if clock != batch.clock:
            clock = self.expected(batch.now)
        return [*returned, self._accept(batch._replace(clock=clock))]

    def due(self, now: float) -> list[Batch]:
        """The held batches that may pass at ``now``, without a new batch."""
        if not self.held:
            return []
        jumped = self._has_jumped(now)
        if jumped is None:
            return []
        return self._accept_jump() if jumped else self._restamp_held()

    def finish(self) -> list[Batch]:
        """All held batches; no session will follow."""
        if not self.held:
            return []
        number = sum(len(batch.sessions) for batch in self.held)
        return self._restamp_held() if self._are_strays(number) else self._accept_jump()

    def _is_plausible(self, clock: float, now: float) -> bool:
        expected = self.expected(now)
        ahead = MINUTE if self.keeps_pace else self.leap
        return expected - max(self.leap, DAY) <= clock <= expected + ahead

    def _start(self, batch: Batch) -> None:
        self.latest, self.restarted_at = batch.clock, self._first(batch)
        self._mark = _Mark(batch.now, batch.clock)
        self._offsets = [-np.inf, batch.clock - batch.now]
        self.started = batch.now

    def _first(self, batch: Batch) -> float:
        """Event time at the beginning of a batch; a sensor's batches are short."""
        return batch.clock if self.leap < YEAR else float(batch.sessions.ts[0])

    def _observe(self, clock: float, now: float) -> None:
        """Take a plausible time, and measure whether the clock keeps pace with this machine's."""
        self.latest = clock
        if not self.live:
            return
        self._offsets[1] = max(self._offsets[1], clock - now)
        passed = now - self._mark.now
        if passed >= (WAIT if self.keeps_pace else PACE):
            self.keeps_pace = abs(clock - self._mark.clock - passed) <= passed / 2
            self.judged = True
            self._mark = _Mark(now, clock)
            self._offsets = [self._offsets[1], clock - now]

    def _accept(self, batch: Batch) -> Batch:
        """A batch with a plausible clock; sessions later, or years earlier, get its time."""
        ts = batch.sessions.ts
        self.accepted += len(ts)
        if self.leap >= YEAR:  # an archive has no clock besides its sessions
            return batch

        def is_wrong(ts: np.ndarray) -> np.ndarray:
            wrong: np.ndarray = (ts > batch.clock + MINUTE) | (ts < batch.clock - YEAR)
            return wrong

        wrong = is_wrong(ts)
        if not wrong.any() and not is_wrong(batch.names.ts).any():
            return batch
        self._count_restamped(ts[wrong])
        return batch.at(batch.clock, lambda ts: np.where(is_wrong(ts), batch.clock, ts))

    def _count_restamped(self, ts: np.ndarray) -> None:
        self.restamped += len(ts)
        if len(ts) and self.stray is None:
            self.stray = float(ts[0])

    def _hold(self, batch: Batch) -> list[Batch]:
        if self.held and batch.is_empty and self.held[-1].is_empty:
            self.held.pop()  # of several empty batches only the first and the latest matter
        self.held.append(batch)
        decided = self.due(batch.now)
        if decided or not self.held:
            return decided
        # Other nodes wait for held sessions, but not for a clock alone.
        waits = any(len(one.sessions) for one in self.held)
        clock = self.latest if waits else self.expected(batch.now)
        return [Batch(batch.node, clock, NO_SESSIONS, batch.now, batch.ticket)]

    def _has_jumped(self, now: float) -> bool | None:
        """Whether the clock continues from the new time; None while that is undecided."""
        first, last = self.held[0], self.held[-1]
        number = sum(len(batch.sessions) for batch in self.held)
        if number > _MOST:
            return True
        if self.live:
            if now - first.now < WAIT:
                return None
            passed = last.now - first.now
            if self.keeps_pace:
                return passed >= WAIT / 2 and last.clock - first.clock >= passed / 2
            return not self._are_strays(number)
        if self.leap >= YEAR:
            return True if number >= FEW else None
        return not self._are_strays(number) if len(self.held) > 1 else None

    def _are_strays(self, number: int) -> bool:
        """Whether the held sessions are too few, and too far away, to be a jump."""
        far = abs(self.held[0].clock - self.latest) > YEAR
        return far and are_strays(number, self.accepted)

    def _accept_jump(self) -> list[Batch]:
        """The held batches at their own times; the clock continues from there."""
        held, self.held = self.held, []
        self.jumped = True
        before, last = self.latest, held[-1]
        if last.clock < before - DAY:
            self.restarted_at = self._first(held[0])
        self.latest = last.clock
        self._mark = _Mark(last.now, last.clock)
        self._offsets = [-np.inf, max(batch.clock - batch.now for batch in held)]
        return [self._accept(batch) for batch in held]

    def _restamp_held(self) -> list[Batch]:
        """The held batches at the times of their arrival; the clock has returned."""
        held, self.held = self.held, []
        passing = []
        for batch in held:
            expected = self.expected(batch.now)
            ts = batch.sessions.ts
            self._count_restamped(ts)
            self.accepted += len(ts)
            shift = batch.clock - expected
            passing.append(batch.at(expected, partial(_clipped, shift, self.latest, expected)))
        return passing


def _clipped(shift: float, earliest: float, latest: float, ts: np.ndarray) -> np.ndarray:
    """Times moved back by ``shift``, within these limits."""
    clipped: np.ndarray = np.clip(ts - shift, earliest, latest)
    return clipped
