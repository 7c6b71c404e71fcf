"""nba_site.log, events of the whole site: written as Zeek would, read back, and shown as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from nba_broker.archive import zeek_log
from nba_broker.archive.log_types import typed
from nba_broker.archive.log_writer import Form, Log, LogWriter
from nba_broker.records.site_events import KINDS, STATES, SiteEvent
from nba_broker.records.site_spans import spans

_TYPES = dict.fromkeys(("ts", "since"), "time") | dict.fromkeys(("hosts", "watched"), "count")
COLUMNS = {
    f.name: {"examples": "vector[addr]", **_TYPES}.get(f.name, "string") for f in fields(SiteEvent)
}
"""The log's columns in order, each with its Zeek type."""

LOG = Log("nba_site", COLUMNS, frozenset(("examples",)))


def write(path: Path, events: Sequence[SiteEvent], form: Form = "tsv") -> None:
    """Write the log of these events; without any, no file, as Zeek would. Raises OSError."""
    if not events:
        return
    with LogWriter(path, LOG, form) as log:
        for event in events:
            log.write_cells((name, getattr(event, name)) for name in COLUMNS)


def read(path: Path) -> list[SiteEvent]:
    """The events of a log; none if there is no such file. Raises ArchiveError or OSError."""
    if not path.exists():
        return []
    found = (event_of(row) for row in zeek_log.rows(path))
    return [event for event in found if event is not None]


def event_of(row: Mapping[str, Any]) -> SiteEvent | None:
    """A row of the log, without its unset columns, as an event; None if it is not one."""
    event = SiteEvent(**{name: typed(kind, row.get(name)) for name, kind in COLUMNS.items()})
    is_one = event.kind in KINDS and event.state in STATES and event.ts > 0 and event.since > 0
    return event if is_one else None


def table(events: Sequence[SiteEvent]) -> list[str]:
    """The events as lines of text, under an empty line and a title; none without events."""
    if not events:
        return []
    return ["", "Events of the whole site:", *(f"  {one.text}" for one in spans(events))]
