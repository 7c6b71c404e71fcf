"""Figures over a real cluster: manager, logger, proxy and two sensors that publish what they can.

Everything runs on one machine and shares its cores, Zeek's five processes included. Ratios within a
run say more than rates.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import live
from benchmarks.live import PUBLISH
from benchmarks.offline import Figure
from nba_broker.worker.settings import Settings
from testing.processes import Memory, processor
from testing.worker import ACCOUNTS, PATIENCE, Measured, measured_worker, sessions_per_second
from testing.zeek import Argument, Cluster

SENSORS = 2
SESSIONS = 1_000_000  # of each sensor
SINGLE = 200_000  # of each sensor, as events of their own
OFFERED = 200_000.0  # sessions per second of each sensor: more than a worker can take
OVERLOAD = 30.0  # seconds of it
RATE = 20_000.0  # sessions per second of all sensors, for the latency
PACED = 30.0  # seconds of it
WARM = 10.0  # seconds until hosts have windows and caches are filled


@contextlib.contextmanager
def publishing(
    *arguments: Argument, first: tuple[Argument, ...] = (), partitions: int = 1
) -> Iterator[Cluster]:
    """A cluster whose sensors publish as ``arguments`` say; ``first`` are more of the first's."""
    sensor = (PUBLISH, *arguments)
    # The manager sends its WebSocket clients only events that it knows itself.
    settings = (PUBLISH.with_name("single.zeek"), f"NBA::partitions={partitions}")
    sensors = [(*sensor, *first), *[sensor] * (SENSORS - 1)]
    with (
        tempfile.TemporaryDirectory(prefix="nba-") as folder,
        Cluster(Path(folder), sensors, settings=settings) as zeek,
    ):
        yield zeek


def seen(rows: Iterable[dict[str, str]]) -> dict[str, int]:
    """What all sensors have seen, sent and skipped, by nba_stats.log's last row of each run."""
    last = {(row["node"], row["run"]): row for row in rows if row["kind"] == "sensor"}
    return {
        name: sum(int(row[name]) for row in last.values()) for name in ("seen", "sent", "skipped")
    }


def worked(sessions: int, *workers: Measured) -> tuple[float, float]:
    """Sessions per second of the workers together, and per second of their processor time."""

    def spent() -> float:
        return sum(processor(worker.process.pid) for worker in workers)

    sessions_per_second(workers, 1)  # the time to start does not count
    began = spent()
    rate = sessions_per_second(workers, sessions)
    return rate, sessions / (spent() - began)


def throughput() -> Iterator[Figure]:
    """The bare transport and ``nba-broker run`` in turn, in one cluster; then two of these, of a
    partition each; then one event each."""
    sessions = SENSORS * SESSIONS
    with publishing(f"NBA::bench_sessions={SESSIONS}") as zeek:
        bare = asyncio.run(live.carry(zeek.url, sessions))
        with measured_worker(zeek.url) as worker:
            rate, own = worked(sessions, worker)
            found = worker.settle()
    yield "cluster.transport.sessions", bare.rate, "sessions/s"
    yield "cluster.transport.lost", bare.lost, "sessions"
    yield "cluster.worker.sessions", rate, "sessions/s"
    yield "cluster.worker.own", own, "sessions/cpu-s"
    yield "cluster.worker.lost", found["nba_lost_sessions_total"], "sessions"
    yield "cluster.worker.scored", found["nba_scored_windows_total"], "windows"
    yield "cluster.worker_against_transport", rate / bare.rate, "ratio"
    with (
        publishing(f"NBA::bench_sessions={SESSIONS // 2}", partitions=2) as zeek,
        measured_worker(zeek.url) as one,
        measured_worker(zeek.url, "--partition", "1") as other,
    ):
        together, own = worked(sessions, one, other)
        lost = sum(each.settle()["nba_lost_sessions_total"] for each in (one, other))
    yield "cluster.two_workers.sessions", together, "sessions/s"
    yield "cluster.two_workers.own", own, "sessions/cpu-s"
    yield "cluster.two_workers.lost", lost, "sessions"
    yield "cluster.two_workers_against_one", together / rate, "ratio"
    with publishing(f"NBA::bench_sessions={SINGLE}", "NBA::bench_single=T") as zeek:
        received, rate = asyncio.run(live.carry_single(zeek.url))
        zeek.stop()
        offered = seen(zeek.rows("nba_stats"))["seen"]
    yield "cluster.single_events.sessions", rate, "sessions/s"
    yield "cluster.single_events.dropped", 1 - received / offered, "of sessions"


def overload() -> Iterator[Figure]:
    """More sessions than a worker can take: what becomes of each, and of the memory."""
    sessions = int(OFFERED * OVERLOAD)
    options = (f"NBA::bench_sessions={sessions}", f"NBA::bench_rate={OFFERED}")
    with publishing(*options) as zeek:
        with measured_worker(zeek.url) as worker:
            processes = {name: node.pid for name, node in zeek.nodes.items()}
            processes["worker"] = worker.process.pid
            with Memory(lambda: processes) as memory:
                worker.watch(1)
                began = len(memory.notes)
                found = worker.settle(OVERLOAD + PATIENCE)
                notes = memory.notes[began:]
        zeek.stop()
        offered = seen(zeek.rows("nba_stats"))
    accounted = {name: int(found[f"nba_{name}_sessions_total"]) for name in ACCOUNTS}
    yield "overload.offered", offered["seen"] / OVERLOAD, "sessions/s"
    yield "overload.taken", accounted["received"] / offered["seen"], "of sessions"
    yield "overload.skipped", accounted["skipped"], "sessions"
    yield "overload.lost", accounted["lost"], "sessions"
    yield "overload.missed", accounted["missed"], "sessions"
    yield "overload.skipped_unknown", offered["skipped"] - accounted["skipped"], "sessions"
    yield "overload.unaccounted", offered["seen"] - sum(accounted.values()), "sessions"
    half, end = (at * OVERLOAD for at in (0.5, 0.9))
    start = notes[0][0] if notes else 0.0
    growth = {
        name: value - memory.around(start + half, 4).get(name, 0.0)
        for name, value in memory.around(start + end, 4).items()
    }
    yield "overload.worker_growth", growth.pop("worker") / 1e6, "MB"
    yield "overload.zeek_growth", sum(growth.values()) / 1e6, "MB"


def latency() -> Iterator[Figure]:
    """From a session's publication to its verdict's arrival at the sensor, at a steady rate."""
    script = PUBLISH.with_name("latency.zeek")
    seconds = WARM + PACED
    per_sensor = RATE / SENSORS
    options = (f"NBA::bench_sessions={int(seconds * per_sensor)}", f"NBA::bench_rate={per_sensor}")
    with publishing(*options, first=(script,)) as zeek:
        command = ("benchmarks.worker", "--every-score")
        with measured_worker(zeek.url, command=command) as worker:
            worker.watch(1)
            found = worker.settle(seconds + PATIENCE)
        zeek.stop()
        took = latencies(zeek.nodes[zeek.sensors[0]].folder / "latencies", WARM)
        offered = seen(zeek.rows("nba_stats"))
    yield "latency.offered", offered["seen"] / seconds, "sessions/s"
    yield "latency.skipped", offered["skipped"], "sessions"
    yield "latency.lost", found["nba_lost_sessions_total"], "sessions"
    yield "latency.verdicts", len(took) / PACED, "verdicts/s"
    p50, p99 = np.percentile(took, (50, 99)) * 1e3
    yield "latency.p50", float(p50), "ms"
    yield "latency.p99", float(p99), "ms"
    yield "latency.p99_beyond_hold", float(p99) - Settings.reorder * 1e3, "ms"


def latencies(file: Path, warm: float) -> np.ndarray:
    """The seconds that verdicts took, as latency.zeek writes them; not of the first ``warm``
    seconds after the first of them."""
    when, took = np.loadtxt(file, ndmin=2).reshape(-1, 2).T
    return np.asarray(took[when >= when.min() + warm]) if len(when) else took
