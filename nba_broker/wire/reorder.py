"""Puts the sessions of all sensor nodes into the order of their time.

A cluster spreads one host's sessions over its nodes, so batches arrive out of order. A session is
released once the clock of every live node has passed it by ``hold`` seconds, or once it has waited
for ``patience`` seconds. A session that arrives later than that is counted as late and released out
of order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nba_broker.records.sessions import Sessions, concatenate, order, take


class _Held(NamedTuple):
    """Sessions of one batch that are held back, with their first and last time, the batch's node
    and number, and the time of its arrival."""

    earliest: float
    latest: float
    sessions: Sessions
    node: str
    ticket: int
    came: float

    def rest(self, sessions: Sessions) -> _Held:
        """Some of these sessions; at least one."""
        ts = sessions.ts
        return self._replace(earliest=float(ts.min()), latest=float(ts.max()), sessions=sessions)

    def at(self, ts: np.ndarray) -> _Held:
        """The same sessions at other times."""
        return self.rest(replace(self.sessions, ts=ts))


class Reorder:
    """Holds sessions back until no live node can still send an earlier one.

    hold: seconds by which a node's clock must have passed a session.
    silence: seconds without a batch after which a node no longer holds the others back.
    settle: seconds after the first batch in which nothing is released, since some nodes may not
    have sent anything yet; twice their heartbeat.
    most: sessions held back at most; a node whose clock stands still must not fill the memory.
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
        self.late = 0
        self.passed = -np.inf
        """Event time that the clocks of all live nodes had passed at the last release."""
        self._clock: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._pending: list[_Held] = []
        self._released = -np.inf

    def __len__(self) -> int:
        """Sessions held back."""
        return sum(len(held.sessions) for held in self._pending)

    @property
    def oldest(self) -> float:
        """Event time of the earliest session that is held back; infinity if there is none."""
        return min((held.earliest for held in self._pending), default=np.inf)

    @property
    def first(self) -> float:
        """The lowest number of a batch with sessions that are held back; infinity if there is
        none."""
        return min((held.ticket for held in self._pending), default=np.inf)

    @property
    def since(self) -> float:
        """Arrival of the first batch with sessions that are held back; infinity if there is
        none."""
        return min((held.came for held in self._pending), default=np.inf)

    def add(self, node: str, clock: float, sessions: Sessions, now: float, ticket: int = 0) -> None:
        """Add a node's batch.

        clock: the node's network time. now: the worker's monotonic time in seconds. ticket: the
        batch's number.
        """
        self._clock[node] = clock
        self._heard[node] = max(now, self._heard.get(node, now))
        self._settled = min(self._settled, now + self.settle)
        if len(sessions):
            ts = sessions.ts
            held = _Held(float(ts.min()), float(ts.max()), sessions, node, ticket, now)
            self._pending.append(held)

    def move(self, node: str, seconds: float) -> None:
        """Move a node's clock, and its sessions that are held back, by this many seconds."""
        if node in self._clock:
            self._clock[node] += seconds
        self._pending = [
            held.at(held.sessions.ts + seconds) if held.node == node else held
            for held in self._pending
        ]

    def go_back(self, now: float, limit: float) -> None:
        """Set event time back to ``now``, after a clock was set back: sessions that are held back
        with a time after ``limit`` get the time ``now``."""
        self._released = min(self._released, now)
        self.passed = min(self.passed, now)
        self._pending = [
            held.at(np.where(held.sessions.ts > limit, now, held.sessions.ts))
            if held.latest > limit
            else held
            for held in self._pending
        ]

    def push(self, node: str, clock: float, sessions: Sessions, now: float) -> Sessions:
        """:meth:`add` a batch, and :meth:`release`."""
        self.add(node, clock, sessions, now)
        return self.release(now)

    def release(self, now: float) -> Sessions:
        """The sessions that no longer have to wait at ``now``, in the order of their time: all of
        them if every node is silent."""
        if now < self._settled:
            return concatenate([])
        live = [
            self._clock[node] for node, heard in self._heard.items() if now - heard <= self.silence
        ]
        if live:
            self.passed = min(live) - self.hold
        if len(self) > self.most:
            return self.flush()
        limit = self.passed if live else np.inf
        for held in self._pending:
            if now - held.came > self.patience:  # releases other nodes' earlier sessions, too
                limit = max(limit, held.latest)
        return self._until(limit)

    def flush(self) -> Sessions:
        """All sessions that are held back, in the order of their time."""
        return self._until(np.inf)

    def _until(self, limit: float) -> Sessions:
        ready: list[Sessions] = []
        pending: list[_Held] = []
        for held in self._pending:
            if held.earliest > limit:
                pending.append(held)
            elif held.latest <= limit:
                ready.append(held.sessions)
            else:
                goes = held.sessions.ts <= limit
                ready.append(take(held.sessions, np.flatnonzero(goes)))
                pending.append(held.rest(take(held.sessions, np.flatnonzero(~goes))))
        self._pending = pending
        released = concatenate(ready)
        if not ready:
            return released
        places = order(released)
        # A single sensor's sessions are in order already, and take() is the most expensive step.
        if not (places[1:] > places[:-1]).all():
            released = take(released, places)
        self.late += int(np.count_nonzero(released.ts < self._released))
        self._released = max(self._released, float(released.ts[-1]))
        return released
