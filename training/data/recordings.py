"""Finds hosts that were recorded together. Those of other recordings may differ by site and year
alone."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from training.data.labelled_sessions import LabelledSessions

_NAMED = 4  # recordings that a caveat lists; for more it gives the number


def recordings(sessions: LabelledSessions) -> list[tuple[float, float, list[str]]]:
    """Runs of time without a moment in which no host is recorded: begin, end, and devices.

    A host is recorded from its first session to its last.
    """
    found: list[tuple[float, float, set[str]]] = []
    spans = []
    for number in np.unique(sessions.series).tolist():
        ts = sessions.ts[sessions.series == number]
        spans.append((float(ts[0]), float(ts[-1]), sessions.labels[number].device))
    for first, last, device in sorted(spans):
        if found and first <= found[-1][1]:
            begin, end, devices = found.pop()
            found.append((begin, max(end, last), devices | {device}))
        else:
            found.append((first, last, {device}))
    return [(begin, end, sorted(devices)) for begin, end, devices in found]


def caveat(sessions: LabelledSessions) -> str:
    """A caveat about the figures of these sessions, "" when all hosts were recorded together."""
    found = recordings(sessions)
    if len(found) < 2:
        return ""
    which = "; ".join(
        f"{_day(begin)} to {_day(end)}: {', '.join(devices)}" for begin, end, devices in found
    )
    return (
        f"these are {len(found)} recordings, no two at the same time"
        f"{f' ({which})' if len(found) <= _NAMED else ''}: differences of site or year alone may "
        "separate their devices"
    )


def _day(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d")
