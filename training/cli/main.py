"""The command ``nba-train``: parses the command line and runs one command."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from nba_broker.archive import cluster
from nba_broker.cli import terminal
from training.cli import (
    ablate,
    alarms,
    arguments,
    background,
    compare,
    elsewhere,
    evaluate,
    fit,
    labels,
    mud,
    outputs,
    refresh,
    stress,
    unknowns,
)

_COMMANDS = (
    labels,
    fit,
    refresh,
    evaluate,
    elsewhere,
    compare,
    ablate,
    unknowns,
    alarms,
    mud,
    stress,
    background,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0; or 1 after one line on standard error, also when a part of the
    archive could not be read. argparse exits with 2."""
    terminal.prepare()
    words = sys.argv[1:] if argv is None else argv
    given = _parser().parse_args(words, argparse.Namespace(line=shlex.join(["nba-train", *words])))

    def command() -> int:
        outputs.require(given)
        with cluster.connected(given.scheduler, arguments.say) as given.each:
            given.run(given)
        return int(getattr(given, "incomplete", False))

    with terminal.ended_cleanly():
        return terminal.run("nba-train", command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nba-train", description="Train and evaluate models on labelled conn.log archives."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
