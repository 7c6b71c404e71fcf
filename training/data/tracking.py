"""The hosts, pools, names and facts of an archive's sessions, by the pipeline's first stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nba_broker.destinations.lookup import Destinations, Lookup
from nba_broker.destinations.names import NO_NAME, NameTable, whoever_asked
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.facts import Facts
from nba_broker.hosts.first_seen import FirstSeen
from nba_broker.hosts.identity import UNSPECIFIED, Identity
from nba_broker.hosts.listening import Listening
from nba_broker.pipeline.tracker import Tracker
from nba_broker.pipeline.wider_lan import WiderLans
from nba_broker.records.announcements import Announcement
from nba_broker.records.names import NO_NAMES, Names
from nba_broker.records.sessions import Lease, Sessions
from nba_broker.records.slots import Slots


@dataclass(frozen=True, slots=True)
class Placed:
    """Sessions with the slot of each one's host, int64 [n], and where they go; names are numbers in
    the tracking's ``names``."""

    sessions: Sessions
    slot: np.ndarray
    to: Destinations


class Tracking:
    """Assigns sessions in time order to hosts, pools and names of destinations."""

    def __init__(self, pools: Pools) -> None:
        self._tracker = Tracker()
        self._slots = Slots()
        self.names = NameTable(self._slots)
        self._lookup = Lookup(pools, self.names)
        self.wider = WiderLans(pools, self.identity)
        self._first_seen = FirstSeen(self._slots)
        self._listening = Listening(self.identity)
        self.facts = Facts(self.identity, self._tracker.announced, self._listening)

    @property
    def identity(self) -> Identity:
        """The hosts."""
        return self._tracker.identity

    def lease(self, lease: Lease) -> None:
        """Note a lease; it holds for sessions from its time on."""
        self._tracker.lease(lease)

    def announce(self, announcements: Sequence[Announcement]) -> None:
        """Take what hosts announced; it counts after the sessions of its time."""
        self._tracker.announce(announcements)

    def finish(self) -> None:
        """No session will follow."""
        self._tracker.pass_to(np.inf)

    def track(self, sessions: Sessions, names: Names = NO_NAMES) -> Iterator[Placed]:
        """These sessions in parts, see :meth:`nba_broker.pipeline.tracker.Tracker.track`; names:
        the DNS answers until the last of them."""
        self._tracker.askers.hear(names)
        for part in self._tracker.track(sessions):
            self._slots.reserve(self.identity.capacity)
            self._first_seen.see(part.slot, part.sessions.ts, part.sessions.host, UNSPECIFIED)
            self._listening.see(part.sessions, part.slot, self._first_seen.first_seen)
            to = self._lookup(part.sessions, part.slot, part.answers)
            self.wider.see(part.sessions, part.slot, to.address_pool)
            yield Placed(part.sessions, part.slot, to)


class NameList:
    """Keeps the names that a table knew at some time, since the table uses its numbers again.

    texts: the names; the first is "", of a session without one.
    """

    def __init__(self, table: NameTable) -> None:
        self._table = table
        self.texts = [""]
        self._place = {"": NO_NAME}

    def places(self, number: np.ndarray) -> np.ndarray:
        """The places in ``texts`` of the names that have these numbers now, int32 [n]; like a
        number, each says whether the host asked for the name itself."""
        if not number.any():
            return np.full(len(number), NO_NAME, np.int32)
        each, row = np.unique(number, return_inverse=True)
        found = []
        for text in map(self._table.text, each.tolist()):
            if text not in self._place:
                self._place[text] = len(self.texts)
                self.texts.append(text)
            found.append(self._place[text])
        places = np.array(found, np.int32)[row]
        return np.asarray(places | (number - whoever_asked(number)))
