"""The hosts and pools of an archive's sessions, by the pipeline's own first stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nba_broker.destinations.lookup import Lookup
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.identity import Identity
from nba_broker.pipeline.tracker import Tracker
from nba_broker.pipeline.wider_lan import WiderLans
from nba_broker.records.names import NO_NAMES, Answers, Names
from nba_broker.records.sessions import Lease, Sessions


@dataclass(frozen=True, slots=True)
class Placed:
    """Sessions with the slot of each one's host, int64 [n], its pool, int32 [n], its destination,
    "V16" [n], and the DNS answers among them."""

    sessions: Sessions
    slot: np.ndarray
    pool: np.ndarray
    dst: np.ndarray
    answers: Answers


class Tracking:
    """Assigns sessions in time order to hosts and pools."""

    def __init__(self, pools: Pools) -> None:
        self._tracker = Tracker()
        self._lookup = Lookup(pools)
        self.wider = WiderLans(pools, self.identity)

    @property
    def identity(self) -> Identity:
        """The hosts."""
        return self._tracker.identity

    def lease(self, lease: Lease) -> None:
        """Note a lease; it holds for sessions from its time on."""
        self._tracker.lease(lease)

    def track(self, sessions: Sessions, names: Names = NO_NAMES) -> Iterator[Placed]:
        """These sessions in parts, see :meth:`nba_broker.pipeline.tracker.Tracker.track`; names:
        the DNS answers until the last of them."""
        self._tracker.askers.hear(names)
        for part in self._tracker.track(sessions):
            to = self._lookup(part.sessions)
            self.wider.see(part.sessions, part.slot, to.pool)
            yield Placed(part.sessions, part.slot, to.pool, to.dst, part.answers)
