"""Finds sessions that an archive has several times: by uid, and by addresses and ports where a
sensor sees every packet more than once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nba_broker.archive.codes import ROW
from nba_broker.archive.external_sort import Sorter
from nba_broker.records import uids

TOGETHER = 1.0
"""Seconds within which rows can be the same session: a log may have whole seconds only."""

SYSTEMATIC = 0.05
"""From this share of sessions with a twin on, twins are the same session: a twin has the same
addresses and ports within TOGETHER, and another uid. Hosts that reuse a port so soon are far
rarer."""

_ROUNDED = 0.001  # seconds by which times in milliseconds are off at most
_SLOTS = 18  # bits of a key that are compared first; a table of 1 MB, which a cache holds
_FEWEST = 20  # twins that are more than chance
_SAMPLE = 1 << 17  # sessions that are examined for twins, 6 MB of them
_BY_PORT = 8  # bits of the source port that choose the sample; further bits are of the session
_CHOSEN = np.dtype(
    [("uid", uids.TEXT), ("session", "u8"), ("ts", "f8"), ("segment", "i4"), ("port", "u4")]
)
_PLACE = np.dtype([("key", "f8"), ("at", "i8")])
_SHORTEST = 8  # characters; Zeek's uids are longer
_TOGETHER = 65_536  # rows
_AT = {name: field[1] for name, field in (ROW.fields or {}).items()}  # offsets in a row
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def _mix(*columns: np.ndarray) -> np.ndarray:
    """A hash of each row, uint64 [n]; columns are uint64 [n]."""
    mixed = columns[0] * _MIX
    for column in columns[1:]:
        mixed ^= mixed >> _SHIFT
        mixed ^= column
        mixed *= _MIX
    mixed ^= mixed >> _SHIFT
    return mixed


def _words(rows: np.ndarray) -> list[np.ndarray]:
    """The uids as columns, each uint64 [n]."""
    words = np.ascontiguousarray(rows["uid"]).view(np.uint64).reshape(-1, uids.LENGTH // 8)
    return [words[:, at] for at in range(words.shape[1])]


class Repeats:
    """Estimates how many of an archive's sessions are repeated, from a sample of them that does not
    depend on their order."""

    def __init__(self) -> None:
        self._marks = np.zeros(0, np.uint64)
        self._bits = 0
        self._chosen = [np.zeros(0, _CHOSEN)]
        self._number = 0

    def see(self, rows: np.ndarray, addresses: Sequence[str]) -> None:
        """Add sessions, codes.ROW in any order; ``addresses`` are by code."""
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
        """What the sample says about all sessions."""
        found = np.concatenate(self._chosen)
        self._chosen = [found]
        if len(found) < 2:
            return Findings(0.0, 0.0, "")
        uid = _mix(found["session"], *_words(found))
        order = np.lexsort((found["ts"], uid))
        uid, by_uid = uid[order], found[order]
        same = uid[1:] == uid[:-1]
        # Without uids, equal rows are copies, not twins.
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
    """``twins``: the share of sessions that a sensor reports twice or more, 0 below SYSTEMATIC.
    ``apart``: the share with the uid and addresses of an earlier session, but another time;
    ``uid`` is the first such uid."""

    twins: float
    apart: float
    uid: str


def without(parts: Iterator[np.ndarray], twins: bool) -> Iterator[tuple[np.ndarray, int]]:
    """Sorted sessions, codes.ROW, without repeated ones, and how many were left out of each part.
    ``twins``: also leave out sessions with the addresses and ports, but not the uid, of another."""
    held: dict[str, np.ndarray] | None = None  # keys of sessions that later ones may repeat
    for rows in parts:
        keys = _keys(rows, twins)
        if held is not None:
            keys = {name: np.concatenate([held[name], keys[name]]) for name in keys}
        gone = _repeated(keys)[len(keys["ts"]) - len(rows) :]
        number = int(np.count_nonzero(gone))
        yield (rows[~gone] if number else rows), number
        ts = keys["ts"]
        # Either all times of a log are whole seconds, or nearly none.
        reach = (
            TOGETHER if twins or (rows["ts"] == np.floor(rows["ts"])).mean() > 0.01 else _ROUNDED
        )
        since = np.searchsorted(ts, ts[-1] - reach)
        held = {name: column[since:] for name, column in keys.items()}


def _keys(rows: np.ndarray, twins: bool) -> dict[str, np.ndarray]:
    """Columns that identify sessions, each [n]: ``ts``; ``key``, equal for the same uid, addresses
    and port, or without uid (not ``named``) for rows equal in everything; ``log``; and with
    ``twins`` also ``twin``, equal for the same addresses and ports, 0 without a source port."""
    # ``host`` and ``dst`` are side by side: one column of 64 bits is one less to mix.
    addresses = rows.getfield(np.uint64, _AT["host"])
    dport = rows["dport"].astype(np.uint64)
    words = _words(rows)
    named = words[0] != 0
    ts = np.ascontiguousarray(rows["ts"])
    # Hardly any uid has the 22 characters that would share these bits with the port.
    key = _mix(addresses, words[0], words[1], words[2] ^ (dport << np.uint64(40)))
    more = []
    if twins or not named.all():
        more = [rows[name].astype(np.uint64) for name in ("sport", "segment", "mac")]
    if not named.all():
        exact = _mix(key, *more, ts.view(np.uint64))
        key = np.where(named, key, exact)
    keys = {"ts": ts, "key": key, "named": named, "log": rows["log"]}
    if twins:
        keys["twin"] = np.where(more[0] > 0, _mix(addresses, dport, *more[:2]), 0)
    return keys


def _repeated(keys: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which of some sorted sessions repeat an earlier one, bool [n]."""
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
    """Which of an archive's sessions have the uid and addresses of an earlier one, at any time:
    bits [n], see numpy.packbits. ``memory``, bytes, is for sorting them."""
    sorter = Sorter(_PLACE, "key", lambda rows: (rows["at"],), memory)
    number = 0
    for rows in parts:
        keys = _keys(rows, False)
        places = np.empty(len(rows), _PLACE)
        places["key"] = keys["key"] >> np.uint64(11)  # as many bits as a float64 holds exactly
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
    """Whether uids are as long as Zeek's, bool [n]; shorter ones may be mere numbers."""
    letters = np.ascontiguousarray(rows["uid"]).view(np.uint8).reshape(-1, uids.LENGTH)
    whole: np.ndarray = letters[:, _SHORTEST - 1] != 0
    return whole


def _is_same_time(one: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Whether two times are equal as logs round them: to microseconds, milliseconds or seconds."""
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
    """Which rows have the key of a row shortly before them, bool [n]; sorted by ``ts``."""
    gone = np.zeros(len(key), bool)
    rows = _perhaps_equal(key)
    order = rows[np.argsort(key[rows], kind="stable")]
    key, ts = key[order], ts[order]
    gone[order[1:]] = (key[1:] == key[:-1]) & is_same(ts[:-1], ts[1:])
    return gone


def _perhaps_equal(key: np.ndarray) -> np.ndarray:
    """All rows whose key another row has, and some more, ascending: faster than sorting all."""
    slot = (key >> np.uint64(64 - _SLOTS)).astype(np.int32)
    row = np.arange(len(key), dtype=np.int32)
    last = np.empty(1 << _SLOTS, np.int32)
    last[slot] = row
    lost = last[slot] != row
    found = lost.copy()
    found[last[slot[lost]]] = True
    return np.flatnonzero(found)


def _in_another_file(key: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Which rows repeat one of an earlier file, bool [n]; equal rows within one file all count."""
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
