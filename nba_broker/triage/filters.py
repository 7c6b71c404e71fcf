"""Which hosts the page shows in which order, from the page's address."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from nba_broker.archive.device_log import order
from nba_broker.records.addresses import canonical, canonical_mac
from nba_broker.records.name_patterns import matches, pattern
from nba_broker.records.times import parse_time
from nba_broker.records.verdicts import STATES
from nba_broker.triage.judge import Judged

PAGE = 50
"""Hosts on a page."""

NAMES = ("state", "device", "category", "vendor", "name", "q", "since", "view", "page")
"""The parameters of an address."""

VIEWS = ("all", "attention", "inventory")
_AGO = re.compile(r"(\d{1,5})\s*(m|h|d|w)")
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters; an empty one passes every host.

    ``text`` must be in the latest verdict, and ``name``, such as ``fw.ring.com`` or ``*.ring.com``,
    must match that of a destination in its evidence. The state must have begun after ``since``, a
    time, or ``7d`` for seven days before the end of the log.
    """

    state: tuple[str, ...] = ()
    device: str = ""
    category: str = ""
    vendor: str = ""
    name: str = ""
    text: str = ""
    since: str = ""
    view: str = "all"
    page: int = 1

    @classmethod
    def parse(cls, query: Sequence[tuple[str, str]]) -> Filters:
        """Filters from an address, without those that are not valid."""
        last: Mapping[str, str] = {name: value.strip()[:_LONGEST] for name, value in query}
        states = {value for name, value in query if name == "state"}
        page, view = last.get("page", ""), last.get("view", "")
        return cls(
            state=tuple(state for state in STATES if state in states),
            device=last.get("device", ""),
            category=last.get("category", ""),
            vendor=last.get("vendor", ""),
            name=last.get("name", ""),
            text=last.get("q", ""),
            since=last.get("since", ""),
            view=view if view in VIEWS else "all",
            page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1,
        )

    @classmethod
    def strict(cls, query: Sequence[tuple[str, str]]) -> Filters:
        """As :meth:`parse`, but raises ValueError if a filter is not valid, because a static page
        may be sent on without another look."""
        made = cls.parse(query)
        wrong = sorted({name for name, _ in query} - set(NAMES))
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not one of {', '.join(NAMES)}")
        for name, values in (("state", STATES), ("view", VIEWS)):
            for value in sorted({value for one, value in query if one == name} - {"", *values}):
                raise ValueError(f"{name} {value!r} is not one of {', '.join(values)}")
        made.begin(0.0)
        if made.name:
            pattern(made.name, for_addresses="q")
        return made

    def query(self, **changes: object) -> str:
        """These filters with changes, as the query of an address."""
        made = replace(self, **changes)  # type: ignore[arg-type]
        values = [
            *(("state", state) for state in made.state),
            ("device", made.device),
            ("category", made.category),
            ("vendor", made.vendor),
            ("name", made.name),
            ("q", made.text),
            ("since", made.since),
            ("view", "" if made.view == "all" else made.view),
            ("page", "" if made.page <= 1 else str(made.page)),
        ]
        return urlencode([(name, value) for name, value in values if value])

    def toggled(self, state: str) -> str:
        """The query with a state added or removed."""
        others = [one for one in STATES if (one in self.state) != (one == state)]
        return self.query(state=tuple(others), page=1)

    @property
    def active(self) -> bool:
        """Whether there is any filter."""
        return bool(replace(self, view="all", page=1) != Filters())

    def begin(self, newest: float) -> float:
        """``since`` in seconds since the epoch, 0 for none; raises ValueError."""
        if not self.since:
            return 0.0
        if found := _AGO.fullmatch(self.since):
            return newest - int(found[1]) * _UNITS[found[2]]
        try:
            return parse_time(self.since)
        except ValueError as error:
            why = f"since: {self.since!r} is neither a date nor like 7d"
            raise ValueError(f"{why} ({error})") from None

    def apply(self, hosts: Iterable[Judged], newest: float) -> list[Judged]:
        """The hosts that pass all filters except ``state`` and ``view``, the most urgent first,
        then the inventory by address."""
        try:
            begin = self.begin(newest)
        except ValueError:
            begin = 0.0
        text, name = _canonical(self.text.lower()), self.name.lower().removesuffix(".")
        passed = [
            one
            for one in hosts
            for latest in (one.latest,)
            if (not self.device or latest.device == self.device)
            and (not self.category or latest.category == self.category)
            and (not self.vendor or latest.vendor == self.vendor)
            and latest.since >= begin
            and (not name or any(matches(name, one) for one in latest.evidence_name))
            and (not text or text in one.host.text)
        ]
        urgent = sorted((one for one in passed if one.attention), key=lambda one: one.urgency)
        others = (one for one in passed if not one.attention)
        return urgent + sorted(others, key=lambda one: order(one.latest.host))

    def view_of(self, hosts: Iterable[Judged]) -> list[Judged]:
        """The hosts of the chosen states and view, in the same order."""
        return [
            one
            for one in hosts
            if (not self.state or one.latest.state in self.state)
            and (self.view == "all" or one.attention == (self.view == "attention"))
        ]


def _canonical(text: str) -> str:
    """A MAC or an IPv6 address in the log's notation; other text unchanged."""
    if text.count(":") > 1:
        with contextlib.suppress(OSError, ValueError):
            return canonical(text)[0]
    return canonical_mac(text)
