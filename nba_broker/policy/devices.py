"""Which hosts are a device, by the latest verdict on each in nba_device.log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Named:
    """The hosts of a device, each by its MAC, else its address. hosts: identified as the device.
    others: those in another state, such as misbehaving, with the state. devices: all devices that
    hosts are identified as."""

    hosts: tuple[str, ...]
    others: tuple[tuple[str, str], ...]
    devices: tuple[str, ...]


def named(device: str, rows: Iterable[Mapping[str, Any]]) -> Named:
    """The hosts of a device by rows of nba_device.log, in any order."""
    latest: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for row in rows:
        mac = row.get("mac") or ""
        key = (mac,) if mac else (row["host"], row.get("vlan") or "", row.get("site") or "")
        if key not in latest or latest[key]["ts"] <= row["ts"]:
            latest[key] = row
    verdicts = [(key[0], row.get("state"), row.get("device") or "") for key, row in latest.items()]
    return Named(
        tuple(
            sorted({host for host, state, of in verdicts if (state, of) == ("identified", device)})
        ),
        tuple(
            sorted(
                {(host, str(state)) for host, state, of in verdicts if of == device}
                - {(host, "identified") for host, _, _ in verdicts}
            )
        ),
        tuple(sorted({of for _, state, of in verdicts if of and state == "identified"})),
    )
