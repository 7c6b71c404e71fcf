"""Regular destinations of a host, and when one is missing although the host goes on talking.

Only hours in which the host has sessions count. A pair of pool and service is regular if the host
has it in a twelfth of them or more. It is missing after it was silent for more than twice as many
hours as ever before, and for so many that a host which uses it by chance as often would be as
silent once in a hundred memories of the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.baseline.settings import BaselineSettings
from nba_broker.records.slots import Column

NO_PAIR = 0
"""The number that stands for no pair, where one is stored; see :func:`pair_numbers`."""

_HOURS = 255  # counted at most
_MODULUS = 1 << 16  # of the hours in which a pair was last seen


@dataclass(frozen=True, slots=True)
class Regular:
    """A regular destination of the host ``slot`` that is missing, or back again.

    index: the place of the host's deciding session in the pushed batch. pool: an index into the
    table of pools, dport: a port code. last_seen: the hour of the last session there before it was
    missing, in seconds since the epoch. daily: the usual number of sessions in 24 hours with any of
    the host. back: whether it is back.
    """

    index: int
    slot: int
    pool: int
    dport: int
    last_seen: float
    daily: float
    back: bool


def columns_of(settings: BaselineSettings) -> dict[str, Column]:
    """The columns of tables of this size, beside those of :mod:`nba_broker.baseline.hours`."""
    lasting = (settings.lasting,)
    return {
        "pair": Column(np.int64, shape=(settings.table_size,)),  # NO_PAIR for a group
        "seen": Column(np.uint16, shape=lasting),  # the last hour with it, modulo 65,536
        "unseen": Column(np.uint8, shape=lasting),  # hours since then, of those of the host
        "longest": Column(np.uint8, shape=lasting),  # the most such hours before it was back
        "missing": Column(np.bool_, shape=lasting),  # the log says so
    }


def pair_numbers(pool: np.ndarray, dport: np.ndarray) -> np.ndarray:
    """The numbers of pairs, int64 [n] and above NO_PAIR; pool int32 [n], dport int32 [n]."""
    return np.asarray((pool.astype(np.int64) << 20 | dport) + 1)


def pools_of(pair: np.ndarray) -> np.ndarray:
    """The indices of the pools of pairs, int64 of the same shape as their numbers; below 0 for
    NO_PAIR."""
    return np.asarray(pair - 1 >> 20)


def services_of(pair: np.ndarray) -> np.ndarray:
    """The port codes of pairs, int64 of the same shape as their numbers."""
    return np.asarray(pair - 1 & 0xFFFFF)


def end_hours(
    table: dict[str, np.ndarray], hour: np.ndarray, paused: np.ndarray, settings: BaselineSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Count the hour that ends in ``table``, columns [n, table_size] as they were in it, with
    ``share`` float64 [n, table_size] of the hours with each pair, and ``span`` float64 [n].

    hour: int64 [n], since the epoch. paused: the hosts for which nothing is missing now, because an
    event of the site affects them, bool [n]. Returns which pairs are missing from now on, and which
    are back, both bool [n, table_size].
    """
    present = table["count"] > 0
    is_pair = table["pair"] != NO_PAIR
    unseen = np.minimum(table["unseen"].astype(int) + ~paused[:, None], _HOURS)
    longest = np.where(present, np.maximum(table["longest"], table["unseen"]), table["longest"])
    back = present & table["missing"] & is_pair

    share = np.clip(table["share"], 0, 1 - 1e-3)
    span = np.maximum(table["span"], 1)[:, None]
    by_chance = np.log(span * settings.missing_memories) / -np.log1p(-np.maximum(share, 1e-6))
    regular = is_pair & (share >= settings.regular_share) & (table["age"] >= settings.learning)
    gone = regular & ~present & ~table["missing"] & ~paused[:, None] & (unseen < _HOURS)
    gone &= (unseen > 2 * longest.astype(int)) & (unseen > by_chance)
    if gone.any():
        gone &= ~_moved(table, present, share)

    table["seen"] = np.where(present, (hour % _MODULUS)[:, None], table["seen"])
    table["unseen"] = np.where(present, 0, unseen)
    table["longest"] = longest
    table["missing"] = (table["missing"] | gone) & ~present
    return gone, back


def _moved(table: dict[str, np.ndarray], present: np.ndarray, share: np.ndarray) -> np.ndarray:
    """For which pairs another pool offers the same service in this hour and does not always, bool
    [n, table_size]: a cloud that moves is not lost."""
    service = np.where(table["pair"] == NO_PAIR, -1, services_of(table["pair"]))
    instead = np.where(present & (share < _ALWAYS), service, -2)
    return np.asarray((service[:, :, None] == instead[:, None, :]).any(2))


_ALWAYS = 0.8  # share of hours


def last_seen(seen: np.ndarray, hour: np.ndarray) -> np.ndarray:
    """The hours since the epoch, int64 [n], that ``seen`` uint16 [n] stands for, before ``hour``
    int64 [n]."""
    return np.asarray(hour - (hour - seen.astype(np.int64)) % _MODULUS)
