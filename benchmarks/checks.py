"""Figures that have to be in a range, and how a benchmark made of them ends."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

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


def add_keep(parser: argparse.ArgumentParser) -> None:
    """The option of the folder that :func:`conclude` is given."""
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave logs and state there")


def conclude(
    what: str,
    keep: Path | None,
    run: Callable[[Path], Iterable[Check]],
    context: Mapping[str, object],
) -> int:
    """Run in ``keep``, or in a folder that goes, and print each figure with its context; the exit
    status, 1 when one is out of its range or ``what`` broke off."""
    about = {**context, **processes.about()}
    good = True
    with tempfile.TemporaryDirectory(prefix="nba-") as name:
        folder = keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for check in run(folder):
                print(json.dumps(check.line() | about), flush=True)
                good &= check.holds
        except (subprocess.SubprocessError, TimeoutError, OSError) as error:
            say(f"{what} broke off: {error!r}")
            return 1
    return 0 if good else 1


def say(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)
