"""The overrides file: networks and names to which a site gives pools of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nba_broker.records import cidr_file
from nba_broker.records.addresses import Network
from nba_broker.records.errors import ConfigError
from nba_broker.records.name_patterns import pattern

Override = tuple[Network | str, str]
"""A network, or a pattern of names (see nba_broker.records.name_patterns), and its pool."""

_FIRST_LINES = (["cidr", "pool"], ["name", "pool"], ["cidr", "name", "pool"])


def read(path: Path) -> list[Override]:
    """The rows of a CSV file with the column pool, and cidr or name or both, in its order.

    Raises ConfigError with the file and line when it is unreadable or invalid.
    """
    found: list[Override] = []
    pool_of: dict[Network | str, str] = {}
    for where, row in cidr_file.rows(path, _fits, " or ".join(map(",".join, _FIRST_LINES))):
        cidr, name, pool = (row.get(column, "") for column in ("cidr", "name", "pool"))
        if bool(cidr) == bool(name):
            raise ConfigError(f"{where}: give either a cidr or a name; a row has one of the two")
        key: Network | str
        if cidr:
            key = cidr_file.network(cidr, where)
        else:
            try:
                key = pattern(name, for_addresses="cidr")
            except ValueError as error:
                raise ConfigError(f"{where}: {error}") from None
        if pool_of.setdefault(key, pool) != pool:
            raise ConfigError(
                f"{where}: {key} has the pool {pool_of[key]} already; leave one of the two out"
            )
        if not pool:
            raise ConfigError(f"{where}: no pool name for {key}")
        found.append((key, pool))
    return found


def _fits(columns: Sequence[str]) -> bool:
    return sorted(columns) in _FIRST_LINES
