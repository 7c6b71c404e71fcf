"""Values of our own logs, with the Zeek types of their columns."""

from __future__ import annotations

import math
from typing import Any

from nba_broker.records.times import END_OF_TIME, parse_time

_FINER = 1e11  # a time from this on is in milliseconds (JSON::TS_MILLIS), or finer


def seconds(value: Any) -> float:
    """A time of a log, also in milliseconds, finer, or as ISO 8601, in seconds since the epoch;
    raises ValueError or TypeError."""
    try:
        found = float(value)
    except ValueError:
        found = parse_time(value if isinstance(value, str) else value.decode())
    while math.isfinite(found) and found >= _FINER:
        found /= 1e3
    if not 0 <= found < END_OF_TIME:
        raise ValueError(f"no time: {value!r}")
    return found


def typed(kind: str, value: Any) -> Any:
    """A value of a row with the type of its column, ``kind``; one that is missing or of another
    type is empty, or 0."""
    if kind.startswith("vector["):
        items = value if isinstance(value, list) else [] if value is None else [value]
        return tuple(typed(kind[7:-1], item) for item in items)
    if kind in ("string", "addr"):
        return "" if value is None else str(value)
    if kind == "bool":
        return value is True or value in ("T", "true")  # text where the log gives no types
    try:
        number = seconds(value) if kind == "time" else float(value)
    except (ValueError, TypeError, OverflowError):
        number = 0.0
    if not math.isfinite(number):
        number = 0.0
    return int(number) if kind in ("count", "port") else number
