"""The overrides file: networks that a site gives pool names of its own."""

from __future__ import annotations

import csv
import ipaddress
from pathlib import Path

from nba_broker.records.addresses import Network
from nba_broker.records.errors import ConfigError

COLUMNS = ["cidr", "pool"]


def read(path: Path) -> list[tuple[Network, str]]:
    """The networks and pool names in a CSV file ``cidr,pool``, in its order.

    Raises ConfigError with the file and line when it is unreadable or invalid.
    """
    rules = []
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            if rows.fieldnames != COLUMNS:
                raise ConfigError(f"{path}: the first line must be {','.join(COLUMNS)}")
            for row in rows:
                cidr, pool = row["cidr"] or "", (row["pool"] or "").strip()
                try:
                    network = ipaddress.ip_network(cidr.strip())
                except ValueError as error:
                    raise ConfigError(f"{path}:{rows.line_num}: {error}") from error
                if not pool:
                    raise ConfigError(f"{path}:{rows.line_num}: no pool name for {network}")
                rules.append((network, pool))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: {error}") from error
    return rules
