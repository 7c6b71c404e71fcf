"""What devices do while they cannot reach a server: they try again, later and later.

A *session* here is what Zeek reports as one. Zeek joins packets with the same addresses and ports,
but drops an unanswered TCP connection after 5 s and a UDP one after a minute. So repeated SYNs of
one connection are several sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nba_broker.records import ports
from nba_broker.records.grouping import by_slot
from nba_broker.records.ports import PROTOCOL_CODES, port_code
from training.data.disturbances.traffic import Traffic, more, rows_of
from training.data.labelled_sessions import LabelledSessions

ANSWER = 5.0
"""Seconds within which a device uses the answer to a query. Unanswered, it asks again after as
many, from another port: RFC 1035 (4.2.1) wants 2 to 5 s at least, and devices in the captures of
IoT-23 wait for 5 s."""


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a device tries to reach a server.

    starts: when a try has sessions, seconds from its start. lasts: seconds until the device gives
    it up. wait, longest: seconds from there to the next try, at first and at most; doubled each
    time.
    """

    starts: tuple[float, ...]
    lasts: float
    wait: float = 1.0
    longest: float = 128.0
    """As in the MQTT clients of AWS IoT (``maximumReconnectTimeInterval``)."""


_QUERY = _Manner((0.0, ANSWER), 2 * ANSWER)

_TIME = _Manner((0.0,), 0.0, 64.0, 1024.0)
"""The polls of RFC 5905, from 2^6 to 2^10 s; RFC 4330 also wants a time server asked less and less
often."""

_TCP = _Manner((0.0, 7.0, 15.0), 30.0)
"""Linux sends SYNs after 0, 1, 3, 7 and 15 s. Zeek reports those of 7 and 15 s as new sessions, as
captures behind a firewall show (De Keersmaeker et al., IFIP Networking 2024)."""

_UDP = _Manner((0.0,), 10.0)

_NONE = np.zeros(0, np.int64)

Tried = Callable[[int, int], tuple[int, ...]]
"""The sessions of a try, as rows in time order, from the first session that failed and from the
query before it, -1 for none. A query that is not the last one is answered."""


def asked(traffic: Traffic, during: np.ndarray) -> np.ndarray:
    """The query whose answer each session used: a row, int64 [n]; -1 for none. It is the device's
    last one, when that is at most ANSWER seconds old, and one of the sessions ``during``, bool [n].
    """
    sessions = traffic.sessions
    order = by_slot(sessions.series)
    query = traffic.queries()[order]
    last = np.maximum.accumulate(np.where(query, np.arange(len(order)), -1))
    row = np.where(last >= 0, order[last], -1)
    used = (row >= 0) & ~query & (sessions.series[row] == sessions.series[order])
    used &= during[row] & (sessions.ts[order] - sessions.ts[row] <= ANSWER)
    found = np.full(len(order), -1)
    found[order[used]] = row[used]
    return found


def failing(
    traffic: Traffic,
    *,
    first: np.ndarray,
    gone: np.ndarray,
    query: np.ndarray,
    end: np.ndarray,
    tried: Tried,
    unanswered: np.ndarray | None = None,
) -> LabelledSessions:
    """The sessions when applications of devices cannot reach their servers. An application is a
    device with a service; ports drawn at random are one service of each transport.

    first: sessions with which an application stops, bool [n]. gone: those that do not start while
    it is stopped, bool [n], nor do the queries before them. query: see :func:`asked`. end: when it
    works again, float64 [series]. unanswered: queries that get no answer, bool [n]; those that are
    left are repeated. Instead of its sessions, a stopped application has its tries, see ``tried``.
    """
    sessions = traffic.sessions
    answers = sessions.dport >> 16 == PROTOCOL_CODES["icmp"]  # to packets that do not arrive
    application = _applications(sessions)
    began = np.flatnonzero(first & ~answers)
    stopped, at = np.unique(application[began], return_index=True)
    began = began[at]
    removed = gone & answers
    if len(stopped):
        number = np.minimum(np.searchsorted(stopped, application), len(stopped) - 1)
        is_stopped = (stopped[number] == application) & (np.arange(len(query)) >= began[number])
        removed |= gone & is_stopped
    removed[query[removed & (query >= 0)]] = True
    end = np.fmin(end, traffic.until)
    rows, ts = [_NONE], [np.zeros(0)]
    for row in began.tolist():
        for one, times in _tries(sessions, row, tried(row, int(query[row])), end):
            rows.append(np.full(len(times), one))
            ts.append(times)
    if unanswered is not None:
        again = np.flatnonzero(unanswered & ~removed)
        again = again[sessions.ts[again] + ANSWER < end[sessions.series[again]]]
        rows.append(again)
        ts.append(sessions.ts[again] + ANSWER)
    added = rows_of(sessions, np.concatenate(rows), np.concatenate(ts))
    return more(sessions.select(~removed), added)


def _applications(sessions: LabelledSessions) -> np.ndarray:
    """A number for each device with each service, int64 [n]."""
    service = np.where(ports.drawn(sessions.dport), sessions.dport >> 16 << 16, sessions.dport)
    number: np.ndarray = sessions.series.astype(np.int64) << 32 | service
    return number


def _tries(
    sessions: LabelledSessions, failed: int, rows: tuple[int, ...], end: np.ndarray
) -> list[tuple[int, np.ndarray]]:
    """The times at which each of the ``rows`` is repeated: in every try from the session ``failed``
    on, before ``end``, float64 [series]."""
    if not rows:
        return []
    begin, failure = float(sessions.ts[rows[0]]), float(sessions.ts[failed])
    if not 0 <= failure - begin <= ANSWER:  # a query of another time
        begin = failure
    delays = [float(sessions.ts[row] - sessions.ts[rows[0]]) for row in rows]
    manners = [_manner(int(sessions.dport[row])) for row in rows]
    manners[:-1] = [replace(one, starts=(0.0,), lasts=0.0) for one in manners[:-1]]
    lasts = delays[-1] + manners[-1].lasts
    until = float(end[sessions.series[failed]])
    starts = _starts(begin, until, lasts, _manner(int(sessions.dport[failed])))
    found = []
    for row, delay, manner in zip(rows, delays, manners, strict=True):
        times = np.add.outer(starts, np.add(delay, manner.starts)).ravel()
        found.append((row, times[times < until]))
    return found


def _starts(begin: float, until: float, lasts: float, manner: _Manner) -> np.ndarray:
    """When tries that last so many seconds start, before ``until``."""
    starts, at, wait = [], begin, manner.wait
    while at < until:
        starts.append(at)
        at += lasts + wait
        wait = min(2 * wait, manner.longest)
    return np.array(starts)


def _manner(dport: int) -> _Manner:
    """How a device tries to reach a server at this port (a port code)."""
    if dport & 0xFFFF == 53:
        return _QUERY
    if dport == port_code(123, "udp"):
        return _TIME
    return _TCP if dport >> 16 == PROTOCOL_CODES["tcp"] else _UDP
