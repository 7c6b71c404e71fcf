"""``nba-train compare``: measures the shipped recipe and baselines on the same sessions."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from nba_broker.archive import results
from nba_broker.destinations.databases import SCHEMES
from nba_broker.records.errors import ConfigError
from training.cli import archive, outputs
from training.cli.arguments import Commands, extra, labelled, say
from training.cli.arguments import command as add_command
from training.data import labels


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands, "compare", run, "measure the recipe beside baselines", labelled()
    )
    command.add_argument(
        "--protocol",
        required=True,
        choices=("paper", "paper-overlap", "blocked", "temporal", "unit"),
        help="how sessions are split into training and test, see docs/evaluation.md",
    )
    command.add_argument(
        "--baselines",
        default="",
        metavar="NAME,...",
        help="'all', or names (default: all in temporal, else those that are not variants)",
    )
    command.add_argument(
        "--groups",
        type=Path,
        metavar="F.csv",
        help="log,setup,since,until: no group is in both parts of blocked or unit",
    )
    kind = command.add_mutually_exclusive_group()
    kind.add_argument(
        "--by",
        choices=("category", "iot"),
        help="classes are categories, or IoT and non-IoT (default: devices)",
    )
    kind.add_argument(
        "--merge",
        action="append",
        default=[],
        metavar="NAME=DEVICE,...",
        help="devices that count as one class; may be given several times",
    )
    command.add_argument("--window", type=int, default=20, metavar="N", help="sessions (20)")
    command.add_argument(
        "--min-sessions",
        type=int,
        default=8,
        metavar="N",
        help="session of a host from which on it is predicted (8)",
    )
    command.add_argument("--epochs", type=int, default=10, metavar="N", help="of networks (10)")
    command.add_argument("--seed", type=int, default=0, help="same seed, same figures (default 0)")
    command.add_argument("--json", type=Path, required=True, metavar="F", help="all figures")
    command.add_argument("--html", type=Path, metavar="F", help="a page that needs no network")
    command.add_argument(
        "--unknowns",
        type=Path,
        metavar="F",
        help="figures of nba-train unknowns (its --json) to show on the page",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write and print the figures."""
    with extra("compare"):
        from training.data import classes, traffic
        from training.evaluation import compare, protocols
        from training.evaluation.baselines.baseline import Settings
        from training.evaluation.baselines.registry import choose
        from training.reports import pages, tables

    pools = archive.pools(arguments, SCHEMES[0])
    baselines = choose(arguments.baselines, arguments.protocol, pools.databases)
    rows = labels.read(arguments.labels)
    class_of = (
        classes.by_kind(rows, arguments.by)
        if arguments.by
        else classes.merged(rows, arguments.merge)
    )
    unknown = _read_json(arguments.unknowns) if arguments.unknowns else None
    began = time.monotonic()
    loaded, origin = traffic.load(
        arguments.archive,
        rows,
        pools,
        since=arguments.since,
        until=arguments.until,
        memory=arguments.memory,
        each=arguments.each,
    )
    archive.report(arguments, loaded.sessions, origin, began)
    groups = protocols.read_groups(arguments.groups, loaded) if arguments.groups else None
    settings = Settings(
        window=arguments.window,
        min_sessions=arguments.min_sessions,
        epochs=arguments.epochs,
        seed=arguments.seed,
    )
    result = {
        **compare.run(
            loaded,
            arguments.protocol,
            baselines,
            settings,
            groups=groups,
            class_of=class_of,
            say=say,
        ),
        "command": arguments.line,
        "since": origin.since,
        "until": origin.until,
        "fingerprint": origin.fingerprint,
        "databases": [one.describe() for one in pools.databases],
    }
    outputs.write_json(arguments, result)
    print(*tables.table(result), sep="\n")
    if arguments.html:
        results.write(arguments.html, pages.render(result, unknown))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not a file that nba-train wrote ({error})") from error
