"""The archive that the arguments of a command name: its pools and its labelled sessions."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nba_broker.archive import conn_log
from nba_broker.cli import config
from nba_broker.destinations import overrides
from nba_broker.destinations.databases import SCHEMES, Database
from nba_broker.destinations.pools import Pools
from nba_broker.records.errors import ConfigError
from nba_broker.verdicts import annotation_file
from training.cli.arguments import say
from training.data import dataset, labels, public_counts
from training.data.dataset import Origin
from training.data.labelled_sessions import LabelledSessions
from training.data.public_counts import Pairs


def pools(arguments: argparse.Namespace, scheme: str, known: Sequence[str] = ()) -> Pools:
    """The pools of an archive; ``known``: names of pools in a model."""
    names = "pools", "overrides", "lans", "nat64"
    settings = config.load(None, {}, {name: getattr(arguments, name) for name in names})
    made = Pools(
        [Database(path) for path in settings.pools],
        scheme=scheme,
        lans=settings.lans,
        overrides=overrides.read(settings.overrides) if settings.overrides else (),
        nat64=settings.nat64,
    )
    made.know(known)
    return made


def background(arguments: argparse.Namespace, pools: Pools) -> list[Pairs]:
    """The counts of other networks' devices, with the pools that overrides give to names; none if
    the shipped ones are of other pools."""
    scheme = pools.scheme
    given: Path | None = arguments.background
    if given == Path("none") or (given is None and scheme != SCHEMES[0]):
        return []
    path = given or config.shipped("background") / public_counts.COUNTS_FILE
    devices = public_counts.read(path, scheme)
    left_out = set(arguments.background_without)
    if wrong := left_out - {one.source for one in devices}:
        raise ConfigError(f"--background-without: {path} has no source {', '.join(sorted(wrong))}")
    return [
        public_counts.overridden(one.pairs, pools) for one in devices if one.source not in left_out
    ]


def load(
    arguments: argparse.Namespace, pools: Pools, annotations: Path | None = None
) -> tuple[LabelledSessions, Origin]:
    """The labelled sessions, with a line about them."""
    rows = labels.read(arguments.labels)
    if annotations is not None:
        rows, unused = labels.annotated(rows, annotation_file.read(annotations))
        for one in unused:
            say(f"not used: the annotation of {one.host} has neither a MAC nor an address")
    began = time.monotonic()
    sessions, origin = dataset.load(
        arguments.archive,
        rows,
        pools,
        since=arguments.since,
        until=arguments.until,
        memory=arguments.memory,
        each=arguments.each,
    )
    report(arguments, sessions, origin, began)
    return sessions, origin


def load_rows(
    arguments: argparse.Namespace, pools: Pools
) -> tuple[LabelledSessions, Origin, conn_log.Archive, np.ndarray]:
    """The same with the archive and each session's row of it; see
    :func:`training.data.dataset.load_rows`."""
    rows = labels.read(arguments.labels)
    began = time.monotonic()
    loaded = dataset.load_rows(
        arguments.archive,
        rows,
        pools,
        since=arguments.since,
        until=arguments.until,
        memory=arguments.memory,
        each=arguments.each,
    )
    sessions, origin, *_ = loaded
    report(arguments, sessions, origin, began)
    return loaded


def report(
    arguments: argparse.Namespace, sessions: LabelledSessions, origin: Origin, began: float
) -> None:
    """Print warnings, and a line with what was read since ``began``, a monotonic time."""
    arguments.incomplete = origin.incomplete
    warn(origin.warnings)
    say(
        f"{len(sessions)} sessions of {len(np.unique(sessions.series))} labelled hosts from "
        f"{origin.logs} conn logs in {time.monotonic() - began:.1f} s; left out: "
        f"{origin.unlabelled_sessions} sessions of {origin.unlabelled_hosts} hosts without a label"
    )


def warn(warnings: Sequence[str]) -> None:
    """Print warnings on standard error."""
    for warning in warnings:
        print(f"nba-train: warning: {warning}", file=sys.stderr)
