"""Signs that a host has lost what it needs of its network: it only tries again, or is silent
towards the Internet for much longer than it ever is.

Time is cut into ticks of ten minutes. As one ends, the measures of every host that talked in it are
compared with the host's own levels. A level is what a measure exceeds about once a week: it doubles
when the measure exceeds it, and halves in a week without (a stochastic approximation of a quantile,
H. Robbins and S. Monro, "A Stochastic Approximation Method", 1951). A measure beyond twice its
level is a sign. Only ticks with a session of any host are counted, so that nothing is missed while
a sensor is away.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from nba_broker.baseline.missing import pair_numbers
from nba_broker.baseline.site_settings import SiteSettings
from nba_broker.baseline.uses import Use
from nba_broker.records.grouping import by_slot, changes
from nba_broker.records.slots import Column, Columns


class Measure(IntEnum):
    """What is measured of a host in a tick.

    A session to the Internet is *varied* if its pair is neither of the host's last two there: a
    device that only tries again has none.
    """

    SILENCE = 0  # ticks since the last one with a varied session
    ABSENCE = 1  # ticks since the last one with a session to the Internet, or of NTP
    REPEATS = 2  # sessions to the Internet that are not varied
    DNS = 3  # sessions of this use, as are the next two
    DHCP = 4
    NTP = 5


SILENT = [Measure.SILENCE, Measure.ABSENCE]
"""The measures that last over ticks."""

OUTAGE = [Measure.SILENCE, Measure.ABSENCE, Measure.REPEATS, Measure.DNS]
"""The measures that say that the Internet, or DNS, is lost."""

_LEAST = np.array([1, 1, 2, 2, 2, 2], np.float32)
"""The least level of each measure: a silence of half an hour, or five sessions in a tick, is the
least that can be a sign."""

_COUNTED = {
    Use.INTERNET: Measure.REPEATS,
    Use.DNS: Measure.DNS,
    Use.DHCP: Measure.DHCP,
    Use.NTP: Measure.NTP,
}
_MEASURE = np.full(len(Use), -1)
_MEASURE[list(_COUNTED)] = list(_COUNTED.values())
_VARIED = Measure.SILENCE  # where varied sessions are counted

COLUMNS = {
    "talks": Column(np.bool_),  # in this tick
    "first": Column(np.int32),  # the tick of its first session; 0 for none yet
    "talked": Column(np.int32),  # the last tick before this one in which it talked
    "gets_on": Column(np.int32),  # the last tick with varied sessions, and few others; 0 for none
    "outside": Column(np.int32),  # the last tick with a session to the Internet, or of NTP
    "used": Column(np.int32, shape=(len(Use),)),  # the last tick with a counted session of each use
    "pair": Column(np.int64, shape=(2,)),  # the last two of the Internet, the latest first; 0: none
    "count": Column(np.int32, shape=(len(Measure),)),  # in this tick
    "level": Column(np.float32, shape=(len(Measure),)),
    "sign": Column(np.int32, shape=(len(Measure),)),  # the last tick with a sign; 0 for none
    "since": Column(np.int32, shape=(len(Measure),)),  # the tick in which that began
}


class Signs:
    """The measures, levels and signs of all hosts, in a stage's ``columns``, which have those of
    COLUMNS. Ticks are numbered from 1 on."""

    def __init__(self, columns: Columns, settings: SiteSettings) -> None:
        self._columns, self._settings = columns, settings

    def add(self, slot: np.ndarray, use: np.ndarray, pool: np.ndarray, dport: np.ndarray) -> None:
        """Count sessions of one tick, in order: slot int64 [n], use int8 [n], pool int32 [n] and
        port code int32 [n]."""
        columns = self._columns
        rows = np.flatnonzero(use == Use.INTERNET)
        if len(rows):
            self._add_outside(slot[rows], pool[rows], dport[rows])
        if len(rows) < len(slot):
            rows = np.flatnonzero(use != Use.INTERNET)
            columns["talks"][slot[rows]] = True
            rows = rows[_MEASURE[use[rows]] >= 0]
            place = slot[rows] * len(Measure) + _MEASURE[use[rows]]
            np.add.at(columns["count"].reshape(-1), place, 1)

    def _add_outside(self, slot: np.ndarray, pool: np.ndarray, dport: np.ndarray) -> None:
        """Count sessions to the Internet, varied ones and others."""
        columns = self._columns
        known = columns["pair"]
        order = by_slot(slot)
        slot = slot[order]
        pair = pair_numbers(pool[order], dport[order])
        first = np.flatnonzero(changes(slot))
        hosts = slot[first]
        before = np.empty_like(pair)
        before[1:] = pair[:-1]
        before[first] = known[hosts, 0]
        turn = np.flatnonzero(pair != before)  # the first of each run of equal pairs
        varied = np.zeros(len(hosts), np.int64)
        if len(turn):
            pair, before = pair[turn], before[turn]
            group = np.searchsorted(first, turn, side="right") - 1
            begins = np.flatnonzero(changes(group))
            second = np.empty_like(before)
            second[1:] = before[:-1]
            second[begins] = known[hosts[group[begins]], 1]
            turned = group[begins]
            varied[turned] = np.add.reduceat(pair != second, begins, dtype=np.int64)
            last = np.append(begins[1:], len(turn)) - 1
            known[hosts[turned]] = np.column_stack([pair[last], before[last]])
        columns["talks"][hosts] = True
        columns["count"][hosts, _VARIED] += varied
        number = np.diff(np.append(first, len(slot)))
        columns["count"][hosts, Measure.REPEATS] += number - varied

    def end_tick(
        self, tick: int, hosts: int, learned_by: int, held: np.ndarray | None = None
    ) -> bool:
        """End the tick of this number, for the slots below ``hosts``. learned_by: hosts that have
        not begun by this tick are not learned yet. held: the hosts whose levels
        stay, because an event of the site affects them, bool [hosts]; None for none. Returns
        whether any host shows a sign."""
        columns, settings = self._columns, self._settings
        slot = np.flatnonzero(columns["talks"][:hosts])
        columns["talks"][slot] = False
        measured = columns["count"][slot]
        columns["count"][slot] = 0
        first = columns["first"][slot]
        columns["first"][slot] = np.where(first == 0, tick, first)
        learned = (first > 0) & (first <= learned_by)

        level = np.maximum(columns["level"][slot], _LEAST)
        most = settings.beyond * level
        varied = measured[:, _VARIED] > 0
        gets_on = varied & (measured[:, Measure.REPEATS] <= most[:, Measure.REPEATS])
        lasts = self._silences(slot, tick, measured, varied, gets_on)
        sign = (measured > most) & learned[:, None]
        sign[:, SILENT] &= lasts & (level[:, SILENT] <= settings.slowest)
        sign[:, [Measure.REPEATS, Measure.DNS]] &= ~gets_on[:, None]

        raised = np.minimum(measured, 2 * level)
        # A silence raises the level once, as it ends.
        raised[:, SILENT] = np.where(lasts, level[:, SILENT], raised[:, SILENT])
        moved = np.where(measured > level, raised, level * 2.0**-settings.rate)
        moved = np.where(learned[:, None], moved, np.maximum(level, measured))
        if held is not None:
            moved[held[slot]] = level[held[slot]]
        columns["level"][slot] = np.maximum(moved, _LEAST)
        columns["talked"][slot] = tick
        return self._remember(slot, sign, tick, measured)

    def _silences(
        self,
        slot: np.ndarray,
        tick: int,
        measured: np.ndarray,
        varied: np.ndarray,
        gets_on: np.ndarray,
    ) -> np.ndarray:
        """Set the two silences in ``measured``, int32 [n, measures], to their lengths in ticks;
        returns which of them last, bool [n, 2]."""
        columns = self._columns
        last = np.column_stack([columns["gets_on"][slot], columns["outside"][slot]])
        last = np.maximum(last, columns["first"][slot][:, None])
        outside = varied | (measured[:, [Measure.REPEATS, Measure.NTP]] > 0).any(1)
        ends = np.column_stack([gets_on, outside])
        for use, measure in _COUNTED.items():
            some = measured[:, measure] > 0
            columns["used"][slot[some], use] = tick
        columns["used"][slot[varied], Use.INTERNET] = tick
        measured[:, SILENT] = np.maximum(tick - last - ends, 0)
        columns["gets_on"][slot[gets_on]] = columns["outside"][slot[outside]] = tick
        return ~ends

    def _remember(
        self, slot: np.ndarray, sign: np.ndarray, tick: int, measured: np.ndarray
    ) -> bool:
        """Note the signs of hosts, bool [n, measures], in this tick."""
        columns = self._columns
        row, measure = np.nonzero(sign)
        host = slot[row]
        # A burst begins with its tick, a silence with the first tick of it.
        began = np.where(measure <= Measure.ABSENCE, tick - measured[row, measure] + 1, tick)
        new = columns["sign"][host, measure] <= tick - self._settings.together
        columns["since"][host, measure] = np.where(new, began, columns["since"][host, measure])
        columns["sign"][host, measure] = tick
        return len(row) > 0
