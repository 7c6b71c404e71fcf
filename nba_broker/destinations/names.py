"""The name under which a host asked for an address, for each session as it starts.

A session's name is the one by which its host last asked for the destination's address, else the one
by which anyone at the site did. A name holds until another one replaces it, not only for its TTL:
devices keep addresses for days. The state of before a session counts, whatever comes later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nba_broker.destinations.fair_table import FairTable
from nba_broker.destinations.pools import PRIVATE
from nba_broker.records.addresses import halves, in_network
from nba_broker.records.grouping import changes
from nba_broker.records.names import NO_ANSWERS, Answers, is_name
from nba_broker.records.slots import Column, Slots

NO_NAME = 0
"""The number of no name."""

KEPT = 32
"""Addresses whose names are kept for each host, the last that it asked for. With 8 to 128 of them,
76 % of the public sessions of LSIF have a name, because the site's table has what a host's lacks;
with 32, 72 % have the host's own."""

NAMES = 262_143
"""Different names at most, all that the numbers below have bits for."""

ADDRESSES = 262_143
"""Addresses at most whose names the site's table has."""

# A name's number is its row in the table, and above that, how often the row was used before: a
# number that a window remembers must not mean another name once the row is used again. The highest
# bit of a session's number says that its host asked for the name itself.
_BITS = 18
_ROW = (1 << _BITS) - 1
_ASKED = 1 << 30
_TIMES = _ASKED >> _BITS


def whoever_asked(numbers: np.ndarray) -> np.ndarray:
    """The numbers of names, int32 of any shape, without whether the host asked for them itself."""
    return numbers & ~np.int32(_ASKED)


def asked_itself(numbers: np.ndarray) -> np.ndarray:
    """Of which of these names, int32 of any shape, the host of the session asked itself, bool."""
    return np.asarray(numbers & _ASKED != 0)


class SavedRow(NamedTuple):
    """A row of a table in a snapshot: its number, key, owner's slot, time of last use and value."""

    row: int
    key: str | int
    owner: int
    used: float
    value: int


@dataclass(frozen=True, slots=True)
class _Answers:
    """The columns of :class:`Answers` that count here, n in time order: ts float64 [n], slot int64
    [n], negative where the host is not known, place int64 [n], name objects (str) [n], key uint64
    [n] as by _keys, public bool [n]."""

    ts: np.ndarray
    slot: np.ndarray
    place: np.ndarray
    name: np.ndarray
    key: np.ndarray
    public: np.ndarray

    def __len__(self) -> int:
        return len(self.ts)

    def part(self, rows: np.ndarray | slice) -> _Answers:
        """Some of them, in their order."""
        return _Answers(*(getattr(self, name)[rows] for name in _Answers.__slots__))


class _Changes(NamedTuple):
    """What answers changed: from the answer ``place`` on, int64 [c], the address ``key``, uint64
    [c], has the name ``name``, int32 [c], for the host ``slot``, int64 [c]."""

    place: np.ndarray
    slot: np.ndarray
    key: np.ndarray
    name: np.ndarray


class NameTable:
    """The names that hosts and the site have for addresses, by number.

    A host's last KEPT addresses are in columns of ``slots``. names, addresses: the most that the
    site's tables hold; see :class:`FairTable` for what leaves when they are full. Only public
    addresses are in the site's table: a private one may mean another host elsewhere.
    """

    def __init__(self, slots: Slots, names: int = NAMES, addresses: int = ADDRESSES) -> None:
        if not 0 < names <= NAMES:
            raise ValueError(f"names must be from 1 to {NAMES}")
        self.columns = slots.add(
            "names",
            {
                "address": Column(np.uint64, shape=(KEPT,)),  # see _keys, 0 where there is none
                "name": Column(np.int32, shape=(KEPT,)),
                "next": Column(np.uint8),  # the place of the next new address
            },
        )
        self.texts: FairTable[str] = FairTable(names)
        self.site: FairTable[int] = FairTable(addresses)
        """The name of each public address, by its key."""

    def __len__(self) -> int:
        return len(self.texts)

    def ids(self, slot: np.ndarray, dst: np.ndarray, answers: Answers = NO_ANSWERS) -> np.ndarray:
        """The name of each of n sessions, int32 [n], NO_NAME where none is known.

        slot int64 [n]: the hosts. dst "V16" [n]: the destinations. answers: those among the
        sessions, and since the last call; the table takes them. The result does not depend on how
        sessions and answers are cut into calls.
        """
        found = np.full(len(slot), NO_NAME, np.int32)
        if not (len(self) or len(answers)):
            return found
        key = _keys(dst)
        usable = _usable(answers)
        before = np.searchsorted(usable.place, np.arange(len(slot)), side="right")
        for start, stop in self._parts(usable):
            # A later part begins with the removal of names, which its sessions come after.
            rows = np.flatnonzero(((before > start) | (start == 0)) & (before <= stop))
            part = usable.part(slice(start, stop))
            found[rows] = self._as_of(slot[rows], key[rows], before[rows] - start, part)
        return found

    def learn(self, answers: Answers) -> None:
        """Take answers beside which there are no sessions."""
        self.ids(np.zeros(0, np.int64), np.zeros(0, "V16"), answers)

    def text(self, number: int) -> str:
        """A name by its number, "" for NO_NAME, and for one that has left the table."""
        number &= ~_ASKED
        row = number & _ROW
        if row >= len(self.texts.keys) or self._number(row) != number:
            return ""
        return self.texts.keys[row] or ""

    def count(self, numbers: np.ndarray) -> Counter[str]:
        """How often each name is among these numbers, int32 [n]; NO_NAME does not count."""
        found = Counter(self.text(number) for number in numbers.tolist())
        del found[""]
        return found

    def asked(self, numbers: np.ndarray) -> Counter[str]:
        """How often each name is among these numbers, int32 [n], where the host of the session
        asked for it itself, not only another one at the site."""
        return self.count(numbers[asked_itself(numbers)])

    def forget(self, slots: np.ndarray) -> None:
        """Forget the hosts of these slots, int64 [n]; what the site knows by them remains."""
        self.texts.forget(slots)
        self.site.forget(slots)

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times later than ``limit`` become ``now``."""
        self.texts.look_back(limit, now)
        self.site.look_back(limit, now)

    def saved(self, size: int = 1024) -> Iterator[tuple[list[SavedRow], list[SavedRow]]]:
        """Rows of the tables of names and of addresses in parts, for a snapshot; the table may
        change between two parts. The value of a name is its number, that of an address the number
        of its name."""
        for start in range(0, len(self.texts.keys), size):
            rows = np.arange(start, min(start + size, len(self.texts.keys)))
            yield _saved(self.texts, rows, self._number(rows)), []
        for start in range(0, len(self.site.keys), size):
            rows = np.arange(start, min(start + size, len(self.site.keys)))
            yield [], _saved(self.site, rows, self.site.value[rows])

    def restore(self, names: Sequence[SavedRow], addresses: Sequence[SavedRow]) -> None:
        """Fill an empty table with that of a snapshot. Raises ValueError if it cannot be one."""
        highest = max((one.value >> _BITS for one in names), default=0)
        # A window may remember the number of a name that had left before the snapshot.
        self.texts.times[:] = highest + 1
        # What moved to another row while the snapshot was written is there twice.
        for one in {one.key: one for one in names}.values():
            if one.value & _ROW != one.row or one.value < 0 or not is_name(str(one.key)):
                raise ValueError("a name that is none")
            self.texts.restore(one.row, str(one.key), one.owner, one.used)
            self.texts.times[one.row] = one.value >> _BITS
        for one in {one.key: one for one in addresses}.values():
            if not 0 <= one.value < 1 << 31:
                raise ValueError("the number of a name is out of range")
            self.site.restore(one.row, int(one.key), one.owner, one.used, one.value)
        self.texts.restored()
        self.site.restored()

    @staticmethod
    def check(records: np.ndarray) -> None:
        """Raise ValueError unless the values of these records of columns, [n], are valid."""
        if (records["name"] < 0).any() or (records["next"] >= KEPT).any():
            raise ValueError("the names of a host are out of range")

    def _number(self, row: int | np.ndarray) -> np.ndarray:
        """The numbers of the names in rows of the table."""
        return np.asarray(self.texts.times[row] % _TIMES << _BITS | row, np.int32)

    def _parts(self, answers: _Answers) -> Iterator[tuple[int, int]]:
        """Start and stop of answers between which no name or address has to leave; removes some
        before each part but the first."""
        names: list[str] = answers.name.tolist()
        keys = zip(answers.key.tolist(), answers.public.tolist(), strict=True)
        addresses = [key if public else None for key, public in keys]
        tables: tuple[FairTable[Any], ...] = self.texts, self.site
        start = 0
        while True:
            fits = self.texts.fitting(names[start:]), self.site.fitting(addresses[start:])
            stop = start + min(fits)
            yield start, stop
            if stop >= len(answers):
                return
            for table, fit in zip(tables, fits, strict=True):
                if start + fit == stop:
                    table.make_room()
            start = stop

    def _as_of(
        self, slot: np.ndarray, key: np.ndarray, before: np.ndarray, answers: _Answers
    ) -> np.ndarray:
        """The names of sessions, int32 [n], with the first before[i] of these answers for session
        i, int64 [n]; no name has to leave meanwhile."""
        found, public = self._own(slot, key), np.flatnonzero(answers.public)
        number = self._number(self.texts.use(answers.name.tolist(), answers.slot, answers.ts))
        if len(answers):
            _correct(found, slot, key, before, self._take_own(answers, number))
        own = self._present(found)
        rows = np.flatnonzero(~own)
        site = self.site.value[self.site.rows(key[rows].tolist())]
        if len(public):
            changes = self._take_site(answers.part(public), public, number[public])
            _correct(site, np.zeros(len(rows), np.int64), key[rows], before[rows], changes)
        found[rows] = np.where(self._present(site), site, NO_NAME)
        found[own] |= _ASKED
        return found

    def _own(self, slot: np.ndarray, key: np.ndarray) -> np.ndarray:
        """The names that hosts have for addresses themselves, int32 [n]."""
        match = self.columns["address"][slot] == key[:, None]
        name: np.ndarray = self.columns["name"][slot, match.argmax(1)]
        name[~match.any(1)] = NO_NAME
        return name

    def _present(self, number: np.ndarray) -> np.ndarray:
        """Which of these numbers are of names in the table, bool [n]."""
        return np.asarray((self._number(number & _ROW) == number) & (number != NO_NAME))

    def _take_site(self, answers: _Answers, place: np.ndarray, name: np.ndarray) -> _Changes:
        """Take public answers at ``place`` among all; the site's changes have the slot 0."""
        row = self.site.use(answers.key.tolist(), answers.slot, answers.ts)
        other = row[self.site.value[row] != name]
        self.site.value[row] = name  # of equal rows, the last
        at = np.flatnonzero(np.isin(row, other)) if len(other) else np.zeros(0, np.int64)
        return _Changes(place[at], np.zeros(len(at), np.int64), answers.key[at], name[at])

    def _take_own(self, answers: _Answers, name: np.ndarray) -> _Changes:
        """Take the answers of known hosts."""
        slot, key = answers.slot, answers.key
        known = np.flatnonzero(slot >= 0)
        # Most hosts ask again for what they know already.
        news = np.unique(slot[known][self._own(slot[known], key[known]) != name[known]])
        order = np.argsort(slot, kind="stable")
        begin, end = (np.searchsorted(slot[order], news, side) for side in ("left", "right"))
        found: list[tuple[int, int, int, int]] = []
        for host, start, stop in zip(news.tolist(), begin.tolist(), end.tolist(), strict=True):
            rows = order[start:stop]
            columns = (column.tolist() for column in (rows, key[rows], name[rows]))
            found += self._take_of(host, *columns)
        places, slots, keys, names = zip(*found, strict=True) if found else ((), (), (), ())
        return _Changes(
            np.array(places, np.int64),
            np.array(slots, np.int64),
            np.array(keys, np.uint64),
            np.array(names, np.int32),
        )

    def _take_of(
        self, host: int, place: list[int], key: list[int], name: list[int]
    ) -> Iterator[tuple[int, int, int, int]]:
        """Take a host's answers in turn; yields each change as in :class:`_Changes`. A new address
        replaces the one that has been there the longest."""
        columns = self.columns
        addresses, names = columns["address"][host].tolist(), columns["name"][host].tolist()
        following = int(columns["next"][host])
        where = {address: at for at, address in enumerate(addresses) if address}
        for one, address, number in zip(place, key, name, strict=True):
            at = where.get(address)
            if at is None:
                at, following = following, (following + 1) % KEPT
                if where.pop(addresses[at], None) is not None:
                    yield one, host, addresses[at], NO_NAME
                where[address], addresses[at] = at, address
            names[at] = number
            yield one, host, address, number
        columns["address"][host], columns["name"][host] = addresses, names
        columns["next"][host] = following


def _saved(table: FairTable[Any], rows: np.ndarray, value: np.ndarray) -> list[SavedRow]:
    columns = (rows, map(table.keys.__getitem__, rows), table.owner[rows], table.used[rows], value)
    lists = (one.tolist() if isinstance(one, np.ndarray) else one for one in columns)
    return [SavedRow(*row) for row in zip(*lists, strict=True) if row[1] is not None]


def _correct(
    found: np.ndarray, slot: np.ndarray, key: np.ndarray, before: np.ndarray, later: _Changes
) -> None:
    """Set ``found``, int32 [n], to the last name of each session's address among the changes by the
    first before[i] answers, where there is one."""
    rows = np.flatnonzero(np.isin(key, later.key)) if len(later.key) else np.zeros(0, np.int64)
    if not len(rows):
        return
    hosts, addresses = np.append(later.slot, slot[rows]), np.append(later.key, key[rows])
    # Between the last answer that counts for a session and the next one.
    order = np.lexsort((np.append(2 * later.place, 2 * before[rows] - 1), addresses, hosts))
    group = np.cumsum(changes(hosts[order]) | changes(addresses[order]))
    is_change = order < len(later.key)
    last = np.maximum.accumulate(np.where(is_change, np.arange(len(order)), 0))
    at = np.flatnonzero(~is_change & is_change[last] & (group[last] == group))
    found[rows[order[at] - len(later.key)]] = later.name[order[last[at]]]


def _keys(addresses: np.ndarray) -> np.ndarray:
    """Addresses "V16" [n] as one number each, uint64 [n], never 0: that of an IPv4 address is its
    own, and two of IPv6 are equal by chance in one of 2**64 cases."""
    high, low = halves(addresses)
    keys: np.ndarray = np.maximum(low ^ high * np.uint64(0x9E3779B97F4A7C15), np.uint64(1))
    return keys


def _usable(answers: Answers) -> _Answers:
    """The answers that name an address of a host."""
    names = answers.names
    rows = np.flatnonzero(_of_hosts(names.address))
    address = names.address[rows]
    return _Answers(
        names.ts[rows],
        answers.slot[rows],
        answers.place[rows],
        names.name[rows],
        _keys(address),
        ~_private(address),
    )


def _of_hosts(addresses: np.ndarray) -> np.ndarray:
    """Which addresses "V16" [n] can be those of hosts, bool [n]: filters answer 0.0.0.0."""
    high, low = halves(addresses)
    first = low >> np.uint64(24) & np.uint64(0xFF)
    ipv4 = (high == 0) & (low >> np.uint64(32) == 0xFFFF)
    wrong: np.ndarray = np.where(
        ipv4,
        (first == 0) | (first == 127) | (first >= 224),
        ((high == 0) & (low <= 1)) | (high >> np.uint64(56) == 0xFF),
    )
    return ~wrong


def _private(addresses: np.ndarray) -> np.ndarray:
    """Which addresses "V16" [n] are in private networks, bool [n]."""
    private = np.zeros(len(addresses), bool)
    for network in PRIVATE:
        private |= in_network(addresses, network)
    return private
