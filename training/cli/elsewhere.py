"""``nba-train elsewhere``: asks a model about the hosts of other sites."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from nba_broker.archive import results
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ConfigError
from training.cli import archive, outputs
from training.cli import arguments as flags
from training.cli.arguments import Commands, extra, say
from training.cli.arguments import command as add_command
from training.data import labels
from training.data.labelled_sessions import LabelledSessions

LABELS = "labels.csv"
"""The file with the labels of an archive, in its folder."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        "elsewhere",
        run,
        "ask a model about other sites: their strangers, and the devices that it knows",
        flags.archive(),
        flags.memory(),
    )
    command.add_argument("--model", type=Path, required=True, metavar="DIR", help="model folder")
    command.add_argument(
        "--labels",
        action="append",
        type=Path,
        default=[],
        metavar="L.csv",
        help=f"labels of each ARCHIVE, in the same order (default: the {LABELS} in its folder)",
    )
    command.add_argument(
        "--as",
        action="append",
        default=[],
        dest="same",
        metavar="OTHER=NAME",
        help="the device OTHER of the labels is the model's class NAME; may be given several times",
    )
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument("--html", type=Path, metavar="F", help="a page that needs no network")


def run(arguments: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("elsewhere"):
        from training.evaluation.elsewhere import elsewhere, require_labels, same_devices
        from training.metrics import outcome_tables

    scorer = Scorer(arguments.model)
    class_of = same_devices(arguments.same, (one.device for one in scorer.manifest.classes))
    files = _labels(arguments)
    require_labels(class_of, (one for path in files for one in labels.read([path])))
    sites = _archives(arguments, files, scorer)
    result = elsewhere(sites, scorer, class_of, say=say) | {"command": arguments.line}
    outputs.write_json(arguments, result)
    if arguments.html:
        with extra("elsewhere --html"):
            from training.reports import pages
        results.write(arguments.html, pages.render_elsewhere(result))
    print("\nDevices that the model does not know:\n")
    print(*outcome_tables.table(result["strangers"], "archive"), sep="\n")
    if result["known"]:
        print("\nDevices that it knows:\n")
        print(*outcome_tables.table(result["known"], "device in archive"), sep="\n")
    print()
    print(*outcome_tables.sentences(result["all"]), sep="\n")


def _labels(arguments: argparse.Namespace) -> list[Path]:
    """The labels of each archive."""
    if arguments.labels and len(arguments.labels) != len(arguments.archive):
        raise ConfigError(
            f"--labels is given {len(arguments.labels)} times for {len(arguments.archive)} "
            f"archives: give it once for each, or never and put a {LABELS} into each folder"
        )
    files: list[Path] = arguments.labels or [Path(one) / LABELS for one in arguments.archive]
    return files


def _archives(
    arguments: argparse.Namespace, files: Sequence[Path], scorer: Scorer
) -> Iterator[tuple[str, LabelledSessions]]:
    """The labelled sessions of each archive, each with pools of its own: sites share addresses."""
    for path, labelled in zip(arguments.archive, files, strict=True):
        given = argparse.Namespace(**vars(arguments))
        given.archive, given.labels = [path], [labelled]
        pools = archive.pools(given, scorer.manifest.pool_scheme, scorer.manifest.pools)
        say(f"{path}:")
        sessions, _ = archive.load(given, pools)
        arguments.incomplete = getattr(arguments, "incomplete", False) or given.incomplete
        yield path, sessions
