"""``nba-train unknowns``: measures whether hosts outside a model's classes are unknown."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.archive import results
from nba_broker.destinations.databases import SCHEMES
from nba_broker.records.errors import ConfigError
from training.cli import archive, outputs
from training.cli.arguments import Commands, background, extra, labelled, say
from training.cli.arguments import command as add_command
from training.data import dataset, labels


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        "unknowns",
        run,
        "leave out each device in turn, and measure whether it is called unknown",
        labelled(),
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument("--html", type=Path, metavar="F", help="a page that needs no network")
    command.add_argument("--seed", type=int, default=0, help="of the fits (default 0)")
    command.add_argument(
        "--confusable",
        action="append",
        default=[],
        metavar="DEVICE",
        help="a device that resembles another one; it is left out of the means",
    )
    command.add_argument(
        "--ood",
        action="append",
        type=Path,
        metavar="ARCHIVE",
        help="conn logs of another site, whose hosts are out of distribution",
    )
    command.add_argument(
        "--ood-labels", action="append", type=Path, metavar="L.csv", help="and their labels"
    )
    background(command)


def run(arguments: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("unknowns"):
        from training.evaluation.unknowns import table, unknowns
        from training.reports import pages

    pools = archive.pools(arguments, SCHEMES[0])
    sessions, origin = archive.load(arguments, pools)
    ood = None
    if missing := set(arguments.confusable) - {label.device for label in sessions.labels}:
        raise ConfigError(f"--confusable: no label of {', '.join(sorted(missing))}")
    if bool(arguments.ood) != bool(arguments.ood_labels):
        raise ConfigError("--ood and --ood-labels go together")
    if arguments.ood:
        rows = labels.read(arguments.ood_labels)
        ood, _ = dataset.load(
            arguments.ood, rows, pools, memory=arguments.memory, each=arguments.each
        )
    result = {
        **unknowns(
            sessions,
            ood=ood,
            confusable=arguments.confusable,
            public=archive.background(arguments, pools),
            seed=arguments.seed,
            say=say,
        ),
        "command": arguments.line,
        "fingerprint": origin.fingerprint,
    }
    outputs.write_json(arguments, result)
    if arguments.html:
        results.write(arguments.html, pages.render_unknowns(result))
    print()
    print(*table(result), sep="\n")
