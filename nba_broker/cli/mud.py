"""``nba-broker mud``: a MUD profile from what a device's hosts did, and what it would block."""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nba_broker.archive import results, zeek_log
from nba_broker.cli import options, terminal
from nba_broker.cli.build import build_pools
from nba_broker.destinations.databases import SCHEMES
from nba_broker.policy import devices, mud, report
from nba_broker.policy.check import check
from nba_broker.policy.observe import Hosts, Observer, Uses, count
from nba_broker.policy.profile import REPEATS, learn
from nba_broker.records.addresses import canonical, canonical_mac
from nba_broker.records.errors import ArchiveError, ConfigError
from nba_broker.records.macs import is_mac
from nba_broker.records.times import print_second
from nba_broker.worker.settings import Settings

if TYPE_CHECKING:
    from nba_broker.archive.conn_log import Archive

LOG = logging.getLogger(__name__)


def add_to(commands: options.Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "mud",
        parents=[options.pools()],
        help="write a MUD profile (RFC 8520) of what a device does",
    )
    parser.add_argument(
        "subject",
        metavar="HOST|DEVICE",
        help="MAC or address of a host, or a device that nba_device.log names",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="ARCHIVE", help="conn, dns and dhcp logs to learn from"
    )
    parser.add_argument(
        "--verdicts",
        type=Path,
        metavar="PATH",
        help="nba_device.log, or its folder, for DEVICE (default: in the archives' folders)",
    )
    parser.add_argument(
        "--check", nargs="+", default=[], metavar="ARCHIVE", help="later logs to apply it to"
    )
    parser.add_argument(
        "--repeats",
        type=_repeats,
        default=REPEATS,
        metavar="N",
        help="days on which, or hosts by which, a thing must be done to be allowed (%(default)s)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"list all that is left out or blocked (default: the first {report.LISTED} of each)",
    )
    parser.add_argument("--json", type=Path, metavar="F.json", help="write the profile")
    parser.add_argument(
        "--mud-url", metavar="URL", help="where it will be served (default: at mud.invalid)"
    )
    parser.set_defaults(action=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Exit status 1 if parts of an archive could not be read."""
    url = mud.mud_url(arguments.mud_url or mud.default_url(arguments.subject))
    if arguments.json:
        _require(arguments.json)
    host = _host(arguments.subject)
    named = None if host else _named(arguments)
    learned, *later = [
        _read(paths, settings) for paths in (arguments.paths, arguments.check) if paths
    ]
    hosts = Hosts([learned, *later])
    slots = _slots(host, hosts) if named is None else _slots_of(named, hosts)
    observer = Observer(build_pools(settings, SCHEMES[0]), slots)
    uses: Uses = {}
    end = -np.inf
    for seen in observer.see(learned):
        count(seen, uses)
        end = float(seen.ts[-1])
    if not uses:
        raise ArchiveError(f"{arguments.subject}: no session in the archive to learn from")
    profile = learn(uses, arguments.repeats)
    if not profile.rules:
        raise ArchiveError(
            f"{arguments.subject}: nothing in its {profile.seen.text} was done on "
            f"{arguments.repeats} days or by {arguments.repeats} hosts; give more days, or "
            "--repeats 1 to allow all that was done"
        )
    listed = None if arguments.all else report.LISTED
    lines = report.of_profile(profile, check(profile, uses), arguments.repeats, listed)
    for archive in later:
        checked = check(profile, _later(observer, archive, end))
        lines += ["", *report.of_check(checked, listed)]
    if arguments.json:
        file = mud.mud(profile, device=arguments.subject if named else "", url=url, now=time.time())
        results.write(arguments.json, json.dumps(file, indent=2, ensure_ascii=False) + "\n")
        lines.append(f"-> {arguments.json}")
    terminal.say(*lines)
    return 1 if any(one.errors for one in (learned, *later)) else 0


def _later(observer: Observer, archive: Archive, end: float) -> Uses:
    """The uses after the last session that was learned from, ``end``."""
    uses: Uses = {}
    before = 0
    for seen in observer.see(archive):
        is_later = seen.ts > end
        before += int(np.count_nonzero(~is_later))
        count(seen, uses, is_later)
    if not uses:
        raise ArchiveError(
            f"--check: no session of these hosts after {print_second(end)}, up to which the "
            "profile is learned; give later days"
        )
    if before:
        LOG.warning(
            "--check: %d sessions until %s are left out: the profile is learned up to then",
            before,
            print_second(end),
        )
    return uses


def _read(paths: Sequence[str], settings: Settings) -> Archive:
    from nba_broker.archive import conn_log  # needs pyarrow, which the worker does without

    archive = conn_log.read(paths, local=[str(one) for one in settings.local], names=True)
    for line in archive.errors:
        LOG.error("%s", line)
    for line in archive.warnings:
        LOG.warning("%s", line)
    if not archive.dns_logs:
        LOG.warning(
            "%s: no dns logs, so no names; rules for the Internet will be by address",
            ", ".join(paths[:3]),
        )
    return archive


def _host(subject: str) -> str:
    """A MAC or an address as Zeek prints it, "" for any other text."""
    mac = canonical_mac(subject)
    if is_mac(mac):
        return mac
    try:
        return canonical(subject)[0]
    except (OSError, ValueError):
        return ""


def _slots(host: str, hosts: Hosts) -> list[int]:
    slots = hosts.of(host)
    if not slots:
        raise ArchiveError(f"{host}: no such host in the archive; give its MAC or its address")
    if len(slots) > 1 and not is_mac(host):
        names = ", ".join(map(hosts.name, slots[:4]))
        raise ArchiveError(f"{host}: was the address of {len(slots)} hosts; give a MAC: {names}")
    return slots


def _slots_of(named: devices.Named, hosts: Hosts) -> list[int]:
    slots = {slot for host in named.hosts for slot in hosts.of(host) if _is_of(hosts, slot, host)}
    if not slots:
        raise ArchiveError(
            f"none of its {len(named.hosts)} hosts ({', '.join(named.hosts[:4])}) is in the archive"
        )
    return sorted(slots)


def _is_of(hosts: Hosts, slot: int, host: str) -> bool:
    """Whether a host is meant by this name: an address names only hosts without a known MAC."""
    return is_mac(host) or not is_mac(hosts.name(slot))


def _named(arguments: argparse.Namespace) -> devices.Named:
    """The hosts of the device that the command line names."""
    device = arguments.subject
    if not device.isprintable():
        raise ConfigError(f"{device!r} is neither a MAC, nor an address, nor a device's name")
    places = [arguments.verdicts] if arguments.verdicts else [Path(one) for one in arguments.paths]
    files = [file for place in places for file in _logs(place, bool(arguments.verdicts))]
    if not files:
        raise ConfigError(
            f"{device}: is no MAC or address, and there is no {options.DEVICE_LOG} that names "
            "devices; run nba-broker score first, and give its folder with --verdicts"
        )
    rows: Iterator[Mapping[str, Any]] = (row for file in files for row in zeek_log.rows(file))
    found = devices.named(device, rows)
    for host, state in found.others:
        LOG.warning("%s is %s: left out, as a profile must not allow that", host, state)
    if not found.hosts:
        known = ", ".join(found.devices) or "none"
        raise ConfigError(f"{device}: no host is identified as it; devices that hosts are: {known}")
    return found


def _logs(place: Path, is_given: bool) -> list[Path]:
    """The files with verdicts at a path that was given for them, or in an archive's folder."""
    from nba_broker.triage.files import Finder  # only the page and this command need it

    if place.is_dir():
        return [file.path for file in Finder(place, "nba_device").files()]
    return [place] if is_given else []


def _require(path: Path) -> None:
    """Raise ConfigError unless the profile may be written there: over nothing else but one."""
    results.require(path)
    if path.is_file():
        with path.open("rb") as stream:
            head = stream.read(4096)
        if head and mud.LEARNED.encode() not in head:
            raise ConfigError(f"{path}: exists, and is no learned profile; give another file")


def _repeats(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 365):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to 365")
    return int(text)
