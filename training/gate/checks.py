"""The checks of the gate by name, and the time that divides an archive for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import print_time
from training.data.labelled_sessions import LabelledSessions

CHECKS = (
    "labels",
    "hosts",
    "classes",
    "behaviour",
    "macro_f1",
    "named",
    "unknown",
    "lines",
    "host_days",
)
"""The checks, by the names that ``--accept`` takes."""

_LISTED = 5  # names in one line, before the number of the others


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate. ``reason``: a line for a person, whether it passed or not."""

    name: str
    passed: bool
    reason: str


def cut(sessions: LabelledSessions, later: float) -> float:
    """The time at which the later days begin, seconds: ``later`` is the last share of the archive's
    time, or that time itself.

    Raises ArchiveError when one of the two parts would be empty.
    """
    first, last = float(sessions.ts[0]), float(sessions.ts[-1])
    when = last - later * (last - first) if 0 < later < 1 else later
    if not first < when <= last:
        raise ArchiveError(
            f"the later days would begin at {print_time(round(when))}, but the archive has "
            f"sessions from {print_time(round(first))} to {print_time(round(last))}; see --later"
        )
    return when


def some(names: Sequence[str], between: str = ", ") -> str:
    """The first names, and the number of the others."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return between.join(names[:_LISTED]) + more
