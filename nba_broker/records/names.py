"""Answers of the DNS: which host asked for which name, and the addresses that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nba_broker.records.addresses import halves
from nba_broker.records.sessions import joined_segments

MAX_NAME = 255
"""Characters of a name at most (RFC 1035 allows 253 without the final dot)."""


@dataclass(frozen=True, slots=True)
class Names:
    """Answers to DNS queries, one row for each address, n in time order, as parallel columns.

    ts: when the answer came, float64 [n], seconds since the epoch.
    host: who asked, "V16" [n].
    name: the name that was asked for, objects (str) [n]: lower case, no final dot, printable ASCII.
    address: an address that it stands for, "V16" [n].
    ttl: how long the answer may be kept, float64 [n], seconds.
    segment: the part of the network in which ``host`` is unique, as in :class:`Sessions`; None if
    all are unknown.

    An address is in 16 bytes, an IPv4 address IPv4-mapped, as in the column ``dst`` of the windows.
    """

    ts: np.ndarray
    host: np.ndarray
    name: np.ndarray
    address: np.ndarray
    ttl: np.ndarray
    segment: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.ts)


NO_NAMES = Names(
    np.zeros(0), np.zeros(0, "V16"), np.zeros(0, object), np.zeros(0, "V16"), np.zeros(0)
)
"""No rows."""


@dataclass(frozen=True, slots=True)
class Answers:
    """DNS answers to known hosts, k rows in time order.

    names: the rows. slot: the host that asked, int64 [k]. place: how many of the sessions beside
    them came before each row, int64 [k], ascending; an answer comes before a session of the same
    time.
    """

    names: Names
    slot: np.ndarray
    place: np.ndarray

    def __len__(self) -> int:
        return len(self.slot)

    def part(self, start: int, stop: int) -> Answers:
        """Those beside the sessions from ``start`` up to ``stop``."""
        if not len(self):
            return self
        places = np.arange(*np.searchsorted(self.place, (start, stop)).tolist())
        return Answers(take(self.names, places), self.slot[places], self.place[places] - start)


NO_ANSWERS = Answers(NO_NAMES, np.zeros(0, np.int64), np.zeros(0, np.int64))
"""No rows."""


def joined(parts: Sequence[Answers], starts: Sequence[int]) -> Answers:
    """The answers beside several parts of some sessions, which begin at these places, as one."""
    if not any(map(len, parts)):
        return NO_ANSWERS
    return Answers(
        concatenate([part.names for part in parts]),
        np.concatenate([part.slot for part in parts]),
        np.concatenate([part.place + start for part, start in zip(parts, starts, strict=True)]),
    )


def is_name(text: str) -> bool:
    """Whether a text may be a name in :class:`Names`: printable ASCII without spaces, not too long,
    and not the root. DNS allows any bytes in a name (RFC 2181); hosts use letters, digits, hyphens
    and underscores."""
    return 0 < len(text) <= MAX_NAME and text.isascii() and text.isprintable() and " " not in text


def concatenate(parts: Sequence[Names]) -> Names:
    """Several batches as one, in the given order."""
    if not parts:
        return NO_NAMES
    if len(parts) == 1:
        return parts[0]
    return Names(
        np.concatenate([part.ts for part in parts]),
        np.concatenate([part.host for part in parts]),
        np.concatenate([part.name for part in parts]),
        np.concatenate([part.address for part in parts]),
        np.concatenate([part.ttl for part in parts]),
        joined_segments([part.segment for part in parts], map(len, parts)),
    )


def take(names: Names, places: np.ndarray) -> Names:
    """The rows at these places, in this order."""
    return Names(
        names.ts[places],
        names.host[places],
        names.name[places],
        names.address[places],
        names.ttl[places],
        None if names.segment is None else list(map(names.segment.__getitem__, places.tolist())),
    )


def part_of(names: Names, start: int, stop: int) -> Names:
    """The rows from ``start`` up to ``stop``."""
    return Names(
        names.ts[start:stop],
        names.host[start:stop],
        names.name[start:stop],
        names.address[start:stop],
        names.ttl[start:stop],
        None if names.segment is None else names.segment[start:stop],
    )


def order(names: Names) -> np.ndarray:
    """Places int64 [n] that sort by time and then by :func:`keys`, so that every replay has the
    same order."""
    return np.lexsort((*keys(names), names.ts))


def keys(names: Names) -> tuple[np.ndarray, ...]:
    """Columns [n] to sort rows of the same time by, the most important last: host, segment, name,
    address, TTL; an unknown segment comes last."""
    segment = [] if names.segment is None else [_ranks(names.segment, "")]
    return (
        names.ttl,
        *reversed(halves(names.address)),
        _ranks(names.name.tolist()),
        *segment,
        *reversed(halves(names.host)),
    )


def _ranks(texts: Sequence[str], last: str | None = None) -> np.ndarray:
    """The place of each text among all, sorted; ``last`` comes after all others."""
    ranks = {one: n for n, one in enumerate(sorted(set(texts), key=lambda one: (one == last, one)))}
    return np.fromiter(map(ranks.__getitem__, texts), np.int64, len(texts))
