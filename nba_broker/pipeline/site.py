"""Applies events of the whole site to the other stages, and makes their records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from nba_broker.baseline.host_baseline import HostBaseline
from nba_broker.destinations.lookup import Destinations
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.identity import Identity
from nba_broker.model.windows import Windows
from nba_broker.pipeline.timeline import Step
from nba_broker.records.addresses import printed
from nba_broker.records.ports import port_name
from nba_broker.records.sessions import take
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.slots import Slots
from nba_broker.verdicts.site_changes import About, Change, SiteSessions
from nba_broker.verdicts.site_events import SiteEvents

_EXAMPLES = 5  # addresses in a record, so that an operator can read it at a glance
_RECORDS = 1024  # kept until they are read


class Site:
    """The stage between destinations and windows. worker: a name for the log."""

    def __init__(
        self, slots: Slots, identity: Identity, pools: Pools, baseline: HostBaseline, worker: str
    ) -> None:
        self.events = SiteEvents(slots)
        self.records: deque[SiteEvent] = deque(maxlen=_RECORDS)
        """What began or is over; the reader removes it."""
        self._identity, self._pools, self._baseline = identity, pools, baseline
        self._worker = worker

    def parts(self, step: Step, to: Destinations) -> Iterator[tuple[Step, Destinations]]:
        """The sessions that no event explains, cut where events begin or end. Process each part
        before you take the next one."""
        table = self._pools.table
        for part in self.events.parts(_sessions(step, to), table):
            here = step.part(part.start, part.stop)
            to_here = Destinations(*(column[part.start : part.stop] for column in to))
            for change in part.changes:
                self._change(change, float(here.sessions.ts[0]))
            explained = self.events.explains(_sessions(here, to_here), table)
            if explained is not None and explained.any():
                rows = np.flatnonzero(~explained)
                here = Step(take(here.sessions, rows), here.slot[rows], here.new[:0])
                to_here = Destinations(*(column[rows] for column in to_here))
            if len(here.slot):
                yield here, to_here

    def decisive(self, step: Step, windows: Windows) -> Windows:
        """The windows without those that have many sessions that an event explains."""
        ts = step.sessions.ts[windows.index]
        held = self.events.held(windows, ts, self._pools.table)
        return windows if held is None else windows.take(~held)

    def _change(self, change: Change, ts: float) -> None:
        """An event began or is over, before a session at ``ts``."""
        event = change.event
        change.explain(self._baseline, self._pools.table)
        addresses = map(self._identity.address, change.slots[:_EXAMPLES].tolist())
        self.records.append(
            SiteEvent(
                ts=ts,
                kind=event.kind,
                state=change.state,
                since=event.since,
                hosts=len(change.slots),
                watched=change.watched,
                where=self._where(event.about),
                examples=tuple(filter(None, addresses)),
                worker=self._worker,
            )
        )

    def _where(self, about: About | None) -> str:
        """An address and service for a person, the pool where no address is known."""
        if about is None:
            return ""
        place = printed(about.dst) if about.dst else self._pools.table[about.pool]
        return f"{place} {port_name(about.dport)}"


def _sessions(step: Step, to: Destinations) -> SiteSessions:
    return SiteSessions(step.slot, step.sessions.ts, to.address_pool, step.sessions.dport, to.dst)
