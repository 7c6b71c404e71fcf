"""``nba-broker netbox``: brings the hosts of a worker into NetBox."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from nba_broker.cli import extras, live_state, options
from nba_broker.inventory import host, sites
from nba_broker.records.errors import ConfigError
from nba_broker.worker.settings import Settings


def add_to(commands: options.Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "netbox",
        parents=[options.model_and_pools(), options.state()],
        help="bring the hosts of a worker into NetBox",
    )
    parser.add_argument("--netbox", metavar="URL", help="NetBox; its token is NBA_NETBOX_TOKEN")
    parser.add_argument("--sites", metavar="F.csv", help="which site a host is at, by its address")
    parser.add_argument(
        "--role", default="iot", help="slug of the role of new devices (default: %(default)s)"
    )
    parser.add_argument(
        "--stale",
        type=int,
        default=30,
        metavar="DAYS",
        help="days after which a host that was not seen is offline (default: %(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the changes, make none")
    parser.set_defaults(action=netbox)


def netbox(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print each change; exit status 1 if NetBox refused some."""
    with extras.needed("netbox", "netbox"):
        from nba_broker.inventory.netbox import Inventory  # a sensor has no NetBox
        from nba_broker.inventory.netbox_api import NetBox

    if settings.netbox is None:
        raise ConfigError("netbox: give the address of a NetBox (--netbox URL)")
    if settings.netbox_token is None:
        raise ConfigError("netbox_token: set NBA_NETBOX_TOKEN to an API token of the NetBox")
    if settings.sites is None:
        raise ConfigError("sites: give a CSV file cidr,site (--sites F.csv)")
    if arguments.stale < 1:
        raise ConfigError(f"--stale: {arguments.stale} is less than one day")
    rules = sites.read(settings.sites)
    pipeline, _ = live_state.read(settings)
    found = [(one, rules.site_of(one.host)) for one in pipeline.standing()]
    hosts = [host.of(one, site) for one, site in found if one.mac and site]

    inventory = Inventory(
        NetBox(settings.netbox, settings.netbox_token),
        role=arguments.role,
        stale=arguments.stale,
        today=datetime.now(UTC).date(),
        report=print,
        dry=arguments.dry_run,
    )
    inventory.bring(hosts)
    print(
        f"{len(hosts)} hosts; left out: {sum(1 for one, _ in found if not one.mac)} without a MAC, "
        f"{sum(1 for one, site in found if one.mac and not site)} at no site of {settings.sites}"
        f"{'; nothing was changed' if arguments.dry_run else ''}",
        file=sys.stderr,
    )
    return 1 if inventory.refused else 0
