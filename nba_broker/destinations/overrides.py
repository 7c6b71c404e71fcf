"""The overrides file: networks that a site gives pool names of its own."""

from __future__ import annotations

from pathlib import Path

from nba_broker.records import cidr_file
from nba_broker.records.addresses import Network


def read(path: Path) -> list[tuple[Network, str]]:
    """The networks and pool names in a CSV file ``cidr,pool``, in its order.

    Raises ConfigError with the file and line when it is unreadable or invalid.
    """
    return [(network, pool) for _, network, pool in cidr_file.read(path, "pool", "pool name")]
