"""How surprising a host's sessions are given what it did before, and when that is an alarm.

Every host has a small table of what it does in an hour: to which pairs (pool, service) it starts
sessions, in how many of its hours, and how many sessions. It is frozen within the hour, so that
nothing depends on how sessions are cut into batches. The surprise of the n-th session to a pair
within an hour is what it adds to::

    -log(share of hours in which the host does so) + z^2 / 2

where z is by how many standard deviations log n exceeds the usual. A pair that is new, or that the
host hardly ever meets, is priced by how often it meets such: at this service (as time servers are),
at any port drawn at random of this transport (as peers are), else anywhere. That share is Good and
Turing's idea: how often something new came tells how often it will. A new pair stays on probation
for a day: until then it is as surprising in every hour as in its first. Where the host is taken for
a class that the model has a table of, it is no more surprising than it would be of that class.
Most errors of ICMP to the Internet surprise nobody: who probes a host's ports from there provokes
them, and must not be able to make the host misbehave.

The surprise of an hour, less what is usual for this host, is summed (Page's CUSUM, "Continuous
Inspection Schemes", 1954): a single odd session does not reach the threshold; many at once, or few
that keep coming, do. How many pairs a table holds is fixed; those of the fewest hours leave first
(as in Space-Saving, Metwally et al., "Efficient Computation of Frequent and Top-k Elements", 2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nba_broker.baseline import keys
from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.keys import ANY, FREE
from nba_broker.destinations.pools import of_database
from nba_broker.model.windows import by_slot, changes
from nba_broker.records.ports import PROTOCOL_CODES
from nba_broker.records.uids import TEXT

HOUR = 3600.0

_UNIT = 256  # parts of a nat: sums of whole numbers are the same in any order
_MOST = 60_000  # sessions of a pair counted in an hour
TOP = 3
"""Sessions remembered as evidence of an alarm to come."""

EVIDENCE = np.dtype([("ts", "f8"), ("dst", "V16"), ("dport", "i4"), ("pool", "i4"), ("uid", TEXT)])
"""What is remembered of a surprising session, beside its surprise."""
_NEVER = -1
_PRIOR_COUNT, _PRIOR_MEAN, _PRIOR_VARIANCE = 2.0, 0.7, 0.4  # of log n: two hours of two sessions
_LEAST_DEVIATION = 0.15  # of log n: even a timer is off by one now and then
_OLDEST = 0x7F  # hours since a pair was met first, at most; a bit more is for what was met later
_LATER = 0x80
_FORGOTTEN = 2.0**-24  # hours: what was met that long ago was never met


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """The few numbers of the baseline; times in hours, surprise in nats.

    threshold: summed surprise that is an alarm. warming: hours of a host before what is new to it
        says how often such comes. learning: hours before any session counts. trust: hours after
        which a host's surprise counts for half.
    probation: hours for which a new pair stays new. memory: hours after which what a host did
        weighs 1/e. silence: hours of a longer silence that count at most.
    cells: pairs in a host's table. newcomers: of these, places for an hour's new ones.
    rare: share of hours below which a pair is met as seldom as if it were new.
    tolerated: surprise of a pair in an hour that is no surprise yet. volume: the most that the
        number of sessions to a usual pair may add in an hour: people use their devices.
    drift: what is let pass an hour, beside the host's usual surprise and its spread.
    usual: hours over which that is averaged; usual_most: of an hour, so that no attack becomes it.
    Raises ValueError where a probation is longer than the age of a pair is told.
    """

    threshold: float = 16.0
    warming: float = 6.0
    learning: float = 72.0
    trust: float = 48.0
    probation: float = 24.0
    memory: float = 336.0
    silence: float = 24.0
    cells: int = 44
    newcomers: int = 12
    rare: float = 1 / 36
    tolerated: float = 1.5
    volume: float = 2.0
    drift: float = 0.5
    usual: float = 240.0
    usual_most: float = 3.0

    def __post_init__(self) -> None:
        if not self.probation <= _OLDEST:
            raise ValueError(f"probation must be at most {_OLDEST} hours")

    @property
    def kept(self) -> int:
        """Pairs that a table keeps when an hour is over."""
        return self.cells - self.newcomers


@dataclass(frozen=True, slots=True)
class Excess:
    """A host did what it never does: ``index``, the deciding session's place in the pushed batch.

    surprise: nats in all, of ``sessions`` sessions since ``since``. evidence: of the most
    surprising, the surprise ("surprise"), "ts", and the columns given to push, as scalars.
    """

    index: int
    surprise: float
    sessions: int
    since: float
    evidence: tuple[dict[str, Any], ...]


class HostBaseline:
    """The baseline of every host slot, a few hundred bytes each, beside those of the classes."""

    def __init__(
        self, settings: BaselineSettings | None = None, classes: ClassBaseline | None = None
    ) -> None:
        self.settings = settings or BaselineSettings()
        self._classes = classes or ClassBaseline()
        self._crc = np.zeros(0, np.uint64)  # of the pools' names, by index
        self._outside = np.zeros(0, bool)  # which pools are of the Internet
        cells, kept = self.settings.cells, self.settings.kept
        self._columns: dict[str, np.ndarray] = {
            "hour": np.zeros(0, np.int32),  # the current one, since the epoch
            "first": np.zeros(0, np.int32),  # the host's first
            "span": np.zeros(0, np.float32),  # hours that the table is about
            "usual": np.zeros(0, np.float32),  # surprise of an hour: its mean
            "square": np.zeros(0, np.float32),  # and the mean of its square
            "summed": np.zeros(0, np.int32),  # the CUSUM up to this hour, in parts of a nat
            "current": np.zeros(0, np.int32),  # surprise of this hour, in parts of a nat
            "newcomers": np.zeros(0, np.uint8),  # places given this hour
            "odd": np.zeros(0, np.int32),  # sessions with a surprise since
            "since": np.zeros(0),
            "kind": np.zeros(0, np.int16),  # its class in this hour, 0 for none, else from 1 on
            "key": np.zeros((0, cells), np.uint16),
            "count": np.zeros((0, cells), np.uint16),  # sessions, or new pairs, of this hour
            # Of those that were there as the hour began, fading. In halves, these would stall: what
            # an hour adds to some weeks' mean is less than half of their last digit.
            "hours": np.zeros((0, kept), np.float32),  # with any session
            "mean": np.zeros((0, kept), np.float32),  # of log(sessions) in these, and
            "variance": np.zeros((0, kept), np.float32),
            "age": np.zeros((0, kept), np.uint8),  # hours since it was met first, and _LATER
            "top": np.zeros((0, TOP), np.int32),  # surprise of the evidence, most first
        }
        self.evidence: dict[int, np.ndarray] = {}
        """The sessions of "top", by slot: records of EVIDENCE [3]. Few hosts have any."""

    def columns(self) -> dict[str, np.ndarray]:
        """The state itself by name; the first axis is the slot."""
        return self._columns

    def reserve(self, slots: int) -> None:
        """Make room for slot numbers below ``slots``."""
        have = len(self._columns["hour"])
        if slots <= have:
            return
        size = max(slots, 2 * have, 64)
        for name, old in self._columns.items():
            # Zeros that are never written take no memory, so nobody pays for hosts to come.
            grown = np.zeros((size, *old.shape[1:]), old.dtype)
            grown[:have] = old
            self._columns[name] = grown

    def use(self, classes: ClassBaseline, number: np.ndarray) -> None:
        """Go on with another model's classes; ``number``: what each class's number is now, int16
        [classes], negative for one that is gone."""
        self._classes = classes
        now = np.append(0, np.where(number < len(classes), number, -1) + 1).astype(np.int16)
        self._columns["kind"] = now[self._columns["kind"]]

    def reset(self, slots: np.ndarray) -> None:
        """These slots hold new hosts now, of which nothing is known."""
        self._forget(slots)
        for column in self._columns.values():
            column[slots] = np.zeros((), column.dtype)

    def absorb(self, slots: np.ndarray) -> None:
        """What these hosts have lately begun to do is usual for them: as often as surprises
        nobody. No alarm of theirs is near."""
        columns, settings = self._columns, self.settings
        count = columns["count"][slots]
        hours, mean, variance, age = map(
            self._whole, ("hours", "mean", "variance", "age"), [slots] * 4
        )
        lately = (count > 0) | ((age & _OLDEST) < settings.probation)
        lately &= columns["key"][slots] > ANY
        # As many sessions in each hour as in those that were.
        least = (columns["span"][slots] + 1) * np.exp(-settings.tolerated)
        hours = np.where(lately, np.maximum(hours, least[:, None]), hours)
        age = np.where(lately, _OLDEST, age)
        self._keep(slots, count, hours, mean, variance, age)
        for name in ("summed", "current"):
            columns[name][slots] = 0
        self._forget(slots)

    def _forget(self, slots: np.ndarray) -> None:
        """There is nothing odd about these hosts."""
        for slot in slots[self._columns["odd"][slots] > 0].tolist():
            self.evidence.pop(slot, None)
        self._columns["odd"][slots] = 0
        self._columns["top"][slots] = 0

    def push(
        self,
        slot: np.ndarray,
        ts: np.ndarray,
        pool: np.ndarray,
        dport: np.ndarray,
        table: list[str],
        kind: np.ndarray | None = None,
        counted: np.ndarray | None = None,
        **evidence: np.ndarray,
    ) -> tuple[np.ndarray, list[Excess]]:
        """Take sessions in time order (slot int64 [n], ts float64 [n], pool int32 [n] into
        ``table``, dport int32 [n]; dst "V16" and uid uids.TEXT, both [n], as evidence).

        kind: the class that each one's host is taken for, int [n], negative for none: what it is
        at a host's first session of an hour holds for that hour. counted: which are to be judged,
        and learned from, bool [n]; all by default.

        Returns each session's surprise, float64 [n] in nats, and where a host's sum exceeded the
        threshold, in order.
        """
        self.reserve(int(slot.max(initial=-1)) + 1)
        surprise = np.zeros(len(slot))
        excesses: list[Excess] = []
        if not len(slot):
            return surprise, excesses
        order = by_slot(slot)
        by_host, when = slot[order], ts[order]
        new_host = changes(by_host)
        start = np.flatnonzero(new_host)
        group = np.cumsum(new_host) - 1
        # A late session counts in the hour that its host has come to.
        hour = np.maximum(np.floor(when / HOUR).astype(np.int64), self._columns["hour"][by_host])
        hour = np.maximum.accumulate(hour + (group << 32)) - (group << 32)
        turn = np.cumsum(new_host | changes(hour)) - 1
        turn -= turn[start][group]
        self._learn(table)
        keys = self._keys(pool[order], dport[order])
        kind = np.full(len(slot), -1) if kind is None else kind[order]
        judged = ~self._provoked(pool[order], dport[order])
        if counted is not None:
            judged &= counted[order]
        given = {"dport": dport, "pool": pool, **evidence}
        by_turn = np.argsort(turn, kind="stable")
        bounds = np.searchsorted(turn[by_turn], np.arange(turn.max() + 2))
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            rows = by_turn[first:last]
            self._begin(by_host[rows], hour[rows], kind[rows])
            rows = rows[judged[rows]]
            parts = self._price(by_host[rows], keys[rows])
            surprise[order[rows]] = parts / _UNIT
            excesses += self._sum(by_host[rows], when[rows], parts, order[rows], given)
        return surprise, sorted(excesses, key=lambda excess: excess.index)

    def _learn(self, table: list[str]) -> None:
        """The table of pools may have grown."""
        if fresh := table[len(self._crc) :]:
            crc = np.array(list(map(keys.crc, fresh)), np.uint64)
            outside = [of_database(name) or name == "none" for name in fresh]
            self._crc = np.concatenate([self._crc, crc])
            self._outside = np.append(self._outside, outside)

    def _provoked(self, pool: np.ndarray, dport: np.ndarray) -> np.ndarray:
        """Which sessions are errors of ICMP to somebody outside, bool [n], as far as their port
        tells: for Zeek it is the code of an error, and of a request the type of its answer, which
        is 0 or from 8 on."""
        code = dport & 0xFFFF
        error = ((dport >> 16) == PROTOCOL_CODES["icmp"]) & (code >= 1) & (code <= 7)
        return np.asarray(error & self._outside[pool])

    def _keys(self, pool: np.ndarray, dport: np.ndarray) -> np.ndarray:
        """Of each session the keys of its pair, of its service anywhere, and of any port drawn at
        random of its transport: uint16 [n, 3], FREE where it has none."""
        return np.stack(
            [keys.pairs(self._crc[pool], dport), keys.services(dport), keys.transports(dport)],
            axis=1,
        )

    def _begin(self, slot: np.ndarray, hour: np.ndarray, kind: np.ndarray) -> None:
        """Close the hours that are over; ``slot`` is in groups, one hour each."""
        columns, settings = self._columns, self.settings
        first = changes(slot)
        slot, hour, kind = slot[first], hour[first], kind[first]
        fresh = columns["hour"][slot] == 0
        turned = fresh | (hour > columns["hour"][slot])
        columns["kind"][slot[turned]] = np.where(kind < len(self._classes), kind, -1)[turned] + 1
        new = slot[fresh]
        columns["first"][new] = columns["hour"][new] = hour[fresh]
        columns["key"][new, 0] = ANY
        over = hour > columns["hour"][slot]
        slot, hour = slot[over], hour[over]
        if not len(slot):
            return
        gone = hour - columns["hour"][slot]
        passed = np.minimum(gone, settings.silence)
        learned = columns["hour"][slot] - columns["first"][slot] >= settings.learning
        # A host is no better known for having been away: its age counts a silence as much.
        columns["first"][slot] += (gone - passed).astype(np.int32)

        surprise = columns["current"][slot] / _UNIT
        usual, square = columns["usual"][slot], columns["square"][slot]
        spread = np.sqrt(np.maximum(square - usual**2, 0))
        summed = columns["summed"][slot] / _UNIT + surprise - usual - spread
        summed = np.maximum(0, summed - settings.drift * passed)
        columns["summed"][slot] = np.round(summed * _UNIT)
        columns["current"][slot] = 0
        self._forget(slot[summed == 0])
        weight = 1 - np.exp(-passed / settings.usual)
        hourly = np.minimum(surprise, settings.usual_most) / passed
        columns["usual"][slot] += weight * (hourly - usual)
        columns["square"][slot] += weight * (hourly**2 - square)

        fade = np.exp(-passed / settings.memory)
        columns["span"][slot] = (columns["span"][slot] + passed) * fade
        count = columns["count"][slot]
        hours, mean, variance, age = map(
            self._whole, ("hours", "mean", "variance", "age"), [slot] * 4
        )
        usual, deviation = _moments(hours, mean, variance)
        # A flood is one hour of many sessions, not what the host does from now on.
        seen = np.minimum(np.log(np.maximum(count, 1)), usual + 3 * deviation)
        # West, "Updating mean and variance estimates: an improved method", 1979.
        met = count > 0
        weight = np.where(met, hours + 1, 1)
        off = np.where(met, seen - mean, 0)
        mean += off / weight
        variance = np.where(met, hours / weight * (variance + off**2 / weight), variance)
        hours = (hours + met) * fade[:, None]
        hours[hours < _FORGOTTEN] = 0
        age[:, settings.kept :] = np.where(learned, _LATER, 0)[:, None]
        age = np.minimum((age & _OLDEST) + passed[:, None], _OLDEST).astype(int) | (age & _LATER)
        # Places for what is new this hour: none that is in use may be given away within it, or
        # how sessions are cut into batches would matter.
        self._keep(slot, np.zeros_like(count), hours, mean, variance, age)
        columns["newcomers"][slot] = 0
        columns["hour"][slot] = hour

    def _whole(self, name: str, slot: np.ndarray) -> np.ndarray:
        """A column of these tables with the places of newcomers, 0 there: [n, cells]."""
        column = self._columns[name]
        kind = column.dtype if column.dtype.kind == "u" else np.float64
        whole = np.zeros((len(slot), self.settings.cells), kind)
        whole[:, : self.settings.kept] = column[slot]
        return whole

    def _keep(
        self,
        slot: np.ndarray,
        count: np.ndarray,
        hours: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
        age: np.ndarray,
    ) -> None:
        """Write these tables, all [n, cells], with the pairs of the most hours."""
        columns, kept = self._columns, self.settings.kept
        rank = hours.copy()
        rank[:, 0] = np.inf
        order = np.argsort(-rank, 1, kind="stable")[:, :kept]
        for name, value in (
            ("key", columns["key"][slot]),
            ("count", count),
            ("hours", hours),
            ("mean", mean),
            ("variance", variance),
            ("age", age),
        ):
            value[:, :kept] = np.take_along_axis(value, order, 1)
            value[:, kept:] = 0
            columns[name][slot] = value[:, : columns[name].shape[1]]

    def _of(self, name: str, slot: np.ndarray, place: np.ndarray) -> np.ndarray:
        """A column at these places of tables, [n]; 0 for newcomers and _NEVER."""
        column = self._columns[name]
        there = (place >= 0) & (place < column.shape[1])
        found: np.ndarray = np.where(there, column[slot, np.where(there, place, 0)], 0)
        return found

    def _price(self, slot: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Each session's surprise in parts of a nat, int64 [n]; none while a host is learned."""
        columns, settings = self._columns, self.settings
        age = columns["hour"][slot] - columns["first"][slot]
        # What is met in the first hours says nothing of how often something new comes.
        warm = age >= settings.warming
        place = self._places(slot, keys[:, 0])
        young, rare = self._standing(slot, place)
        strange = young | rare
        wanted = np.column_stack([place < 0, *[strange & warm] * 2]) & (keys != FREE)
        if self._admit(slot, keys, wanted):
            place = self._places(slot, keys[:, 0])
            young, rare = self._standing(slot, place)
            strange = young | rare

        tracked = place >= 0
        cell = np.maximum(place, 0)
        nth = np.zeros(len(slot), np.int64)
        nth[tracked] = self._count(slot[tracked], cell[tracked])
        # What counts as one more new pair: each once an hour, but on probation only the first time.
        fresh = place >= settings.kept
        new = strange & warm & (~tracked | ((nth == 0) & (fresh | ~young)))

        # Prices of meeting such a pair in an hour, and of one more of them: the lowest that
        # anything the host or its class is known for explains.
        price = np.full(len(slot), np.inf)
        one_more = np.full(len(slot), np.inf)
        explained = np.zeros((len(slot), 2), bool)  # by the host itself, and by its class
        kind = columns["kind"][slot] - 1
        for level in (1, 2, 0):
            if level:
                rows = np.flatnonzero(strange & warm & (keys[:, level] != FREE))
                at = self._places(slot[rows], keys[rows, level])
                rows, at = rows[at >= 0], at[at >= 0]
                known = self._classes.of(kind[rows], keys[rows, level])
            else:
                rows = np.flatnonzero(strange & warm & ~explained[:, 0])
                at = np.zeros(len(rows), np.int64)
                known = self._classes.of(kind[rows], np.full(len(rows), ANY))
            hours = self._of("hours", slot[rows], at).astype(float)
            share = hours / (columns["span"][slot[rows]] + 1)
            if not level:
                # Once a day, as long as nothing is known of it.
                share = (hours + 1) / (columns["span"][slot[rows]] + 24)
            before = np.zeros(len(rows), np.int64)
            counted = new[rows]
            before[counted] = self._count(slot[rows[counted]], at[counted])
            theirs = _moments(known.hours, known.mean, known.variance)
            for whose, (absent, moments, met) in enumerate(
                (
                    (_surprise(share), self._moments(slot[rows], at), hours > 0),
                    (_surprise(known.share), theirs, known.hours > 0),
                )
            ):
                if not level:
                    absent[explained[rows, whose]] = np.inf
                explained[rows, whose] |= met
                price[rows] = np.minimum(price[rows], absent)
                step = self._step(absent, before, moments, np.inf)
                one_more[rows] = np.minimum(one_more[rows], step)

        surprise = np.zeros(len(slot), np.int64)
        told = np.flatnonzero(age >= settings.learning)
        if not len(told):
            return surprise
        slot, cell, age, nth, kind = slot[told], cell[told], age[told], nth[told], kind[told]
        tracked, strange, warm, new = tracked[told], strange[told], warm[told], new[told]
        price, one_more = price[told], one_more[told]
        own = _surprise(self._of("hours", slot, cell) / (columns["span"][slot] + 1))
        own = np.where(strange, np.where(warm, price, 0), np.minimum(own, price))
        moments = self._moments(slot, np.where(strange, _NEVER, cell))
        most = np.where(strange, np.inf, settings.volume)
        nats = np.where(tracked, self._step(own, nth, moments, most), 0)
        nats = np.where(new, one_more, nats)
        # What is odd for it may be usual for its class.
        odd = np.flatnonzero(nats > 0)
        known = self._classes.of(kind[odd], keys[told[odd], 0])
        moments = _moments(known.hours, known.mean, known.variance)
        alike = self._step(_surprise(known.share), nth[odd], moments, np.inf)
        nats[odd] = np.minimum(nats[odd], alike)
        # It counts as much as the baseline that it rests on is worth.
        nats *= age / (age + settings.trust)
        surprise[told] = np.round(nats * _UNIT)
        return surprise

    def _places(self, slot: np.ndarray, key: np.ndarray) -> np.ndarray:
        """Where in its host's table each key is, int64 [n], negative where it is not."""
        found = self._columns["key"][slot] == key[:, None]
        place = found.argmax(1)
        return np.where(found[np.arange(len(slot)), place], place, _NEVER)

    def _standing(self, slot: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which sessions' pairs are on probation, and which are met so seldom that no rate of
        their own is known: both bool [n]."""
        columns, settings = self._columns, self.settings
        hours, age = self._of("hours", slot, place), self._of("age", slot, place)
        known, later = hours > 0, age >= _LATER  # a newcomer is not known yet
        young = known & later & ((age & _OLDEST) < settings.probation)
        rare = ~known | (later & (hours < 1.5)) | (hours < settings.rare * columns["span"][slot])
        return young, rare & ~young

    def _admit(self, slot: np.ndarray, keys: np.ndarray, wanted: np.ndarray) -> bool:
        """Give wanted keys a place, in the order of their sessions, from the table's end; so many
        an hour and no more. Returns whether there were any."""
        columns, settings = self._columns, self.settings
        wanted = wanted & (columns["newcomers"][slot] < settings.newcomers)[:, None]
        row, level = np.nonzero(wanted)
        missing = self._places(slot[row], keys[row, level]) < 0
        row, level = row[missing], level[missing]
        if not len(row):
            return False
        _, once = np.unique(slot[row] * 65_536 + keys[row, level], return_index=True)
        once.sort()
        row, level = row[once], level[once]
        number = columns["newcomers"][slot[row]] + _rank(slot[row])[0]
        fits = number < settings.newcomers
        row, level, number = row[fits], level[fits], number[fits]
        host, place = slot[row], settings.cells - 1 - number
        columns["key"][host, place] = keys[row, level]
        columns["count"][host, place] = 0
        np.maximum.at(columns["newcomers"], host, (number + 1).astype(np.uint8))
        return True

    def _count(self, slot: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """How many came this hour before each of these, int64 [n]; they are counted in."""
        count = self._columns["count"].reshape(-1)
        code = slot * self.settings.cells + cell
        rank, last = _rank(code)
        before: np.ndarray = count.take(code) + rank
        count[code[last]] = np.minimum(before[last] + 1, _MOST)
        return before

    def _moments(self, slot: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and predictive deviation of log(sessions) in an hour; the prior's for _NEVER."""
        return _moments(
            *(self._of(name, slot, cell).astype(float) for name in ("hours", "mean", "variance"))
        )

    def _step(
        self,
        absent: np.ndarray,
        before: np.ndarray,
        moments: tuple[np.ndarray, np.ndarray],
        most: np.ndarray | float,
    ) -> np.ndarray:
        """What one more than ``before`` adds to the surprise of an hour, in nats, float64 [n]."""
        mean, deviation = moments

        def up_to(number: np.ndarray) -> np.ndarray:
            excess = (np.log(np.maximum(number, 1)) - mean) / deviation
            volume = np.minimum(np.maximum(excess, 0) ** 2 / 2, most)
            whole = np.maximum(absent + volume - self.settings.tolerated, 0)
            return np.where(number > 0, whole, 0)

        known = np.isfinite(absent)
        absent = np.where(known, absent, 0)
        return np.where(known, up_to(before + 1) - up_to(before), np.inf)

    def _sum(
        self,
        slot: np.ndarray,
        ts: np.ndarray,
        parts: np.ndarray,
        index: np.ndarray,
        given: dict[str, np.ndarray],
    ) -> list[Excess]:
        """Add up the surprise of sessions, in groups of one host each."""
        columns = self._columns
        threshold = round(self.settings.threshold * _UNIT)
        odd = np.flatnonzero(parts)
        if not len(odd):
            return []
        slot, ts, parts, index = slot[odd], ts[odd], parts[odd], index[odd]
        start = np.flatnonzero(changes(slot))
        size = np.diff(np.append(start, len(slot)))
        total = np.cumsum(parts)
        total -= np.repeat(total[start] - parts[start], size)
        level = total + columns["summed"][slot] + columns["current"][slot]
        # After an alarm it starts anew, with what was beyond.
        before = (level - parts) // threshold * threshold
        level -= before
        alarm = level >= threshold
        excesses = []
        for first, number in zip(start.tolist(), size.tolist(), strict=True):
            last = first + number
            host, at = int(slot[first]), first
            for stop in [*(first + np.flatnonzero(alarm[first:last]) + 1).tolist(), last]:
                if stop > at:
                    self._remember(host, slice(at, stop), ts, parts, index, given)
                if stop > at and alarm[stop - 1]:
                    excesses.append(self._excess(host, int(index[stop - 1]), int(level[stop - 1])))
                    self._forget(np.array([host]))
                at = stop
            if alarm[first:last].any():
                columns["summed"][host] = 0
                columns["current"][host] = level[last - 1] % threshold
            else:
                columns["current"][host] += total[last - 1]
        return excesses

    def _remember(
        self,
        host: int,
        rows: slice,
        ts: np.ndarray,
        parts: np.ndarray,
        index: np.ndarray,
        given: dict[str, np.ndarray],
    ) -> None:
        """Keep the most surprising sessions; the earlier where two are alike."""
        columns = self._columns
        if columns["odd"][host] == 0:
            columns["since"][host] = ts[rows][0]
        columns["odd"][host] += rows.stop - rows.start
        together = np.append(columns["top"][host], parts[rows])
        order = np.argsort(-together, kind="stable")[:TOP]
        if order.max() < TOP:
            return
        columns["top"][host] = together[order]
        odd = np.zeros(len(together), EVIDENCE)
        if host in self.evidence:
            odd[:TOP] = self.evidence[host]
        odd["ts"][TOP:] = ts[rows]
        for name, column in given.items():
            odd[name][TOP:] = column[index[rows]]
        self.evidence[host] = odd[order]

    def _excess(self, host: int, index: int, level: int) -> Excess:
        columns = self._columns
        evidence = [
            {"surprise": top / _UNIT, **dict(zip(EVIDENCE.names or (), one, strict=True))}
            for top, one in zip(
                columns["top"][host].tolist(), self.evidence[host].tolist(), strict=True
            )
            if top
        ]
        return Excess(
            index=index,
            surprise=level / _UNIT,
            sessions=int(columns["odd"][host]),
            since=float(columns["since"][host]),
            evidence=tuple(evidence),
        )


def _rank(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many equal values lie before each, int64 [n], and the places of the last of each."""
    order = np.argsort(values, kind="stable")
    start = np.flatnonzero(changes(values[order]))
    end = np.append(start[1:], len(values))[: len(start)]
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(values)) - np.repeat(start, end - start)
    return rank, order[end - 1]


def _surprise(share: np.ndarray) -> np.ndarray:
    """Nats of what happens in this share of hours; infinite for what never does."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(np.minimum(share.astype(float), 1.0)))


def _moments(
    hours: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and predictive deviation of a normal distribution of log(sessions), of which ``hours``
    with this mean and variance were seen, and a few more are imagined."""
    weight = hours + _PRIOR_COUNT
    apart = hours * _PRIOR_COUNT / weight * (mean - _PRIOR_MEAN) ** 2
    variance = (hours * variance + _PRIOR_COUNT * _PRIOR_VARIANCE + apart) / weight
    mean = (hours * mean + _PRIOR_COUNT * _PRIOR_MEAN) / weight
    return mean, np.sqrt(variance * (1 + 1 / weight) + _LEAST_DEVIATION**2)
