"""The site rules: which site a host is at, by its address."""

from __future__ import annotations

import csv
import ipaddress
from pathlib import Path

from nba_broker.records.addresses import Network
from nba_broker.records.errors import ConfigError

COLUMNS = ["cidr", "site"]


class SiteRules:
    """Networks with the slug of the site that each is at. The narrowest network wins."""

    def __init__(self, rules: dict[Network, str]) -> None:
        self._rules = sorted(rules.items(), key=lambda rule: -rule[0].prefixlen)

    def site_of(self, address: str) -> str:
        """The slug of the site of an address, or "" if no rule has it."""
        asked = ipaddress.ip_address(address)
        return next((site for network, site in self._rules if asked in network), "")


def read(path: Path) -> SiteRules:
    """The rules in a CSV file ``cidr,site``.

    Raises ConfigError with the file and line when it is unreadable or invalid.
    """
    rules: dict[Network, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            if rows.fieldnames != COLUMNS:
                raise ConfigError(f"{path}: the first line must be {','.join(COLUMNS)}")
            for row in rows:
                cidr, site = row["cidr"] or "", (row["site"] or "").strip()
                try:
                    network = ipaddress.ip_network(cidr.strip())
                except ValueError as error:
                    raise ConfigError(f"{path}:{rows.line_num}: {error}") from error
                if not site:
                    raise ConfigError(f"{path}:{rows.line_num}: no site for {network}")
                if rules.setdefault(network, site) != site:
                    raise ConfigError(
                        f"{path}:{rows.line_num}: {network} is at {rules[network]} already; "
                        f"leave one of the two lines out"
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: {error}") from error
    return SiteRules(rules)
