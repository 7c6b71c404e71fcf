"""The options that several commands share, as parents of their argument parsers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from nba_broker.records.times import parse_time
from nba_broker.worker.settings import Settings

DEVICE_LOG, SITE_LOG = "nba_device.log", "nba_site.log"
"""What commands with :func:`output` write; the second only if there is an event of the site."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a command's module adds its parser."""


def _parent() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(add_help=False)


def configuration() -> argparse.ArgumentParser:
    """``--config``."""
    parser = _parent()
    parser.add_argument("--config", type=Path, metavar="F.toml", help="settings file")
    return parser


def model_and_pools() -> argparse.ArgumentParser:
    """``--config``, and the options of everything that scores."""
    parser = argparse.ArgumentParser(add_help=False, parents=[pools()])
    parser.add_argument("--model", metavar="DIR", help="model folder (default: the shipped one)")
    return parser


def pools() -> argparse.ArgumentParser:
    """``--config``, and the options of everything that looks destinations up."""
    parser = configuration()
    parser.add_argument(
        "--pools",
        action="append",
        metavar="F.mmdb",
        help="ASN or country database in MaxMind format; repeatable (default: the embedded one)",
    )
    parser.add_argument(
        "--overrides", metavar="F.csv", help="pools of the site's own, for networks and names"
    )
    parser.add_argument(
        "--local", action="append", metavar="CIDR", help="the site's public network; repeatable"
    )
    parser.add_argument(
        "--lans",
        action="append",
        metavar="CIDR",
        help="a LAN that is not the /24 or /64 around its hosts; repeatable",
    )
    parser.add_argument(
        "--nat64",
        action="append",
        metavar="CIDR",
        help="the network's NAT64 prefix, beside 64:ff9b::/96; repeatable",
    )
    return parser


def state() -> argparse.ArgumentParser:
    """``--state``, of a command that reads a worker's snapshot."""
    parser = _parent()
    parser.add_argument("--state", metavar="DIR", help="the worker's state folder")
    return parser


def zeek() -> argparse.ArgumentParser:
    """The options of a command that connects to Zeek."""
    parser = _parent()
    parser.add_argument("--url", help=f"Zeek's WebSocket API (default: {Settings.url})")
    parser.add_argument("--ca", metavar="F", help="certificate authority for wss://")
    parser.add_argument("--cert", metavar="F", help="client certificate")
    parser.add_argument("--key", metavar="F", help="private key of the client certificate")
    parser.add_argument("--state", metavar="DIR", help="folder for snapshots of the hosts' state")
    parser.add_argument(
        "--partition", metavar="N", help="serve this one of NBA::partitions (default: 0)"
    )
    return parser


def output() -> argparse.ArgumentParser:
    """``--out``."""
    parser = _parent()
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder to write to (default: the current one)",
    )
    return parser


def span() -> argparse.ArgumentParser:
    """``--since`` and ``--until``, of a command that reads an archive."""
    parser = _parent()
    parser.add_argument("--since", type=time, metavar="T", help="use sessions from T on")
    parser.add_argument("--until", type=time, metavar="T", help="use sessions before T")
    return parser


def time(text: str) -> float:
    """The type of an argument that is a time: seconds since the epoch."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def annotation_file() -> argparse.ArgumentParser:
    """``--annotations``; scripts may still call it ``--answers``."""
    parser = _parent()
    parser.add_argument("--annotations", metavar="F.csv", help="the analysts' annotations")
    parser.add_argument("--answers", dest="annotations", help=argparse.SUPPRESS)
    return parser
