"""Flags that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from nba_broker.archive.external_sort import MEMORY
from nba_broker.cli import extras, options

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The commands of a parser."""

_EPOCHS = 1e6  # numbers below are meant as a share or a percentage, not as a time


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def extra(command: str) -> contextlib.AbstractContextManager[None]:
    """Around imports of packages of the extra ``train``, which a sensor does not have; raises
    ConfigError with what to install."""
    return extras.needed(command, "train")


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], None],
    help_text: str,
    *parents: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Add a command that :func:`training.cli.main.main` runs by ``run``."""
    parser = commands.add_parser(name, parents=list(parents), help=help_text)
    parser.set_defaults(run=run, name=name)
    return parser


def archive() -> argparse.ArgumentParser:
    """The flags of every command that reads an archive."""
    parser = argparse.ArgumentParser(add_help=False, parents=[options.span()])
    parser.add_argument(
        "archive", nargs="+", metavar="ARCHIVE", help="conn logs, or folders of them"
    )
    parser.add_argument(
        "--pools",
        action="append",
        type=Path,
        metavar="F.mmdb",
        help="IP database in MaxMind format (default: the embedded one)",
    )
    parser.add_argument(
        "--overrides",
        type=Path,
        metavar="F.csv",
        help="the worker's file of pools of the site's own: [cidr,][name,]pool",
    )
    parser.add_argument(
        "--lans",
        action="append",
        metavar="CIDR",
        help="LAN that is not the /24 or /64 around its hosts; may be given several times",
    )
    parser.add_argument(
        "--nat64",
        action="append",
        metavar="CIDR",
        help="NAT64 prefix of the network, beside 64:ff9b::/96; may be given several times",
    )
    parser.add_argument(
        "--scheduler",
        metavar="URL",
        help="read the archive with the workers of a Dask cluster (tcp://HOST:8786; default: here)",
    )
    return parser


def memory() -> argparse.ArgumentParser:
    """The flag for the memory of a command that reads labelled sessions."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--memory",
        type=size,
        default=MEMORY,
        metavar="SIZE",
        help="memory for sorting the archive, such as 2G; a larger archive is sorted on disk, in "
        f"TMPDIR, with the same result (default {MEMORY >> 20}M)",
    )
    return parser


def labelled() -> argparse.ArgumentParser:
    """The flags of every command that reads a labelled archive."""
    parser = argparse.ArgumentParser(add_help=False, parents=[archive(), memory()])
    parser.add_argument(
        "--labels",
        action="append",
        type=Path,
        required=True,
        metavar="L.csv",
        help="host,device[,category][,since,until][,log][,unit]; may be given several times",
    )
    return parser


def trained() -> argparse.ArgumentParser:
    """The flags of the commands that train a model."""
    parser = argparse.ArgumentParser(add_help=False, parents=[labelled()])
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse devices with too few sessions instead of leaving them out",
    )
    parser.add_argument(
        "--annotations", type=Path, metavar="F.csv", help="also use the names that analysts gave"
    )
    # Scripts use this spelling.
    parser.add_argument(
        "--answers",
        type=Path,
        dest="annotations",
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same model (default 0)")
    background(parser)
    return parser


def background(parser: argparse.ArgumentParser) -> None:
    """Add the flag for counts of other networks' devices."""
    parser.add_argument(
        "--background",
        type=Path,
        metavar="F.json",
        help="counts of devices of other networks that classes are compared with, from nba-train "
        "background, or the word none (default: the shipped ones)",
    )
    parser.add_argument(
        "--background-without",
        action="append",
        default=[],
        metavar="SOURCE",
        help="leave the devices of a data set out of these counts, to evaluate on it; may be given "
        "several times",
    )


def days(text: str) -> float:
    """A number of days."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.01 <= number <= 3650:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 0.01 to 3650")
    return number


def number(text: str) -> int:
    """How often something is done: once or more."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def origins(text: str) -> int:
    """A number of rolling origins."""
    if not (text.isascii() and text.isdigit() and int(text) <= 100):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return int(text)


def share(text: str) -> float:
    """A share above 0, up to 1."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share above 0, up to 1")
    return number


def share_or_time(text: str) -> float:
    """A share between 0 and 1, or a time."""
    try:
        number = float(text)
    except ValueError:
        return options.time(text)
    if 0 < number < 1:
        return number
    if number >= _EPOCHS:
        return options.time(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a share between 0 and 1 nor a time")


def margin(text: str) -> float:
    """A difference of F1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return number


def size(text: str) -> int:
    """A number of bytes."""
    number, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    factor = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(unit, 0)
    # With less memory the archive is sorted in so many runs that merging them takes long.
    if not (number.isascii() and number.isdigit() and int(number) * factor >= 1 << 20):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size of at least 1M, such as 512M or 2G"
        )
    return int(number) * factor
