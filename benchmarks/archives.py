"""How fast an archive becomes windows and figures here, and by workers of a Dask cluster."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.offline import Figure
from benchmarks.workers import started
from nba_broker.archive import cluster
from nba_broker.archive.elsewhere import Each
from nba_broker.cli import config
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from nba_broker.model.features import Services, Vocabulary
from nba_broker.model.scorer import Scorer
from testing import traffic
from testing.processes import highest, processor

FILES = 8
LABELLED = 50  # hosts, of this many:
HOSTS = 1_000


def workers(rows: int, most: int = 2) -> Iterator[Figure]:
    """In this process, then with 1, 2, ... workers on this machine, each a process of one thread.

    The files are those of one archive, plain and of the same size. ``own``: in processor time of
    the process that asks and of the scheduler in it, which more workers do not share; ``theirs``:
    in that of the workers.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = traffic.Traffic(HOSTS)
        for number in range(FILES):
            traffic.conn_log(folder / f"conn.{number}.log", rows // FILES, source)
        size = sum(file.stat().st_size for file in folder.iterdir())
        yield "archive.bytes", size / rows, "B/row"
        yield from _figures(folder, rows, "here", None, [])
        for number in range(1, most + 1):
            with (
                started(number, "training.evaluation.evaluate") as (scheduler, pids),
                cluster.connected(scheduler) as each,
            ):
                yield from _figures(folder, rows, f"{number}_workers", each, pids)
                yield f"archive.memory.{number}_workers", max(map(highest, pids)) / 1e6, "MB/worker"


def _figures(
    folder: Path, rows: int, name: str, each: Each | None, pids: list[int]
) -> Iterator[Figure]:
    from training.data import dataset
    from training.data.labels import Label
    from training.evaluation.evaluate import evaluate
    from training.model.examples import examples
    from training.model.settings import DEFAULT

    pools = Pools([Database(config.shipped("asn.mmdb.xz"))])
    labels = [Label(traffic.mac(n), f"Device_{n}", "thing") for n in range(LABELLED)]
    began, own, theirs = time.perf_counter(), time.process_time(), sum(map(processor, pids))
    sessions, _ = dataset.load([folder], labels, pools, each=each)
    yield f"archive.read.{name}", rows / (time.perf_counter() - began), "rows/s"
    yield f"archive.read.own.{name}", rows / (time.process_time() - own), "rows/cpu-s"
    if pids:
        theirs = sum(map(processor, pids)) - theirs
        yield f"archive.read.theirs.{name}", rows / theirs, "rows/cpu-s"
    classes, services = sessions.classes(), Services.of(sessions.dport)
    vocabulary = Vocabulary(sessions.table)
    began, own = time.perf_counter(), time.process_time()
    made = examples(sessions, classes, vocabulary, services, DEFAULT, each=each or map)
    yield f"archive.windows.{name}", len(made) / (time.perf_counter() - began), "windows/s"
    yield f"archive.windows.own.{name}", len(made) / (time.process_time() - own), "windows/cpu-s"
    del made
    scorer = Scorer(config.shipped("default"))
    began = time.perf_counter()
    figures = evaluate(scorer, sessions, each)
    yield (
        f"archive.evaluate.{name}",
        figures["windows"] / (time.perf_counter() - began),
        "windows/s",
    )
