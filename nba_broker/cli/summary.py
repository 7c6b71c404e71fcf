"""The lines about a whole archive or capture that ``score`` and ``pcap`` print at their end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nba_broker.archive import device_log, site_log, zeek_log
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.site_events import SiteEvent


def lines(
    pipeline: Pipeline, log: Path, events: Sequence[SiteEvent], read: str, written: Path
) -> list[str]:
    """The table of hosts, the site's events, the unknown hosts, and what was read.

    log: nba_device.log of the run, which the table is made from. read: what the sessions are from.
    written: where the log is in the end.
    """
    named: dict[str, str] = {}  # the last address of each host with a line

    def rows() -> Iterator[Mapping[str, Any]]:
        for row in zeek_log.rows(log):
            named[row.get("mac") or row["host"]] = row["host"]
            yield row

    found = [device_log.table(rows(), pipeline.session_counts()), *site_log.table(events)]
    unknown = pipeline.unknown_hosts(logged=named)
    if unknown.kinds:
        found += ["", f"{unknown.hosts} unknown {_hosts(unknown.hosts)}, by what they do:"]
        found += [f"  {kind}" for kind in unknown.kinds]
    counters = pipeline.counters
    names = f", {counters.answers} names that they asked for" if counters.answers else ""
    of_hosts = f"{counters.sessions} sessions of {pipeline.hosts} {_hosts(pipeline.hosts)}"
    return [*found, "", f"{of_hosts} in {read}{names} -> {written}"]


def _hosts(number: int) -> str:
    return "host" if number == 1 else "hosts"
