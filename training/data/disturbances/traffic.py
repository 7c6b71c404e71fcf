"""Sessions with the part of each device that is disturbed, and how rows of them are changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nba_broker.destinations.pools import of_database
from nba_broker.records.ports import port_code
from nba_broker.records.times import DAY, HOUR
from training.data.labelled_sessions import LabelledSessions

MINUTE = 60.0

GATEWAY, BROADCAST, PUBLIC_RESOLVER = POOLS = "gw", "bcast", "as:15169"
"""Pools that disturbances use by name. The last one is that of Google Public DNS."""

_DNS = (port_code(53, "udp"), port_code(53, "tcp"))
_NTP = port_code(123, "udp")


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Sessions of devices in time order, and the judged part of each device.

    A device is a series of the sessions. since, until: begin and end of its judged part, float64
    [series], seconds; nan for a device without sessions. A device whose part ends before it begins
    is not judged.
    """

    sessions: LabelledSessions
    since: np.ndarray
    until: np.ndarray

    @property
    def noon(self) -> np.ndarray:
        """The first noon (UTC) in the judged part, float64 [series]."""
        half: float = DAY / 2
        noon: np.ndarray = np.ceil((self.since - half) / DAY) * DAY + half
        return noon

    def judged(self) -> np.ndarray:
        """Which sessions are in the judged part of their device, bool [n]."""
        inside: np.ndarray = self.sessions.ts >= self.since[self.sessions.series]
        return inside

    def within(
        self, begin: np.ndarray, hours: float, series: np.ndarray | None = None
    ) -> np.ndarray:
        """Which sessions start in the ``hours`` from ``begin``, float64 [series], on; bool [n].

        series: the device that each session counts for, int64 [n], if not the one that started it.
        """
        at = begin[self.sessions.series if series is None else series]
        inside: np.ndarray = (self.sessions.ts >= at) & (self.sessions.ts < at + hours * HOUR)
        return inside

    def to(self, fits: Callable[[str], bool]) -> np.ndarray:
        """Which sessions go to a pool whose name ``fits``, bool [n]."""
        sessions = self.sessions
        found: np.ndarray = np.array(list(map(fits, sessions.table)), bool)[sessions.pool]
        return found

    def to_the_internet(self) -> np.ndarray:
        """Which sessions go to the Internet, as far as the name of their pool tells; bool [n]."""
        return self.to(lambda pool: of_database(pool) or pool == "none")

    def queries(self) -> np.ndarray:
        """Which sessions ask a name server, bool [n]."""
        found: np.ndarray = np.isin(self.sessions.dport, _DNS)
        return found

    def to_time_servers(self) -> np.ndarray:
        """Which sessions ask a time server, bool [n]."""
        found: np.ndarray = self.sessions.dport == _NTP
        return found

    def to_clouds(self) -> np.ndarray:
        """Which sessions go to the device's own servers, bool [n]: to an autonomous system or
        country, but to no name or time server there, which are other people's."""
        own: np.ndarray = self.to(of_database) & ~self.queries() & ~self.to_time_servers()
        return own

    def places(self) -> np.ndarray:
        """A number for each device with each pool, int64 [n], ascending by device, then pool."""
        sessions = self.sessions
        number: np.ndarray = sessions.series * len(sessions.table) + sessions.pool
        return number


def rows_of(sessions: LabelledSessions, rows: np.ndarray, ts: np.ndarray) -> LabelledSessions:
    """The sessions ``rows``, int64 [m], at other times, float64 [m]."""
    return replace(
        sessions,
        ts=ts,
        series=sessions.series[rows],
        pool=sessions.pool[rows],
        dport=sessions.dport[rows],
        name=sessions.name[rows],
    )


def more(sessions: LabelledSessions, added: LabelledSessions) -> LabelledSessions:
    """Both together, in time order; ``added`` has the same table and names."""
    ts = np.concatenate([sessions.ts, added.ts])
    order = np.argsort(ts, kind="stable")
    return replace(
        sessions,
        ts=ts[order],
        series=np.concatenate([sessions.series, added.series])[order],
        pool=np.concatenate([sessions.pool, added.pool])[order],
        dport=np.concatenate([sessions.dport, added.dport])[order],
        name=np.concatenate([sessions.name, added.name])[order],
    )


def with_pools(sessions: LabelledSessions, *names: str) -> LabelledSessions:
    """The same sessions with these pools in the table, behind those that are there."""
    return replace(sessions, table=list(dict.fromkeys([*sessions.table, *names])))
