"""Which host each session belongs to, with the leases and DNS answers that fall between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nba_broker.hosts.bonds import Bond
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.routers import Router
from nba_broker.pipeline.askers import Askers
from nba_broker.records.names import NO_ANSWERS, Answers
from nba_broker.records.sessions import Lease, Sessions, part_of

_LEASES = 65_536  # leases that wait for their time at most: a clock may be years ahead


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
    """Assigns sessions, and the DNS answers among them, to hosts."""

    def __init__(self, identity: Identity | None = None) -> None:
        self.identity = Identity() if identity is None else identity
        self.leases: deque[Lease] = deque()
        """Leases that are not due yet, in the order of their time."""
        self.askers = Askers(self.identity)

    def lease(self, lease: Lease) -> None:
        """Take a lease; it applies to sessions from its time on."""
        self.leases.append(lease)
        if len(self.leases) > 1 and lease.ts < self.leases[-2].ts:
            self.leases = deque(sorted(self.leases, key=lambda one: one.ts))
        if len(self.leases) > _LEASES:
            self.identity.lease(self.leases.popleft())

    def track(self, sessions: Sessions) -> Iterator[Tracked]:
        """Yields sessions, which are in time order, with their hosts, in one or more parts.

        The identity of a host does not change within a part. A part ends before a lease, before a
        session that shows the MAC of a host without one, before a session that shows that a
        lease's MAC need not be a host's, and after a session that shows a router or a bond.
        """
        at = 0
        while at < len(sessions):
            while self.leases and self.leases[0].ts <= sessions.ts[at]:
                self.identity.lease(self.leases.popleft())
            stop = len(sessions)
            if self.leases:
                stop = int(np.searchsorted(sessions.ts, self.leases[0].ts))
            part = part_of(sessions, at, stop)
            before = self.askers.holders(float(part.ts[-1])) if len(self.askers) else {}
            found = self.identity.slots(part.ts, part.host, part.mac, part.segment, part.dport)
            covered = len(found.slots)
            part = part_of(part, 0, covered)
            answers = self.askers.among(part, found.slots, before) if before else NO_ANSWERS
            yield Tracked(part, found.slots, found.ended, answers)
            at += covered
