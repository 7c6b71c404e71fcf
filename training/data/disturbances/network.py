"""Changes of the network: a cloud or a resolver elsewhere, a router that probes, a repeater."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from nba_broker.records.ports import port_code
from training.data.disturbances.traffic import (
    GATEWAY,
    MINUTE,
    PUBLIC_RESOLVER,
    Traffic,
    more,
    rows_of,
    with_pools,
)
from training.data.labelled_sessions import LabelledSessions

_CLOSED_PORT = port_code(3, "icmp")


def cloud_moved(traffic: Traffic, draw: np.random.Generator, *, share: float) -> LabelledSessions:
    """A ``share`` of the autonomous systems of each device's clouds, at least one, drawn at random,
    is replaced: each by one that no device has used, the same for all devices."""
    sessions, places, own = traffic.sessions, traffic.places(), traffic.to_clouds()
    size = len(sessions.table)
    used = np.unique(places[own])
    of_device = np.split(used, np.flatnonzero(np.diff(used // size)) + 1)
    moved = np.concatenate(
        [draw.permutation(one)[: int(np.ceil(share * len(one)))] for one in of_device]
    )
    rows = traffic.judged() & own & np.isin(places, moved)
    old = np.unique(moved % size)
    new = (size + np.searchsorted(old, sessions.pool)).astype(sessions.pool.dtype)
    names = _unused(sessions.table)
    table = [*sessions.table, *(next(names) for _ in old)]
    return replace(sessions, pool=np.where(rows, new, sessions.pool), table=table)


def _unused(table: list[str]) -> Iterator[str]:
    """Names of autonomous systems that no database has: their numbers are for private use
    (RFC 6996)."""
    known = set(table)
    numbers = chain(range(64_512, 65_535), range(4_200_000_000, 4_294_967_295))
    return (name for number in numbers if (name := f"as:{number}") not in known)


def public_resolver(traffic: Traffic, draw: np.random.Generator) -> LabelledSessions:
    """The network hands out Google Public DNS: queries to resolvers within the network go there."""
    return _asked_elsewhere(traffic, ~traffic.to_the_internet(), PUBLIC_RESOLVER)


def gateway_resolver(traffic: Traffic, draw: np.random.Generator) -> LabelledSessions:
    """The gateway redirects queries: those to resolvers on the Internet go to it."""
    return _asked_elsewhere(traffic, traffic.to_the_internet(), GATEWAY)


def _asked_elsewhere(traffic: Traffic, moved: np.ndarray, resolver: str) -> LabelledSessions:
    """The judged queries among the sessions ``moved``, bool [n], go to the pool ``resolver``."""
    sessions = with_pools(traffic.sessions, resolver)
    rows = traffic.judged() & traffic.queries() & moved
    pool = np.where(rows, sessions.table.index(resolver), sessions.pool)
    return replace(sessions, pool=pool.astype(sessions.pool.dtype))


def probed(traffic: Traffic, draw: np.random.Generator) -> LabelledSessions:
    """The router sends a datagram to a closed port of each device every minute.

    An answered echo request is one session of the router for Zeek, and none of the device. But an
    ICMP error is a session of the device that sends it. Zeek writes its type, 3, as the port of the
    originator and its code, 3 for a closed port, as that of the responder: ``3/icmp``. Zeek would
    join those that are less than a minute apart.
    """
    sessions = with_pools(traffic.sessions, GATEWAY)
    devices = np.unique(sessions.series)
    begin = traffic.since[devices] + draw.uniform(0, MINUTE, len(devices))
    ends = traffic.until[devices]
    times = [np.arange(*span, MINUTE) for span in zip(begin, ends, strict=True)]
    series = np.repeat(devices, np.array([len(one) for one in times], np.int64))
    answers = replace(
        sessions,
        ts=np.concatenate([[], *times]),
        series=series,
        pool=np.full(len(series), sessions.table.index(GATEWAY), sessions.pool.dtype),
        dport=np.full(len(series), _CLOSED_PORT, sessions.dport.dtype),
        name=np.zeros(len(series), sessions.name.dtype),
    )
    return more(sessions, answers)


def mixed(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> LabelledSessions:
    """Each device also has the sessions of the next one, for ``hours`` from noon on: a repeater
    gives both its MAC."""
    sessions = traffic.sessions
    devices = np.unique(sessions.series)
    if len(devices) < 2:
        return sessions
    before = np.roll(devices, 1)[np.searchsorted(devices, sessions.series)]
    inside = traffic.within(traffic.noon, hours, before) & (sessions.ts <= traffic.until[before])
    rows = np.flatnonzero(inside)
    others = replace(rows_of(sessions, rows, sessions.ts[rows]), series=before[rows])
    return more(sessions, others)
