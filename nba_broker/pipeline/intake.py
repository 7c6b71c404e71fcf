"""Batches of sensor nodes in, sessions in time order out: each once, and at a time that can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nba_broker.pipeline.event_time import Batch, Door
from nba_broker.records.sessions import Sessions
from nba_broker.wire.mirrored_sensors import MirroredSensors
from nba_broker.wire.reorder import Reorder


class Intake:
    """Puts the batches of all nodes into one order; an archive's sessions are in order already.

    A batch is numbered as it comes: :attr:`first` says up to which all sessions have gone on.
    """

    def __init__(self, reorder: Reorder) -> None:
        # A single node that may be silent for ever reads a capture.
        self.door = Door(live=bool(np.isfinite(reorder.silence)))
        self.mirrored = MirroredSensors()
        self.reorder = reorder
        self._tickets = 0
        self._went_back: list[tuple[float, float]] = []

    @property
    def first(self) -> float:
        """The lowest number of a batch with waiting sessions; infinity if none waits."""
        return min(self.reorder.first, *(batch.ticket for batch in self.door.waiting()), np.inf)

    @property
    def since(self) -> float:
        """When the first of the waiting batches came, a monotonic time; infinity if none waits."""
        return min(self.reorder.since, *(batch.now for batch in self.door.waiting()), np.inf)

    @property
    def passed(self) -> float:
        """Event time that all live nodes have left behind."""
        return self.reorder.passed

    def add(self, node: str, clock: float, sessions: Sessions, now: float) -> int:
        """Take a node's batch; ``clock`` is its network time, ``now`` a monotonic time. Returns the
        batch's number."""
        self._tickets += 1
        self._enter(self.door.enter(Batch(node, clock, sessions, now, self._tickets)))
        return self._tickets

    def release(self, now: float) -> Sessions | None:
        """What may go on at ``now``; None while two clocks differ and neither is judged yet."""
        if self.door.is_undecided(now):
            return None
        return self.reorder.release(now)

    def due(self, now: float) -> None:
        """Let in what silent nodes no longer hold back."""
        self._enter(self.door.due(now))

    def in_order(self, sessions: Sessions) -> Iterator[Sessions]:
        """What may go on of an archive's sessions."""
        for part in self.door.pass_in_order(sessions):
            self._look_back()
            yield part

    def finish(self) -> Iterator[Sessions]:
        """Everything that waits: no session will follow."""
        self._enter(self.door.finish())
        yield self.reorder.flush()
        for part in self.door.finish_in_order():
            self._look_back()
            yield part

    def went_back(self) -> list[tuple[float, float]]:
        """Where a clock began or went back since the last call: the event time then, and the one
        from which on nothing can have been seen yet."""
        found, self._went_back = self._went_back, []
        return found

    def _look_back(self) -> None:
        went_back = self.door.gone_back()
        if went_back is not None:
            self.reorder.go_back(*went_back)
            self._went_back.append(went_back)

    def _enter(self, batches: Sequence[Batch]) -> None:
        self._look_back()
        while self.door.moved:
            self.reorder.move(*self.door.moved.popitem())
        for batch in batches:
            sessions = self.mirrored.once(batch.node, batch.sessions)
            self.reorder.add(batch.node, batch.clock, sessions, batch.now, batch.ticket)
