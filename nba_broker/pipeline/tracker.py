"""Which host each session belongs to; leases, DNS answers and announcements between them."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nba_broker.hosts.announced import Announced
from nba_broker.hosts.bonds import Bond
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.routers import Router
from nba_broker.pipeline.askers import Askers
from nba_broker.records.announcements import Announcement
from nba_broker.records.names import NO_ANSWERS, Answers, joined
from nba_broker.records.segments import zoned
from nba_broker.records.sessions import Lease, Sessions, part_of

_LEASES = 65_536  # leases that wait for their time at most: a clock may be years ahead
_ANNOUNCEMENTS = 65_536  # announcements that wait, likewise


@dataclass(frozen=True, slots=True)
class Tracked:
    """Sessions with the slot of each one's host, int64 [n], and the answers that came among them.
    ended: the MAC that the last session shows to be a router or part of a bond, None if it shows
    neither."""

    sessions: Sessions
    slot: np.ndarray
    ended: Router | Bond | None
    answers: Answers = NO_ANSWERS


class Tracker:
    """Assigns sessions, and the DNS answers and announcements among them, to hosts."""

    def __init__(self, identity: Identity | None = None) -> None:
        self.identity = Identity() if identity is None else identity
        self.leases: deque[Lease] = deque()
        """Leases that are not due yet, in the order of their time."""
        self.askers = Askers(self.identity)
        self.announced = Announced()
        self._announcements: list[Announcement] = []  # that wait, in the order of their time

    def lease(self, lease: Lease) -> None:
        """Take a lease; it applies to sessions from its time on."""
        self.leases.append(lease)
        if len(self.leases) > 1 and lease.ts < self.leases[-2].ts:
            self.leases = deque(sorted(self.leases, key=lambda one: one.ts))
        if len(self.leases) > _LEASES:
            self.identity.lease(self.leases.popleft())

    def announce(self, announcements: Sequence[Announcement]) -> None:
        """Take what hosts announced. An announcement belongs to the host that has the address then,
        and counts after the sessions of its time; those of unknown hosts are dropped."""
        waiting = sorted([*self._announcements, *announcements], key=lambda one: one.ts)
        self._announcements = waiting[:_ANNOUNCEMENTS]

    def pass_to(self, ts: float) -> None:
        """All sessions before ``ts`` have come."""
        waiting = self._announcements
        if not waiting or waiting[0].ts >= ts:
            return
        due = bisect_left(waiting, ts, key=lambda one: one.ts)
        self._announcements = waiting[due:]
        for one in waiting[:due]:
            zone = zoned(one.host, one.segment)
            slot = self.identity.holder(zone)
            slot = self.identity.holder(zone, likely=True) if slot is None else slot
            if slot is not None:
                self.announced.take(slot, one.what, one.ts)

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times after ``limit`` become ``now``."""
        self.askers.look_back(limit, now)
        self.announced.look_back(limit, now)
        waiting, self._announcements = self._announcements, []
        self.announce([replace(one, ts=now) if one.ts > limit else one for one in waiting])

    def track(self, sessions: Sessions) -> Iterator[Tracked]:
        """Yields sessions, which are in time order, with their hosts, in one or more parts.

        The identity of a host does not change within a part. A part ends before a lease that
        changes one, before a session that shows the MAC of a host without one, before a session
        that shows that a lease's MAC need not be a host's, and after a session that shows a router
        or a bond. Process each part before you take the next one.
        """
        pieces: list[Tracked] = []  # of the part: it goes on over leases that are known already
        start = at = 0
        while at < len(sessions):
            while self.leases and self.leases[0].ts <= sessions.ts[at]:
                if pieces and not self.identity.knows(self.leases[0]):
                    yield _whole(part_of(sessions, start, at), pieces)
                    pieces, start = [], at
                self.pass_to(self.leases[0].ts)
                self.identity.lease(self.leases.popleft())
            self.pass_to(float(sessions.ts[at]))
            stop = len(sessions)
            if self.leases:
                stop = int(np.searchsorted(sessions.ts, self.leases[0].ts))
            if self._announcements:
                said = self._announcements[0].ts
                stop = min(stop, int(np.searchsorted(sessions.ts, said, side="right")))
            pieces.append(self._piece(part_of(sessions, at, stop), follows=at > start))
            at += len(pieces[-1].slot)
            if at < stop or at == len(sessions) or pieces[-1].ended is not None:
                yield _whole(part_of(sessions, start, at), pieces)
                pieces, start = [], at

    def _piece(self, sessions: Sessions, follows: bool) -> Tracked:
        """The first of these sessions, among which there is no lease. ``follows``: see
        :meth:`Identity.slots`."""
        before = self.askers.holders(float(sessions.ts[-1])) if len(self.askers) else {}
        columns = sessions.ts, sessions.host, sessions.mac, sessions.segment, sessions.dport
        found = self.identity.slots(*columns, follows=follows)
        covered = part_of(sessions, 0, found.covered)
        answers = NO_ANSWERS
        if before and found.covered:
            answers = self.askers.among(covered, found.slots, before)
        return Tracked(covered, found.slots, found.ended, answers)


def _whole(sessions: Sessions, pieces: Sequence[Tracked]) -> Tracked:
    """The pieces of these sessions as one part."""
    if len(pieces) == 1:
        return pieces[0]
    starts = np.cumsum([0, *(len(piece.slot) for piece in pieces[:-1])]).tolist()
    return Tracked(
        sessions,
        np.concatenate([piece.slot for piece in pieces]),
        pieces[-1].ended,
        joined([piece.answers for piece in pieces], starts),
    )
