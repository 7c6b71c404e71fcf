"""A CSV file that gives networks something of a site's own: the pool that they are, the site that
they are at."""

from __future__ import annotations

import csv
import ipaddress
from collections.abc import Iterator
from pathlib import Path

from nba_broker.records.addresses import Network
from nba_broker.records.errors import ConfigError


def read(path: Path, column: str, what: str) -> Iterator[tuple[str, Network, str]]:
    """The rows of a file ``cidr,column`` in its order: where the row is, for messages; its network;
    and its value, which is a ``what``.

    Raises ConfigError with the file and line when it is unreadable or invalid.
    """
    columns = ["cidr", column]
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            if rows.fieldnames != columns:
                raise ConfigError(f"{path}: the first line must be {','.join(columns)}")
            for row in rows:
                where = f"{path}:{rows.line_num}"
                cidr, value = row["cidr"] or "", (row[column] or "").strip()
                try:
                    network = ipaddress.ip_network(cidr.strip())
                except ValueError as error:
                    raise ConfigError(f"{where}: {error}") from error
                if not value:
                    raise ConfigError(f"{where}: no {what} for {network}")
                yield where, network, value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: {error}") from error
