"""Puts the sessions and DNS answers of all sensor nodes into the order of their time.

A cluster spreads one host's sessions over its nodes, so batches arrive out of order. A session is
released once the clock of every live node has passed it by ``hold`` seconds, or once it has waited
for ``patience`` seconds. A session that arrives later than that is counted as late and released out
of order. Answers wait in the same way, so a session never overtakes the answers before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from nba_broker.records import names as name_rows
from nba_broker.records import sessions as session_rows
from nba_broker.records.names import NO_NAMES, Names
from nba_broker.records.sessions import Sessions

Rows = TypeVar("Rows", bound=Sessions | Names)


@dataclass(frozen=True, slots=True)
class _Held(Generic[Rows]):
    """Rows of one batch that are held back, with their first and last time, the batch's node
    and number, and the time of its arrival."""

    earliest: float
    latest: float
    rows: Rows
    node: str
    ticket: int
    came: float

    def rest(self, rows: Rows) -> _Held[Rows]:
        """Some of these rows; at least one."""
        ts = rows.ts
        return replace(self, earliest=float(ts.min()), latest=float(ts.max()), rows=rows)

    def at(self, ts: np.ndarray) -> _Held[Rows]:
        """The same rows at other times."""
        return self.rest(replace(self.rows, ts=ts))


class _Waiting(Generic[Rows]):
    """All rows of one kind that are held back. The arguments are that kind's functions, see
    :mod:`nba_broker.records.sessions`."""

    def __init__(
        self,
        concatenate: Callable[[list[Rows]], Rows],
        take: Callable[[Rows, np.ndarray], Rows],
        order: Callable[[Rows], np.ndarray],
    ) -> None:
        self.held: list[_Held[Rows]] = []
        self.late = 0
        self._released = -np.inf
        self._concatenate = concatenate
        self._take = take
        self._order = order

    def __len__(self) -> int:
        return sum(len(held.rows) for held in self.held)

    def add(self, rows: Rows, node: str, ticket: int, came: float) -> None:
        """Hold a batch's rows back."""
        if len(rows):
            ts = rows.ts
            self.held.append(_Held(float(ts.min()), float(ts.max()), rows, node, ticket, came))

    def move(self, node: str, seconds: float) -> None:
        """See :meth:`Reorder.move`."""
        self.held = [
            held.at(held.rows.ts + seconds) if held.node == node else held for held in self.held
        ]

    def go_back(self, now: float, limit: float) -> None:
        """See :meth:`Reorder.go_back`."""
        self._released = min(self._released, now)
        self.held = [
            held.at(np.where(held.rows.ts > limit, now, held.rows.ts))
            if held.latest > limit
            else held
            for held in self.held
        ]

    def until(self, limit: float) -> Rows:
        """Release the rows up to this time, in the order of their time."""
        ready: list[Rows] = []
        pending: list[_Held[Rows]] = []
        for held in self.held:
            if held.earliest > limit:
                pending.append(held)
            elif held.latest <= limit:
                ready.append(held.rows)
            else:
                goes = held.rows.ts <= limit
                ready.append(self._take(held.rows, np.flatnonzero(goes)))
                pending.append(held.rest(self._take(held.rows, np.flatnonzero(~goes))))
        self.held = pending
        released = self._concatenate(ready)
        if not ready:
            return released
        places = self._order(released)
        # A single sensor's rows are in order already, and taking them is the most expensive step.
        if not (places[1:] > places[:-1]).all():
            released = self._take(released, places)
        self.late += int(np.count_nonzero(released.ts < self._released))
        self._released = max(self._released, float(released.ts[-1]))
        return released


class Reorder:
    """Holds sessions back until no live node can still send an earlier one.

    hold: seconds by which a node's clock must have passed a session.
    silence: seconds without a batch after which a node no longer holds the others back.
    settle: seconds after the first batch in which nothing is released, since some nodes may not
    have sent anything yet; twice their heartbeat.
    most: rows held back at most; a node whose clock stands still must not fill the memory.
    patience: seconds that a session waits at most for a node whose clock is behind; by default
    twice the sum of ``hold``, ``silence`` and ``settle``.
    """

    def __init__(
        self,
        hold: float = 0.1,
        silence: float = 2.0,
        settle: float = 0.5,
        most: int = 1_000_000,
        patience: float | None = None,
    ) -> None:
        self.hold = hold
        self.silence = silence
        self.settle = settle
        self.most = most
        self.patience = 2 * (hold + silence + settle) if patience is None else patience
        self._settled = np.inf
        self.passed = -np.inf
        """Event time that the clocks of all live nodes had passed at the last release."""
        self._clock: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._sessions = _Waiting(session_rows.concatenate, session_rows.take, session_rows.order)
        self._names = _Waiting(name_rows.concatenate, name_rows.take, name_rows.order)
        self._passed_names: list[Names] = []

    def __len__(self) -> int:
        """Rows held back."""
        return len(self._sessions) + len(self._names)

    @property
    def late(self) -> int:
        """Sessions that came too late to be put in order."""
        return self._sessions.late

    @property
    def late_names(self) -> int:
        """Answers that came too late to be put in order."""
        return self._names.late

    @property
    def oldest(self) -> float:
        """Event time of the earliest session that is held back; infinity if there is none."""
        return min((held.earliest for held in self._sessions.held), default=np.inf)

    @property
    def first(self) -> float:
        """The lowest number of a batch with rows that are held back; infinity if there is none."""
        tickets = [held.ticket for held in self._sessions.held]
        tickets += [held.ticket for held in self._names.held]
        return min(tickets, default=np.inf)

    @property
    def since(self) -> float:
        """Arrival of the first batch with sessions that are held back; infinity if there is
        none."""
        return min((held.came for held in self._sessions.held), default=np.inf)

    def add(
        self,
        node: str,
        clock: float,
        sessions: Sessions,
        now: float,
        ticket: int = 0,
        names: Names = NO_NAMES,
    ) -> None:
        """Add a node's batch.

        clock: the node's network time. now: the worker's monotonic time in seconds. ticket: the
        batch's number. names: the DNS answers that the node saw since its batch before.
        """
        self._clock[node] = clock
        self._heard[node] = max(now, self._heard.get(node, now))
        self._settled = min(self._settled, now + self.settle)
        self._sessions.add(sessions, node, ticket, now)
        self._names.add(names, node, ticket, now)

    def move(self, node: str, seconds: float) -> None:
        """Move a node's clock, and its rows that are held back, by this many seconds."""
        if node in self._clock:
            self._clock[node] += seconds
        self._sessions.move(node, seconds)
        self._names.move(node, seconds)

    def go_back(self, now: float, limit: float) -> None:
        """Set event time back to ``now``, after a clock was set back: rows that are held back with
        a time after ``limit`` get the time ``now``."""
        self.passed = min(self.passed, now)
        self._sessions.go_back(now, limit)
        self._names.go_back(now, limit)

    def push(self, node: str, clock: float, sessions: Sessions, now: float) -> Sessions:
        """:meth:`add` a batch, and :meth:`release`."""
        self.add(node, clock, sessions, now)
        return self.release(now)

    def release(self, now: float) -> Sessions:
        """The sessions that no longer have to wait at ``now``, in the order of their time: all of
        them if every node is silent."""
        if now < self._settled:
            return session_rows.concatenate([])
        live = [
            self._clock[node] for node, heard in self._heard.items() if now - heard <= self.silence
        ]
        if live:
            self.passed = min(live) - self.hold
        if len(self) > self.most:
            return self.flush()
        limit = self.passed if live else np.inf
        for held in self._sessions.held:
            if now - held.came > self.patience:  # releases other nodes' earlier sessions, too
                limit = max(limit, held.latest)
        return self._until(limit)

    def flush(self) -> Sessions:
        """All sessions that are held back, in the order of their time."""
        return self._until(np.inf)

    def names(self) -> Names:
        """The answers that were released since the last call, in the order of their time: those
        until the time up to which sessions were."""
        names, self._passed_names = name_rows.concatenate(self._passed_names), []
        return names

    def _until(self, limit: float) -> Sessions:
        names = self._names.until(limit)
        if len(names):
            self._passed_names.append(names)
        return self._sessions.until(limit)
