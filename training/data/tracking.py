"""The hosts, pools and names of an archive's sessions, by the pipeline's own first stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nba_broker.destinations.lookup import Lookup
from nba_broker.destinations.names import NO_NAME, NameTable
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.identity import Identity
from nba_broker.pipeline.tracker import Tracker
from nba_broker.pipeline.wider_lan import WiderLans
from nba_broker.records.names import NO_NAMES, Answers, Names
from nba_broker.records.sessions import Lease, Sessions
from nba_broker.records.slots import Slots


@dataclass(frozen=True, slots=True)
class Placed:
    """Sessions with the slot of each one's host, int64 [n], its pool, int32 [n], its destination,
    "V16" [n], the name of its destination, int32 [n] into the tracking's ``names``, and the DNS
    answers among them."""

    sessions: Sessions
    slot: np.ndarray
    pool: np.ndarray
    dst: np.ndarray
    name: np.ndarray
    answers: Answers


class Tracking:
    """Assigns sessions in time order to hosts, pools and names.

    names: of destinations; the first is "", of a session without one.
    """

    def __init__(self, pools: Pools) -> None:
        self._tracker = Tracker()
        self._lookup = Lookup(pools)
        self._slots = Slots()
        self._table = NameTable(self._slots)
        self._number = {"": 0}
        self.names = [""]
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
            self._slots.reserve(self.identity.capacity)
            number = self._table.ids(part.slot, to.dst, part.answers)
            name = self._names_of(number)
            yield Placed(part.sessions, part.slot, to.pool, to.dst, name, part.answers)

    def _names_of(self, number: np.ndarray) -> np.ndarray:
        """The places in ``names`` of names by their number in the table, whose rows are used again,
        int32 [n]."""
        if not number.any():
            return np.full(len(number), NO_NAME, np.int32)
        each, place = np.unique(number, return_inverse=True)
        found = []
        for text in map(self._table.text, each.tolist()):
            if text not in self._number:
                self._number[text] = len(self.names)
                self.names.append(text)
            found.append(self._number[text])
        return np.array(found, np.int32)[place]
