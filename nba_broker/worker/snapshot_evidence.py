"""The evidence of states as a snapshot has it, in JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from nba_broker.records.evidence import (
    AlarmSum,
    Attended,
    Evidence,
    NamedByAnalyst,
    Surprising,
    WindowExtent,
)
from nba_broker.records.times import END_OF_TIME
from nba_broker.worker import snapshot_tables

_KINDS: dict[str, type[Evidence]] = {
    one.__name__: one for one in (AlarmSum, Attended, NamedByAnalyst, Surprising, WindowExtent)
}
_TYPES: dict[object, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}


def written(evidence: Sequence[Evidence]) -> list[list[Any]]:
    """The evidence of one state, without what :func:`read` would refuse: another maker's model may
    give weights that are none, and no piece of one host may cost a snapshot."""
    pieces = [[type(one).__name__, dataclasses.asdict(one)] for one in evidence]
    return [piece for piece in pieces if _is_readable(piece)]


def _is_readable(piece: Sequence[Any]) -> bool:
    try:
        _piece(*piece)
    except (OSError, TypeError, ValueError):  # an OSError is an address that is none
        return False
    return True


def read(pieces: Sequence[Sequence[Any]]) -> tuple[Evidence, ...]:
    """What :func:`written` made; raises an error if it is wrong."""
    return tuple(_piece(kind, values) for kind, values in pieces)


def _piece(kind: str, values: dict[str, Any]) -> Evidence:
    made = _KINDS[kind](**values)
    for field in dataclasses.fields(made):
        value = values.get(field.name, "")
        if type(value) not in _TYPES[field.type]:
            raise TypeError(f"evidence with a wrong {field.name}")
        if not isinstance(value, str) and not 0 <= value < END_OF_TIME:
            raise ValueError(f"evidence with a wrong {field.name}")
    if "address" in values:
        if values["port"] > 0xFFFF:
            raise ValueError("evidence with a wrong port")
        snapshot_tables.check_address(values["address"])
    return made
