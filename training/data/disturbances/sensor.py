"""Faults of the sensor: it sees sessions twice, or not at all, or its clock is wrong."""

from __future__ import annotations

import numpy as np

from nba_broker.records.times import HOUR
from training.data.disturbances.traffic import Traffic, more, rows_of
from training.data.labelled_sessions import LabelledSessions


def twice(traffic: Traffic, draw: np.random.Generator) -> LabelledSessions:
    """Every session comes again 10 ms later, from a second sensor at the same port."""
    rows = np.flatnonzero(traffic.judged())
    sessions = traffic.sessions
    return more(sessions, rows_of(sessions, rows, sessions.ts[rows] + 0.01))


def lost(traffic: Traffic, draw: np.random.Generator, *, share: float) -> LabelledSessions:
    """A ``share`` of the sessions is lost at random, as where flows are sampled."""
    sessions = traffic.sessions
    return sessions.select(~(traffic.judged() & (draw.random(len(sessions)) < share)))


def clock_ahead(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> LabelledSessions:
    """The clock is 1 hour ahead for the first ``hours`` of the judged part, then right. As in an
    archive, sessions are in the order of their times: an hour without any, and later an hour with
    those of two."""
    sessions = traffic.sessions
    ahead = traffic.within(traffic.since, hours)
    ts = np.where(ahead, sessions.ts + HOUR, sessions.ts)
    order = np.argsort(ts, kind="stable")
    return rows_of(sessions, order, ts[order])
