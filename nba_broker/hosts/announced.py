"""What each host has announced of itself by mDNS, the first few services and models of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nba_broker.hosts.hint_table import table
from nba_broker.records.announcements import is_service

MOST = 16
"""Announcements of one host that are kept. A host with more only hides what itself says later."""


class Announced:
    """The announcements of hosts by slot, each with the time at which the host first made it.

    Of types of services, only those that the table of hints has are kept.
    """

    def __init__(self) -> None:
        self._of: dict[int, dict[str, float]] = {}

    def take(self, slot: int, what: str, ts: float) -> None:
        """Note what a host announced at ``ts``."""
        if is_service(what) and what not in table().services:
            return
        known = self._of.setdefault(slot, {})
        if what not in known and len(known) < MOST:
            known[what] = ts

    def services(self, slot: int, before: float) -> tuple[str, ...]:
        """The types of services that a host announced earlier than ``before``."""
        return tuple(one for one in self._said(slot, before) if is_service(one))

    def descriptions(self, slot: int, before: float) -> tuple[str, ...]:
        """The keys and values of descriptions that a host announced earlier than ``before``."""
        return tuple(one for one in self._said(slot, before) if not is_service(one))

    def all(self) -> Mapping[int, Mapping[str, float]]:
        """All that hosts announced, with the times; the state itself."""
        return self._of

    def forget(self, slots: Iterable[int]) -> None:
        """These hosts left."""
        for slot in slots:
            self._of.pop(slot, None)

    def look_back(self, limit: float, now: float) -> None:
        """A clock was set back: times later than ``limit`` become ``now``."""
        for known in self._of.values():
            known.update({what: now for what, ts in known.items() if ts > limit})

    def _said(self, slot: int, before: float) -> list[str]:
        return [what for what, ts in self._of.get(slot, {}).items() if ts < before]
