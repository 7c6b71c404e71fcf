"""Runs the pipeline on one thread of its own, and notes which sessions it has processed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar, TypeVarTuple

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.names import Names, concatenate
from nba_broker.records.sessions import Lease
from nba_broker.records.verdicts import Verdict
from nba_broker.wire.accounting import Ledger, Position
from nba_broker.wire.codec import Announced, Batch, NameBatch, SessionBatch
from nba_broker.worker.invalid import InvalidMessages

Arrived = tuple[float, Batch | Announced | Lease | None]
"""The arrival of a message, in monotonic seconds, and the message; None only wakes the pipeline."""

Acknowledgement = tuple[str, int]
"""The run, and the number of its last batch that was processed."""

_NAME_BATCHES = 64
"""Batches of names of one node that wait for its next sessions at most: as many as it sends without
an acknowledgement."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Entered(NamedTuple):
    """A batch in the pipeline: the number that the pipeline gave it, and what it stands for."""

    ticket: int
    position: Position
    acknowledgement: Acknowledgement


class PipelineThread:
    """The only thread that touches the pipeline.

    :meth:`push` and :meth:`finish` run on it; everything else that touches the pipeline is passed
    to :meth:`call` or :meth:`submit`.
    """

    def __init__(self, pipeline: Pipeline, ledger: Ledger, invalid: InvalidMessages) -> None:
        self.pipeline = pipeline
        self._ledger = ledger
        self._invalid = invalid
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="pipeline")
        # By node: batches with sessions that may still be held back, and batches that are not
        # acknowledged yet.
        self._held: dict[str, deque[_Entered]] = {}
        self._unacknowledged: dict[str, deque[_Entered]] = {}
        self._names: dict[str, deque[Names]] = {}  # by node: names whose sessions follow

    async def call(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Run a function on the thread, and wait for its result."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, function, *arguments
        )

    def submit(self, function: Callable[[*Ts], T], *arguments: *Ts) -> Future[T]:
        """Run a function on the thread, after everything that waits for it."""
        return self._executor.submit(function, *arguments)

    def close(self) -> None:
        """Wait for the end of what runs."""
        self._executor.shutdown()

    def push(self, waiting: Sequence[Arrived]) -> tuple[list[Verdict], float]:
        """Process one step of messages, at least one.

        Returns the verdicts, and the arrival of the oldest session that they may be from, in
        monotonic seconds.
        """
        since = waiting[0][0]
        try:
            self.pipeline.intake.door.machine = time.time() - time.monotonic()
            for arrived, message in waiting:
                try:
                    if isinstance(message, Lease):
                        self.pipeline.lease(message)
                    elif isinstance(message, Announced):
                        self.pipeline.announce(message.announcements, message.node)
                    elif isinstance(message, NameBatch):
                        names = self._names.setdefault(message.node, deque(maxlen=_NAME_BATCHES))
                        names.append(message.names)
                    elif message is not None:
                        self._enter(message, arrived)
                except Exception as error:
                    self._invalid.failed(error)
            since = min(since, self.pipeline.intake.since)
            return self.pipeline.flush(waiting[-1][0]), since
        except Exception as error:
            self._invalid.failed(error)
            return [], since
        finally:
            self._keep_positions()

    def finish(self) -> tuple[list[Verdict], float]:
        """Process what the pipeline holds back, as no more messages come; returns as push does."""
        since = min(self.pipeline.intake.since, time.monotonic())
        try:
            return self.pipeline.finish(), since
        except Exception as error:
            self._invalid.failed(error)
            return [], since
        finally:
            self._keep_positions()

    def processed(self) -> dict[str, Acknowledgement]:
        """By node, what can be acknowledged since the last call: every batch but those that are set
        aside because their time is doubted, and those after them."""
        acknowledgements = {}
        for node, entered in self._unacknowledged.items():
            held = self.pipeline.intake.door.first_held(node)
            while entered and entered[0].ticket < held:
                acknowledgements[node] = entered.popleft().acknowledgement
        return acknowledgements

    def _enter(self, batch: SessionBatch, arrived: float) -> None:
        # With the time of its arrival: a node whose batches wait here is not silent.
        names = concatenate(list(self._names.pop(batch.node, ())))
        ticket = self.pipeline.intake.add(batch.node, batch.now, batch.sessions, arrived, names)
        entered = _Entered(ticket, Position(batch.run, batch.sent), (batch.run, batch.seq))
        self._held.setdefault(batch.node, deque()).append(entered)
        self._unacknowledged.setdefault(batch.node, deque()).append(entered)

    def _keep_positions(self) -> None:
        """Note which batches are part of the state, so that a snapshot says what it holds."""
        first = self.pipeline.intake.first
        for node, held in self._held.items():
            while held and held[0].ticket < first:
                self._ledger.keep(node, held.popleft().position)
