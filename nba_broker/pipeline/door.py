"""The timeline's door: it corrects wrong times, so that no stage behind it sees one.

Each node's times are judged by its own :class:`Clock`. A node whose clock keeps pace but differs
from the others' is corrected by the difference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from nba_broker.pipeline.clock import PACE, WAIT, Batch, Clock
from nba_broker.records.announcements import Announcement
from nba_broker.records.sessions import Lease, Sessions, part_of
from nba_broker.records.times import DAY, MINUTE, YEAR, print_second

SILENT = 15.0
"""Seconds without a batch after which a node's clock is no longer compared."""


class Door:
    """Passes batches of all nodes on, with plausible times.

    live: whether the nodes are sensors, whose clocks keep pace; a capture's may jump by days.
    """

    def __init__(self, *, live: bool = True) -> None:
        self.live = live
        self.lines: deque[str] = deque(maxlen=64)
        """Messages for the operator; the reader removes them."""
        self.moved: dict[str, float] = {}
        """Seconds by which a node's earlier sessions have to move; the reader removes them."""
        self.machine: float | None = None
        """This machine's wall clock minus its monotonic clock; None while unknown."""
        self._clocks: dict[str, Clock] = {}
        self._archive = Clock(YEAR, live=False)
        self._compared = -np.inf

    @property
    def restamped(self) -> int:
        """Sessions with an implausible time that got the time of their arrival."""
        return sum(one.restamped for one in (self._archive, *self._clocks.copy().values()))

    def offsets(self) -> dict[str, float]:
        """Seconds by which each node's clock is ahead of the others', 0 for a node that is not
        corrected."""
        return {node: clock.shift for node, clock in self._clocks.copy().items()}

    def enter(self, batch: Batch) -> list[Batch]:
        """Take a node's batch; returns the batches that may pass now."""
        clock = self._clocks.setdefault(batch.node, Clock(DAY, live=self.live))
        was_judged = clock.judged
        passing = clock.take(batch)
        if batch.now - self._compared >= PACE or clock.judged != was_judged:
            self._compare(batch.now)
        return self._corrected(batch.node, clock, passing, batch.now)

    def due(self, now: float) -> list[Batch]:
        """The held batches that may pass at ``now``, without a new batch."""
        return [
            batch
            for node, clock in self._clocks.items()
            if clock.held
            for batch in self._corrected(node, clock, clock.due(now), now)
        ]

    def finish(self) -> list[Batch]:
        """All held batches; no session will follow."""
        return [
            batch
            for node, clock in self._clocks.items()
            for batch in self._corrected(node, clock, clock.finish(), clock.last_batch)
        ]

    def is_undecided(self, now: float) -> bool:
        """Whether a new node's clock differs from another's before both are judged; until then, a
        few seconds, nothing should pass."""
        clocks = [
            clock
            for clock in self._clocks.values()
            if clock.offset > -np.inf and now - clock.last_batch < WAIT
        ]
        new = [one for one in clocks if not one.judged and now - one.started < WAIT]
        return any(
            abs(one.offset - one.shift - other.offset + other.shift) > MINUTE
            for one in new
            for other in clocks
        )

    def waiting(self) -> Iterator[Batch]:
        """The held batches that are not empty."""
        for clock in self._clocks.values():
            yield from (batch for batch in clock.held if not batch.is_empty)

    def first_held(self, node: str) -> float:
        """The number of a node's first held batch that is not empty; infinity if there is none."""
        clock = self._clocks.get(node)
        held = clock.held if clock else []
        return next((float(one.ticket) for one in held if not one.is_empty), np.inf)

    def pass_in_order(self, sessions: Sessions) -> Iterator[Sessions]:
        """Take an archive's sessions, which are in order and come without a node's clock; yields
        those that may pass now."""
        ts = sessions.ts
        if not len(ts):
            return
        archive = self._archive
        quick = not archive.held and archive.latest > -np.inf and ts[-1] - ts[0] < YEAR
        if quick and abs(ts[0] - archive.latest) < YEAR and abs(ts[-1] - archive.latest) < YEAR:
            archive.latest = float(ts[-1])
            archive.accepted += len(ts)
            yield sessions
            return
        edges = [0, *(np.flatnonzero(np.abs(np.diff(ts)) > YEAR) + 1).tolist(), len(ts)]
        for start, stop in pairwise(edges):
            part = part_of(sessions, start, stop)
            passing = archive.take(Batch("", float(part.ts[-1]), part, 0.0))
            self._report_stray("", archive)
            yield from (batch.sessions for batch in passing if len(batch.sessions))

    def finish_in_order(self) -> list[Sessions]:
        """The sessions that :meth:`pass_in_order` holds; none will follow."""
        passing = self._archive.finish()
        self._report_stray("", self._archive)
        return [batch.sessions for batch in passing]

    def restarted(self) -> tuple[float, float] | None:
        """Whether a clock began or went back since the last call: None if not, else the event time
        now, and the limit after which no time can have been seen yet."""
        clocks = self._archive, *self._clocks.values()
        if all(clock.restarted_at is None for clock in clocks):
            return None
        now = leap = -np.inf
        for clock in clocks:
            at = clock.latest if clock.restarted_at is None else clock.restarted_at
            clock.restarted_at = None
            if at > -np.inf:
                now, leap = max(now, at - clock.shift), max(leap, clock.leap)
                if self.machine is not None and clock.live:
                    now = max(now, clock.last_batch + self.machine)
        return now, now + leap

    def lease(self, lease: Lease) -> Lease:
        """The lease, at the latest event time if its own is more than a day later."""
        return replace(lease, ts=self._not_ahead(lease.ts))

    def announced(self, node: str, announcements: Sequence[Announcement]) -> list[Announcement]:
        """A node's announcements at corrected times, likewise."""
        clock = self._clocks.get(node)
        shift = clock.shift if clock else 0.0
        return [replace(one, ts=self._not_ahead(one.ts - shift)) for one in announcements]

    def _not_ahead(self, ts: float) -> float:
        """A time, or the latest event time if that is more than a day earlier."""
        at = max((clock.latest - clock.shift for clock in self._clocks.values()), default=-np.inf)
        return at if at > -np.inf and ts > at + DAY else ts

    def _corrected(self, node: str, clock: Clock, batches: list[Batch], now: float) -> list[Batch]:
        """A node's batches at the times that the other nodes' clocks would have given."""
        self._report_stray(node, clock)
        if clock.jumped:
            clock.jumped = False
            if not self._compare(now):
                clock.shift = 0.0
            self.moved.pop(node, None)  # the sessions before the jump have the right times
        shift = clock.shift
        if not shift:
            return batches
        return [
            batch.at(batch.clock - shift, lambda ts: np.maximum(ts - shift, 0.0))
            for batch in batches
        ]

    def _report_stray(self, node: str, clock: Clock) -> None:
        """Report the first implausible time of a clock."""
        if clock.stray is None or clock.stray == np.inf:
            return
        source = f"{node} reported" if node else "there is"
        self.lines.append(
            f"{source} a session at {print_second(clock.stray)} while the time was "
            f"{print_second(clock.latest)}; the session gets this time. Further ones are only "
            "counted (nba_restamped_sessions_total). Check the sensor's clock and its capture "
            "device."
        )
        clock.stray = np.inf

    def _compare(self, now: float) -> bool:
        """Correct the clocks that keep pace by the time that most of them agree on; False if that
        is not possible yet."""
        self._compared = now
        clocks = {
            node: clock
            for node, clock in self._clocks.items()
            if clock.keeps_pace and now - clock.last_batch < SILENT and not clock.held
        }
        # A new clock may be the one that decides.
        new = any(not one.judged and now - one.started < WAIT for one in self._clocks.values())
        if len(clocks) < 2 or new:
            return False
        offsets = [clock.offset for clock in clocks.values()]

        def agreement(offset: float) -> tuple[int, float, float]:
            by = sum(abs(offset - other) <= MINUTE for other in offsets)
            return by, 0.0 if self.machine is None else -abs(offset - self.machine), offset

        reference = max(offsets, key=agreement)
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
                    "corrected by that. Set its clock (NTP)."
                )
                self._move(node, clock, differs)
        return True

    def _move(self, node: str, clock: Clock, shift: float) -> None:
        """Change a clock's correction, also for the sessions that already wait."""
        self.moved[node] = self.moved.get(node, 0.0) + clock.shift - shift
        clock.shift = shift
