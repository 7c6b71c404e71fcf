"""The timeline's door: event time is made sane here, and nothing behind it sees a wrong clock.

A time is judged against the clock of the node that it comes from. One that cannot be is set aside
until what follows tells: where the clock comes back, it was a stray, and its session is taken at
the time at which it came; where the clock goes on from there, it is followed. Zeek's own clock
never goes back: after one packet from the future it stands still there, and the sessions that
follow tell the time. A node whose clock keeps pace and differs from the others' is set by that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from nba_broker.archive.file_times import FEW, are_strays
from nba_broker.records.sessions import Lease, Sessions, part_of
from nba_broker.records.times import DAY, HOUR, MINUTE, YEAR, print_second

WAIT = 5.0  # seconds after which a clock that goes on from where it jumped to is believed


PACE = 1.0  # seconds after which it is first asked whether a clock keeps pace with this machine's


SILENT = 15.0  # seconds without a batch after which a node's clock is no longer compared


_MOST = 100_000  # sessions set aside at most


_NOTHING = Sessions(np.zeros(0), [], [], [], [], np.zeros(0, np.int32))


class Batch(NamedTuple):
    """Sessions of a node, its clock, and when they came in monotonic seconds; ``ticket`` is the
    number of the batch, in the order of arrival."""

    node: str
    clock: float
    sessions: Sessions
    now: float
    ticket: int = 0


@dataclass(slots=True)
class _Mark:
    """A moment by two clocks."""

    now: float
    clock: float


class Clock:
    """One source's clock: what it may say next, and what was set aside.

    leap: seconds that it may jump ahead without being asked, where it does not keep pace with this
    machine's. live: whether it is of a sensor, so that it should.
    """

    def __init__(self, leap: float, *, live: bool) -> None:
        self.leap = leap
        self.live = live
        self.at = -np.inf  # the latest sane time
        self.begun = self.heard = -np.inf
        self.keeps_pace = False
        self.judged = False  # whether it is known whether it does
        self.shift = 0.0  # what is taken off its times, as the other nodes' clocks differ by it
        self.aside: list[Batch] = []
        self.seen = 0  # sessions let through
        self.restamped = 0
        self.back_to: float | None = None  # where it has gone back to, or began
        self.followed = False  # whether it has just been set for good
        self.stray: float | None = None  # the first time that could not be
        self._mark = _Mark(-np.inf, 0.0)
        self._best = [-np.inf, -np.inf]  # clock less monotonic time: of the period before, and now

    @property
    def offset(self) -> float:
        """The clock less monotonic time; the largest lately, since a message only comes late."""
        return max(self._best)

    def expected(self, now: float) -> float:
        """What the clock should be at ``now``, at the most."""
        return max(now + self.offset, self.at) if self.keeps_pace else self.at

    def take(self, batch: Batch) -> list[Batch]:
        """What may go on now that this has come, in order."""
        self.heard = batch.now
        ts = batch.sessions.ts
        if len(ts) and ts[-1] < batch.clock - YEAR and not self.keeps_pace:
            batch = batch._replace(clock=float(ts[-1]))  # Zeek's own stands still
        if self.at == -np.inf:
            if not len(ts) and batch.clock < DAY:  # of a Zeek that has seen no packet yet
                return [batch]
            self._begin(batch)
        clock = None
        if self._may_be(batch.clock, batch.now):
            clock = batch.clock
        elif len(ts) and self._may_be(float(ts[-1]), batch.now):
            clock = float(ts[-1])
        if clock is None and not self.live and not len(ts):
            # Only the end of a capture is an empty batch; its clock is an hour ahead.
            return [*self.finish(), batch._replace(clock=self.at + HOUR)]
        if clock is None:
            return self._set_aside(batch)
        came_back = self._came_back() if self.aside else []
        self._see(clock, batch.now)
        if clock != batch.clock:
            clock = self.expected(batch.now)
        return [*came_back, self._let(batch._replace(clock=clock))]

    def due(self, now: float) -> list[Batch]:
        """What may go on in a silence."""
        if not self.aside:
            return []
        verdict = self._goes_on(now)
        if verdict is None:
            return []
        return self._follow() if verdict else self._came_back()

    def finish(self) -> list[Batch]:
        """What was set aside: nothing will follow."""
        if not self.aside:
            return []
        number = sum(len(batch.sessions) for batch in self.aside)
        return self._came_back() if self._are_few(number) else self._follow()

    def _may_be(self, clock: float, now: float) -> bool:
        expected = self.expected(now)
        ahead = MINUTE if self.keeps_pace else self.leap
        return expected - max(self.leap, DAY) <= clock <= expected + ahead

    def _begin(self, batch: Batch) -> None:
        self.at, self.back_to = batch.clock, self._first(batch)
        self._mark = _Mark(batch.now, batch.clock)
        self._best = [-np.inf, batch.clock - batch.now]
        self.begun = batch.now

    def _first(self, batch: Batch) -> float:
        """Event time as a batch begins; a sensor's are short."""
        return batch.clock if self.leap < YEAR else float(batch.sessions.ts[0])

    def _see(self, clock: float, now: float) -> None:
        """The clock was right: ask whether it keeps pace with this machine's."""
        self.at = clock
        if not self.live:
            return
        self._best[1] = max(self._best[1], clock - now)
        passed = now - self._mark.now
        if passed >= (WAIT if self.keeps_pace else PACE):
            self.keeps_pace = abs(clock - self._mark.clock - passed) <= passed / 2
            self.judged = True
            self._mark = _Mark(now, clock)
            self._best = [self._best[1], clock - now]

    def _let(self, batch: Batch) -> Batch:
        """A batch whose clock is right: of its sessions none is later, or years earlier."""
        ts = batch.sessions.ts
        self.seen += len(ts)
        if self.leap >= YEAR:  # an archive's, which has no clock but its sessions
            return batch
        if not len(ts) or (ts.max() <= batch.clock + MINUTE and ts.min() >= batch.clock - YEAR):
            return batch
        wrong = (ts > batch.clock + MINUTE) | (ts < batch.clock - YEAR)
        times = np.where(wrong, batch.clock, ts)
        self._count(ts[wrong])
        return batch._replace(sessions=replace(batch.sessions, ts=times))

    def _count(self, ts: np.ndarray) -> None:
        self.restamped += len(ts)
        if len(ts) and self.stray is None:
            self.stray = float(ts[0])

    def _set_aside(self, batch: Batch) -> list[Batch]:
        if self.aside and not len(batch.sessions) and not len(self.aside[-1].sessions):
            self.aside.pop()  # only the first and the latest of these tell something
        self.aside.append(batch)
        decided = self.due(batch.now)
        if decided or not self.aside:
            return decided
        # The others wait for what is aside, but not for a clock alone.
        waits = any(len(one.sessions) for one in self.aside)
        clock = self.at if waits else self.expected(batch.now)
        return [Batch(batch.node, clock, _NOTHING, batch.now, batch.ticket)]

    def _goes_on(self, now: float) -> bool | None:
        """Whether the clock goes on from where it jumped to; None while that is open."""
        first, last = self.aside[0], self.aside[-1]
        number = sum(len(batch.sessions) for batch in self.aside)
        if number > _MOST:
            return True
        if self.live:
            if now - first.now < WAIT:
                return None
            passed = last.now - first.now
            if self.keeps_pace:
                return passed >= WAIT / 2 and last.clock - first.clock >= passed / 2
            return not self._are_few(number)
        if self.leap >= YEAR:
            return True if number >= FEW else None
        return not self._are_few(number) if len(self.aside) > 1 else None

    def _are_few(self, number: int) -> bool:
        far = abs(self.aside[0].clock - self.at) > YEAR
        return far and are_strays(number, self.seen)

    def _follow(self) -> list[Batch]:
        aside, self.aside = self.aside, []
        self.followed = True
        before, last = self.at, aside[-1]
        if last.clock < before - DAY:
            self.back_to = self._first(aside[0])
        self.at = last.clock
        self._mark = _Mark(last.now, last.clock)
        self._best = [-np.inf, max(batch.clock - batch.now for batch in aside)]
        return [self._let(batch) for batch in aside]

    def _came_back(self) -> list[Batch]:
        aside, self.aside = self.aside, []
        let = []
        for batch in aside:
            expected = self.expected(batch.now)
            ts = batch.sessions.ts
            self._count(ts)
            self.seen += len(ts)
            times = np.clip(ts - (batch.clock - expected), self.at, expected)
            sessions = replace(batch.sessions, ts=times)
            let.append(batch._replace(clock=expected, sessions=sessions))
        return let


class Door:
    """Lets batches of all nodes in, with times that can be.

    live: whether the nodes are sensors, whose clocks keep pace; a capture's may jump by days.
    """

    def __init__(self, *, live: bool = True) -> None:
        self.live = live
        self.lines: deque[str] = deque(maxlen=64)
        """What an operator should be told, each once; whoever reads them removes them."""
        self.moved: dict[str, float] = {}
        """By how much a node's earlier sessions are to be moved; whoever reads it empties it."""
        self.machine: float | None = None
        """This machine's wall clock less its monotonic one, where that is known."""
        self._clocks: dict[str, Clock] = {}
        self._archive = Clock(YEAR, live=False)
        self._compared = -np.inf

    @property
    def restamped(self) -> int:
        """Sessions whose time could not be, and that were taken at the time at which they came."""
        return sum(one.restamped for one in (self._archive, *self._clocks.copy().values()))

    def offsets(self) -> dict[str, float]:
        """By how much each node's clock is ahead of the others', as far as it is set by that."""
        return {node: clock.shift for node, clock in self._clocks.copy().items()}

    def enter(self, batch: Batch) -> list[Batch]:
        """What may go on now that a node's batch has come."""
        clock = self._clocks.setdefault(batch.node, Clock(DAY, live=self.live))
        known = clock.judged
        let = clock.take(batch)
        if batch.now - self._compared >= PACE or clock.judged != known:
            self._compare(batch.now)
        return self._set(batch.node, clock, let, batch.now)

    def due(self, now: float) -> list[Batch]:
        """What may go on in a silence."""
        return [
            batch
            for node, clock in self._clocks.items()
            if clock.aside
            for batch in self._set(node, clock, clock.due(now), now)
        ]

    def finish(self) -> list[Batch]:
        """Whatever was set aside: no session will follow."""
        return [
            batch
            for node, clock in self._clocks.items()
            for batch in self._set(node, clock, clock.finish(), clock.heard)
        ]

    def is_undecided(self, now: float) -> bool:
        """Whether a new node's clock differs from another's, and it is not known yet whether both
        keep pace; nothing should go on then, which is soon."""
        clocks = [
            clock
            for clock in self._clocks.values()
            if clock.offset > -np.inf and now - clock.heard < WAIT
        ]
        new = [one for one in clocks if not one.judged and now - one.begun < WAIT]
        return any(
            abs(one.offset - one.shift - other.offset + other.shift) > MINUTE
            for one in new
            for other in clocks
        )

    def waiting(self) -> Iterator[Batch]:
        """The nodes' sessions that are set aside."""
        for clock in self._clocks.values():
            yield from (batch for batch in clock.aside if len(batch.sessions))

    def aside_from(self, node: str) -> float:
        """The number of the first batch with sessions that is set aside of a node; infinity if
        none is."""
        clock = self._clocks.get(node)
        aside = clock.aside if clock else []
        return next((float(one.ticket) for one in aside if len(one.sessions)), np.inf)

    def pass_in_order(self, sessions: Sessions) -> Iterator[Sessions]:
        """What may go on of sessions that are in order, and that no node's clock comes with."""
        ts = sessions.ts
        if not len(ts):
            return
        archive = self._archive
        quick = not archive.aside and archive.at > -np.inf and ts[-1] - ts[0] < YEAR
        if quick and abs(ts[0] - archive.at) < YEAR and abs(ts[-1] - archive.at) < YEAR:
            archive.at = float(ts[-1])
            archive.seen += len(ts)
            yield sessions
            return
        edges = [0, *(np.flatnonzero(np.abs(np.diff(ts)) > YEAR) + 1).tolist(), len(ts)]
        for start, stop in pairwise(edges):
            part = part_of(sessions, start, stop)
            let = archive.take(Batch("", float(part.ts[-1]), part, 0.0))
            self._tell("", archive)
            yield from (batch.sessions for batch in let if len(batch.sessions))

    def finish_in_order(self) -> list[Sessions]:
        """What :meth:`pass_in_order` set aside."""
        let = self._archive.finish()
        self._tell("", self._archive)
        return [batch.sessions for batch in let]

    def gone_back(self) -> tuple[float, float] | None:
        """Where a clock began, or has gone back, since the last time: the event time now, and the
        one from which on nothing can have been seen yet; None where none has."""
        clocks = self._archive, *self._clocks.values()
        if all(clock.back_to is None for clock in clocks):
            return None
        now = leap = -np.inf
        for clock in clocks:
            at = clock.at if clock.back_to is None else clock.back_to
            clock.back_to = None
            if at > -np.inf:
                now, leap = max(now, at - clock.shift), max(leap, clock.leap)
                if self.machine is not None and clock.live:
                    now = max(now, clock.heard + self.machine)
        return now, now + leap

    def lease(self, lease: Lease) -> Lease:
        """A lease at a time that can be, as far as that is known."""
        at = max((clock.at - clock.shift for clock in self._clocks.values()), default=-np.inf)
        return replace(lease, ts=at) if at > -np.inf and lease.ts > at + DAY else lease

    def _set(self, node: str, clock: Clock, let: list[Batch], now: float) -> list[Batch]:
        """With the times that the other nodes' clocks would have given."""
        self._tell(node, clock)
        if clock.followed:
            clock.followed = False
            if not self._compare(now):
                clock.shift = 0.0
            self.moved.pop(node, None)  # what came before it was set is right as it is
        shift = clock.shift
        if not shift:
            return let
        return [
            batch._replace(
                clock=batch.clock - shift,
                sessions=replace(batch.sessions, ts=np.maximum(batch.sessions.ts - shift, 0.0)),
            )
            for batch in let
        ]

    def _tell(self, node: str, clock: Clock) -> None:
        if clock.stray is None or clock.stray == np.inf:
            return
        source = f"{node} reported" if node else "there is"
        self.lines.append(
            f"{source} a session at {print_second(clock.stray)} while the time was "
            f"{print_second(clock.at)}; it is taken at the latter, and more such are only counted "
            "(nba_restamped_sessions_total). Look at the sensor's clock and its capture device."
        )
        clock.stray = np.inf

    def _compare(self, now: float) -> bool:
        """Set the nodes whose clocks keep pace by those that most of them agree on; False where
        that cannot be done yet."""
        self._compared = now
        clocks = {
            node: clock
            for node, clock in self._clocks.items()
            if clock.keeps_pace and now - clock.heard < SILENT and not clock.aside
        }
        young = any(not one.judged and now - one.begun < WAIT for one in self._clocks.values())
        if len(clocks) < 2 or young:  # whose word may decide
            return False
        offsets = [clock.offset for clock in clocks.values()]

        def agreed(offset: float) -> tuple[int, float, float]:
            by = sum(abs(offset - other) <= MINUTE for other in offsets)
            return by, 0.0 if self.machine is None else -abs(offset - self.machine), offset

        reference = max(offsets, key=agreed)
        for node, clock in clocks.items():
            differs = clock.offset - reference
            if abs(differs) <= MINUTE:
                if clock.shift:
                    self.lines.append(f"{node}'s clock agrees with the others again")
                    self._move(node, clock, 0.0)
            elif abs(differs - clock.shift) > MINUTE / 2:
                where = "behind" if differs < 0 else "ahead of"
                self.lines.append(
                    f"{node}'s clock is {abs(differs):.0f} s {where} the others; its sessions are "
                    "set by that. Set its clock (NTP)."
                )
                self._move(node, clock, differs)
        return True

    def _move(self, node: str, clock: Clock, shift: float) -> None:
        self.moved[node] = self.moved.get(node, 0.0) + clock.shift - shift
        clock.shift = shift
