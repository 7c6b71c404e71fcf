"""The ports at which hosts listen, as far as the sessions that others begin show it.

When a session starts, nobody knows whether it is answered. But several hosts that ask one host for
the same port, and few other hosts for such a port, know that it listens there: a scan asks all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from nba_broker.hosts.hint_table import table
from nba_broker.hosts.identity import Identity
from nba_broker.records.ports import port_code, port_name
from nba_broker.records.segments import zoned
from nba_broker.records.sessions import Sessions

SEVERAL = 3
"""Hosts that have to ask for a port: one may be wrong, and a second one may be its twin."""

MANY = 16
"""Hosts that one host may ask for such ports before what it asks for counts no longer. An app for
loudspeakers or an office's PC asks a few, a scan all."""


@dataclass(slots=True)
class Port:
    """Who asked a host for a port, by slot: SEVERAL at most. since: the time of the last of them,
    infinity while there are fewer."""

    askers: list[int] = field(default_factory=list)
    since: float = np.inf


class Listening:
    """Collects, of the ports that the table of hints has, those at which hosts listen, by slot.

    identity: knows which host has an address.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        codes = [port_code(int(number), protocol) for number, protocol in _split(table().ports)]
        self._codes = np.array(sorted(codes), np.int32)
        self._ports: dict[int, dict[int, Port]] = {}
        self._asked: dict[int, set[int]] = {}  # by slot: the hosts that this one asked

    def see(self, sessions: Sessions, slot: np.ndarray, first_seen: np.ndarray) -> None:
        """Take sessions, in time order, of the hosts ``slot``, int64 [n]. first_seen: the time of
        each host's first session, float64 [slots]."""
        for row in np.flatnonzero(np.isin(sessions.dport, self._codes)).tolist():
            segment = "" if sessions.segment is None else sessions.segment[row]
            host = self._host(sessions.dst[row], segment)
            ts, asker = float(sessions.ts[row]), int(slot[row])
            # However sessions are cut: a host is not known before its first one.
            if host is not None and host != asker and first_seen[host] < ts:
                self._take(host, int(sessions.dport[row]), asker, ts)

    def ports(self, slot: int, before: float) -> tuple[str, ...]:
        """The ports at which a host listened earlier than ``before``, such as ``9100/tcp``."""
        found = self._ports.get(slot, {})
        return tuple(port_name(code) for code, port in found.items() if port.since < before)

    def all(self) -> Mapping[int, Mapping[int, Port]]:
        """Who asked hosts for which ports, by the code of each; the state itself."""
        return self._ports

    def restore(self, slot: int, ports: Mapping[int, Port]) -> None:
        """Set what :meth:`all` gave for a host. Raises ValueError if it cannot be that."""
        codes = set(self._codes.tolist())
        for code, port in ports.items():
            if len(port.askers) > SEVERAL or np.isnan(port.since):
                raise ValueError("a port that is none")
            if code in codes:  # the table of an earlier version may have had others
                self._ports.setdefault(slot, {})[code] = port

    def forget(self, slots: Iterable[int]) -> None:
        """These hosts left."""
        for slot in slots:
            self._ports.pop(slot, None)
            self._asked.pop(slot, None)

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times later than ``limit`` become ``now``."""
        for ports in self._ports.values():
            for port in ports.values():
                if limit < port.since < np.inf:
                    port.since = now

    def _host(self, dst: str, segment: str) -> int | None:
        """The host at an address: in the segment of the session, or in the only one that has it."""
        host = self._identity.holder(zoned(dst, segment))
        if host is None and len(known := self._identity.everywhere(dst)) == 1:
            host = self._identity.holder(zoned(dst, known[0]))
        return host

    def _take(self, host: int, code: int, asker: int, ts: float) -> None:
        asked = self._asked.setdefault(asker, set())
        if len(asked) <= MANY:
            asked.add(host)
        if len(asked) > MANY:
            return
        port = self._ports.setdefault(host, {}).setdefault(code, Port())
        if len(port.askers) < SEVERAL and asker not in port.askers:
            port.askers.append(asker)
            if len(port.askers) == SEVERAL:
                port.since = ts


def _split(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    return ((number, protocol) for number, _, protocol in (name.partition("/") for name in names))
