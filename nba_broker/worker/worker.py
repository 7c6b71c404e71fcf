"""The live process: an event loop that passes frames to the pipeline and its verdicts to Zeek.

The loop only reads, decodes and writes. The pipeline runs on a thread of its own, so hellos,
acknowledgements and the socket's pings do not wait for an inference. A batch is acknowledged once
it has been processed: sensors limit what is in flight, and so the memory here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import MessageError
from nba_broker.records.sessions import Lease
from nba_broker.wire.accounting import Ledger, Position
from nba_broker.wire.codec import (
    Announced,
    Batch,
    ErrorReply,
    Hello,
    NameBatch,
    Status,
    decode,
    encode_status,
)
from nba_broker.wire.connection import Link
from nba_broker.wire.partitions import name_in, partition_of
from nba_broker.worker.invalid import InvalidMessages
from nba_broker.worker.pipeline_thread import Arrived, PipelineThread
from nba_broker.worker.presence import Presence
from nba_broker.worker.publisher import VERDICT_RATE, Publisher
from nba_broker.worker.reports import Backlog, Reports
from nba_broker.worker.saver import Saver
from nba_broker.worker.watchers import (
    AnnotationWatcher,
    DatabaseWatcher,
    ModelWatcher,
    OverrideWatcher,
)

LOG = logging.getLogger(__name__)

STATUS_PERIOD = 10.0
"""Seconds between two rows of nba_stats.log."""

ACK_PERIOD = 0.05
"""Seconds between two acknowledgements."""

FLUSH_PERIOD = 0.25
"""Seconds after which the pipeline is woken if nothing arrives."""

STEP = 8192
"""Sessions and names of a step; their batches are acknowledged after it, while more are sent."""

INBOX = 8192
"""Messages that wait for the pipeline at most; then the socket is not read."""

BEHIND = 16
"""Waiting messages from which on the shadow is paused."""

STALE = 1.0
"""Seconds that the last step waited from which on the shadow is paused."""

PATIENCE = 30.0
"""Seconds that a stopping worker takes to process what waits, and to publish its verdicts."""


def worker_name(partition: int = 0) -> str:
    """A unique name: host, process, a random part, and the partition."""
    host = "".join(c if c.isalnum() or c in "-." else "-" for c in socket.gethostname())
    return name_in(partition, f"{host[:64]}:{os.getpid()}:{secrets.token_hex(3)}")


class Worker:
    """Connects one pipeline to one link.

    name: made by :func:`worker_name`; it contains the partition.
    databases, overrides, annotations, model: files and the model's folder, watched for changes.
    load: makes a scorer of a model folder.
    state: the snapshot's file, written every ``snapshot_interval`` seconds and at the end.
    positions: those of the snapshot that the pipeline started from.
    verdict_rate: verdicts per second at most.
    """

    def __init__(
        self,
        link: Link,
        pipeline: Pipeline,
        *,
        name: str,
        databases: Sequence[Path] = (),
        overrides: Path | None = None,
        annotations: Path | None = None,
        model: Path | None = None,
        load: Callable[[Path], Scorer] = Scorer,
        state: Path | None = None,
        snapshot_interval: float = 60.0,
        positions: Mapping[str, Position] | None = None,
        verdict_rate: float = VERDICT_RATE,
    ) -> None:
        self.link = link
        self.pipeline = pipeline
        self.name = name
        self.partition = partition_of(name)
        self.ledger = Ledger(positions)
        self.names = Ledger()
        """The account of the names; a snapshot has no positions of it, so ``missed`` means
        nothing."""
        self.invalid = InvalidMessages()
        self.lag = 0.0
        """Seconds from the arrival of the oldest session of the last step, or of one that still
        waits, to its verdict."""
        self.thread = PipelineThread(pipeline, self.ledger, self.invalid)
        self.presence = Presence(link, name, self.invalid, FLUSH_PERIOD)
        self._publisher = Publisher(link, pipeline, name, self.invalid, verdict_rate)
        self._reports = Reports(pipeline, self.ledger, self.partition)
        self._saver = Saver(
            self.thread,
            self.ledger,
            self.invalid,
            state,
            partition=self.partition,
            interval=snapshot_interval,
        )
        self._annotations = AnnotationWatcher(
            self.thread, self._publisher, self.invalid, annotations
        )
        self._databases = DatabaseWatcher(self.thread, databases)
        self._overrides = OverrideWatcher(self.thread, overrides)
        self._models = ModelWatcher(self.thread, model, load, self._saver.saving)
        self._inbox: asyncio.Queue[Arrived] = asyncio.Queue(INBOX)
        self._waited = 0.0  # seconds that the oldest message of the last step waited
        self._stop = asyncio.Event()

    @property
    def queue(self) -> int:
        """Messages that wait for the pipeline."""
        return self._inbox.qsize()

    @property
    def site_events(self) -> Mapping[str, int]:
        """How many events of the site have begun, by kind."""
        return self._publisher.site_events

    @property
    def joined(self) -> bool:
        """Whether there has been a connection to Zeek."""
        return self.presence.joined > 0

    def stop(self) -> None:
        """End :meth:`run` soon."""
        self._stop.set()

    async def run(self) -> None:
        """Process sessions until stopped, or until SIGTERM or SIGINT; SIGUSR1 writes the snapshot.

        Raises LinkError if another worker serves the partition, AnnotationError if the annotations
        cannot be used at the start.
        """
        loop = asyncio.get_running_loop()
        await self._annotations.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, self._saver.ask)
        work = asyncio.create_task(self._work())
        tasks = [
            asyncio.create_task(task())
            for task in (
                self._stop.wait,
                self._receive,
                self._tick,
                self._acknowledge,
                self._report,
                self.presence.run,
                self._databases.run,
                self._overrides.run,
                self._annotations.run,
                self._models.run,
                self._saver.run,
            )
        ]
        try:
            done, _ = await asyncio.wait([work, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self._drain(work)
        finally:
            for task in (work, *tasks):
                task.cancel()
            await asyncio.gather(work, *tasks, return_exceptions=True)
            self.thread.close()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                loop.remove_signal_handler(number)
            # The snapshot was just written; a signal that asks for one must not end the process.
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    async def _drain(self, work: asyncio.Task[None]) -> None:
        """Process and publish what has arrived, and save it; later messages are not read."""
        if self._inbox.empty():
            self._inbox.put_nowait((time.monotonic(), None))
        try:
            await asyncio.wait_for(work, PATIENCE)
        except TimeoutError:
            LOG.warning("not all sessions are processed after %.0f s; stopping anyway", PATIENCE)
        self._log_reports()
        if self.pipeline.shadow is not None:
            LOG.info("%s", self.pipeline.shadow.summary_line())
        await self._saver.save()

    async def _receive(self) -> None:
        """Decode every frame, account for it, and queue it for the pipeline."""
        async for frame in self.link.frames(self.presence.join):
            if self._stop.is_set():
                continue
            try:
                message = decode(frame)
                if isinstance(message, Hello):
                    await self.presence.meet(message.worker)
                elif isinstance(message, ErrorReply):
                    self.invalid.drop("error reply", f"{message.code}: {message.context}")
                elif isinstance(message, Lease | Announced) or self._account(message):
                    await self._inbox.put((time.monotonic(), message))
            except MessageError as error:
                self.invalid.drop(error.kind, str(error))

    def _account(self, batch: Batch) -> bool:
        """Whether the batch is new; raises MessageError if it cannot be accounted for."""
        ledger = self.names if isinstance(batch, NameBatch) else self.ledger
        before = self.ledger.missed
        if not ledger.enter(batch):
            self.invalid.drop("repeated batch", f"batch {batch.seq} of {batch.node} is repeated")
            return False
        if self.ledger.missed > before:
            LOG.warning(
                "%s sent %d sessions before this worker joined",
                batch.node,
                self.ledger.missed - before,
            )
        return True

    async def _work(self) -> None:
        """Process what waits, step by step: push it, publish the verdicts, acknowledge it.

        Ends once stopped and nothing waits, with what the pipeline held back.
        """
        while not (self._stop.is_set() and self._inbox.empty()):
            waiting = await self._next_step()
            if self.pipeline.shadow is not None:
                self.pipeline.shadow.paused = self.queue > BEHIND or self._waited > STALE
            verdicts, since = await self.thread.call(self.thread.push, waiting)
            self._waited = time.monotonic() - waiting[0][0]
            await self._publisher.publish(verdicts, since)
            self._measure_lag(since)
            self._publisher.acknowledge_later(self.thread.processed())
        await self._publisher.publish(*await self.thread.call(self.thread.finish))
        self._publisher.acknowledge_later(self.thread.processed())
        while self._publisher.waiting and self.link.connected:
            await asyncio.sleep(ACK_PERIOD)
            await self._publisher.publish([])
        await self._publisher.send_acknowledgements()

    async def _next_step(self) -> list[Arrived]:
        """The messages that wait, of ``STEP`` rows or little more; at least one message."""
        waiting: list[Arrived] = []
        rows = 0
        while not waiting or (rows < STEP and not self._inbox.empty()):
            arrived, message = await self._inbox.get()
            waiting.append((arrived, message))
            rows += len(message) if isinstance(message, Batch) else 0
        return waiting

    def _measure_lag(self, since: float) -> None:
        """since: arrival of the oldest session of the last step, in monotonic seconds."""
        self.lag = time.monotonic() - min(since, self._publisher.oldest)

    async def _tick(self) -> None:
        """Wake the pipeline when nothing arrives, so that it releases what silent nodes held
        back."""
        while True:
            await asyncio.sleep(FLUSH_PERIOD)
            self.presence.wake()
            if self._inbox.empty():
                self._inbox.put_nowait((time.monotonic(), None))

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(ACK_PERIOD)
            await self._publisher.send_acknowledgements()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(STATUS_PERIOD)
            try:
                self._log_reports()
            except Exception as error:
                self.invalid.failed(error)
            with self.invalid.encoding("status"):
                await self.link.send([encode_status(self.status())])

    def _log_reports(self) -> None:
        backlog = Backlog(self.lag, self._waited, self.queue, self._publisher.waiting)
        self._reports.report(self.link.connected, self.presence.joined, backlog)

    def status(self) -> Status:
        """The worker's counters, as published for nba_stats.log."""
        counters = self.pipeline.counters
        return Status(
            worker=self.name,
            model=self.pipeline.scorer.manifest.id,
            received=self.ledger.received,
            lost=self.ledger.lost,
            skipped=self.ledger.skipped,
            late=self.pipeline.intake.reorder.late + self.pipeline.intake.door.restamped,
            invalid=self.invalid.total(),
            scored=counters.scored,
            hosts=self.pipeline.hosts,
            evicted=counters.evicted,
            verdicts=counters.verdicts,
            queue=self.queue,
            lag=self.lag,
            names_received=self.names.received,
            names_lost=self.names.lost,
            names_skipped=self.names.skipped,
        )
