"""Merges all events into one stream in event time, and cuts sessions into steps.

Sessions, leases, DNS answers, announcements, annotations that become due, ends of hours and days,
evictions, and the recognition of routers and bonds are events in time. Within a step, a host
changes only by its sessions, so that each stage can take a step as a whole. No other module cuts
sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nba_broker.hosts.bonds import Bond
from nba_broker.hosts.first_seen import FirstSeen
from nba_broker.hosts.identity import UNSPECIFIED, Identity
from nba_broker.hosts.routers import Router
from nba_broker.model.windows import HostWindows
from nba_broker.pipeline.tracker import Tracked, Tracker
from nba_broker.records.names import NO_ANSWERS, Answers, Names
from nba_broker.records.sessions import Sessions, part_of
from nba_broker.records.times import DAY, HOUR
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.applied_annotations import AppliedAnnotations

_CHUNK = 8192  # sessions at a time: enough to make numpy worthwhile, few enough for flat memory


@dataclass(frozen=True, slots=True)
class Step:
    """Sessions, n in time order, during which the context of every host stays the same.

    slot: the host of each session, int64 [n]. new: places of the sessions with which a host is
    first logged, int64 [k]. annotations: those to apply to a host, by the place of the session from
    which they apply: the first of the step, or the first of its host. ended: the MAC that the last
    session shows to be a router or part of a bond; it ends as a host after the step. answers: the
    DNS answers among the sessions. They change nothing but the names of destinations, and come
    before nearly every session, so they do not cut a step; each says its place.
    """

    sessions: Sessions
    slot: np.ndarray
    new: np.ndarray
    annotations: Mapping[int, Sequence[Annotation]] = field(default_factory=dict)
    ended: Router | Bond | None = None
    answers: Answers = NO_ANSWERS

    def part(self, start: int, stop: int) -> Step:
        """The sessions from ``start`` up to ``stop``, without new hosts, annotations and ends."""
        if start == 0 and stop == len(self.slot):
            return self
        none = self.new[:0]
        return Step(part_of(self.sessions, start, stop), self.slot[start:stop], none)

    def segment(self, row: int) -> str:
        """The network segment of a session, "" where it is not known."""
        return "" if self.sessions.segment is None else self.sessions.segment[row]

    def after(self, row: int) -> int:
        """The number of later sessions of the same host in this step."""
        return int(np.count_nonzero(self.slot[row + 1 :] == self.slot[row]))


@dataclass(frozen=True, slots=True)
class Eviction:
    """These hosts, int64 [m], leave to make room for others."""

    slots: np.ndarray


@dataclass(frozen=True, slots=True)
class DayEnd:
    """A day, in UTC, ended at ``ts``."""

    ts: float


@dataclass(frozen=True, slots=True)
class Due:
    """At event time ``ts`` at least one annotation is due."""

    ts: float


Event = Step | Answers | Eviction | DayEnd | Due
"""Answers by themselves are those that no session of their step follows."""


class Timeline:
    """Yields events in the order of their time.

    Process each event before you take the next one, which depends on it. max_hosts: hosts kept at
    most; the longest idle leave first.
    """

    def __init__(
        self,
        identity: Identity,
        first_seen: FirstSeen,
        windows: HostWindows,
        annotations: AppliedAnnotations,
        max_hosts: int,
    ) -> None:
        self.clock = -np.inf
        """The latest event time."""
        self.tracker = Tracker(identity)
        self._identity = identity
        self._first_seen = first_seen
        self._windows = windows
        self._annotations = annotations
        self._max_hosts = max_hosts
        self._chunk = min(_CHUNK, max_hosts)
        self._day_ends = np.nan

    def look_back(self, limit: float, now: float) -> None:
        """A clock began or was set back: an event time after ``limit`` becomes ``now``."""
        self.tracker.look_back(limit, now)
        if self.clock > limit:
            self.clock, self._day_ends = now, np.nan

    def hear(self, names: Names) -> None:
        """Take DNS answers, in time order; they come before the sessions of their time."""
        self.tracker.askers.hear(names)

    def rest(self) -> Iterator[Event]:
        """The answers that no session will follow; announcements, too, count now."""
        self.tracker.pass_to(np.inf)
        if len(answers := self.tracker.askers.until(np.inf)):
            yield answers

    def events(self, sessions: Sessions) -> Iterator[Event]:
        """The events up to the last of these sessions, which are in time order."""
        for start in range(0, len(sessions), self._chunk):
            part = part_of(sessions, start, start + self._chunk)
            yield from self._make_room(part)
            at = 0
            while at < len(part):
                ts = float(part.ts[at])
                yield from self.pass_to(ts)
                ends = min(self._annotations.next_at, self._day_ends, (ts // HOUR + 1) * HOUR)
                stop = max(at + 1, int(np.searchsorted(part.ts, ends)))
                for tracked in self.tracker.track(part_of(part, at, stop)):
                    yield from self._steps(tracked)
                at = stop

    def pass_to(self, now: float) -> Iterator[Event]:
        """The events until event time ``now``, besides sessions."""
        self.clock = max(self.clock, now)
        self.tracker.pass_to(now)
        if now >= self._day_ends:
            yield DayEnd(self._day_ends)
        # A sensor's clock may be wrong by years, in either direction.
        if np.isfinite(now) and not now < self._day_ends <= now + 2 * DAY:
            self._day_ends = (now // DAY + 1) * DAY
        if self._annotations.next_at <= now:
            yield Due(now)
        if len(self.tracker.askers) and len(answers := self.tracker.askers.until(now)):
            yield answers

    def _steps(self, tracked: Tracked) -> Iterator[Event]:
        """Cut these sessions into steps where annotations or new prototypes require it."""
        sessions, slot = tracked.sessions, tracked.slot
        new = self._first_seen.see(slot, sessions.ts, sessions.host, UNSPECIFIED)
        annotations = self._annotations_of(sessions, slot) if self._annotations.total else {}
        start = 0
        while start < len(slot):
            stop = self._stop(slot, start, annotations)
            place = new[(new >= start) & (new < stop)] - start
            here = {row - start: some for row, some in annotations.items() if start <= row < stop}
            last = tracked.ended if stop == len(slot) else None
            answers = tracked.answers.part(start, stop)
            yield Step(part_of(sessions, start, stop), slot[start:stop], place, here, last, answers)
            start = stop

    def _stop(
        self, slot: np.ndarray, start: int, annotations: Mapping[int, Sequence[Annotation]]
    ) -> int:
        """The place at which the step that begins with session ``start`` ends.

        An annotation must not affect earlier sessions. So a step ends before a session with an
        annotation, unless the session is the first of its host: a new host has no earlier ones, and
        there may be many new hosts. Other hosts are compared with a new prototype in their state of
        that moment. So a step ends after a session that may make its host a prototype.
        """
        stop = len(slot)
        for row in sorted(annotations):
            if row > start and not self._is_first(slot, row):
                stop = row
                break
        if not self._annotations.total:
            return stop
        annotated = {int(slot[row]) for row in annotations}
        places = self._annotations.prototype_sessions(slot[start:stop], annotated)
        return start + int(places[0]) + 1 if len(places) else stop

    def _is_first(self, slot: np.ndarray, row: int) -> bool:
        """Whether a session is the first of its host."""
        return not self._windows.count[slot[row]] and slot[row] not in slot[:row]

    def _annotations_of(
        self, sessions: Sessions, slot: np.ndarray
    ) -> dict[int, Sequence[Annotation]]:
        """The annotations to apply to the hosts of these sessions, by the place of the session from
        which they apply."""
        first: dict[tuple[int, str], int] = {}
        for row, (number, host) in enumerate(zip(slot.tolist(), sessions.host, strict=True)):
            if host not in UNSPECIFIED:  # a host without an address has not been announced
                first.setdefault((number, host), row)
        found = {
            row: self._annotations.newly_matching(number, host, float(sessions.ts[row]))
            for (number, host), row in first.items()
        }
        return {row: some for row, some in found.items() if some}

    def _make_room(self, sessions: Sessions) -> Iterator[Event]:
        """Evict the longest idle hosts if the hosts of these sessions need more slots."""
        identity = self._identity
        room = self._max_hosts - len(identity)
        if room >= len(sessions):
            return
        columns = sessions.host, sessions.mac, sessions.segment
        excess = identity.new_hosts(*columns) - room
        if excess <= 0:
            return
        last = self._windows.last_ts[: identity.capacity].copy()
        last[identity.present(*columns)] = np.inf
        active = np.flatnonzero(np.isfinite(last))
        # A few more than needed, so that not every batch has to search during a flood of new hosts.
        number = min(max(excess, self._max_hosts // 64), len(active))
        yield Eviction(active[np.argpartition(last[active], number - 1)[:number]])
