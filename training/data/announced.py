"""What hosts announce by mDNS (RFC 6762, 6763), from dns.log."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from nba_broker.archive import log_rows
from nba_broker.records.errors import ArchiveError

# Keys in descriptions of services for the model (HomeKit: md; printers: ty) and for the maker.
MODEL_KEYS = ("md", "ty", "model")
MAKER_KEYS = ("vendor", "manufacturer")
CATEGORY_KEY = "ci"  # HomeKit's category of an accessory

_ANY = 255  # a query of this type for one's own name comes before its use (RFC 6762, 8.1)
_TEXT = re.compile(r"TXT (\d+) ")
_SERVICE = re.compile(r"(?:.*\.)?(_[^.]+\._(?:tcp|udp))\.local\.?", re.IGNORECASE)
_OF_ALL = "_dns-sd._udp"  # the service of which all services are instances (RFC 6763, 9)


class Announced:
    """Counts the names, models and services that each host announces."""

    def __init__(self) -> None:
        self._names: dict[int, Counter[str]] = defaultdict(Counter)
        self._models: dict[int, Counter[str]] = defaultdict(Counter)
        self._services: dict[int, Counter[str]] = defaultdict(Counter)

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
                    self._take(slot, query, answers)
                    # A query may list answers of others (RFC 6762, 7.1), without this flag.
                    if answers and str(row.get("AA", "T")) in ("T", "True", "true"):
                        self._serve(slot, (query, *answers))
        return errors

    def _serve(self, slot: int, names: Iterable[str]) -> None:
        for name in names:
            if (service := _SERVICE.fullmatch(name)) and service[1].lower() != _OF_ALL:
                self._services[slot][service[1].lower()] += 1

    def _take(self, slot: int, query: str, answers: Sequence[str]) -> None:
        for name in (query, *answers):
            host, _, domain = name.rpartition(".")
            # Hosts have one label before "local", services have more.
            if domain == "local" and "." not in host:
                self._names[slot][host] += 1
        for answer in answers:
            for key, value in _texts(answer):
                if key.lower() in (*MODEL_KEYS, *MAKER_KEYS, CATEGORY_KEY):
                    self._models[slot][f"{key}={value}"] += 1

    def names(self, slot: int) -> tuple[str, ...]:
        """Host names, the most frequent first."""
        return by_frequency(self._names[slot])

    def models(self, slot: int) -> tuple[str, ...]:
        """Models, makers and categories as ``key=value``, the most frequent first."""
        return by_frequency(self._models[slot])

    def services(self, slot: int) -> tuple[str, ...]:
        """Types of services such as ``_hap._tcp``, the most frequent first."""
        return by_frequency(self._services[slot])


def by_frequency(counted: Counter[str]) -> tuple[str, ...]:
    """The most frequent first, equal ones in alphabetical order."""
    return tuple(sorted(counted, key=lambda text: (-counted[text], text)))


def _texts(answer: str) -> Iterable[tuple[str, str]]:
    """Keys and values of a TXT record as Zeek writes it: ``TXT 12 md=Wemo Mini TXT 6 pv=1.1``."""
    at = 0
    while match := _TEXT.match(answer, at):
        at = match.end() + int(match[1])
        key, equals, value = answer[match.end() : at].partition("=")
        if equals and value:
            yield key, value
        at += 1
