"""The command ``nba-broker``: parses the command line and runs one command."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence

from nba_broker import __version__
from nba_broker.cli import (
    annotate,
    doctor,
    hosts,
    model,
    mud,
    netbox,
    pcap,
    run,
    score,
    terminal,
    triage,
)
from nba_broker.cli.config import load

COMMANDS = (run, model, doctor, score, pcap, triage, hosts, netbox, annotate, mud)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; each command's module adds its own."""
    made = argparse.ArgumentParser(
        prog="nba-broker",
        description="Passive IoT identification for Zeek: names hosts by where and when they talk.",
    )
    made.add_argument("--version", action="version", version=f"nba-broker {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 failed or incomplete (stderr says why), 2 wrong usage."""
    terminal.prepare()
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)

    def command() -> int:
        settings = load(arguments.config, os.environ, vars(arguments))
        return int(arguments.action(arguments, settings))

    # A worker handles SIGTERM itself.
    ending = contextlib.nullcontext() if arguments.action is run.run else terminal.ended_cleanly()
    with ending:
        return terminal.run("nba-broker", command, getattr(arguments, "out", ""))


if __name__ == "__main__":
    sys.exit(main())
