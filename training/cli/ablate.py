"""``nba-train ablate``: measures each part of the recipe, or each number of the decision."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.destinations.databases import SCHEMES
from nba_broker.model.scorer import Scorer
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
    command.add_argument(
        "--decision",
        type=Path,
        metavar="DIR",
        help="measure half and twice each number of the decision instead, with this model",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("ablate"):
        from training.evaluation.ablate import ablate, ablate_decision

    scorer = Scorer(arguments.decision) if arguments.decision else None
    if scorer:
        manifest = scorer.manifest
        pools = archive.pools(arguments, manifest.pool_scheme, manifest.pools)
    else:
        pools = archive.pools(arguments, SCHEMES[0])
    sessions, origin = archive.load(arguments, pools)
    if scorer:
        result = ablate_decision(sessions, scorer, say=say)
    else:
        result = ablate(sessions, arguments.seed or [0], say=say)
    outputs.write_json(arguments, {"variants": result, "fingerprint": origin.fingerprint})
