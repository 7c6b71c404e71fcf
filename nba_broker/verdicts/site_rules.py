"""The rules of site events: which hosts lost or changed the same thing, and which got over it.

Plain functions of the hosts' columns (see :mod:`nba_broker.baseline.signs` and
:mod:`nba_broker.baseline.contacts`); they write nothing. Ticks are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nba_broker.baseline.contacts import KINDS, PEER
from nba_broker.baseline.signs import OUTAGE, SILENT, Measure
from nba_broker.baseline.site_settings import SiteSettings
from nba_broker.baseline.uses import Use

_RECENT = 2  # ticks: who got on in the last two shows that the Internet works


@dataclass(frozen=True, slots=True)
class Together:
    """Hosts that show the same within a short time.

    slots: these hosts, int64 [n]. watched: their number and that of the hosts whose latest sessions
    show the opposite. since: the tick in which it began.
    """

    slots: np.ndarray
    watched: int
    since: int

    def are_many(self, settings: SiteSettings) -> bool:
        """Whether they are enough for an event."""
        least = max(settings.least_hosts, settings.share * self.watched)
        return len(self.slots) >= least


def outage(
    columns: Mapping[str, np.ndarray], settings: SiteSettings, tick: int
) -> tuple[str, Together] | None:
    """The hosts that have lost the Internet or DNS at the end of this tick, with the kind of event;
    None if there are none.

    A host whose requests of NTP are repeated may have lost the Internet, too, unless it has started
    another session there since.
    """
    sign, since = columns["sign"], columns["since"]
    signed = (sign > tick - settings.together) & (sign > 0)
    signed &= sign > columns["gets_on"][:, None]
    lost = signed[:, OUTAGE].any(1)
    if not lost.any():
        return None
    used = columns["used"]
    lost |= signed[:, Measure.NTP] & (used[:, Use.INTERNET] <= sign[:, Measure.NTP])
    against = (columns["gets_on"] > tick - _RECENT) & (columns["gets_on"] > 0) & ~lost
    slots = np.flatnonzero(lost)
    shown = np.where(signed[slots], since[slots], np.iinfo(np.int32).max)
    shown[:, Measure.DHCP] = np.iinfo(np.int32).max
    first = shown.min(1)
    # Only queries are left: neither sessions to the Internet nor requests of NTP are tried.
    only_asks = columns["outside"][slots] < first
    only_asks &= used[slots, Use.DNS] > tick - settings.together
    kind = "dns" if 2 * np.count_nonzero(only_asks) > len(slots) else "internet"
    # Of long silences, the one that began last; bursts begin as a device needs what is gone.
    silent = np.where(signed[slots][:, SILENT], since[slots][:, SILENT], 0).max(1)
    burst = np.where(silent > 0, np.iinfo(np.int32).max, first).min()
    began = min(int(silent.max()) or tick, int(burst))
    return kind, Together(slots, len(slots) + int(np.count_nonzero(against)), began)


def repeats(
    columns: Mapping[str, np.ndarray], settings: SiteSettings, tick: int, use: Use, measure: Measure
) -> Together:
    """The hosts that only repeat their requests of DHCP or NTP at the end of this tick. Requests of
    NTP count as lost only after the host has started another session to the Internet."""
    sign = columns["sign"][:, measure]
    lost = (sign > tick - settings.together) & (sign > 0)
    if use == Use.NTP:
        lost &= columns["used"][:, Use.INTERNET] > sign
    used = columns["used"][:, use]
    against = (used > tick - settings.together) & (used > 0) & ~lost
    slots = np.flatnonzero(lost)
    began = int(columns["since"][slots, measure].min(initial=tick))
    return Together(slots, len(slots) + int(np.count_nonzero(against)), began)


def contact(
    columns: Mapping[str, np.ndarray], settings: SiteSettings, tick: int, learned_by: int, kind: int
) -> tuple[int, Together] | None:
    """The key of the new contact that most hosts have met of late, and these hosts; None if none
    has. learned_by: as for Signs.end_tick; a host counts only after it has been learned."""
    span = _RECENT if kind == PEER else settings.roll_out
    met, key = columns["met"][:, kind], columns["new"][:, kind]
    learned = (columns["first"] > 0) & (columns["first"] <= learned_by)
    recent = learned & (met > tick - span)
    # The first contacts of a host are all new.
    recent &= met - columns["first"] >= settings.least_ticks
    if np.count_nonzero(recent) < settings.least_hosts:
        return None
    keys, number = np.unique(key[recent], return_counts=True)
    most = keys[number.argmax()]
    same = recent & (key == most)
    if kind == PEER:
        other = columns["talked"] > tick - settings.together
    else:
        other = columns["used"][:, KINDS[kind]] > tick - settings.together
    other &= ~same & learned
    slots = np.flatnonzero(same)
    together = Together(slots, len(slots) + int(np.count_nonzero(other)), int(met[slots].min()))
    return int(most), together


def recovered(columns: Mapping[str, np.ndarray], slots: np.ndarray) -> np.ndarray:
    """Which of these hosts, int64 [n], have got on with the Internet since their last sign, bool
    [n]."""
    sign = columns["sign"][slots][:, [*OUTAGE, Measure.NTP]].max(1, initial=0)
    found: np.ndarray = columns["gets_on"][slots] > sign
    return found
