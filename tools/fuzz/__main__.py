"""Fuzz the readers: python -m tools.fuzz [TARGET...] [--number N] [--seed S] [--keep DIR]."""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import tempfile
from pathlib import Path

from nba_broker.cli.config import shipped
from nba_broker.model.scorer import Scorer
from tools import fuzz
from tools.fuzz.targets import TARGETS, target

GROWTH = 128  # MB: the caches of addresses alone may take half of it


def main() -> int:
    """Fuzz the targets that are named, all by default; exit status 1 where something fails."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=fuzz.__doc__)
    parser.add_argument("names", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--number", type=int, default=5000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where failing inputs go")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    logging.disable(logging.CRITICAL)
    scorer = Scorer(shipped("default"))
    bad = False
    for name in arguments.names or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            tested = target(name, Path(folder), scorer)
            found = fuzz.search(tested, arguments.number, arguments.seed)
        print(
            f"{name}: {found.tried} inputs, {found.refused} refused, "
            f"{len(found.failures)} kinds of failure, peak memory +{found.growth:.0f} MB",
            flush=True,
        )
        bad |= bool(found.failures) or found.growth > GROWTH
        for kind, data in found.failures.items():
            print(f"  {kind}\n    {data[:160]!r}{' ...' if len(data) > 160 else ''}", flush=True)
            if arguments.keep:
                (arguments.keep / name).mkdir(parents=True, exist_ok=True)
                file = hashlib.sha256(data).hexdigest()[:12]
                (arguments.keep / name / file).write_bytes(data)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
