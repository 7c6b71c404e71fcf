"""Converts rows of dhcp logs to leases: which MAC had which address from when on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nba_broker.archive import log_columns, log_values
from nba_broker.archive.log_values import clean, is_unset, text
from nba_broker.archive.segment_columns import is_place, segment_of
from nba_broker.records.addresses import canonical
from nba_broker.records.sessions import Lease
from nba_broker.records.times import END_OF_TIME

_NOBODY = frozenset({"0.0.0.0", "::"})
# Bro up to 2.5 calls it assigned_ip.
_ADDRESSES = ("assigned_addr", "assigned_ip")
_HOSTNAMES = ("host_name", "client_fqdn")
# Zeek's policy/protocols/dhcp/software calls it so. No script of Zeek logs the parameter list.
_VENDOR_CLASSES = ("client_software",)


def leases(
    rows: Sequence[Mapping[str, Any]], odd: Callable[[str, str], None] = lambda *_: None
) -> Iterator[Lease]:
    """The leases in these rows. A row without an ACK among its messages is none. ``odd`` is called
    with a column and its value if a row is no lease because that value is not understood."""
    flat = [row if log_columns.is_flat(row) else log_columns.flat(row) for row in rows]
    times, _ = log_values.times(row.get("ts") for row in flat)
    for row, ts in zip(flat, times.tolist(), strict=True):
        mac = log_values.mac(text(row.get("mac")))
        address = next((text(row[name]) for name in _ADDRESSES if row.get(name)), "")
        if is_unset(address):
            continue
        try:
            ip, _ = canonical(address.strip())
        except (OSError, ValueError):
            odd("assigned_addr", address)
            continue
        if not mac and not is_unset(written := text(row.get("mac"))):
            odd("mac", written)
        if np.isnan(ts):
            odd("ts", text(row.get("ts")))
        if not mac or mac == log_values.BROADCAST or ip in _NOBODY or not 0 <= ts < END_OF_TIME:
            continue
        if not _acknowledged(row.get("msg_types")):
            continue
        place = {name: text(value) for name, value in row.items() if is_place(name)}
        yield Lease(
            float(log_values.microseconds(ts)),
            ip,
            mac,
            _first(row, _HOSTNAMES),
            segment_of(place),
            vendor_class=_first(row, _VENDOR_CLASSES),
        )


def _acknowledged(types: Any) -> bool:
    """Whether the server acknowledged the lease; True if an old log does not say."""
    if isinstance(types, str):
        types = [] if is_unset(types) else types.split(",")
    if not types or not isinstance(types, (list, tuple, set)):
        return True
    return any("ACK" in text(one).upper() and "NAK" not in text(one).upper() for one in types)


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """The text in the first of these columns that is set, "" if none is."""
    for name in names:
        if not is_unset(found := text(row.get(name))):
            return clean(found)
    return ""
