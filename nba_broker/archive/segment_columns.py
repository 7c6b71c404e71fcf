"""Reads the network segment that a row was seen in from its site, VLAN and context columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nba_broker.archive import log_values
from nba_broker.archive.blocks import Texts
from nba_broker.archive.log_columns import CONTEXT, PLACE
from nba_broker.records.sessions import segment_name, site_of


def is_place(name: str) -> bool:
    """Whether a column says where a session was seen."""
    return name in PLACE or name.startswith(CONTEXT)


def segment_of(row: Mapping[str, str]) -> str:
    """The segment of a row with these texts, see :func:`nba_broker.records.sessions.segment_name`;
    "" if they name none."""

    def get(name: str) -> str:
        value = row.get(name, "").strip()
        return "" if value.lower() in log_values.UNSET else log_values.clean(value)

    def vlan(name: str) -> str:
        number = get(CONTEXT + name) or get(name)
        # pandas writes integers as floats where other rows of the column are unset.
        whole, point, zeros = number.partition(".")
        return (whole if point and not zeros.strip("0") else number).lstrip("0")

    more = sorted(
        f"{name.removeprefix(CONTEXT)}={value}".replace("/", "_")
        for name in row
        if name.startswith(CONTEXT)
        and name.removeprefix(CONTEXT) not in ("vlan", "inner_vlan")
        and (value := get(name))
    )
    vlans = [one.replace("/", "_") for one in (vlan("vlan"), vlan("inner_vlan")) if one]
    return segment_name(
        get("_system_name") or site_of(get("_node_name")), ".".join([*vlans, *more])
    )


def segments_of(columns: Mapping[str, Texts], rows: int) -> tuple[np.ndarray, list[str]]:
    """The different segments of some rows, and each row's index into them, int32 [rows]."""
    if not columns:
        return np.zeros(rows, np.int32), [""]
    code = np.zeros(rows, np.int64)
    for index, texts in columns.values():
        # Renumbered each time, so that it never overflows.
        code = np.unique(code * max(len(texts), 1) + index, return_inverse=True)[1]
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    rows_of = (
        {name: texts[index[at]] for name, (index, texts) in columns.items()}
        for at in first.tolist()
    )
    return place.astype(np.int32), [segment_of(row) for row in rows_of]
