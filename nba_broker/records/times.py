"""Times: what texts mean, and how they are printed."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

END_OF_TIME = 4_102_444_800.0

"""The year 2100, in seconds since the epoch: no session starts later, and Zeek's side takes no such
time."""

_COMPACT_DATE = re.compile(r"[0-9]{8}", re.ASCII)

# As logrotate names files of an hour; as an epoch it would be in 2033 or later.
_DATE_AND_HOUR = re.compile(r"20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])")

# No log of Zeek's is older than 1990; a smaller number is a year, or a date without hyphens.
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()

_FINER = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}


def parse_time(text: str) -> float:
    """Seconds since the epoch of a date (UTC), an ISO 8601 time with or without its hyphens and
    colons, or an epoch from 1990 on.

    Raises ValueError, which names the text, at anything else, and at what could be meant in
    another way.
    """
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        return _iso(text)
    if _COMPACT_DATE.fullmatch(text):
        return _iso(text)
    if _DATE_AND_HOUR.fullmatch(text):
        hour = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:]}"
        raise ValueError(f"{text!r} may be an hour or an epoch: write {hour} or {text}.0")
    if _EARLIEST <= seconds < END_OF_TIME:
        return seconds
    for unit, size in _FINER.items():
        if _EARLIEST <= seconds / size < END_OF_TIME:
            raise ValueError(f"{text!r} is an epoch in {unit}: write it in seconds")
    raise ValueError(f"{text!r} is neither a date nor an epoch from 1990 to 2100")


def _iso(text: str) -> float:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=time.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a date nor an epoch") from None


def print_time(seconds: float) -> str:
    """The inverse for times that are no sentinels, in UTC: ``2026-11-23T10:00:00Z``."""
    if not 0 < seconds < math.inf:
        return ""
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="auto").replace("+00:00", "Z")


MINUTE, HOUR, DAY, YEAR = 60.0, 3600.0, 86_400.0, 365.25 * 86_400.0

FEW = 32  # sessions of an archive that another year needs to be believed before the archive ends

SHARE = 10  # and at the end, as a part of those before


def printed(ts: float) -> str:
    """A time in UTC, as lines for an operator have it."""
    return f"{datetime.fromtimestamp(min(max(ts, 0.0), END_OF_TIME), UTC):%Y-%m-%dT%H:%M:%SZ}"
