"""Counts verdicts by host and day: right, no name, or wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Host-days by their verdict at the end of the day.

    right: the host has the name of its device, or none where the model does not know the device.
    no_name: it has no name yet, or no longer. wrong: it has the name of another device, which costs
    more trust than none. mistaken: how often each device, the first, had the name of the second.
    """

    right: int
    no_name: int
    wrong: int
    mistaken: Mapping[tuple[str, str], int]


def outcomes(
    verdicts: Iterable[tuple[str, str]], names: Collection[str], outside: Collection[str]
) -> Outcomes:
    """Count host-days, each given as its device and its verdict, which is a name or a state.

    names: every device that a verdict can name. outside: devices that the model does not know.
    """
    right = no_name = 0
    mistaken: Counter[tuple[str, str]] = Counter()
    for device, verdict in verdicts:
        named = verdict in names
        if verdict == device or (not named and device in outside):
            right += 1
        elif named:
            mistaken[device, verdict] += 1
        else:
            no_name += 1
    return Outcomes(right, no_name, mistaken.total(), dict(mistaken.most_common()))
