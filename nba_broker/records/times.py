"""Parses and prints times; all are seconds since the epoch, in UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

MINUTE, HOUR, DAY, YEAR = 60.0, 3600.0, 86_400.0, 365.25 * 86_400.0
"""Lengths in seconds."""

END_OF_TIME = 4_102_444_800.0
"""The year 2100. A later time is invalid: no session starts after it, and the Zeek scripts drop
such times."""

_COMPACT_DATE = re.compile(r"[0-9]{8}", re.ASCII)

# logrotate names hourly files like this. Read as an epoch, the number is in 2033 or later.
_DATE_AND_HOUR = re.compile(r"20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])")

# No Zeek log is older than 1990; a smaller number is a year, or a date without hyphens.
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()

_FINER = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}


def parse_time(text: str) -> float:
    """A date (UTC), an ISO 8601 time with or without hyphens and colons, or an epoch from 1990 to
    2100, as seconds since the epoch.

    Raises ValueError, which names the text, for anything else and for ambiguous text.
    """
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        return _parse_iso(text)
    if _COMPACT_DATE.fullmatch(text):
        return _parse_iso(text)
    if _DATE_AND_HOUR.fullmatch(text):
        hour = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:]}"
        raise ValueError(f"{text!r} may be an hour or an epoch: write {hour} or {text}.0")
    if _EARLIEST <= seconds < END_OF_TIME:
        return seconds
    for unit, size in _FINER.items():
        if _EARLIEST <= seconds / size < END_OF_TIME:
            raise ValueError(f"{text!r} is an epoch in {unit}: write it in seconds")
    raise ValueError(f"{text!r} is neither a date nor an epoch from 1990 to 2100")


def _parse_iso(text: str) -> float:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=time.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a date nor an epoch") from None


def print_time(seconds: float) -> str:
    """The inverse of :func:`parse_time`: ``2026-11-23T10:00:00Z``, with microseconds if there are
    any; "" for 0, negative and infinite times, which stand for "none"."""
    if not 0 < seconds < math.inf:
        return ""
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="auto").replace("+00:00", "Z")


def print_second(seconds: float) -> str:
    """A time without its microseconds, for messages; one before 1970 or after 2100 is printed as
    that limit."""
    return f"{datetime.fromtimestamp(min(max(seconds, 0.0), END_OF_TIME), UTC):%Y-%m-%dT%H:%M:%SZ}"
