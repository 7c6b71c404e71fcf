"""``nba-broker triage``: the logs as a page, served or written to a file."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from nba_broker.cli import extras, options
from nba_broker.destinations import overrides
from nba_broker.records.errors import ConfigError
from nba_broker.worker.settings import Settings


def add_to(commands: options.Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "triage",
        parents=[options.configuration(), options.annotation_file()],
        help="serve a page of the hosts that need attention, and annotate them there",
    )
    parser.add_argument("--overrides", metavar="F.csv", help="the worker's file of pools")
    parser.add_argument("logs", type=Path, metavar="LOGDIR", help="folder with Zeek's logs")
    parser.add_argument(
        "--listen",
        default="127.0.0.1:27780",
        metavar="HOST:PORT",
        help="where to serve it (default: %(default)s); every client can read and annotate",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one static page instead")
    parser.add_argument(
        "--filter",
        default="",
        metavar="QUERY",
        help="only these hosts in the static page; QUERY as in the served page's address",
    )
    parser.set_defaults(action=triage)


def triage(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until interrupted; exit status 1 if a static page lacks logs that cannot be read."""
    with extras.needed("triage", "triage"):
        from nba_broker.triage import static_page
        from nba_broker.triage.view import Views

    if arguments.filter and not arguments.html:
        raise ConfigError(
            "--filter: only for --html; the served page has its filters in its address"
        )
    rows = overrides.read(settings.overrides) if settings.overrides else []
    views = Views(arguments.logs, settings.annotations, {pool for _, pool in rows})
    if arguments.html:
        shown = static_page.write(views, arguments.html, arguments.filter)
        print(f"{shown} of {len(views.store.hosts)} hosts in {arguments.logs} -> {arguments.html}")
        for line in views.errors:
            print(f"nba-broker: {line}", file=sys.stderr)
        return 1 if views.errors else 0
    with extras.needed("triage", "triage"):
        from nba_broker.triage import app  # only here: a page in a file needs no web server

    with contextlib.suppress(KeyboardInterrupt):
        app.serve(views, arguments.listen)
    return 0
