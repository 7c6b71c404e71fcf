"""What rows of dns logs have in common: times, addresses, and the segment of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from nba_broker.archive import log_columns, log_values
from nba_broker.archive.log_values import text
from nba_broker.archive.segment_columns import is_place, segment_of
from nba_broker.records.addresses import canonical

Row = Mapping[str, Any]
"""A row with Zeek's names of the columns."""

_CONN = frozenset({"ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"})
_REMEMBERED = 262_144  # addresses


def is_wanted(name: str) -> bool:
    """Whether a column is read."""
    return name in log_columns.DNS or name in _CONN or is_place(name)


def times(rows: Sequence[Row]) -> np.ndarray:
    """When the answer of each row came, float64 [n], NaN where that is not known: a row has the
    time of the query and, if there was one, the seconds until its answer."""
    asked, _ = log_values.times(row.get("ts") for row in rows)
    came: np.ndarray = log_values.microseconds(asked + [seconds(row.get("rtt")) for row in rows])
    return came


def seconds(value: Any) -> float:
    """An interval in seconds; 0 if it is unset or invalid."""
    if not isinstance(value, float):
        try:
            value = float(text(value))
        except ValueError:
            return 0.0
    return value if math.isfinite(value) and 0 <= value < 2**32 else 0.0


def segment(row: Row) -> str:
    """The segment that a row was seen in."""
    places = _places(tuple(row))
    return segment_of({one: text(row[one]) for one in places}) if places else ""


@lru_cache(maxsize=4096)
def _places(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a row's columns that say where it was seen."""
    return tuple(filter(is_place, names))


class _Packed(dict[str, bytes | None]):
    """Addresses as 16 bytes, remembered; None for any other text."""

    def __missing__(self, address: str) -> bytes | None:
        if len(self) >= _REMEMBERED:
            self.clear()
        try:
            packed: bytes | None = canonical(address)[1]
        except (OSError, ValueError):
            packed = None
        self[address] = packed
        return packed


packed = _Packed().__getitem__
"""An address as 16 bytes, None for any other text."""
