"""``nba-train stress``: measures a model on traffic that something disturbs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from nba_broker.archive import results
from nba_broker.cli import options
from nba_broker.model.scorer import Scorer
from training.cli import archive, arguments, outputs
from training.cli.arguments import Commands, extra, labelled, say
from training.cli.arguments import command as add_command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        "stress",
        run,
        "measure a model under outages, moved clouds, losses and other disturbances",
        labelled(),
    )
    command.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="DIR",
        help="model folder, not trained on the judged time",
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument("--html", type=Path, metavar="F", help="a page that needs no network")
    command.add_argument(
        "--judged",
        type=options.time,
        metavar="T",
        help="disturb and judge each host from T on",
    )
    command.add_argument(
        "--last",
        type=arguments.share,
        default=0.5,
        metavar="SHARE",
        help="without --judged: disturb and judge this last share of each host's time (0.5)",
    )
    command.add_argument(
        "--seed", type=int, default=0, help="same seed, same disturbances (default 0)"
    )
    command.add_argument(
        "--seeds",
        type=arguments.number,
        default=3,
        metavar="N",
        help="draw each random disturbance so often, and show means (3)",
    )


def run(given: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("stress"):
        from training.evaluation.followed import follow
        from training.evaluation.stress import stress
        from training.reports import pages

    scorer = Scorer(given.model, os.cpu_count() or 1)
    pools = archive.pools(given, scorer.manifest.pool_scheme, scorer.manifest.pools)
    sessions, origin, logs, kept = archive.load_rows(given, pools)
    followed = follow(sessions, logs, kept, pools, judged=given.judged, last=given.last)
    result = {
        **stress(followed, scorer, seed=given.seed, seeds=given.seeds, say=say),
        "judged": given.judged,
        "last": None if given.judged is not None else given.last,
        "command": given.line,
        "fingerprint": origin.fingerprint,
    }
    outputs.write_json(given, result)
    if given.html:
        results.write(given.html, pages.render_stress(result))
