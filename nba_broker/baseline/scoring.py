"""The surprise of each session: what it adds to the surprise of its host's hour, in nats.

The surprise of a pair (pool, service) in an hour is::

    -log(share of hours in which the host has such a session) + z^2 / 2

where z is by how many standard deviations log(sessions) exceeds the mean. A pair that is new, or
too rare to have a rate of its own, is scored by how often the host meets new pairs: at this service
(as time servers are), at any ephemeral port of the transport (as peers are), else anywhere. That is
the idea of Good and Turing (I. J. Good, "The Population Frequencies of Species", 1953): how often
something new came estimates how often it will. A new pair stays on probation for a day: until then
it is as surprising in every hour as in its first. Where the model has a table of the host's class,
a session is no more surprising than it would be of that class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.baseline.class_baseline import ClassBaseline, ClassHours
from nba_broker.baseline.counts import Predicted, added_surprise, predict, surprise_of
from nba_broker.baseline.hours import ABSENT, HourTable
from nba_broker.baseline.keys import ANY, EMPTY
from nba_broker.baseline.settings import BaselineSettings

PAIR, SERVICE, EPHEMERAL = range(3)
"""The keys of a session: of its pair, and of two groups that a new pair belongs to."""

_ANY_PLACE = 0  # of the group of all new pairs, in every table
_DAY = 24.0  # hours


@dataclass(frozen=True, slots=True)
class HourSessions:
    """Sessions to score, of one hour per host: slot int64 [n]; age int [n], hours since the host's
    first session; device_class int [n], below 0 for none; keys uint16 [n, 3] by PAIR, SERVICE and
    EPHEMERAL, EMPTY where there is none; pair int64 [n], see missing.pair_numbers."""

    slot: np.ndarray
    age: np.ndarray
    device_class: np.ndarray
    keys: np.ndarray
    pair: np.ndarray


class _NewPairs:
    """What n sessions to unfamiliar pairs cost, in nats: the least by which a group of new pairs
    explains them, infinite where none does.

    counted: bool [n], the sessions that count as one more new pair. presence: of an hour with such
    a pair, float64 [n]. one_more: of one more such pair in the hour, float64 [n]. by_host,
    by_class: bool [n], which are explained by a group that the host, or its class, has a rate of.
    """

    def __init__(self, counted: np.ndarray) -> None:
        n = len(counted)
        self.counted = counted
        self.presence, self.one_more = np.full(n, np.inf), np.full(n, np.inf)
        self.by_host, self.by_class = np.zeros(n, bool), np.zeros(n, bool)


class Scoring:
    """Scores sessions by their hosts' tables, in which it counts them, and by those of the
    classes."""

    def __init__(
        self, table: HourTable, classes: ClassBaseline, settings: BaselineSettings
    ) -> None:
        self._table, self._settings = table, settings
        self.classes = classes

    def score(self, sessions: HourSessions) -> np.ndarray:
        """Each session's surprise in nats, float64 [n]; 0 while its host's baseline is learned."""
        settings, table, slot = self._settings, self._table, sessions.slot
        warm = sessions.age >= settings.warm_up
        place, on_probation, unfamiliar = self._look_up(sessions, warm)
        in_table = place != ABSENT
        before = np.zeros(len(slot), np.int64)
        before[in_table] = table.count(slot[in_table], place[in_table])

        by_group = unfamiliar & warm
        # A new pair counts once an hour, but while on probation only once in all.
        first = (before == 0) & (table.is_new(place) | ~on_probation)
        new = self._new_pairs(sessions, by_group, by_group & (~in_table | first))
        judged = sessions.age >= settings.learning
        if not judged.any():
            return np.zeros(len(slot))

        own = surprise_of(table.hours(slot, place) / (table.span(slot) + 1))
        presence = np.where(by_group, new.presence, np.where(unfamiliar, 0, own))
        predicted = table.predicted(slot, np.where(unfamiliar, ABSENT, place))
        cap = np.where(unfamiliar, np.inf, settings.volume_cap)
        nats = np.where(in_table, self._added(presence, before, predicted, cap), 0)
        nats = np.where(new.counted, new.one_more, nats)
        self._excuse_by_class(sessions, before, nats)
        weight = sessions.age / (sessions.age + settings.half_weight_age)
        return np.where(judged, nats * weight, 0)

    def _look_up(
        self, sessions: HourSessions, warm: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The place of each session's pair, given to it if it is new and one is left, int64 [n];
        which pairs are on probation, bool [n]; and which are unfamiliar: on probation, or too rare
        to have a rate of their own, bool [n]."""
        table, slot, keys = self._table, sessions.slot, sessions.keys
        place = table.places(slot, keys[:, PAIR])
        on_probation, rare = table.standing(slot, place)
        group = (on_probation | rare) & warm
        wanted = np.column_stack([place == ABSENT, group, group]) & (keys != EMPTY)
        if table.admit(slot, keys, wanted, sessions.pair):
            place = table.places(slot, keys[:, PAIR])
            on_probation, rare = table.standing(slot, place)
        return place, on_probation, on_probation | rare

    def _new_pairs(
        self, sessions: HourSessions, by_group: np.ndarray, counted: np.ndarray
    ) -> _NewPairs:
        """What the sessions that are scored ``by_group``, bool [n], cost by the groups of new pairs
        that they belong to; each is counted in these groups where ``counted``, bool [n]."""
        new = _NewPairs(counted)
        unfamiliar = np.flatnonzero(by_group)
        for group in (SERVICE, EPHEMERAL):
            keys = sessions.keys[:, group]
            rows = unfamiliar[keys[unfamiliar] != EMPTY]
            place = self._table.places(sessions.slot[rows], keys[rows])
            rows, place = rows[place != ABSENT], place[place != ABSENT]
            if len(rows):
                self._explain(sessions, new, rows, place, keys[rows])
        rows = unfamiliar[~new.by_host[unfamiliar]]
        if len(rows):
            place = np.full(len(rows), _ANY_PLACE)
            self._explain(sessions, new, rows, place, np.full(len(rows), ANY))
        return new

    def _explain(
        self,
        sessions: HourSessions,
        new: _NewPairs,
        rows: np.ndarray,
        place: np.ndarray,
        key: np.ndarray,
    ) -> None:
        """Lower the cost of the sessions at ``rows`` to what a group of new pairs explains, by the
        host, which has the group at ``place``, and by its class, which has it at ``key``."""
        table, slot = self._table, sessions.slot[rows]
        anywhere = bool(key[0] == ANY)
        hours, span = table.hours(slot, place).astype(float), table.span(slot)
        # A host that never met a new pair is taken for one that does so once in a day.
        share = (hours + 1) / (span + _DAY) if anywhere else hours / (span + 1)
        before = np.zeros(len(rows), np.int64)
        counted = new.counted[rows]
        before[counted] = table.count(slot[counted], place[counted])
        of_class = self.classes.hours_of(sessions.device_class[rows], key)
        for explained, presence, predicted, known in (
            (new.by_host, surprise_of(share), table.predicted(slot, place), hours > 0),
            (new.by_class, surprise_of(of_class.share), _predicted(of_class), of_class.hours > 0),
        ):
            if anywhere:  # only what no narrower group explains
                presence[explained[rows]] = np.inf
            explained[rows] |= known
            new.presence[rows] = np.minimum(new.presence[rows], presence)
            added = self._added(presence, before, predicted, np.inf)
            new.one_more[rows] = np.minimum(new.one_more[rows], added)

    def _excuse_by_class(
        self, sessions: HourSessions, before: np.ndarray, nats: np.ndarray
    ) -> None:
        """Lower ``nats``, float64 [n], to what the sessions would cost a host of the class that
        theirs are taken for: what is new for a host may be usual for its class."""
        rows = np.flatnonzero(nats > 0)
        if len(rows):
            known = self.classes.hours_of(sessions.device_class[rows], sessions.keys[rows, PAIR])
            presence, predicted = surprise_of(known.share), _predicted(known)
            by_class = self._added(presence, before[rows], predicted, np.inf)
            nats[rows] = np.minimum(nats[rows], by_class)

    def _added(
        self,
        presence: np.ndarray,
        before: np.ndarray,
        predicted: Predicted,
        cap: np.ndarray | float,
    ) -> np.ndarray:
        """See :func:`added_surprise`, with this baseline's tolerance."""
        tolerance = self._settings.tolerance
        return added_surprise(presence, before, predicted, cap=cap, tolerance=tolerance)


def _predicted(known: ClassHours) -> Predicted:
    """The distribution of log(sessions) in an hour with any, of a class."""
    return predict(known.hours, known.mean, known.variance)
