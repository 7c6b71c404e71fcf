"""How often one step of sessions enters each module and each wing of nba_broker.

    python -m tools.way [ARCHIVE...] [--size 256]

A step is one call of ``Pipeline.process`` with SIZE sessions of an archive, by default the embedded
sample. The first half of the archive warms the pipeline up; the means of all steps after it are
printed. Python's profiler names the module of every call and return:

- *entered*: calls that come from another module (or wing);
- *again*: entries beyond the first of the same step, so that a straight way has 0 everywhere;
- *back*: returns into it from a module that it had called;
- *by*: who entered it most often.

Code outside nba_broker, such as numpy, counts for the module that called it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import nba_broker
from nba_broker.archive import conn_log
from nba_broker.cli import config
from nba_broker.cli.build import build_pipeline
from nba_broker.records.sessions import part_of

ROOT = Path(nba_broker.__file__).parent
SAMPLE = ROOT.parent / "models" / "sample"


class Way:
    """The places that calls and returns lead to, while it is installed as the profiler.

    place: names a source file's place, None for what counts for its caller.
    """

    def __init__(self, place: Callable[[str], str | None]) -> None:
        self.entered: Counter[str] = Counter()
        self.by: Counter[tuple[str, str]] = Counter()
        """Entries by place and where they came from."""
        self.back: Counter[str] = Counter()
        self._place = place
        self._stack = [""]

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Take note of a call or return, as :func:`sys.setprofile` wants it."""
        here = self._stack[-1]
        if event == "call":
            place = self._place(frame.f_code.co_filename) or here
            self._stack.append(place)
            if place != here:
                self.entered[place] += 1
                self.by[place, here] += 1
        elif event == "return" and len(self._stack) > 1:
            self._stack.pop()
            if self._stack[-1] not in ("", here):
                self.back[self._stack[-1]] += 1


def module(file: str) -> str | None:
    """The module of a source file, such as ``pipeline.pipeline``."""
    path = Path(file)
    if not path.is_relative_to(ROOT):
        return None
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def wing(file: str) -> str | None:
    """The wing of a source file, such as ``pipeline``."""
    name = module(file)
    return name and name.partition(".")[0]


def walk(step: Callable[[], object], place: Callable[[str], str | None]) -> Way:
    """The way of one step."""
    way = Way(place)
    sys.setprofile(way)
    try:
        step()
    finally:
        sys.setprofile(None)
    return way


def table(title: str, ways: Iterable[Way]) -> list[str]:
    """Means per step, the most often entered places first, in lines to be printed."""
    entered, again, back = Counter[str](), Counter[str](), Counter[str]()
    by = Counter[tuple[str, str]]()
    number = 0
    for way in ways:
        number += 1
        entered.update(way.entered)
        again.update({place: count - 1 for place, count in way.entered.items()})
        back.update(way.back)
        by.update(way.by)
    lines = [f"{title:32} {'entered':>8} {'again':>8} {'back':>8}  by"]
    for place in sorted(entered, key=lambda one: (-entered[one], one)):
        counts = (entered[place], again[place], back[place])
        callers = [(one, count) for (to, one), count in by.most_common() if to == place]
        lines.append(
            f"{place:32} "
            + " ".join(f"{count / number:8.1f}" for count in counts)
            + "  "
            + ", ".join(f"{one or 'process'} {count / number:.1f}" for one, count in callers[:3])
        )
    totals = (entered.total(), again.total(), back.total())
    return [*lines, f"{'all':32} " + " ".join(f"{total / number:8.1f}" for total in totals)]


def main() -> None:
    """Print a table of modules and one of wings."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.way",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("archive", nargs="*", type=Path, default=[SAMPLE], metavar="ARCHIVE")
    parser.add_argument("--size", type=int, default=256, help="sessions of a step")
    arguments = parser.parse_args()
    archive = conn_log.read(arguments.archive)
    (sessions,) = archive.batches(max(len(archive), 1))
    starts = range(0, len(sessions), arguments.size)
    tables = []
    for title, place in (("module", module), ("wing", wing)):
        pipeline = build_pipeline(config.load(None, {}, {}), worker="way")
        for lease in archive.leases:
            pipeline.lease(lease)
        ways = []
        for number, start in enumerate(starts):
            part = part_of(sessions, start, start + arguments.size)
            way = walk(lambda: pipeline.process(part), place)  # noqa: B023 - called at once
            if number >= len(starts) // 2:
                ways.append(way)
        tables.append("\n".join(table(title, ways)))
    print(f"{len(ways)} steps of {arguments.size} sessions\n", *tables, sep="\n\n")


if __name__ == "__main__":
    main()
