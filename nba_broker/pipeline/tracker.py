"""Which host each session belongs to, with the leases that fall between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nba_broker.hosts.bonds import Bond
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.routers import Router
from nba_broker.records.sessions import Lease, Sessions, part_of

_LEASES = 65_536  # that wait for their time: a clock may be years ahead


@dataclass(frozen=True, slots=True)
class Tracked:
    """Sessions with the slot of each one's host, int64 [n]. ended: what the last of them shows to
    be no host of its own."""

    sessions: Sessions
    slot: np.ndarray
    ended: Router | Bond | None


class Tracker:
    """Assigns sessions to hosts."""

    def __init__(self, identity: Identity | None = None) -> None:
        self.identity = Identity() if identity is None else identity
        self.leases: deque[Lease] = deque()
        """Leases whose time has not come, in order."""

    def lease(self, lease: Lease) -> None:
        """Note a lease; it holds for sessions from its time on."""
        self.leases.append(lease)
        if len(self.leases) > 1 and lease.ts < self.leases[-2].ts:
            self.leases = deque(sorted(self.leases, key=lambda one: one.ts))
        if len(self.leases) > _LEASES:
            self.identity.lease(self.leases.popleft())

    def track(self, sessions: Sessions) -> Iterator[Tracked]:
        """Sessions in time order with their hosts, in one or more parts.

        What is known of a host is the same for all of a part: it ends before a lease, before a
        session that tells the MAC of a host that had none, or that a lease's MAC need not be a
        host's, and with a session that shows a router or a bond.
        """
        at = 0
        while at < len(sessions):
            while self.leases and self.leases[0].ts <= sessions.ts[at]:
                self.identity.lease(self.leases.popleft())
            stop = len(sessions)
            if self.leases:
                stop = int(np.searchsorted(sessions.ts, self.leases[0].ts))
            part = part_of(sessions, at, stop)
            found = self.identity.slots(part.ts, part.host, part.mac, part.segment, part.dport)
            covered = len(found.slots)
            yield Tracked(part_of(part, 0, covered), found.slots, found.ended)
            at += covered
