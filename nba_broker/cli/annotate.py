"""``nba-broker label``, ``confirm`` and ``ignore``: add one annotation to the file."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from collections import Counter

from nba_broker.cli import live_state, options
from nba_broker.destinations import overrides
from nba_broker.model.manifest import Manifest
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import ConfigError, ModelError, SnapshotError
from nba_broker.records.times import print_time
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.states import NO_DEVICE
from nba_broker.worker.settings import Settings

LOG = logging.getLogger(__name__)

_HOST = "MAC, address, network or DHCP hostname"


def add_to(commands: options.Commands) -> None:
    """Add the parsers of all three commands."""
    row = argparse.ArgumentParser(add_help=False)
    row.add_argument("--reason", metavar="TEXT", help="a note for later readers")
    row.add_argument(
        "--at", metavar="T", help="date (UTC) or epoch from which on it holds (default: now)"
    )
    parents = [options.model_and_pools(), options.state(), options.annotation_file(), row]

    label = commands.add_parser("label", parents=parents, help="name a host's device")
    label.add_argument("host", metavar="HOST", help=_HOST)
    label.add_argument("device", metavar="DEVICE", help="a device that the model knows, or another")
    label.add_argument("--category", metavar="C", help="of another device: camera, plug, ...")

    confirm = commands.add_parser("confirm", parents=parents, help="confirm a host's verdict")
    confirm.add_argument("host", metavar="HOST", help=_HOST)

    ignore = commands.add_parser("ignore", parents=parents, help="suppress notices")
    ignore.add_argument("host", nargs="?", metavar="HOST", help=f"{_HOST} (default: all hosts)")
    ignore.add_argument("--pool", metavar="P", help="only about this pool, address or network")
    ignore.add_argument(
        "--name",
        metavar="N",
        help="only about this name, such as fw.ring.com or *.ntp.org",
    )
    ignore.add_argument("--expires", metavar="T", help="when this ends (default: never)")
    for parser in (label, confirm, ignore):
        parser.set_defaults(action=annotate)


def annotate(arguments: argparse.Namespace, settings: Settings) -> int:
    """Append a row to the file, and print what it means."""
    if settings.annotations is None:
        raise ConfigError("annotations: give the worker's annotation file (--annotations F.csv)")
    row = {
        name: str(getattr(arguments, name, None) or "")
        for name in ("at", "host", "device", "category", "pool", "reason", "expires", "name")
    }
    row["at"] = row["at"] or print_time(round(time.time(), 3))
    annotation = annotation_file.parse(row | {"action": arguments.command}, arguments.command)
    rows = overrides.read(settings.overrides) if settings.overrides else []
    annotation_file.check_pool(annotation, {pool for _, pool in rows})
    annotation, known = _compared(annotation, settings)
    if other := annotation_file.misspelt(annotation.device, known):
        LOG.warning("the model's class is spelt %s; %s is another device", other, annotation.device)
    annotation_file.append(settings.annotations, annotation)
    # A hostname may be any word, even a misspelt one: print how it was understood.
    host = f"hostname {annotation.host}" if annotation.hostname else annotation.host
    pool = f"pool {annotation.pool}" if annotation.pool else ""
    name = f"name {annotation.name}" if annotation.name else ""
    meant = " ".join(filter(None, (host, pool, name, annotation.device)))
    print(f"{settings.annotations}: {arguments.command} {meant}, from {row['at']} on")
    return 0


def _compared(annotation: Annotation, settings: Settings) -> tuple[Annotation, list[str]]:
    """The annotation, by MAC if the worker's snapshot says it, and the names of known devices."""
    if settings.state is None:
        try:
            manifest = Manifest.load(settings.model)
        except ModelError:  # the model may be on another machine
            return annotation, []
        return annotation, [one.device for one in manifest.classes]
    try:
        pipeline, _ = live_state.read(settings)
    except (ConfigError, SnapshotError) as error:
        if annotation.one_address:  # it needs the MAC
            raise
        LOG.warning("%s; the annotation is not compared with the worker's hosts", error)
        return annotation, []
    known = [one.device for one in pipeline.annotations.devices]
    return _by_mac(annotation, pipeline), known


def _by_mac(annotation: Annotation, pipeline: Pipeline) -> Annotation:
    """The annotation with the MAC in place of an address; logs what may be a mistake."""
    slots = pipeline.annotations.hosts_of(annotation)
    if annotation.host and not slots:
        LOG.warning("the worker knows no host %s", annotation.host)
    identity = pipeline.identity
    if annotation.action == "label":
        _warn_of_names(annotation, slots, pipeline)
    if annotation.one_address and len(slots) > 1:
        LOG.warning(
            "%d hosts have the address %s, in different VLANs or at different sites; the "
            "annotation applies to all of them",
            len(slots),
            annotation.host,
        )
    elif annotation.one_address:
        for mac in filter(None, map(identity.mac, slots)):
            # The address may be another host's tomorrow.
            LOG.info("%s has the MAC %s; the annotation names that", annotation.host, mac)
            annotation = dataclasses.replace(annotation, host=mac)
    return annotation


def _warn_of_names(annotation: Annotation, slots: list[int], pipeline: Pipeline) -> None:
    """Log which other names the hosts have now."""
    devices = pipeline.annotations.devices
    names = Counter(
        devices[host.device].device
        for host in map(pipeline.decider.host, slots)
        if host.device not in (NO_DEVICE, host.label)
    )
    del names[annotation.device]
    for name, number in names.items():
        if len(slots) == 1:
            which = f"{pipeline.identity.address(slots[0])} is"
        else:
            which = f"{number} of {len(slots)} hosts are"
        LOG.warning(
            "%s identified as %s now; traffic like that will not count as an impostor's",
            which,
            name,
        )
