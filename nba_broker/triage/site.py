"""The events of the whole site in nba_site.log, kept up to date as the log grows."""

from __future__ import annotations

from pathlib import Path

from nba_broker.archive import site_log, zeek_log
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.site_spans import SiteSpan, spans
from nba_broker.triage.files import Follower, described

RECENT = 7 * 86_400.0
"""Seconds before the end of the logs; an event that was over earlier is not at the top."""

_SHOWN = 5


class Site:
    """The events of all nba_site logs below a folder, each once, whatever becomes of the files."""

    def __init__(self, folder: Path) -> None:
        self._follower = Follower(folder, "nba_site")
        self._records: dict[tuple[str | int, ...], SiteEvent] = {}
        self.spans: list[SiteSpan] = []
        """All events, by their beginning."""

    @property
    def errors(self) -> list[str]:
        """Why files could not be read, one text each."""
        return described(self._follower.errors)

    def poll(self) -> None:
        """Read what is new."""
        before = len(self._records)
        for file in self._follower.news():
            for header, body in self._follower.read(file):
                if header.path not in ("", "nba_site"):
                    continue
                for row in zeek_log.parse(header, body):
                    self._add(site_log.event_of(row))
        if len(self._records) > before:
            self.spans = spans(self._records.values())

    def _add(self, event: SiteEvent | None) -> None:
        if event is None:
            return
        # Zeek may write a line twice, as TSV and as JSON, to the millisecond.
        times = (int(ts * 1e3 + 1e-2) for ts in (event.ts, event.since))
        self._records.setdefault(
            (event.kind, event.state, *times, event.where, event.worker, event.hosts), event
        )

    def recent(self, newest: float) -> tuple[list[SiteSpan], int]:
        """The events to show at the top, the latest first, and how many more there are.

        These are the events that last and those of the last week before ``newest``, the end of the
        other logs.
        """
        newest = max([newest, *(one.event.ts for one in self.spans)])
        found = [one for one in self.spans if one.until is None or newest - one.until < RECENT]
        return found[::-1][:_SHOWN], max(len(found) - _SHOWN, 0)
