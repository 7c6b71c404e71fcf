"""Outages of the Internet, of name and time servers, and of one device's server."""

from __future__ import annotations

import numpy as np

from nba_broker.records.times import HOUR
from training.data.disturbances.retries import asked, failing
from training.data.disturbances.traffic import Traffic
from training.data.labelled_sessions import LabelledSessions


def internet_down(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> LabelledSessions:
    """Nothing on the Internet answers for ``hours`` from noon on, nor do name servers, wherever
    they are: a gateway asks one on the Internet."""
    out, query = traffic.within(traffic.noon, hours), traffic.queries()
    gone = out & traffic.to_the_internet() & ~query
    return failing(
        traffic,
        first=gone,
        gone=gone,
        query=asked(traffic, out),
        end=traffic.noon + hours * HOUR,
        tried=_query_or_session,
        unanswered=out & query,
    )


def dns_down(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> LabelledSessions:
    """No query is answered for ``hours`` from noon on. An application goes on as long as it knows
    the address, and stops with the first session for which it has to ask."""
    out, query = traffic.within(traffic.noon, hours), traffic.queries()
    gone = out & traffic.to_the_internet() & ~query
    answer = asked(traffic, out)
    return failing(
        traffic,
        first=gone & (answer >= 0),
        gone=gone,
        query=answer,
        end=traffic.noon + hours * HOUR,
        tried=_query_or_session,
        unanswered=out & query,
    )


def ntp_down(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> LabelledSessions:
    """No time server answers for ``hours`` from noon on; their names resolve."""
    out = traffic.within(traffic.noon, hours)
    gone = out & traffic.to_time_servers()
    return failing(
        traffic,
        first=gone,
        gone=gone,
        query=asked(traffic, out),
        end=traffic.noon + hours * HOUR,
        tried=lambda row, query: (query, row) if query >= 0 else (row,),
    )


def server_lost(traffic: Traffic, draw: np.random.Generator) -> LabelledSessions:
    """The name of each device's server is gone: no session starts to the autonomous system, of the
    device's clouds, that it uses most. The device goes on asking for the name."""
    sessions, places, own = traffic.sessions, traffic.places(), traffic.to_clouds()
    used, number = np.unique(places[own], return_counts=True)
    device = used // max(len(sessions.table), 1)
    order = np.lexsort((-number, device))
    most = used[order[np.unique(device[order], return_index=True)[1]]]
    judged = traffic.judged()
    gone = judged & own & np.isin(places, most)
    queries = np.flatnonzero(traffic.queries())

    def query_of(row: int, query: int) -> tuple[int, ...]:
        """The query before the session, else the device's latest one, else its first."""
        if query >= 0:
            return (query,)
        mine = queries[sessions.series[queries] == sessions.series[row]]
        before = int(np.searchsorted(mine, row))
        return (int(mine[max(before - 1, 0)]),) if len(mine) else ()

    query = asked(traffic, judged)
    return failing(traffic, first=gone, gone=gone, query=query, end=traffic.until, tried=query_of)


def _query_or_session(row: int, query: int) -> tuple[int, ...]:
    """A try where no name resolves: it ends with the query, if the device has to ask."""
    return (query,) if query >= 0 else (row,)
