"""What is usual for each host, how surprising its sessions are, and when that is an alarm.

A host's baseline has three parts: a table of what it does in an hour
(:mod:`nba_broker.baseline.hours`), by which its sessions are scored
(:mod:`nba_broker.baseline.scoring`); the sum of their surprise (:mod:`nba_broker.baseline.cusum`);
and the most surprising of them (:mod:`nba_broker.baseline.evidence`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from nba_broker.baseline import cusum, evidence, hours, keys
from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.cusum import PER_NAT, Cusum
from nba_broker.baseline.evidence import Anomaly, Evidence
from nba_broker.baseline.hours import HourTable
from nba_broker.baseline.missing import Regular, pair_numbers
from nba_broker.baseline.scoring import (
    DOMAIN,
    DOMAIN_SERVICE,
    EPHEMERAL,
    PAIR,
    SERVICE,
    HourSessions,
    Scoring,
)
from nba_broker.baseline.settings import BaselineSettings
from nba_broker.destinations.name_values import NameValues
from nba_broker.destinations.names import NO_NAME, asked_itself
from nba_broker.destinations.pools import of_database
from nba_broker.records.grouping import by_slot, changes
from nba_broker.records.ports import PROTOCOL_CODES, port_code
from nba_broker.records.slots import Column, Slots
from nba_broker.records.times import END_OF_TIME, HOUR

__all__ = ["Anomaly", "BaselineSettings", "HostBaseline", "HostSessions"]

_SERVERS = ("gw", "bcast")
_LEASES = (port_code(67, "udp"), port_code(547, "udp"))


@dataclass(frozen=True, slots=True)
class HostSessions:
    """Sessions in time order, with what the baseline has to know of each.

    slot: the host, int64 [n]. ts: seconds since the epoch, float64 [n]. pool: int32 [n], an index
    into the table of pools, for the evidence. address_pool: the pools of the addresses alone, int32
    [n], by which sessions count; None for ``pool``. dport: port codes, int32 [n]. device_class: the
    number of the class that the host is taken for, int [n], negative for none; None where that
    holds for all. counted: which sessions are scored and learned, bool [n]; None for all. paused:
    of which sessions' hosts nothing is missing now, bool [n], see
    :mod:`nba_broker.baseline.missing`; None for none. name: the numbers of the destinations' names,
    int32 [n]; None for none. dst: addresses "V16" [n], and uid: uids.TEXT [n], only for the
    evidence of an alarm.
    """

    slot: np.ndarray
    ts: np.ndarray
    pool: np.ndarray
    dport: np.ndarray
    device_class: np.ndarray | None = None
    counted: np.ndarray | None = None
    paused: np.ndarray | None = None
    dst: np.ndarray | None = None
    name: np.ndarray | None = None
    uid: np.ndarray | None = None
    address_pool: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.slot)

    def evidence(self) -> dict[str, np.ndarray]:
        """The columns that are shown as evidence of an alarm, without those left out."""
        shown = {"ts": self.ts, "pool": self.pool, "dport": self.dport}
        more = {"dst": self.dst, "name": self.name, "uid": self.uid}
        return shown | {name: column for name, column in more.items() if column is not None}


class HostBaseline:
    """The baselines of all hosts, a few hundred bytes each.

    classes: those of the device classes, see :meth:`use`. slots: the store that its columns are
    added to; its own by default. secret: see :meth:`rekey`.
    """

    def __init__(
        self,
        settings: BaselineSettings | None = None,
        classes: ClassBaseline | None = None,
        slots: Slots | None = None,
        secret: bytes = b"",
    ) -> None:
        self.settings = settings = settings or BaselineSettings()
        self.slots = slots or Slots()
        self.columns = self.slots.add(
            "baseline",
            {
                "hour": Column(np.int32),  # the current one, since the epoch; 0 for no session yet
                "first_hour": Column(np.int32),  # of the host, later by what gaps do not count
                "device_class": Column(np.int16),  # in the current hour: number + 1, 0 for none
                **hours.columns_of(settings),
                **cusum.COLUMNS,
                **evidence.COLUMNS,
            },
        )
        self._table = HourTable(self.columns, settings)
        self._cusum = Cusum(self.columns, settings)
        self._evidence = Evidence(self.columns)
        self._scoring = Scoring(self._table, classes or ClassBaseline(), settings)
        self._regular: list[Regular] = []
        self.rekey(secret)

    @property
    def evidence(self) -> dict[int, np.ndarray]:
        """The most surprising sessions by slot, as a snapshot keeps them; few hosts have any. See
        :class:`nba_broker.baseline.evidence.Evidence`."""
        return self._evidence.sessions

    def rekey(self, secret: bytes) -> None:
        """Use the secret of a state (see :mod:`nba_broker.baseline.keys`), before the first
        session: the keys in tables are of one secret. Raises ValueError for one that is too
        long."""
        keys.pool_hash("", secret)
        self.secret = secret
        self._pools = _Pools(secret)
        self._domains = NameValues(partial(keys.domain_hash, secret=secret), np.uint64)
        self._scoring.classes = self._scoring.classes.keyed(secret)

    def use(self, classes: ClassBaseline, number: np.ndarray) -> None:
        """Go on with the classes of another model. number: what the number of each class is now,
        int16 [classes], negative for one that the model does not have."""
        self._scoring.classes = classes.keyed(self.secret)
        now = np.append(0, np.where(number < len(classes), number, -1) + 1).astype(np.int16)
        column = self.columns["device_class"]
        column[:] = now[column]

    def push(
        self,
        sessions: HostSessions,
        pools: Sequence[str],
        text: Callable[[int], str] | None = None,
    ) -> tuple[np.ndarray, list[Anomaly]]:
        """Score sessions and learn from them; ``pools``: the table of pools, which only grows;
        ``text`` gives the names by their numbers, None for none.

        Returns each session's surprise, float64 [n] in nats, and the alarms in the order of their
        sessions. The class of a host at its first session of an hour counts for all of that hour.
        Most ICMP errors to the Internet are not scored: they answer probes of the host's ports, and
        an attacker on the Internet must not be able to make the host misbehave. Nor are requests of
        leases: a host repeats them for as long as no server answers.
        """
        surprise = np.zeros(len(sessions))
        anomalies: list[Anomaly] = []
        if not len(sessions):
            return surprise, anomalies
        self.slots.reserve(int(sessions.slot.max()) + 1)
        order = by_slot(sessions.slot)
        # The name may come late, and the pool that an override gives to it with it.
        pool = sessions.pool if sessions.address_pool is None else sessions.address_pool
        slot, pool, dport = sessions.slot[order], pool[order], sessions.dport[order]
        hour, hour_number = self._hours(slot, sessions.ts[order])
        self._pools.learn(pools)
        pair_keys = self._pools.keys(pool, dport)
        if text is not None and sessions.name is not None:
            # Of names that others asked for, anyone at the site could make any up.
            name = sessions.name[order]
            domain = self._domains.of(np.where(asked_itself(name), name, NO_NAME), text)
            named = np.flatnonzero(domain)
            pair_keys[named, DOMAIN] = keys.pairs(domain[named], dport[named])
            pair_keys[named, DOMAIN_SERVICE] = keys.domain_services(dport[named])
        scored = ~self._pools.are_icmp_errors_outside(pool, dport)
        scored &= ~self._pools.are_requests_of_leases(pool, dport)
        if sessions.counted is not None:
            scored &= sessions.counted[order]
        device_class = np.full(len(slot), -1)
        if sessions.device_class is not None:
            device_class = sessions.device_class[order]
        paused = np.zeros(len(slot), bool)
        if sessions.paused is not None:
            paused = sessions.paused[order]
        pair = pair_numbers(pool, dport)
        for rows in _each_in_turn(hour_number):
            self._begin_hours(slot[rows], hour[rows], device_class[rows], paused[rows], order[rows])
            rows = rows[scored[rows]]
            parts = self._score(slot[rows], pair_keys[rows], pair[rows])
            surprise[order[rows]] = parts / PER_NAT
            anomalies += self._add_up(sessions, slot[rows], order[rows], parts)
        return surprise, sorted(anomalies, key=lambda anomaly: anomaly.index)

    def take_regular(self) -> list[Regular]:
        """The regular destinations that the last :meth:`push` found to be missing or back, in the
        order of their sessions."""
        found, self._regular = sorted(self._regular, key=lambda one: one.index), []
        return found

    def accept(self, slots: np.ndarray) -> None:
        """Treat what these hosts have recently begun to do as usual, and set their sums to 0: an
        analyst confirmed their behaviour."""
        self._table.accept(slots)
        self.calm(slots)

    def calm(self, slots: np.ndarray) -> None:
        """Set the sums of these hosts, int64 [n], to 0: what surprised is explained."""
        self._cusum.clear(slots)
        self._evidence.clear(slots)

    def adopt(self, slots: np.ndarray, pool: int, dport: int, pools: Sequence[str]) -> None:
        """Treat sessions to this pool, an index into ``pools``, and port code as usual for these
        hosts, int64 [n]: they are from now on, and were not counted while an event of the site
        explained them."""
        self._pools.learn(pools)
        to, service = np.array([pool], np.int32), np.array([dport], np.int32)
        key = self._pools.keys(to, service)[0, PAIR]
        self._table.adopt(slots, int(key), int(pair_numbers(to, service)[0]))
        self.calm(slots)

    def forget(self, slots: np.ndarray) -> None:
        """Drop what is not in columns: these slots hold new hosts, or none."""
        self._evidence.forget(slots)

    @staticmethod
    def check(records: np.ndarray, classes: int) -> None:
        """Raise ValueError unless these records of columns, [n], can be of hosts, with a model of
        so many classes."""
        not_negative = (
            *("span", "mean_square", "hours", "mean", "variance", "since", "first_hour", "cusum"),
            *("hour_surprise", "surprising_sessions", "evidence_surprise", "device_class", "pair"),
        )
        if not (
            all(
                np.isfinite(records[name]).all() and (records[name] >= 0).all()
                for name in not_negative
            )
            and np.isfinite(records["mean_surprise"]).all()
            and (records["since"] < END_OF_TIME).all()
            and (records["hour"] >= records["first_hour"]).all()
            and (records["device_class"] <= classes).all()
            and (records["new_pairs"] <= records["key"].shape[1]).all()
        ):
            raise ValueError("a host's baseline is out of range")

    def look_back(self, slots: np.ndarray, limit: float, now: float) -> None:
        """Times of these hosts that are later than ``limit`` become ``now``, both in seconds since
        the epoch: a clock was wrong. Their current hour ends, and their age stays."""
        self._evidence.look_back(slots, limit, now)
        ahead = np.maximum(self.columns["hour"][slots] - int(now // HOUR) + 1, 0)
        for name in ("hour", "first_hour"):
            self.columns[name][slots] -= ahead

    def _hours(self, slot: np.ndarray, ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The hour of each session, int64 [n], and its number among the hours of its host in this
        batch, from 0 on, int64 [n]; sessions are grouped by host. A late session counts in the hour
        that its host has come to."""
        new_host = changes(slot)
        group = np.cumsum(new_host) - 1
        hour = np.maximum(np.floor(ts / HOUR).astype(np.int64), self.columns["hour"][slot])
        hour = np.maximum.accumulate(hour + (group << 32)) - (group << 32)
        number = np.cumsum(new_host | changes(hour)) - 1
        return hour, number - number[np.flatnonzero(new_host)][group]

    def _begin_hours(
        self,
        slot: np.ndarray,
        hour: np.ndarray,
        device_class: np.ndarray,
        paused: np.ndarray,
        index: np.ndarray,
    ) -> None:
        """End the hours that are over and begin these; sessions, at ``index`` in the batch, are
        grouped by host, with one hour each."""
        columns = self.columns
        first = changes(slot)
        slot, hour, device_class = slot[first], hour[first], device_class[first]
        paused, index = paused[first], index[first]
        current = columns["hour"][slot]
        new = current == 0
        over = (hour > current) & ~new
        began = new | over
        known = np.where(device_class < len(self._scoring.classes), device_class, -1)
        columns["device_class"][slot[began]] = known[began] + 1
        hosts = slot[new]
        columns["first_hour"][hosts] = columns["hour"][hosts] = hour[new]
        self._table.begin(hosts)
        if over.any():
            self._end_hours(slot[over], hour[over], paused[over], index[over])

    def _end_hours(
        self, slot: np.ndarray, hour: np.ndarray, paused: np.ndarray, index: np.ndarray
    ) -> None:
        """End the current hours of these hosts; ``hour``: the next ones, which begin with the
        sessions at ``index``."""
        columns, settings = self.columns, self.settings
        gap = hour - columns["hour"][slot]
        passed = np.minimum(gap, settings.longest_gap)
        learned = columns["hour"][slot] - columns["first_hour"][slot] >= settings.learning
        # A host is no better known for having been away: its age counts a long gap no longer.
        columns["first_hour"][slot] += (gap - passed).astype(np.int32)
        at_zero = self._cusum.end_hours(slot, passed)
        self._evidence.clear(slot[at_zero])
        current = columns["hour"][slot].astype(np.int64)
        for row, one in self._table.end_hours(slot, current, passed, learned, paused):
            self._regular.append(replace(one, index=int(index[row])))
        columns["hour"][slot] = hour

    def _score(self, slot: np.ndarray, pair_keys: np.ndarray, pair: np.ndarray) -> np.ndarray:
        """The surprise of sessions in parts of a nat, int64 [n]."""
        if not len(slot):
            return np.zeros(0, np.int64)
        columns = self.columns
        age = columns["hour"][slot] - columns["first_hour"][slot]
        device_class = columns["device_class"][slot] - 1
        nats = self._scoring.score(HourSessions(slot, age, device_class, pair_keys, pair))
        return np.round(nats * PER_NAT).astype(np.int64)

    def _add_up(
        self, sessions: HostSessions, slot: np.ndarray, index: np.ndarray, parts: np.ndarray
    ) -> list[Anomaly]:
        """Add the surprise of sessions, at ``index`` in the batch and grouped by host, to their
        hosts' sums; returns the alarms."""
        surprising = np.flatnonzero(parts)
        if not len(surprising):
            return []
        slot, index, parts = slot[surprising], index[surprising], parts[surprising]
        level, alarm = self._cusum.add(slot, parts)
        anomalies = []
        batch = sessions.evidence()
        # Evidence is gathered up to the end of a host's sessions, or to an alarm, which uses it up.
        stops = np.flatnonzero(alarm | np.append(slot[1:] != slot[:-1], True)) + 1
        start = 0
        for stop in stops.tolist():
            host, rows = int(slot[start]), slice(start, stop)
            self._evidence.add(host, parts[rows], batch, index[rows])
            if alarm[stop - 1]:
                anomaly = self._evidence.anomaly(host, int(index[stop - 1]), int(level[stop - 1]))
                anomalies.append(anomaly)
                self._evidence.clear(slot[start : start + 1])
            start = stop
        return anomalies


class _Pools:
    """What the baseline has to know of each pool in the table: the hash of its name, whether it is
    of the Internet, and whether DHCP is asked there."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._hash = np.zeros(0, np.uint64)
        self._outside = np.zeros(0, bool)
        self._serves = np.zeros(0, bool)

    def learn(self, table: Sequence[str]) -> None:
        """Take the pools that the table has got since the last time."""
        if added := table[len(self._hash) :]:
            hashes = np.array([keys.pool_hash(one, self._secret) for one in added], np.uint64)
            self._hash = np.concatenate([self._hash, hashes])
            outside = [of_database(name) or name == "none" for name in added]
            self._outside = np.append(self._outside, outside)
            serves = [name in _SERVERS or name.startswith("mcast:") for name in added]
            self._serves = np.append(self._serves, serves)

    def keys(self, pool: np.ndarray, dport: np.ndarray) -> np.ndarray:
        """The keys of sessions without names, uint16 [n, 5]: see :class:`HourSessions`."""
        found = np.full((len(pool), 5), keys.EMPTY, np.uint16)
        found[:, PAIR] = keys.pairs(self._hash[pool], dport)
        found[:, SERVICE], found[:, EPHEMERAL] = keys.services(dport), keys.ephemeral(dport)
        return found

    def are_icmp_errors_outside(self, pool: np.ndarray, dport: np.ndarray) -> np.ndarray:
        """Which sessions are ICMP errors to the Internet, bool [n], as far as their port tells. For
        Zeek it is the code of an error, and of a request the type of its answer, which is 0 or from
        8 on."""
        code = dport & 0xFFFF
        error = ((dport >> 16) == PROTOCOL_CODES["icmp"]) & (code >= 1) & (code <= 7)
        return np.asarray(error & self._outside[pool])

    def are_requests_of_leases(self, pool: np.ndarray, dport: np.ndarray) -> np.ndarray:
        """Which sessions ask for a lease, by broadcast or the gateway, bool [n]."""
        return np.asarray(np.isin(dport, _LEASES) & self._serves[pool])


def _each_in_turn(number: np.ndarray) -> Iterator[np.ndarray]:
    """The places of all 0 in ``number``, int64 [n], then of all 1, and so on."""
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(number.max() + 2))
    for start, stop in pairwise(bounds.tolist()):
        yield order[start:stop]
