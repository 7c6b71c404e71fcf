"""``nba-train alarms``: measures false alarms on labelled hosts, and detection of attacks."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.cli import options
from nba_broker.destinations.databases import SCHEMES
from nba_broker.model.scorer import Scorer
from training.cli import archive, arguments, outputs
from training.cli.arguments import Commands, background, extra, labelled, say
from training.cli.arguments import command as add_command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        "alarms",
        run,
        "measure false alarms, and detection of spliced attacks",
        labelled(),
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    models = command.add_mutually_exclusive_group(required=True)
    models.add_argument(
        "--model", type=Path, metavar="DIR", help="model folder, not trained on the judged time"
    )
    models.add_argument(
        "--rolling",
        type=options.time,
        metavar="T",
        help="judge each day from T on with a model of the days before it",
    )
    command.add_argument(
        "--every",
        type=arguments.days,
        default=1.0,
        metavar="DAYS",
        help="with --rolling: fit a new model every so many days (1)",
    )
    command.add_argument(
        "--judged",
        type=options.time,
        metavar="T",
        help="judge from T on; earlier sessions only build the hosts' baselines",
    )
    command.add_argument(
        "--last",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="without --judged: judge this last share of each host's time (1)",
    )
    command.add_argument(
        "--threshold",
        action="append",
        type=float,
        help="of the host baseline, in nats; may be given several times",
    )
    background(command)
    command.add_argument("--trials", type=int, default=100, help="of each attack (100)")
    command.add_argument("--seed", type=int, default=0, help="same seed, same trials (default 0)")


def run(given: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("alarms"):
        from nba_broker.records.times import DAY
        from training.evaluation.alarms import alarms, table
        from training.evaluation.followed import follow

        if given.rolling is not None:
            from training.evaluation.rolling import rolling

    thresholds = given.threshold or [BaselineSettings().threshold]
    scorer = Scorer(given.model, os.cpu_count() or 1) if given.model else None
    if scorer:
        pools = archive.pools(given, scorer.manifest.pool_scheme, scorer.manifest.pools)
    else:
        pools = archive.pools(given, SCHEMES[0])
    sessions, origin, logs, kept = archive.load_rows(given, pools)
    judged = given.judged if scorer else given.rolling
    followed = follow(sessions, logs, kept, pools, judged=judged, last=given.last)
    if scorer:
        result = alarms(followed, scorer, thresholds, trials=given.trials, seed=given.seed, say=say)
    else:
        result = rolling(
            followed,
            origin,
            thresholds,
            every=given.every * DAY,
            public=archive.background(given, pools),
            seed=given.seed,
            say=say,
        )
    outputs.write_json(given, result | {"command": given.line, "fingerprint": origin.fingerprint})
    if scorer and given.trials:
        print()
        print(*table(result), sep="\n")
