"""``nba-train evaluate``: measures a model on labelled sessions."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.model.scorer import Scorer
from training.cli import archive, outputs
from training.cli.arguments import Commands, extra, labelled, say
from training.cli.arguments import command as add_command
from training.data.enough import lacking, too_few
from training.model import card


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(commands, "evaluate", run, "measure a model", labelled())
    command.add_argument("--model", type=Path, required=True, metavar="DIR", help="model folder")
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument(
        "--card", type=Path, metavar="F.md", help="also add the table to this model card"
    )


def run(arguments: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("evaluate"):
        from training.evaluation.evaluate import evaluate

    scorer = Scorer(arguments.model)
    pools = archive.pools(arguments, scorer.manifest.pool_scheme, scorer.manifest.pools)
    sessions, origin = archive.load(arguments, pools)
    least = scorer.manifest.min_sessions
    for line in too_few(lacking(sessions, least), least):
        say(f"not evaluated: {line}")
    result = {
        **evaluate(scorer, sessions, arguments.each),
        "since": origin.since,
        "until": origin.until,
        "fingerprint": origin.fingerprint,
    }
    outputs.write_json(arguments, result)
    print(*card.table(result), sep="\n")
    if arguments.card:
        card.add(arguments.card, arguments.line, result)
