"""Writes the triage page to a file, which needs no web server."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

from nba_broker.archive import results
from nba_broker.records.errors import ConfigError
from nba_broker.triage.filters import Filters
from nba_broker.triage.view import Views


def write(views: Views, path: Path, query: str) -> int:
    """Write the hosts that the filters let through as one page, and return their number.

    Raises ConfigError if there is no verdict, if a filter is not valid, or if the file is there
    already and is not such a page. If logs could not be read, the page is written and says so.
    """
    results.require(path, "nba-broker triage")
    query = query.removeprefix("?")
    try:
        wanted = Filters.strict(parse_qsl(query, strict_parsing=True) if query else [])
    except ValueError as error:
        raise ConfigError(f"--filter: {error}") from None
    views.poll()
    if not (views.store.hosts or views.errors):
        raise ConfigError(f"{views.folder}: there are no verdicts; give the folder "
                          "with nba_device.log, current or rotated")  # fmt: skip
    results.write(path, views.static(wanted))
    return len(views.shown(wanted))
