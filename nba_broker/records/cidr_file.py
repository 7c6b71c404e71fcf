"""A CSV file that gives networks something of a site's own: the pool that they are, the site that
they are at."""

from __future__ import annotations

import csv
import ipaddress
from collections.abc import Callable, Iterator
from pathlib import Path

from nba_broker.records.addresses import Network
from nba_broker.records.errors import ConfigError


def read(path: Path, column: str, what: str) -> Iterator[tuple[str, Network, str]]:
    """The rows of a file ``cidr,column`` in its order: where the row is, for messages; its network;
    and its value, which is a ``what``.

    Raises ConfigError with the file and line when it is unreadable or invalid.
    """
    columns = ["cidr", column]
    for where, row in rows(path, columns.__eq__, ",".join(columns)):
        found = network(row["cidr"], where)
        if not row[column]:
            raise ConfigError(f"{where}: no {what} for {found}")
        yield where, found, row[column]


def rows(
    path: Path, fits: Callable[[list[str]], bool], first_line: str
) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV file in its order, by column, and where each is; ``fits`` says whether the
    columns are right, ``first_line`` which ones are.

    Raises ConfigError with the file and line when it is unreadable or invalid.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = [column.strip() for column in reader.fieldnames or ()]
            if not fits(columns):
                raise ConfigError(f"{path}: the first line must be {first_line}")
            reader.fieldnames = columns
            for row in reader:
                texts = {column: (row[column] or "").strip() for column in columns}
                yield f"{path}:{reader.line_num}", texts
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: {error}") from error


def network(text: str, where: str) -> Network:
    """A network, or an address as one; raises ConfigError, which begins with ``where``."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
