"""Says hello to sensors and other workers, and leaves if another worker serves the partition."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time

from nba_broker.records.errors import LinkError
from nba_broker.wire.codec import encode_hello
from nba_broker.wire.connection import Link
from nba_broker.wire.partitions import partition_of
from nba_broker.worker.duplicates import ANSWER, STALL, DuplicateWorkers
from nba_broker.worker.invalid import InvalidMessages

LOG = logging.getLogger(__name__)

HELLO_PERIOD = 5.0
"""Seconds between two hellos; after three missing ones sensors consider the worker gone."""

SETTLE = 0.5
"""Seconds after joining until the second hello: the first may overtake this worker's own
subscriptions."""


class Presence:
    """One worker's hellos, and the hellos that it hears.

    period: seconds between two calls of :meth:`wake`.
    """

    def __init__(self, link: Link, name: str, invalid: InvalidMessages, period: float) -> None:
        self.partition = partition_of(name)
        self.joined = -math.inf
        """When this worker joined, or stood still, in monotonic seconds."""
        self._link = link
        self._name = name
        self._invalid = invalid
        self._period = period
        self._others = DuplicateWorkers(name)
        self._due = asyncio.Event()  # a hello must not wait for its period
        self._fresh = asyncio.Event()  # the second hello of a connection is still due
        self._awake = -math.inf  # the last call of wake()

    async def join(self) -> None:
        """Say hello on a new connection: sensors publish from the first hello on."""
        self._begin(time.monotonic())
        self._fresh.set()
        self._due.set()
        await self._say_hello()

    def wake(self) -> None:
        """Note that the event loop runs.

        If it stood still, another worker may have taken this one's place: then this worker counts
        as one that has just joined.
        """
        now = time.monotonic()
        joined = self.joined > -math.inf
        if joined and self._awake > -math.inf and now - self._awake > self._period + STALL:
            self._begin(now)
            self._due.set()
        self._awake = now

    async def meet(self, other: str) -> None:
        """Hear a hello.

        Raises LinkError if this worker must leave: sensors would take acknowledgements from two
        workers of a partition, and both would log everything.
        """
        if other == self._name or partition_of(other) != self.partition:
            return
        self.wake()
        now = time.monotonic()
        known = self._others.known(other)
        if self._others.hear(other, now, self.joined):
            raise LinkError(
                f"worker {other} already serves partition {self.partition}; exiting. Stop that "
                "worker first, or serve another partition (--partition)"
            )
        if not known:
            if self._others.known(other):
                LOG.warning(
                    "worker %s also serves partition %d; one of the two will exit",
                    other,
                    self.partition,
                )
            else:
                self._invalid.drop("too many workers", f"{other} is one of too many workers")
        # By time and not by name: made-up names must not keep another worker from its answer.
        if now - self._others.said >= ANSWER:
            await self._say_hello()
        else:
            self._due.set()

    async def run(self) -> None:
        """Say hello regularly, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                # Not wait_for(): before Python 3.12 it may swallow the cancellation at the end.
                async with asyncio.timeout(HELLO_PERIOD):
                    await self._due.wait()
            self._due.clear()
            if self._fresh.is_set():
                self._fresh.clear()
                await asyncio.sleep(SETTLE)
            else:
                await asyncio.sleep(self._others.said + ANSWER - time.monotonic())
            await self._say_hello()

    def _begin(self, now: float) -> None:
        self.joined = self._awake = now
        self._others.join()

    async def _say_hello(self) -> None:
        self._others.say(time.monotonic())
        await self._link.send([encode_hello(self._name)])
