"""Figures of a long run that have to be in a range, and their report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from testing import processes


@dataclass(frozen=True)
class Check:
    """A figure, and the range it has to be in."""

    name: str
    value: float
    unit: str
    least: float = float("-inf")
    most: float = float("inf")

    @property
    def holds(self) -> bool:
        """Whether the figure is in the range; NaN is in none."""
        return self.least <= self.value <= self.most

    def line(self) -> dict[str, object]:
        """The figure as it is printed."""
        bounds = {"at_least": self.least, "at_most": self.most}
        finite = {name: bound for name, bound in bounds.items() if abs(bound) != float("inf")}
        holds = {"holds": self.holds} if finite else {}
        value = float(f"{self.value:.8g}")
        return {"name": self.name, "value": value, "unit": self.unit} | finite | holds


def report(checks: Iterable[Check], about: Mapping[str, object] | None = None) -> int:
    """Print a JSON line for each; returns the exit status, 1 when one is out of range."""
    good = True
    for check in checks:
        print(json.dumps(check.line() | dict(about or {}) | processes.about()), flush=True)
        good &= check.holds
    return 0 if good else 1
