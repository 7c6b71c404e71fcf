"""``nba-broker score``: conn.log archives to nba_device.log, and nba_site.log."""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nba_broker.archive import cluster, device_log, processes, results, site_log
from nba_broker.archive.elsewhere import Elsewhere
from nba_broker.cli import extras, options, summary, terminal
from nba_broker.cli.build import build_pipeline
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import ArchiveError
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts import annotation_file
from nba_broker.worker.settings import Settings

if TYPE_CHECKING:
    from nba_broker.archive.conn_log import Archive

LOG = logging.getLogger(__name__)


def add_to(commands: options.Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "score",
        parents=[
            options.model_and_pools(),
            options.annotation_file(),
            options.span(),
            options.output(),
        ],
        help="score conn.log archives",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, or - for stdin")
    parser.add_argument("--format", choices=("tsv", "json"), default="tsv")
    elsewhere = parser.add_mutually_exclusive_group()
    elsewhere.add_argument(
        "--processes",
        type=_number,
        default=1,
        metavar="N",
        help="processes that read the logs (default: 1)",
    )
    elsewhere.add_argument(
        "--scheduler",
        metavar="URL",
        help="read the logs with the workers of a Dask cluster (tcp://HOST:8786; default: here)",
    )
    parser.set_defaults(action=score)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, 1 or more")
    return int(text)


def score(arguments: argparse.Namespace, settings: Settings) -> int:
    """Exit status 1 if parts of the archive could not be read."""
    results.require_apart(arguments.out, "--out", settings.model)
    with results.folder(arguments.out, [options.DEVICE_LOG, options.SITE_LOG]) as folder:
        status, lines = _score(arguments, settings, folder)
    terminal.say(*lines)
    return status


def _score(
    arguments: argparse.Namespace, settings: Settings, folder: Path
) -> tuple[int, list[str]]:
    """Write the logs; the exit status, and the lines for standard output."""
    from nba_broker.archive import conn_log  # needs pyarrow, which the worker does without

    log = folder / options.DEVICE_LOG
    local = [str(network) for network in settings.local]
    with _elsewhere(arguments) as others:
        archive = conn_log.read(
            arguments.paths,
            local=local,
            since=arguments.since,
            until=arguments.until,
            others=others,
            names=True,
        )
    for line in archive.errors:
        LOG.error("%s", line)
    for line in archive.warnings:
        LOG.warning("%s", line)
    pipeline = build_pipeline(settings, worker="", threads=len(os.sched_getaffinity(0)))
    for lease in archive.leases:
        pipeline.lease(lease)
    if settings.annotations:
        pipeline.annotate(annotation_file.read(settings.annotations))
    events: list[SiteEvent] = []
    with device_log.Writer(log, arguments.format) as writer:
        for verdict in _verdicts(archive, pipeline, events):
            writer.write(verdict)
    site_log.write(folder / options.SITE_LOG, events, arguments.format)
    report = archive.report  # complete once all sessions were read
    if report.outside and not report.sessions:
        raise ArchiveError(
            f"all {report.outside} sessions of the archive are outside --since and --until"
        )
    _warn(pipeline, report.sessions)
    read = (
        f"{report.files} conn logs ({report.not_hosts} of no host, {report.skipped} rows "
        f"skipped{report.more})"
    )
    written = arguments.out / options.DEVICE_LOG
    lines = summary.lines(pipeline, log, events, read, written)
    return 1 if report.errors else 0, lines


@contextlib.contextmanager
def _elsewhere(arguments: argparse.Namespace) -> Iterator[Elsewhere | None]:
    """What reads the logs beside this process."""
    if arguments.scheduler is None:
        with processes.started(arguments.processes) as some:
            yield some
    else:
        with extras.needed("--scheduler", "cluster"):
            import distributed  # noqa: F401  # a sensor has no cluster
        with cluster.connected(arguments.scheduler, LOG.info) as each:
            yield cluster.workers(each)


def _verdicts(archive: Archive, pipeline: Pipeline, events: list[SiteEvent]) -> Iterator[Verdict]:
    """The verdicts; the events of the site are added to ``events``."""
    announced = archive.names.announced.reader()
    for batch, names in archive.batches_with_names():
        pipeline.announce(announced(float(batch.ts[-1])))
        yield from pipeline.process(batch, names)
        events += pipeline.site_events
        pipeline.site_events.clear()
    pipeline.announce(announced(math.inf))
    yield from pipeline.finish()
    events += pipeline.site_events


def _warn(pipeline: Pipeline, sessions: int) -> None:
    """Log what the archive's sessions have shown; ``sessions`` is their number."""
    for line in pipeline.intake.door.lines:
        LOG.warning("%s", line)
    if pipeline.annotations.waiting and sessions:
        LOG.warning(
            "%d of %d annotations are later than the archive's last session and have no effect; "
            "give them an earlier time (at, or --at)",
            pipeline.annotations.waiting,
            pipeline.annotations.total,
        )
    for line in pipeline.wider.hints("score again with --lans {lan}"):
        LOG.warning("%s", line)
