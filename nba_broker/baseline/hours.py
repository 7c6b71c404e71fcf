"""What each host does in an hour: a table of its pairs with the share of hours and the number of
sessions, both fading.

A table is frozen within the hour, so that nothing depends on how sessions are cut into batches:
sessions of the current hour are only counted, and pairs that are new in it have places of their
own. As the hour ends the counts are folded into the means, and the pairs of the most hours keep
their places (as in Space-Saving, Metwally et al., "Efficient Computation of Frequent and Top-k
Elements", 2005).
"""

from __future__ import annotations

import numpy as np

from nba_broker.baseline import missing
from nba_broker.baseline.counts import Predicted, predict
from nba_broker.baseline.keys import ANY, EMPTY
from nba_broker.baseline.missing import Regular
from nba_broker.baseline.settings import OLDEST_PAIR, BaselineSettings
from nba_broker.records.grouping import changes
from nba_broker.records.slots import Column, Columns
from nba_broker.records.times import HOUR

ABSENT = -1
"""The place of a pair that is not in its host's table."""


_MOST = 60_000  # sessions of a pair that are counted in an hour
_TABLE = (
    *("key", "count", "hours", "mean", "variance", "age", "named", "marks"),
    *("pair", "seen", "unseen", "longest", "missing"),
)
_LATER = OLDEST_PAIR + 1  # the bit of an age: the pair was first met after learning
_NAMELESS = 1  # a session of this hour has no name
_MOVED = 2  # one of many pools of a domain
_OF_MANY = 24  # hours with a session, by which such a pool counts less
_LONGEST_NAMED = 255  # hours are counted up to this many
_FORGOTTEN = 2.0**-24  # hours: less is none


def columns_of(settings: BaselineSettings) -> dict[str, Column]:
    """The columns of tables of this size."""
    size, lasting = (settings.table_size,), (settings.lasting,)
    return {
        "span": Column(np.float32),  # hours that the table covers, fading
        "new_pairs": Column(np.uint8),  # places given in the current hour, from the table's end
        "key": Column(np.uint16, shape=size),  # see baseline.keys; the first is ANY
        "count": Column(np.uint16, shape=size),  # sessions, or new pairs of a group, of this hour
        # Of the pairs that were there as the hour began. In half precision these would stall: what
        # an hour adds to a mean over weeks is less than half of their last digit.
        "hours": Column(np.float32, shape=lasting),  # with any session, fading
        "mean": Column(np.float32, shape=lasting),  # of log(sessions) in these
        "variance": Column(np.float32, shape=lasting),  # of log(sessions) in these
        "age": Column(np.uint8, shape=lasting),  # hours since the first session, and _LATER
        "named": Column(np.uint8, shape=size),  # hours since a familiar domain, 0 without a name
        "marks": Column(np.uint8, shape=size),  # _NAMELESS and _MOVED
        **missing.columns_of(settings),
    }


class HourTable:
    """The tables of all hosts, in a stage's ``columns``, which have those of :func:`columns_of`."""

    def __init__(self, columns: Columns, settings: BaselineSettings) -> None:
        self._columns, self._settings = columns, settings

    def begin(self, slot: np.ndarray) -> None:
        """Begin the tables of new hosts."""
        self._columns["key"][slot, 0] = ANY

    def places(self, slot: np.ndarray, key: np.ndarray) -> np.ndarray:
        """Where in its host's table each key is, int64 [n]; ABSENT where it is not."""
        found = self._columns["key"][slot] == key[:, None]
        place = found.argmax(1)
        return np.where(found[np.arange(len(slot)), place], place, ABSENT)

    def hours(self, slot: np.ndarray, place: np.ndarray) -> np.ndarray:
        """In how many of the host's hours there was a session of the pair at this place, float32
        [n]; 0 for new pairs and ABSENT."""
        return self._at("hours", slot, place)

    def span(self, slot: np.ndarray) -> np.ndarray:
        """How many hours the host's table covers, float32 [n]."""
        return np.asarray(self._columns["span"][slot])

    def predicted(self, slot: np.ndarray, place: np.ndarray) -> Predicted:
        """The distribution of log(sessions) in an hour with any; the prior's for ABSENT."""
        names = ("hours", "mean", "variance")
        return predict(*(self._at(name, slot, place).astype(float) for name in names))

    def standing(self, slot: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which pairs are on probation, and which are met too rarely to have a rate of their own,
        new ones among them: both bool [n]."""
        settings = self._settings
        hours, age = self._at("hours", slot, place), self._at("age", slot, place)
        known, later = hours > 0, age >= _LATER
        on_probation = known & later & ((age & OLDEST_PAIR) < settings.probation)
        rare = ~known | (later & (hours < 1.5)) | (hours < settings.rare_share * self.span(slot))
        return on_probation, rare & ~on_probation

    def long_named(self, slot: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Which pairs of a pool have had a familiar domain and no session without a name, for as
        long as a baseline is learned, bool [n]: a domain that is new there is new for the host."""
        return np.asarray(self._at("named", slot, place) >= self._settings.learning)

    def name(
        self,
        slot: np.ndarray,
        place: np.ndarray,
        named: np.ndarray,
        familiar: np.ndarray,
        moved: np.ndarray,
    ) -> None:
        """The pairs of a pool at these places have sessions; which of these have a name, a familiar
        domain, and one that the host is used to more than to the pool, bool [n]."""
        there = place != ABSENT
        marks, column = self._columns["marks"], self._columns["named"]
        for mark, rows in ((_NAMELESS, there & ~named), (_MOVED, there & moved)):
            marks[slot[rows], place[rows]] |= mark
        slot, place = slot[there & familiar], place[there & familiar]
        column[slot, place] = np.maximum(column[slot, place], 1)

    def is_new(self, place: np.ndarray) -> np.ndarray:
        """Whether these places were given in the current hour, bool [n]."""
        return np.asarray(place >= self._settings.lasting)

    def admit(
        self, slot: np.ndarray, keys: np.ndarray, wanted: np.ndarray, pair: np.ndarray
    ) -> bool:
        """Give keys uint16 [n, levels] a place where ``wanted``, bool of the same shape, in the
        order of their sessions, until the hour's places for new pairs are taken. pair: the numbers
        of the pairs, whose keys are of the first level, int64 [n]. Returns whether any was
        given."""
        columns, settings = self._columns, self._settings
        wanted = wanted & (columns["new_pairs"][slot] < settings.new_pairs)[:, None]
        row, level = np.nonzero(wanted)
        absent = self.places(slot[row], keys[row, level]) == ABSENT
        row, level = row[absent], level[absent]
        if not len(row):
            return False
        _, once = np.unique(slot[row] * 65_536 + keys[row, level], return_index=True)
        once.sort()
        row, level = row[once], level[once]
        number = columns["new_pairs"][slot[row]] + _rank(slot[row])[0]
        fits = number < settings.new_pairs
        row, level, number = row[fits], level[fits], number[fits]
        host, place = slot[row], settings.table_size - 1 - number
        columns["key"][host, place] = keys[row, level]
        columns["count"][host, place] = 0
        columns["named"][host, place] = 0
        columns["marks"][host, place] = 0
        columns["pair"][host, place] = np.where(level == 0, pair[row], missing.NO_PAIR)
        np.maximum.at(columns["new_pairs"], host, (number + 1).astype(np.uint8))
        return True

    def count(self, slot: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Count one more at each of these places, none of them ABSENT; returns how many there were
        before it in this hour, int64 [n]."""
        count = self._columns["count"].reshape(-1)
        code = slot * self._settings.table_size + place
        rank, last = _rank(code)
        before: np.ndarray = count.take(code) + rank
        count[code[last]] = np.minimum(before[last] + 1, _MOST)
        return before

    def end_hours(
        self,
        slot: np.ndarray,
        hour: np.ndarray,
        passed: np.ndarray,
        learned: np.ndarray,
        paused: np.ndarray,
    ) -> list[tuple[int, Regular]]:
        """Fold the current hour of these hosts, int64 [n], into their means. Returns the regular
        destinations that are missing from now on, or back, each with the row of its host; see
        :mod:`nba_broker.baseline.missing`, which also says what ``paused`` is.

        passed: hours until their next, float64 [n], at least 1. learned: bool [n], which hosts'
        baselines are learned already: their new pairs begin on probation. Mean and variance follow
        D. H. D. West, "Updating mean and variance estimates: an improved method", 1979, with hours
        as weights that fade.
        """
        columns, settings = self._columns, self._settings
        fade = np.exp(-passed / settings.memory)
        columns["span"][slot] = (columns["span"][slot] + passed) * fade
        table = self._read(slot)
        count, hours, mean, variance, age = (
            table[name] for name in ("count", "hours", "mean", "variance", "age")
        )
        regular = self._regular(slot, hour, table, paused)
        expected, deviation = predict(hours, mean, variance)
        # A flood is one hour of many sessions, not what the host does from now on.
        log = np.minimum(np.log(np.maximum(count, 1)), expected + 3 * deviation)
        present = count > 0
        weight = np.where(present, hours + 1, 1)
        off = np.where(present, log - mean, 0)
        mean += off / weight
        fresh = hours / weight * (variance + off**2 / weight)
        table["variance"] = np.where(present, fresh, variance)
        hours = (hours + present) * fade[:, None]
        hours[hours < _FORGOTTEN] = 0
        table["hours"] = hours
        age[:, settings.lasting :] = np.where(learned, _LATER, 0)[:, None]
        older = np.minimum((age & OLDEST_PAIR) + passed[:, None], OLDEST_PAIR).astype(int)
        table["age"] = older | (age & _LATER)
        longer = np.minimum(table["named"] + passed[:, None], _LONGEST_NAMED).astype(int)
        with_name = (table["named"] > 0) & (table["marks"] & _NAMELESS == 0)
        table["named"] = np.where(with_name, longer, 0)
        table["marks"] &= _MOVED
        table["count"] = np.zeros_like(count)
        self._write(slot, table)
        columns["new_pairs"][slot] = 0
        return regular

    def _regular(
        self, slot: np.ndarray, hour: np.ndarray, table: dict[str, np.ndarray], paused: np.ndarray
    ) -> list[tuple[int, Regular]]:
        """Count the hour that ends for regular destinations; see :meth:`end_hours`."""
        span = self._columns["span"][slot]
        share = table["hours"] / (span + 1)[:, None]
        seen, age = table["seen"], table["age"] & OLDEST_PAIR
        asked = table | {"share": share, "span": span, "age": age}
        gone, back = missing.end_hours(asked, hour, paused, self._settings)
        for name in ("seen", "unseen", "longest", "missing"):
            table[name] = asked[name]
        row, place = np.nonzero(gone | back)
        last = missing.last_seen(seen[row, place], hour[row])
        daily = 24 * share[row, place] * np.exp(table["mean"][row, place])
        pair = table["pair"][row, place]
        return [
            (one, Regular(-1, host, pool, dport, float(at) * HOUR, usual, is_back))
            for one, host, pool, dport, at, usual, is_back in zip(
                row.tolist(),
                slot[row].tolist(),
                missing.pools_of(pair).tolist(),
                missing.services_of(pair).tolist(),
                last.tolist(),
                daily.tolist(),
                back[row, place].tolist(),
                strict=True,
            )
        ]

    def accept(self, slot: np.ndarray) -> None:
        """Treat the pairs of this hour, and those on probation, as usual for these hosts: each gets
        as many hours with a session as make it no surprise; the number of sessions stays."""
        settings = self._settings
        table = self._read(slot)
        recent = (table["count"] > 0) | ((table["age"] & OLDEST_PAIR) < settings.probation)
        recent &= table["key"] > ANY
        least = (self._columns["span"][slot] + 1) * np.exp(-settings.tolerance)
        hours = table["hours"]
        table["hours"] = np.where(recent, np.maximum(hours, least[:, None]), hours)
        table["age"] = np.where(recent, OLDEST_PAIR, table["age"])
        self._write(slot, table)

    def adopt(self, slot: np.ndarray, key: int, pair: int) -> None:
        """Give the pair of this key and number a lasting place, the last one, for those of these
        hosts that do not have it, with as many hours with a session as make it no surprise. It
        replaces other pairs of its service without a session in this hour: they are not missing.
        """
        columns, settings = self._columns, self._settings
        pairs = columns["pair"][slot, : settings.lasting]
        replaced = missing.services_of(pairs) == missing.services_of(np.array(pair))
        replaced &= (pairs != pair) & (columns["count"][slot, : settings.lasting] == 0)
        columns["missing"][slot] |= replaced
        slot = slot[(columns["key"][slot] != key).all(1)]
        last = settings.lasting - 1
        columns["key"][slot, last] = key
        columns["count"][slot, last] = 0
        hours = (columns["span"][slot] + 1) * np.exp(-settings.tolerance)
        for name in _TABLE[3:]:
            columns[name][slot, last] = 0
        columns["hours"][slot, last] = hours
        columns["age"][slot, last] = OLDEST_PAIR
        columns["pair"][slot, last] = pair

    def _at(self, name: str, slot: np.ndarray, place: np.ndarray) -> np.ndarray:
        """A column at these places of tables, [n]; 0 for new pairs and ABSENT."""
        column = self._columns[name]
        there = (place >= 0) & (place < column.shape[1])
        found: np.ndarray = np.where(there, column[slot, np.where(there, place, 0)], 0)
        return found

    def _read(self, slot: np.ndarray) -> dict[str, np.ndarray]:
        """Copies of these hosts' tables by column, [n, table_size]; 0 in the places of new pairs
        where a column has none for them."""
        table = {}
        for name in _TABLE:
            column = self._columns[name]
            dtype = np.float64 if column.dtype.kind == "f" else column.dtype
            table[name] = np.zeros((len(slot), self._settings.table_size), dtype)
            table[name][:, : column.shape[1]] = column[slot]
        return table

    def _write(self, slot: np.ndarray, table: dict[str, np.ndarray]) -> None:
        """Write tables as :meth:`_read` gives them, with the pairs of the most hours; the other
        pairs are evicted. Only as an hour ends may a place be given away: within it, the result
        would depend on how sessions are cut into batches."""
        lasting = self._settings.lasting
        # Time servers would fill the table: a pool of a domain of many leaves before others.
        hours = table["hours"]
        rank = np.where(hours > 0, hours - _OF_MANY * (table["marks"] & _MOVED > 0), -np.inf)
        rank[:, 0] = np.inf  # the place of ANY
        order = np.argsort(-rank, 1, kind="stable")[:, :lasting]
        for name, value in table.items():
            column = self._columns[name]
            value[:, :lasting] = np.take_along_axis(value, order, 1)
            value[:, lasting:] = EMPTY
            column[slot] = value[:, : column.shape[1]]


def _rank(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many equal values lie before each, int64 [n], and the places of the last of each."""
    order = np.argsort(values, kind="stable")
    start = np.flatnonzero(changes(values[order]))
    end = np.append(start[1:], len(values))[: len(start)]
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(values)) - np.repeat(start, end - start)
    return rank, order[end - 1]
