"""Labelled hosts that are followed from their first session, each judged in a part of its time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nba_broker.archive.conn_log import Archive
from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.destinations.pools import Pools
from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import DAY, HOUR
from training.data.labelled_sessions import LabelledSessions
from training.evaluation.verdicts import Stream

WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Followed:
    """Labelled sessions with their addresses, and the judged part of each series.

    host, dst: addresses, [n], parallel to ``sessions``. since, until: begin and end of the judged
    part, float64 [series], seconds; nan for a series without sessions. learned: when the host's own
    baseline begins to count, likewise.
    """

    sessions: LabelledSessions
    host: np.ndarray
    dst: np.ndarray
    pools: Pools
    since: np.ndarray
    until: np.ndarray
    learned: np.ndarray

    @property
    def stream(self) -> Stream:
        """The sessions with their series as hosts."""
        return stream_of(self.sessions)

    def weeks(self, since: np.ndarray) -> float:
        """Judged device-weeks from ``since`` [series] on."""
        span = np.maximum(self.until - np.fmax(since, self.since), 0)
        return float(np.nansum(span) / WEEK)


def stream_of(sessions: LabelledSessions) -> Stream:
    """Labelled sessions with their series as hosts."""
    return Stream(
        sessions.series,
        sessions.ts,
        sessions.pool,
        sessions.dport,
        sessions.table,
        sessions.name,
        sessions.names,
        sessions.of_name,
    )


def follow(
    sessions: LabelledSessions,
    archive: Archive,
    rows: np.ndarray,
    pools: Pools,
    *,
    judged: float | None = None,
    last: float = 1.0,
) -> Followed:
    """Judge each host from ``judged`` on, or in the ``last`` share of its time. Raises ArchiveError
    when nothing is left to judge."""
    since, until, learned = np.full((3, len(sessions.labels)), np.nan)
    learning = BaselineSettings().learning * HOUR
    for number in np.unique(sessions.series):
        ts = sessions.ts[sessions.series == number]
        since[number] = ts[-1] - last * (ts[-1] - ts[0]) if judged is None else max(judged, ts[0])
        until[number] = ts[-1]
        learned[number] = (ts[0] // HOUR) * HOUR + learning  # for whole hours
    if not (until > since).any():
        raise ArchiveError("no labelled host has a session in the time to be judged")
    return Followed(
        sessions,
        archive.addresses[rows["host"]],
        archive.addresses[rows["dst"]],
        pools,
        since,
        until,
        learned,
    )


def between(followed: Followed, since: float, until: float) -> Followed:
    """The same hosts up to ``until``, judged from ``since`` on."""
    keep = followed.sessions.ts < until
    return replace(
        followed,
        sessions=followed.sessions.select(keep),
        host=followed.host[keep],
        dst=followed.dst[keep],
        since=np.fmax(followed.since, since),
        until=np.fmin(followed.until, until),
    )
