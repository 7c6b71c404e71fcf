"""A worker for benchmarks: with a verdict for every score, or slower than its sensors.

python -m benchmarks.worker --url URL --metrics HOST:PORT [--every-score] [--slow SECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from dataclasses import replace

from nba_broker.cli import config
from nba_broker.cli.build import build_pipeline
from nba_broker.records.names import NO_NAMES, Names
from nba_broker.records.sessions import Sessions
from nba_broker.wire.connection import Link
from nba_broker.wire.reorder import Reorder
from nba_broker.worker import metrics
from nba_broker.worker.publisher import VERDICT_RATE
from nba_broker.worker.worker import Worker, worker_name

_AT_ONCE = 1e-6  # seconds of event time after which a host is logged again: with its next score


class Slow(Reorder):
    """A reordering that takes so many seconds for each session."""

    def __init__(self, hold: float, seconds: float) -> None:
        super().__init__(hold)
        self._seconds = seconds

    def add(
        self,
        node: str,
        clock: float,
        sessions: Sessions,
        now: float,
        ticket: int = 0,
        names: Names = NO_NAMES,
    ) -> None:
        """As :class:`Reorder`."""
        time.sleep(len(sessions) * self._seconds)
        super().add(node, clock, sessions, now, ticket, names)


def main() -> None:
    """Run it until it is terminated."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--metrics", required=True, metavar="HOST:PORT")
    parser.add_argument("--every-score", action="store_true")
    parser.add_argument("--slow", type=float, default=0.0, metavar="SECONDS", help="a session")
    arguments = parser.parse_args()
    settings = config.load(None, os.environ, {"url": arguments.url})
    if arguments.every_score:
        settings = replace(settings, reminder=_AT_ONCE)
    name = worker_name()
    scorer = metrics.TimedScorer(settings.model)
    pipeline = build_pipeline(
        settings, worker=name, scorer=scorer, reorder=Slow(settings.reorder, arguments.slow)
    )
    worker = Worker(
        Link(settings.url),
        pipeline,
        name=name,
        verdict_rate=1e9 if arguments.every_score else VERDICT_RATE,
    )
    metrics.serve(arguments.metrics, worker, scorer)
    asyncio.run(worker.run())


if __name__ == "__main__":
    main()
