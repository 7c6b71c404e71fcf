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


def alternatives(row: Row) -> list[tuple[str, float]]:
    """The runners-up, each with its probability, 0 to 1."""
    pairs = zip(row.alternative_device, row.alternative_confidence, strict=False)
    return [(name, min(max(share, 0.0), 1.0)) for name, share in pairs]
