"""Puts the sessions of all sensor nodes back into time order before anything looks at them.

A cluster spreads one host's sessions over its nodes, so batches arrive out of order. A session is
released once every live node's clock has passed it by ``hold`` seconds; one that comes later than
that is counted and kept, behind its time.
"""

from __future__ import annotations

from itertools import chain

import numpy as np

from nba_broker.messages import Sessions


def concatenate(parts: list[Sessions]) -> Sessions:
    """Several batches as one, in the given order."""
    if len(parts) == 1:
        return parts[0]
    return Sessions(
        np.concatenate([part.ts for part in parts]) if parts else np.zeros(0),
        list(chain.from_iterable(part.host for part in parts)),
        list(chain.from_iterable(part.uid for part in parts)),
        list(chain.from_iterable(part.mac for part in parts)),
        list(chain.from_iterable(part.dst for part in parts)),
        np.concatenate([part.dport for part in parts]) if parts else np.zeros(0, np.int32),
    )


def order(sessions: Sessions) -> np.ndarray:
    """Places int64 [n] that sort by (ts, host, dst, dport), so that every replay agrees."""
    places = np.argsort(sessions.ts, kind="stable")
    when = sessions.ts[places]
    same = np.flatnonzero(when[1:] == when[:-1])
    if len(same):
        # Equal times are rare: only their runs are sorted by the other columns.
        first = np.flatnonzero(np.append(True, when[1:] != when[:-1]))
        for start in np.unique(first[np.searchsorted(first, same, side="right") - 1]):
            stop = np.searchsorted(when, when[start], side="right")
            run = sorted(
                places[start:stop].tolist(),
                key=lambda i: (sessions.host[i], sessions.dst[i], int(sessions.dport[i])),
            )
            places[start:stop] = run
    return places


def take(sessions: Sessions, places: np.ndarray) -> Sessions:
    """The sessions at these places, in this order."""
    rows = places.tolist()
    return Sessions(
        sessions.ts[places],
        [sessions.host[row] for row in rows],
        [sessions.uid[row] for row in rows],
        [sessions.mac[row] for row in rows],
        [sessions.dst[row] for row in rows],
        sessions.dport[places],
    )


def part_of(sessions: Sessions, start: int, stop: int) -> Sessions:
    """The sessions from ``start`` up to ``stop``; the same object when that is all of them."""
    if start == 0 and stop >= len(sessions):
        return sessions
    return Sessions(
        sessions.ts[start:stop],
        sessions.host[start:stop],
        sessions.uid[start:stop],
        sessions.mac[start:stop],
        sessions.dst[start:stop],
        sessions.dport[start:stop],
        None if sessions.log is None else sessions.log[start:stop],
    )


class Reorder:
    """Holds sessions back until no live node can still send an earlier one.

    hold: seconds a node's clock must be past a session. silence: seconds without a batch after
    which a node no longer holds the others back. settle: seconds after the first batch in which
    nothing is released, since not all nodes have been heard of; twice their heartbeat. most:
    sessions held back at most; a node whose clock stands still must not fill the memory.
    """

    def __init__(
        self,
        hold: float = 0.1,
        silence: float = 2.0,
        settle: float = 0.5,
        most: int = 1_000_000,
    ) -> None:
        self.hold = hold
        self.silence = silence
        self.settle = settle
        self.most = most
        self._settled = np.inf
        self.late = 0
        self.passed = -np.inf
        """Event time that all nodes that were live at the last release had left behind."""
        self._clock: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._pending: list[Sessions] = []
        self._released = -np.inf

    def __len__(self) -> int:
        """Sessions held back."""
        return sum(map(len, self._pending))

    @property
    def oldest(self) -> float:
        """Event time of the earliest session that is held back; infinity if none is."""
        return min((float(part.ts.min()) for part in self._pending), default=np.inf)

    def add(self, node: str, clock: float, sessions: Sessions, now: float) -> None:
        """Take one node's batch; ``clock`` is its network time, ``now`` the worker's own monotonic
        time in seconds."""
        self._clock[node] = clock
        self._heard[node] = now
        self._settled = min(self._settled, now + self.settle)
        if len(sessions):
            self._pending.append(sessions)

    def push(self, node: str, clock: float, sessions: Sessions, now: float) -> Sessions:
        """:meth:`add` a batch and return what may go on."""
        self.add(node, clock, sessions, now)
        return self.release(now)

    def release(self, now: float) -> Sessions:
        """What may go on at ``now``: all of it when every node has fallen silent."""
        if now < self._settled:
            return concatenate([])
        live = [
            self._clock[node] for node, heard in self._heard.items() if now - heard <= self.silence
        ]
        if live:
            self.passed = min(live) - self.hold
        if len(self) > self.most:
            return self.flush()
        return self._until(self.passed if live else np.inf)

    def flush(self) -> Sessions:
        """Everything that is held back, in order: nothing earlier will come."""
        return self._until(np.inf)

    def _until(self, limit: float) -> Sessions:
        if not any(sessions.ts.min() <= limit for sessions in self._pending):
            return concatenate([])
        waiting = concatenate(self._pending)
        places = order(waiting)
        # A single sensor's sessions are in order already, and moving them costs most of this.
        in_order = bool((places[1:] > places[:-1]).all())
        ordered = waiting if in_order else take(waiting, places)
        ready = int(np.searchsorted(ordered.ts, limit, side="right"))
        released = part_of(ordered, 0, ready)
        self._pending = [part_of(ordered, ready, len(ordered))] if ready < len(ordered) else []
        self.late += int(np.count_nonzero(released.ts < self._released))
        self._released = max(self._released, float(released.ts[-1]))
        return released
