"""The site rules: which site a host is at, by its address."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from nba_broker.records import cidr_file
from nba_broker.records.addresses import Network
from nba_broker.records.errors import ConfigError


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
    for where, network, site in cidr_file.read(path, "site", "site"):
        if rules.setdefault(network, site) != site:
            raise ConfigError(
                f"{where}: {network} is at {rules[network]} already; leave one of the two lines out"
            )
    return SiteRules(rules)
