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

A session with a name counts for its pair of domain and service, too. It is scored by that pair
where the host is used to the domain more than to the pool: a familiar name at a new pool is nothing
new. It is also scored so where all sessions to the pool have had names for days and the host rarely
meets a new one: a new name there is something new. Else the pool counts: names that become visible,
or no longer are, surprise nobody, nor do those of a host that browses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.baseline.class_baseline import ClassBaseline, ClassHours
from nba_broker.baseline.counts import Predicted, added_surprise, predict, surprise_of
from nba_broker.baseline.hours import ABSENT, HourTable
from nba_broker.baseline.keys import ANY, EMPTY
from nba_broker.baseline.settings import BaselineSettings

PAIR, SERVICE, EPHEMERAL, DOMAIN, DOMAIN_SERVICE = range(5)
"""The keys of a session: of its pair of pool and service, of two groups that a new pair belongs to,
of its pair of domain and service, and of the group that a new one of these belongs to."""

_ANY_PLACE = 0  # of the group of all new pairs, in every table
_DAY = 24.0  # hours


@dataclass(frozen=True, slots=True)
class HourSessions:
    """Sessions to score, of one hour per host: slot int64 [n]; age int [n], hours since the host's
    first session; device_class int [n], below 0 for none; keys uint16 [n, 5] by PAIR to
    DOMAIN_SERVICE, EMPTY where there is none; pair int64 [n], see missing.pair_numbers."""

    slot: np.ndarray
    age: np.ndarray
    device_class: np.ndarray
    keys: np.ndarray
    pair: np.ndarray


@dataclass(frozen=True, slots=True)
class _Found:
    """A pair of each of n sessions in its host's table.

    place: int64 [n], ABSENT where there is none left. on_probation; unfamiliar: on probation, or
    too rare to have a rate of its own. Both bool [n].
    """

    place: np.ndarray
    on_probation: np.ndarray
    unfamiliar: np.ndarray

    def is_first(self, table: HourTable, before: np.ndarray) -> np.ndarray:
        """Which sessions, bool [n], are the first of an unfamiliar pair; ``before``: how many there
        were in this hour, int64 [n]. A new pair counts once an hour, but while on probation only
        once in all."""
        once = (before == 0) & (table.is_new(self.place) | ~self.on_probation)
        return np.asarray(self.unfamiliar & ((self.place == ABSENT) | once))


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
        pair, domain, by_domain = self._look_up(sessions, warm)
        before_pair, before_domain = self._count(slot, pair.place, domain.place)
        place = np.where(by_domain, domain.place, pair.place)
        before = np.where(by_domain, before_domain, before_pair)
        unfamiliar = np.where(by_domain, domain.unfamiliar, pair.unfamiliar)

        by_group = unfamiliar & warm
        new_pair = pair.is_first(table, before_pair) & warm
        new_domain = domain.is_first(table, before_domain) & warm
        new = self._new_pairs(sessions, by_group, by_domain, new_pair, new_domain)
        judged = sessions.age >= settings.learning
        if not judged.any():
            return np.zeros(len(slot))

        own = surprise_of(table.hours(slot, place) / (table.span(slot) + 1))
        presence = np.where(by_group, new.presence, np.where(unfamiliar, 0, own))
        predicted = table.predicted(slot, np.where(unfamiliar, ABSENT, place))
        cap = np.where(unfamiliar, np.inf, settings.volume_cap)
        nats = np.where(place != ABSENT, self._added(presence, before, predicted, cap), 0)
        nats = np.where(by_group & new.counted, new.one_more, nats)
        self._excuse_by_class(sessions, by_domain, before, nats)
        weight = sessions.age / (sessions.age + settings.half_weight_age)
        return np.where(judged, nats * weight, 0)

    def _look_up(
        self, sessions: HourSessions, warm: np.ndarray
    ) -> tuple[_Found, _Found, np.ndarray]:
        """Each session's pairs of pool and of domain in the table, where new ones and their groups
        get places while some are left; and which sessions are scored by their domains, bool [n]."""
        table, slot, keys = self._table, sessions.slot, sessions.keys
        pair, domain = self._find(slot, keys[:, PAIR]), self._find(slot, keys[:, DOMAIN])
        named = keys[:, DOMAIN] != EMPTY
        familiar = named & ~domain.unfamiliar
        rarer = table.hours(slot, pair.place) < table.hours(slot, domain.place)
        moved = familiar & (pair.unfamiliar | rarer)
        by_domain = moved | (named & ~familiar & self._tell_by_names(slot, pair.place, keys))
        of_pool, of_domain = pair.unfamiliar & warm, named & domain.unfamiliar & warm
        absent = (pair.place == ABSENT, domain.place == ABSENT)
        wanted = np.column_stack([absent[0], of_pool, of_pool, absent[1], of_domain])
        if table.admit(slot, keys, wanted & (keys != EMPTY), sessions.pair):
            pair, domain = self._find(slot, keys[:, PAIR]), self._find(slot, keys[:, DOMAIN])
        table.name(slot, pair.place, named, familiar, moved)
        return pair, domain, by_domain

    def _tell_by_names(self, slot: np.ndarray, pair: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """At which pools, at the places ``pair``, a new domain is new for the host, bool [n]. Like
        what is familiar, it changes only as an hour ends."""
        table = self._table
        place = self._find(slot, keys[:, DOMAIN_SERVICE]).place
        often = table.hours(slot, place) >= self._settings.rare_share * table.span(slot)
        return np.asarray(table.long_named(slot, pair) & ~often)

    def _find(self, slot: np.ndarray, key: np.ndarray) -> _Found:
        """Where the pairs of these keys, uint16 [n], are in their host's table."""
        place = np.full(len(slot), ABSENT)
        some = np.flatnonzero(key != EMPTY)
        if not len(some):
            return _Found(place, np.zeros(len(slot), bool), np.ones(len(slot), bool))
        place[some] = self._table.places(slot[some], key[some])
        on_probation, rare = self._table.standing(slot, place)
        return _Found(place, on_probation, on_probation | rare)

    def _count(self, slot: np.ndarray, *places: np.ndarray) -> np.ndarray:
        """Count each session at each of its places but ABSENT; returns how many there were before
        it in this hour, int64 [places, n], 0 for ABSENT."""
        all_places = np.stack(places, axis=1)
        there = all_places != ABSENT
        before = np.zeros(all_places.shape, np.int64)
        # In the order of the sessions, so that the result does not depend on batches.
        before[there] = self._table.count(slot.repeat(there.sum(1)), all_places[there])
        return before.T

    def _new_pairs(
        self,
        sessions: HourSessions,
        by_group: np.ndarray,
        by_domain: np.ndarray,
        new_pair: np.ndarray,
        new_domain: np.ndarray,
    ) -> _NewPairs:
        """What the sessions that are scored ``by_group`` cost by the groups of new pairs that they
        belong to: those of domains where they are scored ``by_domain``, else those of pools. Each
        session is counted in all its groups where its pair is new. All bool [n]."""
        keys = sessions.keys
        new = _NewPairs(np.where(by_domain, new_domain, new_pair))
        for group, scored, counted in (
            (SERVICE, by_group & ~by_domain, new_pair),
            (EPHEMERAL, by_group & ~by_domain, new_pair),
            (DOMAIN_SERVICE, by_group & by_domain, new_domain),
        ):
            rows = np.flatnonzero((scored | counted) & (keys[:, group] != EMPTY))
            place = self._table.places(sessions.slot[rows], keys[rows, group])
            rows, place = rows[place != ABSENT], place[place != ABSENT]
            before = self._count(sessions.slot[rows], np.where(counted[rows], place, ABSENT))[0]
            some = scored[rows]
            if some.any():
                self._explain(sessions, new, rows[some], place[some], group, before[some])
        rows = np.flatnonzero(by_group & ~new.by_host)
        if len(rows):
            place = np.full(len(rows), _ANY_PLACE)
            counted = np.where(new.counted[rows], place, ABSENT)
            before = self._count(sessions.slot[rows], counted)[0]
            self._explain(sessions, new, rows, place, None, before)
        return new

    def _explain(
        self,
        sessions: HourSessions,
        new: _NewPairs,
        rows: np.ndarray,
        place: np.ndarray,
        group: int | None,
        before: np.ndarray,
    ) -> None:
        """Lower the cost of the sessions at ``rows`` to what a group of new pairs, that of all for
        None, explains, by the host, which has the group at ``place``, and by its class. before: how
        many there were in this hour."""
        table, slot = self._table, sessions.slot[rows]
        anywhere = group is None
        key = np.full(len(rows), ANY) if group is None else sessions.keys[rows, group]
        hours, span = table.hours(slot, place).astype(float), table.span(slot)
        # A host that never met a new pair is taken for one that does so once in a day.
        share = (hours + 1) / (span + _DAY) if anywhere else hours / (span + 1)
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
        self, sessions: HourSessions, by_domain: np.ndarray, before: np.ndarray, nats: np.ndarray
    ) -> None:
        """Lower ``nats``, float64 [n], to what the sessions would cost a host of the class that
        theirs are taken for: what is new for a host may be usual for its class. Its pool excuses no
        session that is scored by its domain, if the class has names."""
        rows = np.flatnonzero(nats > 0)
        if not len(rows):
            return
        device_class, keys = sessions.device_class[rows], sessions.keys[rows]
        by_name_only = by_domain[rows] & self.classes.have_names(device_class)
        for column in (PAIR, DOMAIN):
            known = self.classes.hours_of(device_class, keys[:, column])
            presence, predicted = surprise_of(known.share), _predicted(known)
            by_class = self._added(presence, before[rows], predicted, np.inf)
            if column == PAIR:
                by_class[by_name_only] = np.inf
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
