"""The evidence of a log's rows, as the page shows it."""

from __future__ import annotations

from collections.abc import Iterable

from nba_broker.records.evidence import Destination
from nba_broker.records.verdicts import Row


def pieces(row: Row) -> list[tuple[str, Destination | None]]:
    """The texts of a row's evidence, each with the destination that it is about, if any.

    All are without destination where the row has none, as rows of earlier versions.
    """
    found = row.destinations()
    return [
        (text, next((one for one in found if text.startswith(f"{one.place} ")), None))
        for text in row.evidence
    ]


def destinations(rows: Iterable[Row]) -> list[Destination]:
    """The destinations in the evidence of these rows, each once, in the order of time."""
    found = {one for row in rows for one in row.destinations()}
    return sorted(found, key=lambda one: (one.ts, one.address, one.port, one.transport))


def alternatives(row: Row) -> list[tuple[str, float, bool]]:
    """The runners-up, each with its probability, 0 to 1, and whether it is possible."""
    # Logs of earlier versions do not say which are possible.
    possible = row.alternative_possible or (False,) * len(row.alternative_device)
    found = zip(row.alternative_device, row.alternative_confidence, possible, strict=False)
    return [(name, min(max(share, 0.0), 1.0), one) for name, share, one in found]
