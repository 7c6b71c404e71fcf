"""The metrics for Prometheus: the counters at the time of a scrape, and how long scoring takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nba_broker.model.drift import Drift
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import Windows
from nba_broker.records.errors import ConfigError
from nba_broker.verdicts.shadow import Shadow
from nba_broker.wire.accounting import Ledger
from nba_broker.worker.worker import Worker

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class TimedScorer(Scorer):
    """A scorer with a histogram of the seconds that it takes for the windows of one step.

    seconds: the histogram to continue, from the scorer of the model before.
    """

    def __init__(self, folder: Path, seconds: Histogram | None = None) -> None:
        super().__init__(folder)
        self.seconds = seconds or Histogram(
            "nba_scoring_seconds",
            "Time to score the windows of one step",
            registry=None,
            buckets=_SECONDS,
        )

    def __call__(
        self, windows: Windows, table: list[str], text: Callable[[int], str] | None = None
    ) -> Scores:
        """As :class:`Scorer`."""
        with self.seconds.time():
            return super().__call__(windows, table, text)


class WorkerCollector(Collector):
    """Reads a worker's counters at the time of a scrape; nothing is counted twice."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """All metrics except the histogram; docs/operations.md lists them."""
        worker, pipeline = self._worker, self._worker.pipeline
        yield from _accounts("sessions", worker.ledger, ("received", "lost", "skipped", "missed"))
        yield from _accounts("names", worker.names, ("received", "lost", "skipped"))
        invalid = CounterMetricFamily(
            "nba_invalid_messages",
            "Messages that broke the contract, and internal errors",
            labels=["kind"],
        )
        for kind, number in list(worker.invalid.items()):
            invalid.add_metric([kind], number)
        yield invalid
        events = CounterMetricFamily(
            "nba_site_events", "Events of the whole site that have begun", labels=["kind"]
        )
        for kind, number in worker.site_events.items():
            events.add_metric([kind], number)
        yield events
        counters = pipeline.counters
        for name, text, number in (
            (
                "nba_late_sessions",
                "Sessions that arrived after later ones",
                pipeline.intake.reorder.late,
            ),
            (
                "nba_restamped_sessions",
                "Sessions with an impossible time",
                pipeline.intake.door.restamped,
            ),
            (
                "nba_duplicate_sessions",
                "Sessions that another node also reported",
                pipeline.intake.mirrored.dropped,
            ),
            (
                "nba_late_names",
                "Names that arrived after later ones",
                pipeline.intake.reorder.late_names,
            ),
            (
                "nba_dropped_names",
                "Names that no known host had asked for",
                pipeline.timeline.tracker.askers.dropped,
            ),
            ("nba_processed_names", "Names that the pipeline processed", counters.answers),
            ("nba_processed_sessions", "Sessions that the pipeline processed", counters.sessions),
            ("nba_scored_windows", "Windows that the model scored", counters.scored),
            ("nba_evicted_hosts", "Hosts evicted to make room for others", counters.evicted),
            ("nba_verdicts", "Verdicts published", counters.verdicts),
        ):
            yield CounterMetricFamily(name, text, value=number)
        manifest = pipeline.scorer.manifest
        for name, text, value in (
            ("nba_hosts", "Hosts that are tracked", pipeline.hosts),
            ("nba_routers", "MACs that stand for several hosts", len(pipeline.routers)),
            ("nba_queue_messages", "Messages that wait for the pipeline", worker.queue),
            (
                "nba_lag_seconds",
                "From the oldest session's arrival to its verdict",
                worker.lag,
            ),
            ("nba_connected", "1 while Zeek is connected", worker.link.connected),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        offsets = GaugeMetricFamily(
            "nba_clock_offset_seconds",
            "Seconds that a node's clock is ahead of the others",
            labels=["node"],
        )
        for node, offset in pipeline.intake.door.offsets().items():
            offsets.add_metric([node], offset)
        yield offsets
        partition = GaugeMetricFamily(
            "nba_partition_info", "The partition that the worker serves", labels=["partition"]
        )
        partition.add_metric([str(worker.partition)], 1)
        yield partition
        yield from _drift(pipeline.drift)
        if pipeline.shadow is not None:
            yield from _shadow(pipeline.shadow)
        now = time.time()
        ages = GaugeMetricFamily(
            "nba_database_age_seconds", "Age of an IP database's edition", labels=["file"]
        )
        for database in pipeline.pools.databases:
            ages.add_metric([database.path.name], now - database.built.timestamp())
        yield ages
        model = GaugeMetricFamily("nba_model_info", "The model in use", labels=["model"])
        model.add_metric([manifest.id], 1)
        yield model
        if manifest.created is not None:
            yield GaugeMetricFamily(
                "nba_model_age_seconds",
                "Time since the model was made",
                now - manifest.created.timestamp(),
            )


_OF_ACCOUNT = {
    "received": "{} that arrived",
    "lost": "{} that were sent and did not arrive",
    "skipped": "{} that sensors saw and did not publish",
    "missed": "{} sent before this worker joined",
}


def _accounts(kind: str, ledger: Ledger, counts: tuple[str, ...]) -> Iterator[Metric]:
    """What became of each node's sessions or names."""
    # A copy, since the event loop adds nodes while this thread reads.
    accounts = list(ledger.accounts.items())
    for name in counts:
        text = _OF_ACCOUNT[name].format(kind.capitalize())
        family = CounterMetricFamily(f"nba_{name}_{kind}", text, labels=["node"])
        for node, account in accounts:
            family.add_metric([node], getattr(account, name))
        yield family


def _drift(drift: Drift) -> Iterator[Metric]:
    """Figures of the named hosts over about the last day; absent while there are too few."""
    figures = drift.figures()
    for name, figure, text in (
        ("nba_never_seen_pools_ratio", "never_seen_pools", "Sessions to pools new to the model"),
        ("nba_known_ratio", "known", "Scores of kinds of traffic that the model knows"),
        ("nba_confidence_mean", "confidence", "Mean probability of the first choice"),
        ("nba_surprise_mean", "surprise", "Mean surprise of a session, in nats"),
    ):
        if figure in figures:
            yield GaugeMetricFamily(name, text, value=figures[figure])


def _shadow(shadow: Shadow) -> Iterator[Metric]:
    for name, text, number in (
        ("nba_shadow_scores", "Scores compared with those of the candidate", shadow.scores),
        ("nba_shadow_agreeing_scores", "Compared scores that agree", shadow.agreeing),
        (
            "nba_shadow_skipped_scores",
            "Scores that were not compared",
            shadow.skipped,
        ),
    ):
        yield CounterMetricFamily(name, text, value=number)
    yield GaugeMetricFamily(
        "nba_shadow_differing_hosts",
        "Hosts about which the two models have differed for an hour or more",
        value=len(shadow.differing),
    )
    model = GaugeMetricFamily("nba_shadow_info", "The candidate's model", labels=["model"])
    model.add_metric([shadow.scorer.manifest.id], 1)
    yield model


def serve(where: str, worker: Worker, scorer: TimedScorer) -> None:
    """Serve the metrics at ``HOST:PORT`` on a thread of its own.

    Raises ConfigError if it cannot listen there.
    """
    registry = CollectorRegistry()
    registry.register(WorkerCollector(worker))
    registry.register(scorer.seconds)
    host, _, port = where.rpartition(":")
    try:
        start_http_server(int(port), host.strip("[]") or "127.0.0.1", registry)
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(f"metrics: cannot listen at {where!r} ({error})") from error
