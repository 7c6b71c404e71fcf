"""``nba-train fit``: trains a model on an archive and labels."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.destinations.databases import SCHEMES
from nba_broker.model.manifest import Manifest
from training.cli import archive
from training.cli.arguments import Commands, extra, origins, say, trained
from training.cli.arguments import command as add_command
from training.data.enough import enough
from training.model import card


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(commands, "fit", run, "train a model", trained())
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="model folder")
    command.add_argument(
        "--rolling-days",
        type=origins,
        default=3,
        metavar="N",
        help="measure the recipe for the model card: fit it to what lies before each of N days of "
        "the archive, and follow all hosts from there on (3; 0: do not, which takes a quarter of "
        "the time)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the model folder."""
    # Imported here, since torch takes seconds to load and evaluating does not need it.
    with extra("fit"):
        from training.evaluation.rolling_days import for_manifest
        from training.model.export import write
        from training.model.fit import fit
        from training.model.settings import DEFAULT

    pools = archive.pools(arguments, SCHEMES[0])
    labelled, origin = archive.load(arguments, pools, arguments.annotations)
    sessions, left_out = enough(labelled, DEFAULT.min_sessions, say, strict=arguments.strict)
    each, public = arguments.each or map, archive.background(arguments, pools)
    fitted = fit(
        sessions,
        public=public,
        unlabelled=origin.unlabelled,
        seed=arguments.seed,
        say=say,
        each=each,
    )
    rolling = for_manifest(
        sessions,
        origin,
        pools,
        arguments.rolling_days,
        public=public,
        seed=arguments.seed,
        each=each,
        say=say,
    )
    manifest = write(
        arguments.out, fitted, sessions, origin, pools, left_out=left_out, rolling=rolling
    )
    print()
    print(*card.later_days(rolling), sep="\n")
    print()
    print(*card.table(manifest["metrics"]), sep="\n")
    print(f"\nmodel {Manifest.load(arguments.out).id} -> {arguments.out}")
