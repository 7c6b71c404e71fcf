"""``nba-train labels``: proposes a labels file for a person to edit."""

from __future__ import annotations

import argparse
from pathlib import Path

from nba_broker.archive import results
from nba_broker.destinations.databases import SCHEMES
from training.cli import archive, outputs
from training.cli.arguments import Commands, extra
from training.cli.arguments import archive as archive_flags
from training.cli.arguments import command as add_command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands, "labels", run, "propose labels from the content of the archive", archive_flags()
    )
    command.add_argument(
        "--out", type=Path, default=Path("labels.csv"), metavar="L.csv", help="default: labels.csv"
    )
    command.add_argument(
        "--truth",
        action="append",
        type=Path,
        metavar="L.csv",
        help="known labels: also print how the groups and the hints compare with them",
    )
    command.add_argument(
        "--products",
        type=Path,
        metavar="P.csv",
        help="maker and kind of the devices in --truth, as device,maker,kind: also check makers",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the proposed labels."""
    from training.data import hint_check, hosts, labels, propose

    truth = labels.read(arguments.truth or [])
    if arguments.products and not truth:
        raise labels.LabelsError("--products needs --truth: which host is which of these devices")
    products = hint_check.read_products(arguments.products) if arguments.products else {}
    found = hosts.find(
        arguments.archive,
        archive.pools(arguments, SCHEMES[0]),
        since=arguments.since,
        until=arguments.until,
        each=arguments.each,
    )
    arguments.incomplete = found.incomplete
    archive.warn(found.warnings)
    text, lines = propose.labels_file(found)
    outputs.require_new_file(arguments.out)  # somebody may have begun to edit one meanwhile
    results.write(arguments.out, text)
    print(*lines, f"labels -> {arguments.out}", sep="\n")
    if truth:
        with extra("labels --truth"):
            from training.data.agreement import agreement
        print(*agreement(found, truth), *hint_check.check(found, truth, products), sep="\n")
