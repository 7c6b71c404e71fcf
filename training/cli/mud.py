"""``nba-train mud``: measures what learned MUD profiles allow and block."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.archive import conn_log
from nba_broker.archive.cluster import workers
from nba_broker.cli import options
from nba_broker.destinations.databases import SCHEMES
from nba_broker.policy.profile import REPEATS
from training.cli import archive, arguments, outputs
from training.cli.arguments import Commands, extra, labelled
from training.cli.arguments import command as add_command
from training.data import labels


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        "mud",
        run,
        "measure what learned MUD profiles allow of later days, and block of attacks",
        labelled(),
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument(
        "--judged",
        type=options.time,
        required=True,
        metavar="T",
        help="learn from sessions before T, and apply the profiles from T on",
    )
    command.add_argument(
        "--repeats",
        type=arguments.number,
        default=REPEATS,
        metavar="N",
        help="days on which, or hosts by which, a thing must be done to be allowed (%(default)s)",
    )
    command.add_argument("--trials", type=int, default=100, help="of each attack (100)")
    command.add_argument("--seed", type=int, default=0, help="same seed, same trials (default 0)")


def run(given: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("mud"):
        from training.evaluation.mud import mud, table

    rows = labels.read(given.labels)
    pools = archive.pools(given, SCHEMES[0])
    read = conn_log.read(
        given.archive,
        since=given.since,
        until=given.until,
        memory=given.memory,
        others=workers(given.each),
        names=True,
    )
    given.incomplete = bool(read.errors)
    archive.warn([*read.errors, *read.warnings])
    result = mud(
        read,
        pools,
        labels.devices_of(rows),
        given.judged,
        repeats=given.repeats,
        trials=given.trials,
        seed=given.seed,
    )
    outputs.write_json(given, result | {"command": given.line})
    print(*table(result), sep="\n")
