"""Batches of all nodes in, sessions and answers in time order out, at plausible times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nba_broker.pipeline.clock import Batch
from nba_broker.pipeline.door import Door
from nba_broker.records.names import NO_NAMES, Names
from nba_broker.records.sessions import Sessions
from nba_broker.wire.mirrored_sensors import MirroredSensors
from nba_broker.wire.reorder import Reorder


class Intake:
    """Puts the batches of all nodes into one order; an archive's sessions are in order already.

    Each batch gets a number when it arrives. All sessions of the batches before :attr:`first` have
    passed.
    """

    def __init__(self, reorder: Reorder) -> None:
        # Without a limit on silence, the one node is a Zeek that reads a capture.
        self.door = Door(live=bool(np.isfinite(reorder.silence)))
        self.mirrored = MirroredSensors()
        self.reorder = reorder
        self._tickets = 0
        self._restarts: list[tuple[float, float]] = []

    @property
    def first(self) -> float:
        """The lowest number of a batch with waiting rows; infinity if none waits."""
        return min(self.reorder.first, *(batch.ticket for batch in self.door.waiting()), np.inf)

    @property
    def since(self) -> float:
        """The arrival of the first waiting batch, in monotonic seconds; infinity if none waits."""
        return min(self.reorder.since, *(batch.now for batch in self.door.waiting()), np.inf)

    @property
    def passed(self) -> float:
        """The event time that the clocks of all live nodes have passed."""
        return self.reorder.passed

    def add(
        self, node: str, clock: float, sessions: Sessions, now: float, names: Names = NO_NAMES
    ) -> int:
        """Take a node's batch: ``clock`` is its network time, ``now`` monotonic seconds, ``names``
        the DNS answers that it saw since its batch before. Returns the batch's number."""
        self._tickets += 1
        self._enter(self.door.enter(Batch(node, clock, sessions, now, self._tickets, names)))
        return self._tickets

    def release(self, now: float) -> Sessions | None:
        """The sessions that may pass at ``now``; None while two clocks differ and neither is
        judged yet."""
        if self.door.is_undecided(now):
            return None
        return self.reorder.release(now)

    def names(self) -> Names:
        """The answers that passed with the sessions since the last call, in the order of their
        time."""
        return self.reorder.names()

    def due(self, now: float) -> None:
        """Enter the held batches that may pass at ``now``, without a new batch."""
        self._enter(self.door.due(now))

    def in_order(self, sessions: Sessions) -> Iterator[Sessions]:
        """Take an archive's sessions; yields those that may pass now."""
        for part in self.door.pass_in_order(sessions):
            self._note_restart()
            yield part

    def finish(self) -> Iterator[Sessions]:
        """All waiting sessions; none will follow."""
        self._enter(self.door.finish())
        yield self.reorder.flush()
        for part in self.door.finish_in_order():
            self._note_restart()
            yield part

    def restarts(self) -> list[tuple[float, float]]:
        """For each clock that began or went back since the last call: the event time then, and the
        limit after which no time can have been seen yet."""
        found, self._restarts = self._restarts, []
        return found

    def _note_restart(self) -> None:
        restart = self.door.restarted()
        if restart is not None:
            self.reorder.go_back(*restart)
            self._restarts.append(restart)

    def _enter(self, batches: Sequence[Batch]) -> None:
        self._note_restart()
        while self.door.moved:
            self.reorder.move(*self.door.moved.popitem())
        for batch in batches:
            sessions = self.mirrored.once(batch.node, batch.sessions)
            self.reorder.add(
                batch.node, batch.clock, sessions, batch.now, batch.ticket, batch.names
            )
