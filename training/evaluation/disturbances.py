"""Changes the later sessions of devices as an outage, a moved cloud or a wrong clock would.

A disturbance acts in the judged part of each device only, and is the same for the same seed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np

from nba_broker.destinations.pools import of_database
from nba_broker.records.ports import port_code
from training.evaluation.verdicts import Stream

_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 86_400.0
_DNS = (port_code(53, "udp"), port_code(53, "tcp"))


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Sessions of devices in time order, and the judged part of each device.

    since, until: begin and end of that part, float64 [slots], seconds; nan for a device without
    sessions.
    """

    stream: Stream
    since: np.ndarray
    until: np.ndarray

    @property
    def noon(self) -> np.ndarray:
        """The first noon (UTC) in the judged part, float64 [slots]."""
        half: float = _DAY / 2
        noon: np.ndarray = np.ceil((self.since - half) / _DAY) * _DAY + half
        return noon

    def judged(self) -> np.ndarray:
        """Which sessions are in the judged part of their device, bool [n]."""
        inside: np.ndarray = self.stream.ts >= self.since[self.stream.slot]
        return inside

    def within(self, begin: np.ndarray, hours: float, slot: np.ndarray | None = None) -> np.ndarray:
        """Which sessions start in the ``hours`` from ``begin``, float64 [slots], on; bool [n].

        slot: the device that each session counts for, int64 [n], if not the one that started it.
        """
        at = begin[self.stream.slot if slot is None else slot]
        inside: np.ndarray = (self.stream.ts >= at) & (self.stream.ts < at + hours * _HOUR)
        return inside

    def to(self, fits: Callable[[str], bool]) -> np.ndarray:
        """Which sessions go to a pool whose name ``fits``, bool [n]."""
        found: np.ndarray = np.array(list(map(fits, self.stream.table)), bool)[self.stream.pool]
        return found

    def places(self) -> np.ndarray:
        """A number for each device with each pool, int64 [n], ascending by device, then pool."""
        number: np.ndarray = self.stream.slot * len(self.stream.table) + self.stream.pool
        return number


Disturbance = Callable[[Traffic, np.random.Generator], Stream]
"""Makes the disturbed sessions, in order of arrival."""


def internet_down(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> Stream:
    """No session to the Internet succeeds for ``hours`` from noon on. Each device repeats the first
    one every 30 s for 5 minutes, then every 5 minutes, and starts no other."""
    stream = traffic.stream
    failed = traffic.within(traffic.noon, hours) & traffic.to(_on_the_internet)
    rows = np.flatnonzero(failed)
    first = rows[np.unique(stream.slot[rows], return_index=True)[1]]
    end = np.fmin(traffic.noon + hours * _HOUR, traffic.until)[stream.slot[first]]
    times = [_retries(*span) for span in zip(stream.ts[first], end, strict=True)]
    again = np.repeat(first, np.array([len(one) for one in times], np.int64))
    return _more(_only(stream, ~failed), _rows(stream, again, np.concatenate([[], *times])))


def dns_down(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> Stream:
    """No query is answered for ``hours`` from noon on. Each is repeated three times, 1 s apart, and
    no other session to the Internet starts."""
    stream = traffic.stream
    outage = traffic.within(traffic.noon, hours)
    query = np.isin(stream.dport, _DNS)
    again = np.repeat(np.flatnonzero(outage & query), 3)
    times = stream.ts[again] + np.tile([1.0, 2.0, 3.0], len(again) // 3)
    kept = _only(stream, ~(outage & ~query & traffic.to(_on_the_internet)))
    return _more(kept, _rows(stream, again, times))


def cloud_moved(traffic: Traffic, draw: np.random.Generator, *, share: float) -> Stream:
    """A ``share`` of each device's autonomous systems, drawn at random, is replaced: each by one
    that no device has used, the same for all devices."""
    stream, places = traffic.stream, traffic.places()
    size = len(stream.table)
    used = np.unique(places[traffic.to(of_database)])
    of_device = np.split(used, np.flatnonzero(np.diff(used // size)) + 1)
    moved = np.concatenate(
        [draw.permutation(one)[: int(np.ceil(share * len(one)))] for one in of_device]
    )
    rows = traffic.judged() & np.isin(places, moved)
    old = np.unique(moved % size)
    new = (size + np.searchsorted(old, stream.pool)).astype(stream.pool.dtype)
    names = _unused(stream.table)
    table = [*stream.table, *(next(names) for _ in old)]
    return replace(stream, pool=np.where(rows, new, stream.pool), table=table)


def server_lost(traffic: Traffic, draw: np.random.Generator) -> Stream:
    """No session starts to the autonomous system that the device uses most."""
    stream, places = traffic.stream, traffic.places()
    used, number = np.unique(places[traffic.to(of_database)], return_counts=True)
    device = used // max(len(stream.table), 1)
    order = np.lexsort((-number, device))
    most = used[order[np.unique(device[order], return_index=True)[1]]]
    return _only(stream, ~(traffic.judged() & np.isin(places, most)))


def twice(traffic: Traffic, draw: np.random.Generator) -> Stream:
    """Every session comes again 10 ms later."""
    rows = np.flatnonzero(traffic.judged())
    stream = traffic.stream
    return _more(stream, _rows(stream, rows, stream.ts[rows] + 0.01))


def lost(traffic: Traffic, draw: np.random.Generator, *, share: float) -> Stream:
    """A ``share`` of the sessions is lost at random."""
    stream = traffic.stream
    return _only(stream, ~(traffic.judged() & (draw.random(len(stream.ts)) < share)))


def probed(traffic: Traffic, draw: np.random.Generator) -> Stream:
    """The router sends a datagram to a closed port of each device every minute.

    An answered echo request is one session of the router for Zeek, and none of the device. But an
    ICMP error is a session of the device that sends it. Zeek writes its type, 3, as the port of the
    originator and its code, 3 for a closed port, as that of the responder: ``3/icmp``.
    """
    stream = traffic.stream
    table = stream.table if "gw" in stream.table else [*stream.table, "gw"]
    devices = np.unique(stream.slot)
    begin = traffic.since[devices] + draw.uniform(0, _MINUTE, len(devices))
    ends = traffic.until[devices]
    times = [np.arange(*span, _MINUTE) for span in zip(begin, ends, strict=True)]
    slot = np.repeat(devices, np.array([len(one) for one in times], np.int64))
    pool = np.full(len(slot), table.index("gw"), stream.pool.dtype)
    dport = np.full(len(slot), port_code(3, "icmp"), stream.dport.dtype)
    answers = Stream(slot, np.concatenate([[], *times]), pool, dport, table)
    return _more(replace(stream, table=table), answers)


def mixed(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> Stream:
    """Each device also has the sessions of the next one, for ``hours`` from noon on: a repeater
    gives both its MAC."""
    stream = traffic.stream
    devices = np.unique(stream.slot)
    if len(devices) < 2:
        return stream
    before = np.roll(devices, 1)[np.searchsorted(devices, stream.slot)]
    inside = traffic.within(traffic.noon, hours, before) & (stream.ts <= traffic.until[before])
    rows = np.flatnonzero(inside)
    return _more(stream, replace(_rows(stream, rows, stream.ts[rows]), slot=before[rows]))


def clock_ahead(traffic: Traffic, draw: np.random.Generator, *, hours: float) -> Stream:
    """The clock is 1 hour ahead for the first ``hours`` of the judged part. The sessions keep the
    order of their arrival, so those after that are late for an hour."""
    stream = traffic.stream
    ahead = traffic.within(traffic.since, hours)
    return replace(stream, ts=np.where(ahead, stream.ts + _HOUR, stream.ts))


DISTURBANCES: dict[str, Disturbance] = {
    **{f"internet-down-{n}h": partial(internet_down, hours=n) for n in (1, 6, 24)},
    **{f"dns-down-{n}h": partial(dns_down, hours=n) for n in (1, 6, 24)},
    "cloud-moved-half": partial(cloud_moved, share=0.5),
    "cloud-moved-all": partial(cloud_moved, share=1.0),
    "server-lost": server_lost,
    "twice": twice,
    **{f"lost-{n}%": partial(lost, share=n / 100) for n in (10, 30, 50)},
    "probed": probed,
    "mixed-6h": partial(mixed, hours=6),
    "clock-ahead-6h": partial(clock_ahead, hours=6),
}
"""Every disturbance by its name."""


def disturbed(traffic: Traffic, name: str, seed: int) -> Stream:
    """The sessions under the disturbance ``name``; the same for the same seed."""
    return DISTURBANCES[name](traffic, np.random.default_rng([seed, zlib.crc32(name.encode())]))


def _on_the_internet(pool: str) -> bool:
    """Whether a pool is of the Internet, as far as its name tells."""
    return of_database(pool) or pool == "none"


def _unused(table: list[str]) -> Iterator[str]:
    """Names of autonomous systems that no database has: their numbers are for private use
    (RFC 6996)."""
    known = set(table)
    numbers = chain(range(64_512, 65_535), range(4_200_000_000, 4_294_967_295))
    return (name for number in numbers if (name := f"as:{number}") not in known)


def _retries(first: float, end: float) -> np.ndarray:
    """Times of a session that fails, and of its repetitions before ``end``."""
    quick = first + np.arange(0, 5 * _MINUTE, 30)
    ts = np.append(quick, np.arange(first + 5 * _MINUTE, end, 5 * _MINUTE))
    kept: np.ndarray = ts[(ts < end) | (ts == first)]
    return kept


def _only(stream: Stream, keep: np.ndarray) -> Stream:
    """The sessions where ``keep``, bool [n], is true."""
    return _rows(stream, np.flatnonzero(keep), stream.ts[keep])


def _rows(stream: Stream, rows: np.ndarray, ts: np.ndarray) -> Stream:
    """The sessions ``rows``, int64 [m], at other times, float64 [m]."""
    return replace(
        stream, slot=stream.slot[rows], ts=ts, pool=stream.pool[rows], dport=stream.dport[rows]
    )


def _more(stream: Stream, added: Stream) -> Stream:
    """Both together, in time order."""
    ts = np.concatenate([stream.ts, added.ts])
    order = np.argsort(ts, kind="stable")
    return replace(
        stream,
        slot=np.concatenate([stream.slot, added.slot])[order],
        ts=ts[order],
        pool=np.concatenate([stream.pool, added.pool])[order],
        dport=np.concatenate([stream.dport, added.dport])[order],
    )
