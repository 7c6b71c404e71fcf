"""``nba-broker doctor``: checks an installation."""

from __future__ import annotations

import argparse

from nba_broker.cli import options
from nba_broker.cli.build import build_tls
from nba_broker.wire.connection import Link
from nba_broker.worker import doctor
from nba_broker.worker.settings import Settings


def add_to(commands: options.Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "doctor",
        parents=[options.model_and_pools(), options.zeek()],
        help="check the installation, and say what needs attention",
    )
    parser.set_defaults(action=examine)


def examine(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print every finding; exit status 1 if one needs attention."""
    link = Link(settings.url, partition=settings.partition, tls=build_tls(settings))
    status = 0
    for finding in doctor.examine(settings, link):
        print(finding, flush=True)
        status |= bool(finding.advice)
    return status
