"""``nba-train background``: counts the sessions of labelled devices for a background."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.destinations.databases import SCHEMES
from nba_broker.records.errors import ArchiveError
from training.cli import archive
from training.cli.arguments import Commands, labelled, say
from training.cli.arguments import command as add_command
from training.data import public_counts


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        "background",
        run,
        "count the sessions of labelled devices, for fit to compare its classes with",
        labelled(),
    )
    command.add_argument(
        "--source", required=True, metavar="NAME", help="name of this data set in the file"
    )
    command.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="F.json",
        help="counts",
    )
    command.add_argument(
        "--with",
        dest="others",
        action="append",
        type=Path,
        default=[],
        metavar="F.json",
        help="counts of other sources, which become part of the file; may be given several times",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the counts."""
    scheme = SCHEMES[0]
    pools = archive.pools(arguments, scheme)
    others = [one for path in arguments.others for one in public_counts.read(path, scheme)]
    sessions, _ = archive.load(arguments, pools)
    found = public_counts.by_device(sessions, arguments.source)
    if not found:
        raise ArchiveError(
            f"no labelled device has {public_counts.LEAST} sessions that tell devices apart"
        )
    public_counts.write(arguments.out, scheme, [*others, *found])
    say(
        f"{len(found)} devices of {arguments.source} and {len(others)} of other sources -> "
        f"{arguments.out}"
    )
