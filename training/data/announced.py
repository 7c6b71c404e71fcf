"""The names that hosts announce by mDNS (RFC 6762), from dns.log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from nba_broker.archive import log_rows
from nba_broker.records.errors import ArchiveError

_ANY = 255  # a query of this type for one's own name comes before its use (RFC 6762, 8.1)


class Announced:
    """Counts the names that each host announces."""

    def __init__(self) -> None:
        self._names: dict[int, Counter[str]] = defaultdict(Counter)

    def read(self, paths: Iterable[str | Path], speaker: dict[str, int]) -> list[str]:
        """Read dns logs; ``speaker`` gives the slot of the host of a session of mDNS by the
        session's uid. Returns a line for each log that cannot be read."""
        errors = []
        for path in paths:
            try:
                rows = log_rows.read(path, "dns")
            except (ArchiveError, OSError) as error:
                errors.append(f"{path}: {error}")
                continue
            for row in rows:
                uid, query = str(row.get("uid")), str(row.get("query", ""))
                slot, answers = speaker.get(uid), log_rows.texts(row.get("answers"))
                # A query without an answer asks for others, unless a host probes for its own name.
                if slot is not None and (answers or str(row.get("qtype")) == str(_ANY)):
                    self._take(slot, (query, *answers))
        return errors

    def _take(self, slot: int, names: Iterable[str]) -> None:
        for name in names:
            host, _, domain = name.rpartition(".")
            # Hosts have one label before "local", services have more.
            if domain == "local" and "." not in host:
                self._names[slot][host] += 1

    def names(self, slot: int) -> tuple[str, ...]:
        """Host names, the most frequent first."""
        return by_frequency(self._names[slot])


def by_frequency(counted: Counter[str]) -> tuple[str, ...]:
    """The most frequent first, equal ones in alphabetical order."""
    return tuple(sorted(counted, key=lambda text: (-counted[text], text)))
