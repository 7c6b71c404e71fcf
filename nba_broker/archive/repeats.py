"""Finds sessions that an archive has several times: by uid, and by addresses and ports where a
sensor sees every packet more than once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nba_broker.archive.external_sort import Sorter
from nba_broker.records import uids

TOGETHER = 1.0
"""Seconds within which rows can be one session: one log may have whole seconds alone."""

SYSTEMATIC = 0.05
"""Share of sessions with a twin, the same addresses and ports within that time and another uid,
from which on twins are one session: a host that takes a port again so soon is far rarer."""

_ROUNDED = 0.001  # seconds that a time in milliseconds is off at most
_SLOTS = 20  # bits of a key that are looked at first
_FEWEST = 20  # twins that are a rule and no chance
_SAMPLE = 1 << 17  # sessions that are looked at for twins, 3 MB of them
_BY_PORT = 8  # bits of the source port that choose the sample; then all of the session does
_CHOSEN = np.dtype(
    [("uid", uids.TEXT), ("session", "u8"), ("ts", "f8"), ("segment", "i4"), ("port", "u4")]
)
_PLACE = np.dtype([("key", "f8"), ("at", "i8")])
_SHORTEST = 8  # characters of a uid of Zeek's, and fewer
_TOGETHER = 65_536  # rows
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def _mix(*columns: np.ndarray) -> np.ndarray:
    """A number for each row, uint64 [n], that hardly any other has; columns are uint64 [n]."""
    mixed = columns[0] * _MIX
    for column in columns[1:]:
        mixed ^= mixed >> _SHIFT
        mixed ^= column
        mixed *= _MIX
    mixed ^= mixed >> _SHIFT
    return mixed


def _words(rows: np.ndarray) -> list[np.ndarray]:
    """The uids as columns of uint64 [n]."""
    words = np.ascontiguousarray(rows["uid"]).view(np.uint64).reshape(-1, uids.LENGTH // 8)
    return [words[:, at] for at in range(words.shape[1])]


class Repeats:
    """Which of an archive's sessions are there already: knows a sample of all, whatever their
    order, and as much of the past as is needed."""

    def __init__(self) -> None:
        self._marks = np.zeros(0, np.uint64)
        self._bits = 0
        self._chosen = [np.zeros(0, _CHOSEN)]
        self._number = 0

    def see(self, rows: np.ndarray, addresses: Sequence[str]) -> None:
        """Take sessions into account, conn_log.ROW in any order; ``addresses`` are by code."""
        sport = rows["sport"].astype(np.uint32)
        port = (sport * np.uint32(0x9E3779B1)) >> np.uint32(32 - _BY_PORT)
        chosen = (port >> np.uint32(_BY_PORT - min(self._bits, _BY_PORT)) == 0) & (sport > 0)
        rows, port = rows[chosen], port[chosen]
        if not len(rows):
            return
        fresh = addresses[len(self._marks) :]
        self._marks = np.concatenate([self._marks, np.array(list(map(_mark, fresh)), np.uint64)])
        found = np.empty(len(rows), _CHOSEN)
        found["session"] = _mix(
            self._marks[rows["host"]],
            self._marks[rows["dst"]],
            rows["sport"].astype(np.uint64),
            rows["dport"].astype(np.uint64),
        )
        found["port"] = port
        for name in ("ts", "uid", "segment"):
            found[name] = rows[name]
        self._chosen.append(self._of_sample(found))
        self._number += len(self._chosen[-1])
        while self._number > _SAMPLE:
            self._bits += 1
            self._chosen = [self._of_sample(np.concatenate(self._chosen))]
            self._number = len(self._chosen[0])

    def _of_sample(self, found: np.ndarray) -> np.ndarray:
        keep = found["port"] >> np.uint32(_BY_PORT - min(self._bits, _BY_PORT)) == 0
        if self._bits > _BY_PORT:
            keep &= found["session"] >> np.uint64(64 - (self._bits - _BY_PORT)) == 0
        sample: np.ndarray = found[keep]
        return sample

    def findings(self) -> Findings:
        """What the sample says of all."""
        found = np.concatenate(self._chosen)
        self._chosen = [found]
        if len(found) < 2:
            return Findings(0.0, 0.0, "")
        uid = _mix(found["session"], *_words(found))
        order = np.lexsort((found["ts"], uid))
        uid, by_uid = uid[order], found[order]
        same = uid[1:] == uid[:-1]
        # Without uids, rows that files repeat are no twins.
        same &= (by_uid["uid"][1:] != b"") | (by_uid["ts"][1:] == by_uid["ts"][:-1])
        apart = same & ~_is_same_time(by_uid["ts"][:-1], by_uid["ts"][1:])
        apart &= _is_zeeks(by_uid[1:])
        once = by_uid[np.append(True, ~same)]
        once = once[np.lexsort((once["ts"], once["segment"], once["session"]))]
        twins = np.count_nonzero(
            (once["session"][1:] == once["session"][:-1])
            & (once["segment"][1:] == once["segment"][:-1])
            & _is_about_same_time(once["ts"][:-1], once["ts"][1:])
        )
        share = twins / len(once)
        example = uids.shown(by_uid["uid"][1:][apart][:1])
        return Findings(
            share if twins >= _FEWEST and share >= SYSTEMATIC else 0.0,
            np.count_nonzero(apart) / len(found),
            example[0].decode("ascii") if len(example) else "",
        )


class Findings(NamedTuple):
    """``twins``: the share of sessions that a sensor told twice or more, 0 where that is no rule.
    ``apart``: the share whose uid and addresses an earlier session has, too, with another time;
    ``uid`` is the first of them."""

    twins: float
    apart: float
    uid: str


def without(parts: Iterator[np.ndarray], twins: bool) -> Iterator[tuple[np.ndarray, int]]:
    """Sorted sessions, conn_log.ROW, without those that are there already, and how many were left
    out of each part; ``twins``: also those that only their ports tell."""
    held: dict[str, np.ndarray] | None = None  # of what may be repeated yet
    for rows in parts:
        keys = _keys(rows, twins)
        if held is not None:
            keys = {name: np.concatenate([held[name], keys[name]]) for name in keys}
        gone = _repeated(keys)[len(keys["ts"]) - len(rows) :]
        number = int(np.count_nonzero(gone))
        yield (rows[~gone] if number else rows), number
        ts = keys["ts"]
        # Times of a log are whole seconds all of them, or hardly ever.
        reach = TOGETHER if twins or (rows["ts"] % 1 == 0).mean() > 0.01 else _ROUNDED
        since = np.searchsorted(ts, ts[-1] - reach)
        held = {name: column[since:] for name, column in keys.items()}


def _keys(rows: np.ndarray, twins: bool) -> dict[str, np.ndarray]:
    """What tells sessions apart: a key that those of one uid and its addresses have, or that are
    equal in everything without one, and with ``twins`` another of addresses and ports."""
    host, dst, dport = (rows[name].astype(np.uint64) for name in ("host", "dst", "dport"))
    words = _words(rows)
    named = words[0] != 0
    ts = np.ascontiguousarray(rows["ts"])
    key = _mix(host, dst, dport, *words)
    more = []
    if twins or not named.all():
        more = [rows[name].astype(np.uint64) for name in ("sport", "segment", "mac")]
    if not named.all():
        exact = _mix(key, *more, ts.view(np.uint64))
        key = np.where(named, key, exact)
    keys = {"ts": ts, "key": key, "named": named, "log": rows["log"].copy()}
    if twins:
        keys["twin"] = np.where(more[0] > 0, _mix(host, dst, dport, *more[:2]), 0)
    return keys


def _repeated(keys: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which of some sorted sessions are there already, bool [n]."""
    ts, key, named = keys["ts"], keys["key"], keys["named"]
    if named.all():
        gone = _close(key, ts, _is_same_time)
    else:
        gone = np.zeros(len(ts), bool)
        gone[named] = _close(key[named], ts[named], _is_same_time)
        gone[~named] = _in_another_file(key[~named], keys["log"][~named])
    if "twin" in keys:
        known = keys["twin"] > 0
        gone[known] |= _close(keys["twin"][known], ts[known], _is_about_same_time)
    return gone


def far_apart(parts: Iterator[np.ndarray], memory: int) -> np.ndarray:
    """Which of an archive's sessions have the uid and addresses of an earlier one, whenever that
    was: bits [n], see numpy.packbits. ``memory``, bytes, is for sorting them."""
    sorter = Sorter(_PLACE, "key", lambda rows: (rows["at"],), memory)
    number = 0
    for rows in parts:
        keys = _keys(rows, False)
        places = np.empty(len(rows), _PLACE)
        places["key"] = keys["key"] >> np.uint64(11)  # as many bits as a float has
        places["at"] = np.arange(number, number + len(rows))
        number += len(rows)
        sorter.add(places[_is_zeeks(rows)])
    bits = np.zeros(number // 8 + 1, np.uint8)
    last = -1.0
    for places in sorter.parts(_TOGETHER):
        before = np.concatenate([[last], places["key"][:-1]])
        at = places["at"][places["key"] == before]
        np.bitwise_or.at(bits, at // 8, (128 >> at % 8).astype(np.uint8))
        last = float(places["key"][-1])
    return bits


def _is_zeeks(rows: np.ndarray) -> np.ndarray:
    """Whether uids are as long as Zeek's, bool [n]: shorter ones may be no more than numbers."""
    letters = np.ascontiguousarray(rows["uid"]).view(np.uint8).reshape(-1, uids.LENGTH)
    whole: np.ndarray = letters[:, _SHORTEST - 1] != 0
    return whole


def _is_same_time(one: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Whether two times are one as logs write it: with microseconds, milliseconds or neither."""
    apart = later - one
    whole = (one % 1 == 0) | (later % 1 == 0)
    same: np.ndarray = (apart <= _ROUNDED) | (whole & (apart < TOGETHER))
    return same


def _is_about_same_time(one: np.ndarray, later: np.ndarray) -> np.ndarray:
    same: np.ndarray = later - one < TOGETHER
    return same


def _close(
    key: np.ndarray, ts: np.ndarray, is_same: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Which rows have the key of one shortly before them, bool [n]; sorted by ``ts``."""
    gone = np.zeros(len(key), bool)
    rows = _perhaps_equal(key)
    order = rows[np.argsort(key[rows], kind="stable")]
    key, ts = key[order], ts[order]
    gone[order[1:]] = (key[1:] == key[:-1]) & is_same(ts[:-1], ts[1:])
    return gone


def _perhaps_equal(key: np.ndarray) -> np.ndarray:
    """All rows whose key another one has, ascending, and few others: sooner than by sorting."""
    slot = (key >> np.uint64(64 - _SLOTS)).astype(np.int64)
    row = np.arange(len(key))
    last = np.empty(1 << _SLOTS, np.int64)
    last[slot] = row
    lost = np.flatnonzero(last[slot] != row)
    return np.unique(np.concatenate([lost, last[slot[lost]]]))


def _in_another_file(key: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Which rows are in an earlier file, too, as often as they are there; bool [n]."""
    times: dict[tuple[int, int], int] = {}
    kept: dict[int, int] = {}
    gone = np.zeros(len(key), bool)
    rows = _perhaps_equal(key)
    for at, one, file in zip(rows.tolist(), key[rows].tolist(), log[rows].tolist(), strict=True):
        number = times[one, file] = times.get((one, file), 0) + 1
        gone[at] = number <= kept.get(one, 0)
        kept[one] = max(kept.get(one, 0), number)
    return gone


def _mark(address: str) -> int:
    return int.from_bytes(hashlib.blake2b(address.encode(), digest_size=8).digest(), "little")
