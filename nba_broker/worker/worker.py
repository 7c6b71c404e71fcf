"""The live process: an event loop that feeds frames to the pipeline and its verdicts to Zeek.

The loop only reads, decodes and writes; the pipeline runs on one thread of its own, so that
hellos, acknowledgements and the socket's pings do not wait for an inference. A batch is
acknowledged when it has been worked on: what is in flight is bounded by the sensors, and so is
the memory here. Snapshots are written by a third thread, which asks the pipeline's for one part
after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import secrets
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from nba_broker.destinations.databases import Database
from nba_broker.model.manifest import MANIFEST_FILE, MODEL_FILE, Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import (
    AnnotationError,
    DatabaseError,
    LinkError,
    MessageError,
    ModelError,
)
from nba_broker.records.sessions import Lease
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.annotation_file import read as read_answers
from nba_broker.wire.connection import (
    ErrorReply,
    Hello,
    Ledger,
    Link,
    Position,
    SessionBatch,
    Status,
    decode,
    encode_ack,
    encode_hello,
    encode_status,
    encode_unknown_hosts,
    encode_verdict,
    name_in,
    partition_of,
)
from nba_broker.worker import snapshot
from nba_broker.worker.duplicates import ANSWER, STALL, OtherWorkers

LOG = logging.getLogger(__name__)

HELLO_PERIOD = 5.0  # sensors take a worker for gone after three of them
STATUS_PERIOD = 10.0
SHADOW_FILE = "shadow.json"
ACK_PERIOD = 0.05
FLUSH_PERIOD = 0.25
WATCH_PERIOD = 10.0
ANSWERS_PERIOD = 2.0  # an analyst waits for it
MODEL_PERIOD = 2.0  # and somebody for a rollback
SETTLE = 0.5  # the first hello may be faster than this worker's own subscriptions
VERDICT_RATE = 800.0  # a second, below what the manager takes: a large site's first minute waits
OUTBOX = 100_000  # verdicts kept while Zeek is away or behind
BEHIND = 16  # messages waiting from which on a shadow is not asked
LATE = 10.0  # seconds of lag that are said
STALE = 1.0  # seconds that the last step's oldest message waited, the same
STEP = 8192  # sessions worked on before their batches are acknowledged: sensors fill up meanwhile
INBOX = 8192  # frames waiting for the pipeline before the socket is no longer read
PATIENCE = 30.0  # for what waits when the worker stops, and for Zeek to take what it leads to
_WIDER_LAN = "start again with --lans {lan}"

Arrived = tuple[float, SessionBatch | Lease | None]
"""When a message came, in monotonic seconds, and the message; None only wakes the pipeline."""


def worker_name(partition: int = 0) -> str:
    """A name that no other worker has: host, process, a random part, and the partition."""
    host = "".join(c if c.isalnum() or c in "-." else "-" for c in socket.gethostname())
    return name_in(partition, f"{host[:64]}:{os.getpid()}:{secrets.token_hex(3)}")


class Worker:
    """Feeds one pipeline from one link; ``databases``, ``answers`` and the ``model`` folder are
    watched for new editions.

    name: what :func:`worker_name` makes; it tells the partition.
    load: makes a scorer of a model folder.
    state: the snapshot's file, written every ``snapshot_interval`` seconds and at the end.
    positions: how far the snapshot that the pipeline began with had accounted for every node.
    """

    def __init__(
        self,
        link: Link,
        pipeline: Pipeline,
        *,
        name: str,
        databases: Sequence[Path] = (),
        answers: Path | None = None,
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
        self.invalid: Counter[str] = Counter()
        self.lag = 0.0
        """Seconds from the arrival of the oldest session of the last step, or of one that still
        waits, to the publishing of what it led to."""
        self._waited = 0.0  # of these, in the queue
        self._slow = False  # whether it was logged that sessions wait for long
        self._databases = {path: _edition(path) for path in databases}
        self._answers = answers
        self._answers_edition: Edition | None = None
        self._model = model
        self._model_edition = _model_edition(model) if model else None
        self._load = load
        self._state = state
        self._snapshot_interval = snapshot_interval
        self._inbox: asyncio.Queue[Arrived] = asyncio.Queue(INBOX)
        self._rivals = OtherWorkers(name)
        self._greet = asyncio.Event()  # a hello is due before its time
        self._awake = -math.inf  # when the event loop last came round
        # With when the oldest session of the step came that each is from.
        self._outbox: deque[tuple[float, str]] = deque(maxlen=OUTBOX)
        self._acks: dict[str, tuple[str, int]] = {}
        # By node: the batch's number, and the position, of what may be held back.
        self._held: dict[str, deque[tuple[int, Position]]] = {}
        # By node: the same of what is to be acknowledged, with its run and number.
        self._entered: dict[str, deque[tuple[int, tuple[str, int]]]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pipeline")
        self._joined = 0.0
        self._fresh = asyncio.Event()
        self._rate = verdict_rate
        self._allowed = verdict_rate  # verdicts that may go out now
        self._allowed_at = time.monotonic()
        self._explained: dict[str, tuple[int, int]] = {}  # lost and skipped, as last logged
        self._explained_at = 0.0
        self._routers = pipeline.routers.copy()  # as last logged
        self._alone = False  # whether it was logged that no sensor has this partition
        self._saving = asyncio.Lock()
        self._publishing = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def queue(self) -> int:
        """Messages that wait for the pipeline."""
        return self._inbox.qsize()

    @property
    def joined(self) -> bool:
        """Whether there ever was a connection."""
        return self._joined > 0

    def stop(self) -> None:
        """End :meth:`run` soon."""
        self._stop.set()

    async def run(self) -> None:
        """Work until stopped; SIGUSR1 writes the snapshot now.

        Raises LinkError when another worker was there before, AnswersError when the answers cannot
        be used.
        """
        loop = asyncio.get_running_loop()
        await self._take_answers()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, self._wanted.set)
        work = asyncio.create_task(self._work())
        tasks = [
            asyncio.create_task(task())
            for task in (
                self._stop.wait,
                self._receive,
                self._tick,
                self._hello,
                self._acknowledge,
                self._report,
                self._watch,
                self._watch_answers,
                self._watch_model,
                self._save_regularly,
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
            self._thread.shutdown()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                loop.remove_signal_handler(number)
            # Whoever asks for a snapshot now has just got one.
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    async def _drain(self, work: asyncio.Task[None]) -> None:
        """Finish what has arrived, say it, and keep it; what comes now is for the next worker."""
        if self._inbox.empty():
            self._inbox.put_nowait((time.monotonic(), None))
        try:
            await asyncio.wait_for(work, PATIENCE)
        except TimeoutError:
            LOG.warning("not done after %.0f s; stopping all the same", PATIENCE)
        self._explain()
        if self.pipeline.shadow is not None:
            LOG.info("%s", self.pipeline.shadow.told())
        await self._save()

    async def _receive(self) -> None:
        async for frame in self.link.frames(self._join):
            if self._stop.is_set():
                continue
            try:
                message = decode(frame)
            except MessageError as error:
                self._invalid(error.kind, str(error))
                continue
            if isinstance(message, Hello):
                await self._meet(message.worker)
            elif isinstance(message, ErrorReply):
                self._invalid("error reply", f"{message.code}: {message.context}")
            elif isinstance(message, Lease) or self._account(message):
                await self._inbox.put((time.monotonic(), message))

    def _invalid(self, kind: str, detail: str) -> None:
        self.invalid[kind] += 1
        if self.invalid[kind] == 1:
            LOG.warning("dropped a message (%s); more of this kind are only counted", detail)

    def _account(self, batch: SessionBatch) -> bool:
        before = self.ledger.missed
        try:
            new = self.ledger.enter(batch)
        except MessageError as error:
            self._invalid(error.kind, str(error))
            return False
        if not new:
            self._invalid("repeated batch", f"batch {batch.seq} of {batch.node} came again")
            return False
        if self.ledger.missed > before:
            LOG.warning(
                "%s had sent %d sessions before this worker joined",
                batch.node,
                self.ledger.missed - before,
            )
        return True

    async def _join(self) -> None:
        """Called on every new connection: sensors start publishing at the first hello."""
        self._begin_anew(time.monotonic())
        self._fresh.set()
        self._greet.set()
        await self._say_hello()

    def _begin_anew(self, now: float) -> None:
        self._joined = self._awake = now
        self._rivals.join()

    def _wake(self) -> None:
        """Whoever stood still may have been replaced meanwhile: it counts as one that joins."""
        now = time.monotonic()
        if self.joined and self._awake > -math.inf and now - self._awake > FLUSH_PERIOD + STALL:
            self._begin_anew(now)
            self._greet.set()
        self._awake = now

    async def _say_hello(self) -> None:
        self._rivals.say(time.monotonic())
        await self.link.send([encode_hello(self.name)])

    async def _meet(self, other: str) -> None:
        """Two workers would both be acknowledged, and log everything twice: one goes."""
        if other == self.name or partition_of(other) != self.partition:
            return
        self._wake()
        now = time.monotonic()
        known = self._rivals.known(other)
        if self._rivals.hear(other, now, self._joined):
            raise LinkError(
                f"another worker ({other}) already serves partition {self.partition} of this Zeek; "
                "stop it first"
            )
        if not known:
            if self._rivals.known(other):
                LOG.warning("a second worker (%s) joined; one of the two will leave", other)
            else:
                self._invalid("too many workers", f"{other} is one of too many")
        # By time and not by name: whoever makes names up keeps no true rival from its answer.
        if now - self._rivals.said >= ANSWER:
            await self._say_hello()
        else:
            self._greet.set()

    async def _work(self) -> None:
        """Hand what waits to the pipeline, step by step, publish what it says, then acknowledge.

        Ends when stopped and nothing waits, with what the pipeline held back."""
        loop = asyncio.get_running_loop()
        while not (self._stop.is_set() and self._inbox.empty()):
            waiting: list[Arrived] = []
            sessions = 0
            while not waiting or (sessions < STEP and not self._inbox.empty()):
                arrived, message = await self._inbox.get()
                waiting.append((arrived, message))
                sessions += len(message.sessions) if isinstance(message, SessionBatch) else 0
            if self.pipeline.shadow is not None:
                self.pipeline.shadow.paused = self.queue > BEHIND or self._waited > STALE
            verdicts, since = await loop.run_in_executor(self._thread, self._push, waiting)
            self._waited = time.monotonic() - waiting[0][0]
            await self._publish(verdicts, since)
            self._note_lag(since)
            self._acks |= self._done()
        await self._publish(*await loop.run_in_executor(self._thread, self._finish))
        self._acks |= self._done()
        while self._outbox and self.link.connected:
            await asyncio.sleep(ACK_PERIOD)
            await self._publish([])
        await self._send_acks()

    def _push(self, waiting: Sequence[Arrived]) -> tuple[list[Verdict], float]:
        """The verdicts, and when the oldest session came that they may be from."""
        since = waiting[0][0]
        try:
            self.pipeline.intake.door.machine = time.time() - time.monotonic()
            for arrived, message in waiting:
                try:
                    if isinstance(message, Lease):
                        self.pipeline.lease(message)
                    elif message is not None:
                        # Whose messages wait here is not silent, however long that takes.
                        ticket = self.pipeline.add(
                            message.node, message.now, message.sessions, arrived
                        )
                        position = Position(message.run, message.sent)
                        self._held.setdefault(message.node, deque()).append((ticket, position))
                        entered = self._entered.setdefault(message.node, deque())
                        entered.append((ticket, (message.run, message.seq)))
                except Exception as error:
                    self._fail(error)
            since = min(since, self.pipeline.intake.since)
            return self.pipeline.flush(waiting[-1][0]), since
        except Exception as error:
            self._fail(error)
            return [], since
        finally:
            self._keep()

    def _fail(self, error: Exception) -> None:
        """Whatever the checks of messages let through, the next one deserves its turn."""
        kind = f"failure ({type(error).__name__})"
        if not self.invalid[kind]:
            LOG.error("a failure of this program; please report it", exc_info=error)
        self._invalid(kind, repr(error))

    def _finish(self) -> tuple[list[Verdict], float]:
        since = min(self.pipeline.intake.since, time.monotonic())
        try:
            return self.pipeline.finish(), since
        except Exception as error:
            self._fail(error)
            return [], since
        finally:
            self._keep()

    def _keep(self) -> None:
        """Note what nothing holds back any longer, so that a snapshot knows what is in it."""
        first = self.pipeline.intake.first
        for node, held in self._held.items():
            while held and held[0][0] < first:
                self.ledger.keep(node, held.popleft()[1])

    def _done(self) -> dict[str, tuple[str, int]]:
        """What may be acknowledged: all but what is set aside for its time, and what came later."""
        acks = {}
        for node, entered in self._entered.items():
            aside = self.pipeline.intake.door.aside_from(node)
            while entered and entered[0][0] < aside:
                acks[node] = entered.popleft()[1]
        return acks

    def _note_lag(self, since: float) -> None:
        """From when the oldest session came that was worked on, or still waits, until now."""
        if self._outbox:
            since = min(since, self._outbox[0][0])
        self.lag = time.monotonic() - since

    async def _tick(self) -> None:
        """Wake the pipeline in a silence, so that what silent nodes held back goes on."""
        while True:
            await asyncio.sleep(FLUSH_PERIOD)
            self._wake()
            if self._inbox.empty():
                self._inbox.put_nowait((time.monotonic(), None))

    async def _publish(self, verdicts: Sequence[Verdict], since: float = math.inf) -> None:
        # Verdicts and the replies to new answers come from two tasks: one at a time sends.
        async with self._publishing:
            await self._send_verdicts(verdicts, min(since, time.monotonic()))

    async def _send_verdicts(self, verdicts: Sequence[Verdict], since: float) -> None:
        excess = len(self._outbox) + len(verdicts) - OUTBOX
        if excess > 0:
            LOG.warning("Zeek is away or behind: the oldest %d verdicts are given up", excess)
        for verdict in verdicts:
            self._post(since, "verdict", partial(encode_verdict, verdict))
        while self.pipeline.summaries:
            found = self.pipeline.summaries.popleft()
            self._post(since, "summary", partial(encode_unknown_hosts, found, self.name))
        now = time.monotonic()
        self._allowed = min(self._allowed + (now - self._allowed_at) * self._rate, self._rate)
        self._allowed_at = now
        ready = [frame for _, frame in islice(self._outbox, int(min(self._allowed, OUTBOX)))]
        sent = await self.link.send(ready)
        self._allowed -= sent
        for _ in range(sent):
            self._outbox.popleft()

    def _post(self, since: float, what: str, encode: Callable[[], str]) -> None:
        """Put an event into the outbox; one that cannot be encoded is dropped and counted."""
        with self._encoding(what):
            self._outbox.append((since, encode()))

    @contextlib.contextmanager
    def _encoding(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._invalid(f"cannot be encoded ({what})", f"a {what} cannot be encoded: {error!r}")

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(ACK_PERIOD)
            await self._send_acks()

    async def _send_acks(self) -> None:
        acks, self._acks = self._acks, {}
        frames = []
        for node, ack in acks.items():
            with self._encoding("acknowledgement"):
                frames.append(encode_ack(node, *ack))
        await self.link.send(frames)

    async def _hello(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                # Not wait_for(): before Python 3.12 it may swallow the cancellation at the end.
                async with asyncio.timeout(HELLO_PERIOD):
                    await self._greet.wait()
            self._greet.clear()
            if self._fresh.is_set():
                self._fresh.clear()
                await asyncio.sleep(SETTLE)
            else:
                await asyncio.sleep(self._rivals.said + ANSWER - time.monotonic())
            await self._say_hello()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(STATUS_PERIOD)
            try:
                self._explain()
            except Exception as error:
                self._fail(error)
            with self._encoding("status"):
                await self.link.send([encode_status(self.status())])

    def _explain(self) -> None:
        """Say which sensors' sessions did not come since the last time, and why."""
        rejoined = self._joined >= self._explained_at
        self._explained_at = time.monotonic()
        routers = self.pipeline.routers.copy()  # the pipeline's thread goes on
        for mac in routers.keys() - self._routers.keys():
            LOG.warning(
                "%s stands for several hosts (a router?): they are told apart by lease or address",
                mac,
            )
        self._routers = routers
        silent = self.link.connected and not (rejoined or self.ledger.accounts)
        if self.partition and silent and not self._alone:
            self._alone = True
            LOG.warning(
                "no sensor has anything for partition %d; is NBA::partitions at least %d?",
                self.partition,
                self.partition + 1,
            )
        for line in self.pipeline.drift.warnings():
            LOG.warning("%s", line)
        for line in self.pipeline.wider.hints(_WIDER_LAN):
            LOG.warning("%s", line)
        for lines in (self.pipeline.intake.door.lines, self.pipeline.intake.duplicates.lines):
            while lines:
                LOG.warning("%s", lines.popleft())
        slow = self.lag > LATE
        if slow and not self._slow:
            LOG.warning(
                "sessions wait %.1f s from their arrival to their verdict (%d messages and %d "
                "verdicts are queued)",
                self.lag,
                self.queue,
                len(self._outbox),
            )
        self._slow = slow
        shadow = self.pipeline.shadow
        while shadow is not None and shadow.lines:
            LOG.info("%s", shadow.lines.popleft())
        for node, account in self.ledger.accounts.items():
            lost, skipped = self._explained.get(node, (0, 0))
            self._explained[node] = account.lost, account.skipped
            if account.lost > lost:
                LOG.warning(
                    "%d sessions of %s were lost on the way: %s",
                    account.lost - lost,
                    node,
                    "the connection was cut"
                    if rejoined
                    else "Zeek's cluster backend dropped them; raise its high-water marks",
                )
            if account.skipped > skipped:
                LOG.warning(
                    "%s skipped %d sessions: %s",
                    node,
                    account.skipped - skipped,
                    "no worker was there"
                    if rejoined
                    else f"more came at once than this worker took ({self.queue} messages wait by "
                    f"now, {self._waited:.1f} s behind); if it goes on, see the capacity planning "
                    "in docs/operations.md",
                )

    async def _save_regularly(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._snapshot_interval):
                    await self._wanted.wait()
            self._wanted.clear()
            await self._save()

    async def _save(self) -> None:
        if self._state is None:
            return
        async with self._saving:
            try:
                parts = snapshot.parts(self.pipeline, self.ledger.positions(), self.partition)
                # Each part is one more piece of work in the pipeline's queue.
                pulled = iter(lambda: self._thread.submit(next, parts, b"").result(), b"")
                await asyncio.to_thread(snapshot.write, self._state, pulled)
                if self.pipeline.shadow is not None:
                    text = await asyncio.wrap_future(self._thread.submit(self._shadow_summary))
                    await asyncio.to_thread(snapshot.write_text, self._state, SHADOW_FILE, text)
            except OSError as error:
                LOG.error("no snapshot this time (%s); the last one stays", error)
            except Exception as error:
                self._fail(error)

    def _shadow_summary(self) -> str:
        pipeline = self.pipeline
        assert pipeline.shadow is not None
        running = pipeline.scorer.manifest.id
        found = pipeline.shadow.summary(pipeline.annotations, pipeline.identity, running)
        return json.dumps(found, indent=1, ensure_ascii=False) + "\n"

    def status(self) -> Status:
        """The counters as they stand."""
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
        )

    async def _watch(self) -> None:
        """Take over an IP database that was replaced; keep the old one when the new one is bad."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_PERIOD)
            editions = {path: _edition(path) for path in self._databases}
            if editions == self._databases:
                continue
            self._databases = editions
            try:
                databases = [await asyncio.to_thread(Database, path) for path in editions]
                await loop.run_in_executor(self._thread, self.pipeline.pools.use, databases)
            except DatabaseError as error:
                LOG.error("%s; the old one stays in use", error)
                continue
            LOG.info("took over %s", ", ".join(map(str, editions)))

    async def _watch_model(self) -> None:
        """Take over a model that was installed or rolled back; keep the old one when it is bad."""
        loop = asyncio.get_running_loop()
        while self._model is not None:
            await asyncio.sleep(MODEL_PERIOD)
            edition = _model_edition(self._model)
            if edition == self._model_edition:
                continue
            # Before it is read, so that a change meanwhile is seen the next time.
            self._model_edition = edition
            before = self.pipeline.scorer.manifest
            try:
                scorer = await asyncio.to_thread(self._load, self._model)
                if scorer.manifest.raw == before.raw:
                    continue
                async with self._saving:  # a snapshot is of one model
                    await loop.run_in_executor(self._thread, self.pipeline.use, scorer)
            except ModelError as error:
                LOG.error("%s; model %s stays in use", error, before.id)
                continue
            LOG.info("took over model %s in place of %s%s", *_change(before, scorer.manifest))
        await asyncio.Event().wait()

    async def _watch_answers(self) -> None:
        """Take over answers that were added or changed; keep the old ones when a line is bad."""
        while self._answers is not None:
            await asyncio.sleep(ANSWERS_PERIOD)
            edition = _edition(self._answers)
            if edition == self._answers_edition:
                continue
            if edition is None:
                self._answers_edition = None
                LOG.error("%s is gone; the old answers stay in use", self._answers)
                continue
            try:
                await self._take_answers()
            except AnnotationError as error:
                LOG.error("%s; the old answers stay in use", error)
            except Exception as error:
                self._fail(error)
            else:
                LOG.info("took over %s", self._answers)
        await asyncio.Event().wait()

    async def _take_answers(self) -> None:
        if self._answers is None:
            return
        # Before the file is read, so that a change meanwhile is seen the next time.
        self._answers_edition = _edition(self._answers)
        answers: Sequence[Annotation] = ()
        if self._answers_edition is None:
            LOG.warning("%s is not there yet", self._answers)
        else:
            answers = await asyncio.to_thread(read_answers, self._answers)
        loop = asyncio.get_running_loop()
        said = await loop.run_in_executor(self._thread, self.pipeline.annotate, answers)
        await self._publish(said)


def _change(before: Manifest, now: Manifest) -> tuple[str, str, str]:
    """Two models' ids, and what hosts lose by the change."""
    known = {one.device for one in now.classes}
    lost = [one.device for one in before.classes if one.device not in known]
    said = f"; it does not know {', '.join(lost)}, whose hosts are learned anew" if lost else ""
    if before.window != now.window:
        said += f"; hosts keep their last {min(before.window, now.window)} sessions"
    return now.id, before.id, said


Edition = tuple[int, int, int]


def _edition(path: Path) -> Edition | None:
    """What tells that a file was replaced or rewritten; None while it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _model_edition(folder: Path) -> tuple[Edition | None, ...]:
    """The same of a model folder, also when a link leads to another one."""
    return tuple(_edition(folder / name) for name in (MANIFEST_FILE, MODEL_FILE))
