"""``nba-broker hosts``: prints every host of a worker."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time

from nba_broker.archive import device_log
from nba_broker.cli import live_state, options
from nba_broker.inventory import ocsf
from nba_broker.records.times import print_time
from nba_broker.worker import snapshot
from nba_broker.worker.settings import Settings


def add_to(commands: options.Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "hosts",
        parents=[options.model_and_pools(), options.state()],
        help="print every host of a worker",
    )
    parser.add_argument("--format", choices=("table", "csv", "json", "ocsf"), default="table")
    parser.set_defaults(action=hosts)


def hosts(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the hosts, in the order of their addresses."""
    pipeline, path = live_state.read(settings)
    model = snapshot.model_id(path)
    rows = [dataclasses.replace(verdict, model=model) for verdict in pipeline.standing()]
    rows.sort(key=lambda one: (device_log.order(one.host), one.site, one.vlan))
    written = path.stat().st_mtime
    if arguments.format == "ocsf":
        for verdict in rows:
            for event in ocsf.events(verdict, written):
                print(json.dumps(event))
    else:
        device_log.show(rows, arguments.format)
    latest = max((verdict.ts for verdict in rows), default=0.0)
    print(
        f"{len(rows)} hosts as of {print_time(round(written))}, "
        f"{time.time() - written:.0f} s ago; latest session {print_time(latest) or 'none'}",
        file=sys.stderr,
    )
    return 0
