"""Which host asked for each name: DNS answers wait here until the sessions of their time come."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nba_broker.hosts.identity import Identity
from nba_broker.records import names as rows
from nba_broker.records.addresses import printed
from nba_broker.records.names import NO_ANSWERS, NO_NAMES, Answers, Names
from nba_broker.records.segments import bare, may_be_one, segment_of, zoned_all
from nba_broker.records.sessions import Sessions

_REMEMBERED = 65_536  # addresses

_Use = tuple[int, str]  # the place of a session, and its segment


class Holder(NamedTuple):
    """The slots of the hosts that have an address: in its segment, and in one that may be the same;
    None where there is none, or where several may be."""

    exact: int | None
    likely: int | None

    @property
    def slot(self) -> int | None:
        """The host that an answer is for."""
        return self.likely if self.exact is None else self.exact


class Askers:
    """Assigns answers to hosts, by the address that asked.

    The DNS query is a session, too, and earlier than its answer. So the host that had the address
    in its latest session before the answer has asked. Nothing is known of a host without such a
    session, and the address is in two segments where the answer does not say which: these answers
    are dropped, and counted.
    """

    def __init__(self, identity: Identity) -> None:
        self.dropped = 0
        """Answers to unknown hosts."""
        self._identity = identity
        self._waiting = NO_NAMES
        self._printed: dict[bytes, str] = {}

    def __len__(self) -> int:
        """Answers that wait for their time."""
        return len(self._waiting)

    def hear(self, names: Names) -> None:
        """Take answers, in time order; they count from their time on."""
        if not len(names):
            return
        waiting = rows.concatenate([self._waiting, names]) if len(self._waiting) else names
        if (waiting.ts[1:] < waiting.ts[:-1]).any():
            waiting = rows.take(waiting, rows.order(waiting))
        self._waiting = waiting

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times after ``limit`` become ``now``."""
        waiting = self._waiting
        late = waiting.ts > limit
        if late.any():
            self._waiting = NO_NAMES
            self.hear(replace(waiting, ts=np.where(late, now, waiting.ts)))

    def until(self, now: float) -> Answers:
        """The answers until event time ``now`` beside which there is no session."""
        names = self._take(now)
        if not len(names):
            return NO_ANSWERS
        before = self._holders(names)
        return self._answers(names, [before[zone].slot for zone in self._zones(names)], 0)

    def holders(self, ts: float) -> dict[str, Holder]:
        """The hosts that have the addresses of the answers until ``ts`` now: call it before the
        sessions until then are assigned to hosts, and give :meth:`among` the result."""
        count = int(np.searchsorted(self._waiting.ts, ts, side="right"))
        return self._holders(rows.part_of(self._waiting, 0, count)) if count else {}

    def among(self, sessions: Sessions, slot: np.ndarray, before: Mapping[str, Holder]) -> Answers:
        """The answers until the last of these sessions, at least one, which are in time order, with
        the hosts int64 [n] of the sessions. ``before``: see :meth:`holders`."""
        names = self._take(float(sessions.ts[-1])) if before else NO_NAMES
        if not len(names):
            return NO_ANSWERS
        place = np.searchsorted(sessions.ts, names.ts)
        zones = self._zones(names)
        # Nearly always no address changes its host. Then no answer is looked at by itself.
        found = list(map(_constant(sessions, slot, before).get, zones))
        open_rows = [row for row, one in enumerate(found) if one is None]
        if open_rows:
            uses = _uses(sessions, {bare(zones[row]) for row in open_rows})
            for row in open_rows:
                zone = zones[row]
                of = uses.get(bare(zone), [])
                found[row] = self._asker(zone, of, int(place[row]), slot, before[zone])
        return self._answers(names, found, place)

    def _asker(
        self, zone: str, uses: list[_Use], place: int, slot: np.ndarray, before: Holder
    ) -> int | None:
        """The host that had an address before ``place``: in its segment, else in one that may be
        the same. ``uses``: the sessions of the address, with their hosts in ``slot``."""
        earlier = bisect_left(uses, (place, ""))
        segment = segment_of(zone)
        for row, other in (uses[at] for at in range(earlier - 1, -1, -1)):
            if other == segment:
                return int(slot[row])
        if before.exact is not None:
            return before.exact
        if self._is_ambiguous(zone):
            return None
        for row, other in (uses[at] for at in range(earlier - 1, -1, -1)):
            if may_be_one(segment, other):
                return int(slot[row])
        return before.likely

    def _is_ambiguous(self, zone: str) -> bool:
        """Whether an address is known in several segments that may be this one."""
        known = self._identity.everywhere(bare(zone))
        return sum(bool(one) and may_be_one(one, segment_of(zone)) for one in known) > 1

    def _answers(self, names: Names, slots: list[int | None], place: np.ndarray | int) -> Answers:
        slot = np.array([-1 if one is None else one for one in slots], np.int64)
        place = np.broadcast_to(np.asarray(place, np.int64), len(slot))
        known = np.flatnonzero(slot >= 0)
        if len(known) == len(slot):
            return Answers(names, slot, place)
        self.dropped += len(slot) - len(known)
        return Answers(rows.take(names, known), slot[known], place[known])

    def _take(self, ts: float) -> Names:
        """Remove the answers until ``ts``."""
        count = int(np.searchsorted(self._waiting.ts, ts, side="right"))
        taken = rows.part_of(self._waiting, 0, count)
        self._waiting = rows.part_of(self._waiting, count, len(self._waiting))
        return taken

    def _holders(self, names: Names) -> dict[str, Holder]:
        holder = self._identity.holder
        found = {}
        for zone in set(self._zones(names)):
            exact, likely = holder(zone), None
            if exact is None and not self._is_ambiguous(zone):
                likely = holder(zone, likely=True)
            found[zone] = Holder(exact, likely)
        return found

    def _zones(self, names: Names) -> list[str]:
        """The addresses that asked, each in its segment."""
        if len(self._printed) > _REMEMBERED:
            self._printed.clear()
        hosts = names.host.tolist()
        for host in set(hosts) - self._printed.keys():
            self._printed[host] = printed(host)
        return zoned_all([self._printed[host] for host in hosts], names.segment)


def _constant(sessions: Sessions, slot: np.ndarray, before: Mapping[str, Holder]) -> dict[str, int]:
    """The hosts of the addresses that had the same one before and in all of these sessions."""
    zones, slots = zoned_all(sessions.host, sessions.segment), slot.tolist()
    latest = dict(zip(zones, slots, strict=True))
    if len(set(zip(zones, slots, strict=True))) > len(latest):
        return {}
    return {
        zone: exact
        for zone, (exact, _) in before.items()
        if exact is not None and latest.get(zone, exact) == exact
    }


def _uses(sessions: Sessions, addresses: set[str]) -> dict[str, list[_Use]]:
    """The sessions of each of these addresses."""
    segments = sessions.segment
    found: dict[str, list[_Use]] = {}
    for row, host in enumerate(sessions.host):
        if host in addresses:
            found.setdefault(host, []).append((row, "" if segments is None else segments[row]))
    return found
