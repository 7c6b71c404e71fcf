"""Publishes verdicts, events of the site, summaries and acknowledgements, no faster than the
manager takes them."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.site_events import KINDS, SiteEvent
from nba_broker.records.site_spans import spans
from nba_broker.records.verdicts import Verdict
from nba_broker.wire.codec import (
    encode_ack,
    encode_site_event,
    encode_unknown_hosts,
    encode_verdict,
)
from nba_broker.wire.connection import Link
from nba_broker.worker.invalid import InvalidMessages

LOG = logging.getLogger(__name__)

VERDICT_RATE = 800.0
"""Verdicts per second: below NBA::max_verdicts_per_second, so the manager refuses none."""

OUTBOX = 100_000
"""Verdicts that are kept while Zeek is away or behind."""


class Publisher:
    """The outbox of one worker.

    rate: verdicts per second at most. A large site's first minute brings more; they wait.
    """

    def __init__(
        self, link: Link, pipeline: Pipeline, name: str, invalid: InvalidMessages, rate: float
    ) -> None:
        self._link = link
        self._pipeline = pipeline
        self._name = name
        self._invalid = invalid
        self._rate = rate
        self._allowed = rate  # verdicts that may be published now
        self._allowed_at = time.monotonic()
        # Each frame with the arrival of the oldest session of the step that it is from.
        self._outbox: deque[tuple[float, str]] = deque(maxlen=OUTBOX)
        self._acknowledgements: dict[str, tuple[str, int]] = {}
        self._publishing = asyncio.Lock()
        self.site_events = dict.fromkeys(KINDS, 0)
        """How many events of the site have begun, by kind."""

    @property
    def waiting(self) -> int:
        """Verdicts that wait."""
        return len(self._outbox)

    @property
    def oldest(self) -> float:
        """Arrival of the oldest session whose verdict waits, in monotonic seconds; infinity if
        there is none."""
        return self._outbox[0][0] if self._outbox else math.inf

    async def publish(self, verdicts: Sequence[Verdict], since: float = math.inf) -> None:
        """Publish verdicts, the pipeline's events and summaries, and what has waited before.

        since: arrival of the oldest session that the verdicts may be from, in monotonic seconds.
        """
        # One task at a time: steps and new annotations both lead to verdicts.
        async with self._publishing:
            self._fill(verdicts, min(since, time.monotonic()))
            await self._send()

    def acknowledge_later(self, acknowledgements: Mapping[str, tuple[str, int]]) -> None:
        """Acknowledge these batches, by node, with the next :meth:`send_acknowledgements`."""
        self._acknowledgements |= acknowledgements

    async def send_acknowledgements(self) -> None:
        """Send each node its latest acknowledgement."""
        acknowledgements, self._acknowledgements = self._acknowledgements, {}
        frames = []
        for node, (run, seq) in acknowledgements.items():
            with self._invalid.encoding("acknowledgement"):
                frames.append(encode_ack(node, run, seq))
        await self._link.send(frames)

    def _fill(self, verdicts: Sequence[Verdict], since: float) -> None:
        excess = len(self._outbox) + len(verdicts) - OUTBOX
        if excess > 0:
            LOG.warning("Zeek is away or behind: dropped the oldest %d verdicts", excess)
        for verdict in verdicts:
            self._add(since, "verdict", partial(encode_verdict, verdict))
        while self._pipeline.site_events:
            self._add_event(since, self._pipeline.site_events.popleft())
        while self._pipeline.summaries:
            summary = self._pipeline.summaries.popleft()
            self._add(since, "summary", partial(encode_unknown_hosts, summary, self._name))

    def _add_event(self, since: float, event: SiteEvent) -> None:
        begun = event.state == "begun"
        self.site_events[event.kind] += begun
        LOG.log(logging.WARNING if begun else logging.INFO, "%s", spans([event])[0].text)
        self._add(since, "site event", partial(encode_site_event, event))

    def _add(self, since: float, what: str, encode: Callable[[], str]) -> None:
        with self._invalid.encoding(what):
            self._outbox.append((since, encode()))

    async def _send(self) -> None:
        now = time.monotonic()
        self._allowed = min(self._allowed + (now - self._allowed_at) * self._rate, self._rate)
        self._allowed_at = now
        ready = [frame for _, frame in islice(self._outbox, int(min(self._allowed, OUTBOX)))]
        sent = await self._link.send(ready)
        self._allowed -= sent
        for _ in range(sent):
            self._outbox.popleft()
