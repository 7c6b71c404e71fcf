"""What hosts announce of themselves by mDNS, from dns logs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from nba_broker.archive import dns_rows, log_rows, log_values
from nba_broker.archive.dns_rows import Row
from nba_broker.archive.log_values import text
from nba_broker.records.addresses import printed
from nba_broker.records.announcements import GROUPS, PORT, Announcement, description, service
from nba_broker.records.times import END_OF_TIME, HOUR

REPEAT = 12 * HOUR
"""Seconds for which a host's announcements count once, as in zeek-scripts/announcements.zeek; but
from a multiple of them on, so that it does not matter which files are read together."""

MOST = 32
"""Different ones that count in this time, likewise."""

_TEXT = re.compile(rb"TXT (\d{1,3}) ")
_NEXT = re.compile(rb" (?=TXT \d{1,3} )")

Place = tuple[str, str]
"""The address of a host, and its segment."""


class Announcements:
    """Collects the announcements of an archive, each host's once in REPEAT seconds, MOST of them
    at most."""

    def __init__(self) -> None:
        self.found: list[Announcement] = []
        """Those that count, in the order in which they were taken."""
        self._lately: dict[Place, tuple[float, set[str]]] = {}

    def take(self, announcements: Iterable[Announcement]) -> None:
        """Take announcements in about the order of their time."""
        for one in announcements:
            place, period = (one.host, one.segment), one.ts // REPEAT
            of, lately = self._lately.get(place, (period, set[str]()))
            if of != period:
                lately = set()
            if one.what not in lately and len(lately) < MOST:
                lately.add(one.what)
                self._lately[place] = period, lately
                self.found.append(one)

    def listed(self) -> list[Announcement]:
        """All of them, in the order of their time."""
        return sorted(self.found, key=lambda one: one.ts)

    def reader(self) -> Callable[[float], list[Announcement]]:
        """A function that gives those until a time that it has not given before."""
        waiting = iter(self.listed())
        following = next(waiting, None)

        def until(ts: float) -> list[Announcement]:
            nonlocal following
            taken = []
            while following is not None and following.ts <= ts:
                taken.append(following)
                following = next(waiting, None)
            return taken

        return until


def announcements(rows: Sequence[Row]) -> Iterator[Announcement]:
    """The announcements in rows of a dns log.

    Only what a host sends to all of its neighbours counts: it comes from its own address. A query
    may list the answers of others (RFC 6762, 7.1), but not with the flag AA. The name that was
    asked for says nothing: Zeek may have matched a query with the answer to another one.
    """
    rows = [row for row in rows if _is_said(row)]
    for row, ts in zip(rows, dns_rows.times(rows).tolist(), strict=True):
        host = dns_rows.packed(text(row.get("id.orig_h")))
        if host is not None and 0 <= ts < END_OF_TIME:
            segment = dns_rows.segment(row)
            for what in _whats(row):
                yield Announcement(ts, printed(host), what, segment)


def _is_said(row: Row) -> bool:
    """Whether a row may have announcements."""
    return (
        text(row.get("id.resp_h")) in GROUPS
        and _is_mdns(row.get("id.resp_p"))
        and _is_mdns(row.get("id.orig_p"))
        and log_values.boolean(text(row.get("AA", "T"))) == 1
    )


def _is_mdns(port: Any) -> bool:
    return log_values.port(text(port))[0] == PORT


def _whats(row: Row) -> Iterator[str]:
    """What a row announces: types of services, by names of their instances; and descriptions."""
    for column in ("answers", "addl"):
        for answer in log_rows.texts(row.get(column)):
            is_text = answer.startswith("TXT ")
            found = map(description, _texts(answer)) if is_text else [service(answer)]
            yield from filter(None, found)


def _texts(answer: str) -> Iterator[str]:
    """The texts of a TXT record as Zeek writes it: ``TXT 12 md=Wemo Mini TXT 6 pv=1.1``; without
    those that are no UTF-8, whose bytes a log does not have."""
    data, at = answer.encode("utf-8", "replace"), 0
    while match := _TEXT.match(data, at):
        end = match.end() + int(match[1])
        if end >= len(data) or _NEXT.match(data, end):
            yield data[match.end() : end].decode("utf-8", "replace")
        else:  # the length is that of the bytes that were sent
            following = _NEXT.search(data, match.end())
            end = following.start() if following else len(data)
        at = end + 1
