"""``nba-broker run``: the live worker."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import logging
import secrets
import signal

from nba_broker.archive import results
from nba_broker.cli import options
from nba_broker.cli.build import build_pipeline, build_tls
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ModelError, SnapshotError
from nba_broker.verdicts.shadow import Shadow
from nba_broker.wire.accounting import Position
from nba_broker.wire.connection import Link
from nba_broker.worker import lock, metrics, snapshot, snapshot_file
from nba_broker.worker.settings import Settings
from nba_broker.worker.worker import Worker, worker_name

LOG = logging.getLogger(__name__)


def add_to(commands: options.Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "run",
        parents=[options.model_and_pools(), options.zeek(), options.annotation_file()],
        help="run the worker",
    )
    parser.add_argument("--metrics", metavar="HOST:PORT", help="serve metrics for Prometheus there")
    parser.add_argument(
        "--shadow", metavar="DIR", help="a candidate model: compare its verdicts, publish none"
    )
    parser.set_defaults(action=run)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the worker until it is terminated."""
    name = worker_name(settings.partition)
    if settings.state:
        results.require_apart(settings.state, "--state", settings.model)
    if settings.state and settings.shadow:
        results.require_apart(settings.state, "--state", settings.shadow, "--shadow")
    state = snapshot_file.path_in(settings.state) if settings.state else None
    scorer = metrics.TimedScorer(settings.model)
    build = functools.partial(
        build_pipeline, settings, worker=name, scorer=scorer, secret=secrets.token_bytes(16)
    )
    pipeline = build(shadow=_shadow(settings))
    LOG.info("model %s, worker %s", pipeline.scorer.manifest.id, name)
    if pipeline.shadow is not None:
        LOG.info("shadow %s", pipeline.shadow.scorer.manifest.id)
    # ``hosts`` may ask for a snapshot before the worker listens to the signal.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with lock.held(state.parent) if state else contextlib.nullcontext():
        positions: dict[str, Position] = {}
        if state is not None and state.exists():
            try:
                positions = snapshot.restore(state, pipeline, settings.partition)
                LOG.info("restored %d hosts from %s", pipeline.hosts, state)
            except SnapshotError as error:
                bad = snapshot_file.set_aside(state)
                LOG.error("%s; moved to %s, starting without hosts", error, bad)
                pipeline = build(shadow=_shadow(settings))
        worker = Worker(
            Link(settings.url, partition=settings.partition, tls=build_tls(settings)),
            pipeline,
            name=name,
            databases=settings.pools,
            overrides=settings.overrides,
            annotations=settings.annotations,
            model=settings.model,
            load=functools.partial(metrics.TimedScorer, seconds=scorer.seconds),
            state=state,
            snapshot_interval=settings.snapshot_interval,
            positions=positions,
        )
        if settings.metrics:
            metrics.serve(settings.metrics, worker, scorer)
            LOG.info("metrics at http://%s/metrics", settings.metrics)
        # A frame decodes to thousands of objects without a cycle. Python's default, a collection
        # every 700 objects, takes a tenth of the event loop's time.
        gc.set_threshold(50_000)
        asyncio.run(worker.run())
    LOG.info("stopped after %d sessions", pipeline.counters.sessions)
    return 0


def _shadow(settings: Settings) -> Shadow | None:
    try:
        return Shadow(Scorer(settings.shadow)) if settings.shadow else None
    except ModelError as error:
        raise ModelError(f"--shadow: {error}") from error
