"""``nba-train evaluate``: measures a model, or the recipe from day to day, on labelled sessions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nba_broker.archive import results
from nba_broker.cli import options
from nba_broker.destinations.databases import SCHEMES
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ArchiveError, ConfigError
from nba_broker.records.times import DAY
from training.cli import archive, arguments, outputs
from training.cli.arguments import Commands, extra, labelled, say
from training.cli.arguments import command as add_command
from training.data.enough import lacking, too_few
from training.model import card


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(commands, "evaluate", run, "measure a model", labelled())
    models = command.add_mutually_exclusive_group(required=True)
    models.add_argument("--model", type=Path, metavar="DIR", help="model folder")
    models.add_argument(
        "--rolling",
        type=options.time,
        metavar="T",
        help="instead of a model: fit one to what lies before T, follow all hosts from T to the "
        "end of the archive, and so on from later days",
    )
    command.add_argument(
        "--every",
        type=arguments.days,
        default=1.0,
        metavar="DAYS",
        help="with --rolling: fit a new model every so many days (1)",
    )
    command.add_argument(
        "--seed", type=int, default=0, help="with --rolling: same seed, same models (default 0)"
    )
    arguments.background(command)
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument("--html", type=Path, metavar="F", help="a page that needs no network")
    command.add_argument(
        "--card", type=Path, metavar="F.md", help="also add the table to this model card"
    )


def run(given: argparse.Namespace) -> None:
    """Write and print the figures."""
    if given.card and not given.model:
        raise ConfigError("--card adds the figures of one model: give --model, not --rolling")
    result = (_of_model if given.model else _of_recipe)(given) | {"command": given.line}
    outputs.write_json(given, result)
    if given.html:
        with extra("evaluate --html"):
            from training.reports import pages
        results.write(given.html, pages.render_evaluation(result))
    print(*(card.table(result) if given.model else card.later_days(result)), sep="\n")
    if given.card:
        card.add(given.card, given.line, result)


def _of_model(given: argparse.Namespace) -> dict[str, Any]:
    """The figures of a model folder."""
    with extra("evaluate"):
        from training.evaluation.evaluate import evaluate
    scorer = Scorer(given.model)
    pools = archive.pools(given, scorer.manifest.pool_scheme, scorer.manifest.pools)
    sessions, origin = archive.load(given, pools)
    least = scorer.manifest.min_sessions
    for line in too_few(lacking(sessions, least), least):
        say(f"not evaluated: {line}")
    return {
        **evaluate(scorer, sessions, given.each),
        "since": origin.since,
        "until": origin.until,
        "fingerprint": origin.fingerprint,
    }


def _of_recipe(given: argparse.Namespace) -> dict[str, Any]:
    """The figures of a model for each of several days."""
    with extra("evaluate"):
        from training.evaluation.origins import regular
        from training.evaluation.rolling_days import rolling_days
    pools = archive.pools(given, SCHEMES[0])
    sessions, origin = archive.load(given, pools)
    origins = regular(sessions, given.rolling, given.every * DAY)
    if not origins:
        raise ArchiveError("--rolling: no labelled host has a session from that time on")
    found = rolling_days(
        sessions,
        origin,
        pools,
        origins,
        public=archive.background(given, pools),
        seed=given.seed,
        each=given.each or map,
        say=say,
    )
    return {
        **found,
        "since": origin.since,
        "until": origin.until,
        "fingerprint": origin.fingerprint,
    }
