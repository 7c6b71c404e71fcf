"""Finds events of the whole site: many hosts that lose or change the same thing at once.

No host's state follows from such an event. The sessions that it explains go no further: neither
windows nor baselines get them. Windows that already have many of them decide nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nba_broker.baseline import contacts, signs
from nba_broker.baseline.contacts import PEER, RESOLVER, Contacts, contact_keys
from nba_broker.baseline.signs import Measure, Signs
from nba_broker.baseline.site_settings import SiteSettings
from nba_broker.baseline.uses import Use, Uses
from nba_broker.model.windows import Windows
from nba_broker.records.slots import Column, Slots
from nba_broker.verdicts import site_rules as rules
from nba_broker.verdicts.site_changes import About, Change, Part, Running, SiteSessions
from nba_broker.verdicts.site_rules import Together

TICK = 600.0
"""Seconds of event time, see :mod:`nba_broker.baseline.signs`."""

_KEPT = 1024  # ticks whose times are remembered, a week
_REMEMBERED = 172_800.0  # seconds after its end for which windows may have sessions of an event
_STALE = 144  # ticks without a sign of any affected host after which an event is over
_ABOUT = 1024  # contacts whose destinations are remembered
_MUCH = 0.25  # share of a window's sessions that are explained, above which it decides nothing

_LOST, _DHCP, _NTP = range(3)  # groups of kinds; of one group there is one event at a time
_GROUP = {"internet": _LOST, "dns": _LOST, "dhcp": _DHCP, "ntp": _NTP}
_EXPLAINED = ((Use.INTERNET, Use.DNS, Use.NTP), (Use.DHCP,), (Use.NTP,))
"""The uses of an affected host's sessions that an event of each group explains."""
_CONTACT = {"resolver": RESOLVER, "probe": PEER}

_COLUMNS = {
    **signs.COLUMNS,
    **contacts.COLUMNS,
    "affected": Column(np.bool_, shape=(len(_EXPLAINED),)),  # by the latest event of each group
    # Seconds: from when until when the latest event of each group explains the host's sessions.
    "from": Column(np.float64, shape=(len(_EXPLAINED),)),
    "until": Column(np.float64, shape=(len(_EXPLAINED),)),
}


class SiteEvents:
    """The stage that finds them. A worker's partition is taken for a site.

    The events do not depend on how sessions are cut into steps.
    """

    def __init__(self, slots: Slots, settings: SiteSettings | None = None) -> None:
        self.settings = settings or SiteSettings()
        self.columns = slots.add("site", _COLUMNS)
        self.events: list[Running] = []
        """Those that last, and those whose sessions may still be in windows."""
        self.tick = 0
        """The number of the current tick; only those with a session count."""
        self.times: deque[float] = deque(maxlen=_KEPT)
        """When the last ticks began, up to the current one; seconds since the epoch."""
        self._latest = -self.settings.roll_out  # tick of a sign or a new contact of any host
        self._slots = slots
        self._hosts = 0  # slots below are in use; a store may have room for many more
        self._signs = Signs(self.columns, self.settings)
        self._contacts = Contacts(self.columns)
        self._uses = Uses()
        self._about: dict[int, About] = {}

    # Sessions in.

    def parts(self, sessions: SiteSessions, table: Sequence[str]) -> Iterator[Part]:
        """Take sessions; ``table``: the table of pools, which only grows. Process each part before
        you take the next one: it is explained by the events of that moment."""
        number = len(sessions.ts)
        if not number:
            return
        self._hosts = max(self._hosts, int(sessions.slot.max()) + 1)
        self._slots.reserve(self._hosts)
        use = self._uses(sessions.pool, sessions.dport, table)
        begins = self._begins(sessions.ts)
        start = at = 0
        changes: tuple[Change, ...] = ()
        for edge, begin in begins:
            self._add(sessions, use, at, edge)
            at, now = edge, float(sessions.ts[edge])
            found, better = self._end_tick(now)
            if found or len(better):
                if edge > start:
                    yield Part(start, edge, changes)
                    start = edge
                self.columns["until"][better, _LOST] = now
                changes = tuple(found)
                for change in changes:
                    self._apply(change, now)
            self.tick += 1
            self.times.append(begin)
        self._add(sessions, use, at, number)
        yield Part(start, number, changes)

    def _begins(self, ts: np.ndarray) -> list[tuple[int, float]]:
        """The places of the sessions at ts, float64 [n], with which ticks begin, and their begins
        in seconds. A late session is of the tick that has been reached."""
        latest = self.times[-1] if self.times else -np.inf
        if ts.max() < latest + TICK:
            return []
        begins = np.maximum.accumulate(np.maximum(np.floor(ts / TICK) * TICK, latest))
        places = np.flatnonzero(begins != np.append(latest, begins[:-1]))
        return list(zip(places.tolist(), begins[places].tolist(), strict=True))

    def _add(self, sessions: SiteSessions, use: np.ndarray, start: int, stop: int) -> None:
        """Count sessions of the current tick, besides late ones."""
        if start == stop:
            return
        # Late ones would make this tick look like a burst.
        rows: slice | np.ndarray = slice(start, stop)
        late = sessions.ts[rows] < self.times[-1]
        if late.any():
            rows = start + np.flatnonzero(~late)
        slot, use, pool = sessions.slot[rows], use[rows], sessions.pool[rows]
        dport = sessions.dport[rows]
        self._signs.add(slot, use, pool, dport)
        within = np.flatnonzero((use == Use.DNS) | (use == Use.LOCAL))
        if not len(within):
            return
        pool = pool[within]
        dst = None if sessions.dst is None else sessions.dst[rows][within]
        key = contact_keys(use[within], pool, dport[within], dst)
        new = self._contacts.add(slot[within], use[within], key, self.tick)
        for row in new.tolist():
            address = b"" if dst is None else bytes(dst[row])
            self._about[int(key[row])] = About(int(pool[row]), int(dport[within][row]), address)
            self._latest = self.tick
        while len(self._about) > _ABOUT:
            self._about.pop(next(iter(self._about)))

    # The end of a tick.

    def _end_tick(self, now: float) -> tuple[list[Change], np.ndarray]:
        """End the current tick before a session at ``now``, in seconds since the epoch. Returns the
        events that begin or are over, and the hosts that an outage explains no longer, int64."""
        running = {_group(one.kind): one for one in self.events if one.lasts}
        nobody = np.zeros(0, np.int64)
        if not self.tick:
            return [], nobody
        held = None
        if running:
            held = (self._in_use()["until"] == np.inf).any(1)
        if self._signs.end_tick(self.tick, self._hosts, self._learned_by(), held):
            self._latest = self.tick
        if not running and self._latest <= self.tick - self.settings.roll_out:
            return [], nobody
        self.events = [one for one in self.events if now - one.until < _REMEMBERED]
        found = [change for one in running.values() if (change := self._over(one, now))]
        found += self._begun(running, now)
        better = nobody
        if _LOST in running:
            explained = np.flatnonzero(self._in_use()["until"][:, _LOST] == np.inf)
            better = explained[self.columns["gets_on"][explained] == self.tick]
        return found, better

    def _begun(self, running: dict[object, Running], now: float) -> list[Change]:
        """The events that begin; at most one of each group lasts."""
        columns, settings, tick = self._in_use(), self.settings, self.tick
        settling = {
            _group(one.kind)
            for one in self.events
            if one.lasts or one.over_at > tick - settings.together
        }
        found: list[tuple[str, Together, int]] = []
        if _LOST not in settling:
            lost = rules.outage(columns, settings, tick)
            if lost is not None:
                found.append((*lost, 0))
            else:
                # Who has lost the Internet has lost its time servers, too.
                repeated = rules.repeats(columns, settings, tick, Use.NTP, Measure.NTP)
                found += [("ntp", repeated, 0)] if _NTP not in settling else []
        if _DHCP not in settling:
            found.append(
                ("dhcp", rules.repeats(columns, settings, tick, Use.DHCP, Measure.DHCP), 0)
            )
        for kind, number in _CONTACT.items():
            met = (
                rules.contact(columns, settings, tick, self._learned_by(), number)
                if kind not in settling
                else None
            )
            if met is not None:
                found.append((kind, met[1], met[0]))
        return [
            Change(
                Running(
                    kind,
                    since=self._time(many.since),
                    tick=tick,
                    hosts=len(many.slots),
                    watched=many.watched,
                    key=key,
                    about=self._about.get(key),
                ),
                "begun",
                many.slots,
            )
            for kind, many, key in found
            if many.are_many(settings)
        ]

    def _over(self, event: Running, now: float) -> Change | None:
        """The end of an event, None while it lasts."""
        columns, settings, tick = self._in_use(), self.settings, self.tick
        if event.kind in _CONTACT:
            kind = _CONTACT[event.kind]
            slots = np.flatnonzero(columns["new"][:, kind] == event.key)
            seen = columns["seen"][slots, kind]
            if event.kind == "resolver":
                ended = columns["used"][slots, Use.DNS] > seen
            else:
                ended = seen <= tick - settings.together
            # A router may go on probing for ever; what it causes is never the hosts' own.
            usual = event.kind == "resolver" and now - event.since >= settings.usual_after
        else:
            group = _GROUP[event.kind]
            slots, usual = np.flatnonzero(columns["affected"][:, group]), False
            if group == _LOST:
                ended = rules.recovered(columns, slots)
            else:
                measure = Measure.DHCP if group == _DHCP else Measure.NTP
                ended = columns["sign"][slots, measure] <= tick - settings.together
        name = "seen" if event.kind in _CONTACT else "sign"
        stale = columns[name][slots].max(initial=0) <= tick - _STALE
        if usual or stale or 2 * np.count_nonzero(ended) >= len(slots):
            return Change(event, "over", slots, usual)
        return None

    def _apply(self, change: Change, now: float) -> None:
        """Begin or end an event."""
        event, columns = change.event, self._in_use()
        group = _GROUP.get(event.kind)
        if change.state == "over":
            event.until, event.over_at = now, self.tick
            if group is not None:
                until = columns["until"][:, group]
                until[until == np.inf] = now
            return
        self.events.append(event)
        if group is None:
            return
        columns["affected"][:, group] = False
        columns["affected"][change.slots, group] = True
        explained = columns["first"] > 0
        if group == _LOST:
            began = self._number(event.since)
            explained &= columns["gets_on"] < began
            # Whatever such a host starts next on the Internet shows that it gets on.
            only = columns["used"][change.slots, Use.INTERNET] < began
            columns["pair"][change.slots[only]] = 0
        columns["from"][explained, group] = event.since
        columns["until"][:, group] = np.where(explained, np.inf, 0)

    def _in_use(self) -> dict[str, np.ndarray]:
        """The columns of the slots that are in use."""
        return {name: column[: self._hosts] for name, column in self.columns.items()}

    # What events explain.

    def explains(self, sessions: SiteSessions, table: Sequence[str]) -> np.ndarray | None:
        """Which sessions an event explains, bool [n]; None if there is none of late."""
        if not self.events:
            return None
        use = self._uses(sessions.pool, sessions.dport, table)
        slot, ts, columns = sessions.slot, sessions.ts, self.columns
        found = np.zeros(len(slot), bool)
        for group in {_GROUP[one.kind] for one in self.events if one.kind in _GROUP}:
            inside = (ts >= columns["from"][slot, group]) & (ts < columns["until"][slot, group])
            found |= inside & np.isin(use, _EXPLAINED[group])
        met = [one for one in self.events if one.kind in _CONTACT]
        if met:
            key = contact_keys(use, sessions.pool, sessions.dport, sessions.dst)
            for one in met:
                inside = (ts >= one.since) & (ts < one.until) & (key == one.key)
                found |= inside & (use == contacts.KINDS[_CONTACT[one.kind]])
        return found

    def held(self, windows: Windows, ts: np.ndarray, table: Sequence[str]) -> np.ndarray | None:
        """Which windows decide nothing, because an event explains many of their sessions, bool [B];
        None if none does. ts: of the sessions that the windows end with, float64 [B]."""
        if not self.events or not len(windows):
            return None
        there = windows.pool >= 0
        row, place = np.nonzero(there)
        ago = np.where(there, windows.interval, 0).astype(float)
        ago[:, :-1] = np.cumsum(ago[:, :0:-1], axis=1)[:, ::-1]
        ago[:, -1] = 0
        dst = windows.columns.get("dst")
        explained = self.explains(
            SiteSessions(
                windows.slot[row],
                (ts[:, None] - ago)[row, place],
                windows.pool[row, place],
                windows.dport[row, place],
                None if dst is None else np.ascontiguousarray(dst[row, place]),
            ),
            table,
        )
        if explained is None or not explained.any():
            return None
        share = np.bincount(row[explained], minlength=len(windows)) / there.sum(1)
        return np.asarray(share > _MUCH)

    # State.

    def state(self) -> dict[str, Any]:
        """What is not in columns, for a snapshot."""
        return {
            "tick": self.tick,
            "latest": self._latest,
            "times": list(self.times),
            "events": [one.packed() for one in self.events],
            "about": {str(key): one.packed() for key, one in self._about.items()},
        }

    def restore(self, state: Mapping[str, Any], pools: int) -> None:
        """Take over the :meth:`state` of a snapshot with a table of so many pools. Raises
        LookupError, TypeError or ValueError unless it is one."""
        self.tick, self._latest = int(state["tick"]), int(state["latest"])
        self.times = deque(map(float, state["times"]), maxlen=_KEPT)
        self.events = [Running.unpacked(one, pools) for one in state["events"]]
        seen = self.columns["talks"] | (self.columns["first"] > 0)
        self._hosts = int(np.flatnonzero(seen).max(initial=-1)) + 1
        about = state["about"].items()
        self._about = {int(key): About.unpacked(one, pools) for key, one in about}
        if not len(self.times) <= self.tick < 1 << 31 or not np.isfinite(list(self.times)).all():
            raise ValueError("ticks that are none")

    @staticmethod
    def check(records: np.ndarray) -> None:
        """Raise ValueError unless the values of these records of columns, [n], are valid."""
        for name in ("first", "talked", "gets_on", "outside", "used", "count", "sign", "since"):
            if (records[name] < 0).any():
                raise ValueError(f"a host's {name} is negative")
        if not (
            (records["next"] < records["known"].shape[-1]).all()
            and np.isfinite(records["level"]).all()
            and (records["from"] <= records["until"]).all()
        ):
            raise ValueError("what a site knows of a host is out of range")

    def affects(self, slot: np.ndarray, ts: np.ndarray) -> np.ndarray | None:
        """Which of these hosts, int64 [n], an event affects, or did within an hour before ts,
        float64 [n]: bool [n], or None if there is none of late."""
        if not self.events:
            return None
        before = ts - self.settings.together * TICK
        found: np.ndarray = (self.columns["until"][slot] > before[:, None]).any(1)
        for one in self.events:
            if one.kind in _CONTACT:
                met = self.columns["new"][slot, _CONTACT[one.kind]] == one.key
                found |= met & (one.until > before)
        return found

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times after ``limit`` become ``now``, both in seconds."""
        self.times = deque((now if one > limit else one for one in self.times), maxlen=_KEPT)
        for one in self.events:
            one.since = now if one.since > limit else one.since
            one.until = now if limit < one.until < np.inf else one.until
        for name in ("from", "until"):
            column = self.columns[name]
            column[(column > limit) & (column < np.inf)] = now

    def _learned_by(self) -> int:
        """The tick by which a host must have begun if it is learned now; 0 for none."""
        settings, since = self.settings, self.times[-1] - self.settings.learning
        by = self._number(since) if self.times[0] <= since else 0
        return min(by, self.tick - settings.least_ticks)

    def _time(self, tick: int) -> float:
        """When a tick began, in seconds since the epoch; the earliest remembered for older ones."""
        return self.times[max(tick - self.tick - 1, -len(self.times))]

    def _number(self, ts: float) -> int:
        """The number of the first remembered tick that began at ``ts`` or later."""
        return self.tick - sum(one >= ts for one in self.times) + 1


def _group(kind: str) -> object:
    """The group of a kind; a kind of contact is a group of its own."""
    return _GROUP.get(kind, kind)
