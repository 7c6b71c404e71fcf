"""Counts verdicts by host and day: right, no name, or wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

OUTCOMES = ("right", "no_name", "wrong")
"""How a host-day is counted, see :class:`Outcomes`."""


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


def outcome(device: str, verdict: str, *, named: bool, known: bool) -> str:
    """One of OUTCOMES: whether a verdict, which is a name or a state, suits the
    device. known: whether the model knows the device; a verdict without a name is right if not."""
    if verdict == device or not (named or known):
        return "right"
    return "wrong" if named else "no_name"


def outcomes(
    verdicts: Iterable[tuple[str, str]], names: Collection[str], outside: Collection[str]
) -> Outcomes:
    """Count host-days, each given as its device and its verdict, which is a name or a state.

    names: every device that a verdict can name. outside: devices that the model does not know.
    """
    counted: Counter[str] = Counter()
    mistaken: Counter[tuple[str, str]] = Counter()
    for device, verdict in verdicts:
        found = outcome(device, verdict, named=verdict in names, known=device not in outside)
        counted[found] += 1
        if found == "wrong":
            mistaken[device, verdict] += 1
    return Outcomes(
        counted["right"], counted["no_name"], counted["wrong"], dict(mistaken.most_common())
    )
