"""``nba-train ablate``: measures each part of the recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.destinations.databases import SCHEMES
from training.cli import archive, outputs
from training.cli.arguments import Commands, extra, labelled, say
from training.cli.arguments import command as add_command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(commands, "ablate", run, "measure each part of the recipe", labelled())
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument(
        "--seed", action="append", type=int, help="may be given several times (default 0)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("ablate"):
        from training.evaluation.ablate import ablate

    sessions, origin = archive.load(arguments, archive.pools(arguments, SCHEMES[0]))
    result = ablate(sessions, arguments.seed or [0], say=say)
    outputs.write_json(arguments, {"variants": result, "fingerprint": origin.fingerprint})
