"""Figures that need no Zeek: the pipeline, its memory, decoding, archives, and training."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import workers
from nba_broker.cli import config
from nba_broker.cli.build import build_pipeline
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from nba_broker.model.features import Services, Vocabulary
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import Windows
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.sessions import Sessions
from nba_broker.wire.codec import decode
from nba_broker.wire.reorder import Reorder
from nba_broker.worker import snapshot, snapshot_file
from testing import traffic
from testing.processes import highest, processor
from testing.traffic import Traffic
from tools import generate

Figure = tuple[str, float, str]
"""Name, value and unit."""

STEP = 32  # batches that a busy worker finds waiting, and hands to the pipeline at once
SESSIONS = 500_000
FILES = 16


class Stopwatch(Scorer):
    """A scorer that knows how much processor time it took."""

    seconds = 0.0
    windows = 0

    def __call__(
        self, windows: Windows, table: list[str], text: Callable[[int], str] | None = None
    ) -> Scores:
        """As :class:`Scorer`."""
        began = time.process_time()
        scores = super().__call__(windows, table, text)
        self.seconds += time.process_time() - began
        self.windows += len(windows)
        return scores


def make(max_hosts: int) -> tuple[Pipeline, Stopwatch]:
    """The pipeline as ``nba-broker run`` builds it, with the shipped model and database."""
    settings = replace(config.load(None, os.environ, {}), max_hosts=max_hosts)
    scorer = Stopwatch(settings.model)
    reorder = Reorder(settings.reorder, settle=0)
    return build_pipeline(settings, worker="bench", reorder=reorder, scorer=scorer), scorer


def feed(pipeline: Pipeline, batches: Iterable[Sessions]) -> tuple[int, float]:
    """Hand batches over as a busy worker does; returns sessions and processor seconds."""
    batches = iter(batches)
    sessions, seconds = 0, 0.0
    while step := list(islice(batches, STEP)):
        began = time.process_time()
        for batch in step:
            pipeline.intake.add("bench", float(batch.ts[-1]), batch, 0.0)
        pipeline.flush(0.0)
        seconds += time.process_time() - began
        sessions += sum(map(len, step))
    began = time.process_time()
    pipeline.finish()  # what the reordering still holds
    return sessions, seconds + time.process_time() - began


def pipeline() -> Iterator[Figure]:
    """Decoded batches to verdicts: hosts that are known already, and hosts that are new."""
    rates = []
    for hosts in (10, 1_000, 100_000):  # as in a home, an office, a campus
        made, scorer = make(2 * hosts + 10_000)
        source = Traffic(hosts)
        sessions, seconds = feed(made, source.each_once())
        if hosts == 100_000:
            yield "pipeline.new_hosts", sessions / seconds, "hosts/cpu-s"
        # Until nearly every window is full, as after a day.
        feed(made, source.random(96 * hosts))
        scorer.seconds, scorer.windows = 0.0, 0
        sessions, seconds = feed(made, source.random(SESSIONS))
        rates.append(sessions / seconds)
        yield f"pipeline.sessions.{hosts}_hosts", rates[-1], "sessions/cpu-s"
        yield f"pipeline.scoring_share.{hosts}_hosts", scorer.seconds / seconds, "of cpu time"
        rest = sessions / (seconds - scorer.seconds)
        yield f"pipeline.without_scoring.{hosts}_hosts", rest, "sessions/cpu-s"
        yield f"scorer.windows.{hosts}_hosts", scorer.windows / scorer.seconds, "windows/cpu-s"
    yield "pipeline.100000_against_1000_hosts", rates[2] / rates[1], "ratio"


def memory(hosts: int) -> Iterator[Figure]:
    """Resident bytes per host, at rest and at the most while a snapshot is written."""
    made, _ = make(hosts)
    # Independent of the number of hosts: caches of destinations, the model.
    feed(made, Traffic(100).random(50_000))
    before = _status("VmRSS")
    feed(made, Traffic(hosts).each_once())
    # A score writes the decision's columns, which are untouched, so not resident, until then.
    made.decider.columns.reset(np.arange(hosts))
    at_rest = _status("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
        began = time.process_time()
        longest = 0.0

        def parts() -> Iterator[bytes]:
            nonlocal longest
            content = snapshot.parts(made, {})
            while True:
                start = time.perf_counter()
                part = next(content, None)
                longest = max(longest, time.perf_counter() - start)
                if part is None:
                    return
                yield part

        path = Path(folder) / "s"
        snapshot_file.write(path, parts())
        highest = _status("VmHWM")
        yield f"snapshot.seconds.{hosts}_hosts", time.process_time() - began, "cpu-s"
        yield f"snapshot.longest_pause.{hosts}_hosts", longest * 1e3, "ms"
        yield f"snapshot.bytes.{hosts}_hosts", path.stat().st_size / hosts, "B/host"
    window = made.windows.length
    goal = 60 * window + 300
    yield f"memory.{hosts}_hosts", (at_rest - before) / hosts, "B/host"
    yield f"memory.snapshot.{hosts}_hosts", (highest - before) / hosts, "B/host"
    yield f"memory.{hosts}_hosts_against_goal", (at_rest - before) / hosts / goal, "ratio"


def resident() -> int:
    """Bytes of memory that this process has."""
    return _status("VmRSS")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def decoding() -> Iterator[Figure]:
    """Frames to columns, on the event loop's thread."""
    batches = list(Traffic(1_000).random(200_000))
    frames = [traffic.frame(batch, seq) for seq, batch in enumerate(batches, 1)]
    sessions = sum(map(len, batches))
    for frame in frames[:50]:
        decode(frame)
    began = time.process_time()
    for frame in frames:
        decode(frame)
    seconds = time.process_time() - began
    yield "decode.sessions", sessions / seconds, "sessions/cpu-s"
    yield "decode.bytes", sum(map(len, frames)) / sessions, "B/session"


def archive(rows: int) -> Iterator[Figure]:
    """``nba-broker score`` over one big conn.log, beside pandas.read_csv of the same columns."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "conn.log"
        traffic.conn_log(log, rows, Traffic(1_000))
        read = (
            "import pandas, sys; pandas.read_csv(sys.argv[1], sep='\\t', comment='#', header=None,"
            f"usecols={[traffic.COLUMNS.index(name) for name in _READ]})"
        )
        pandas = child("-c", read, str(log))
        sort = (
            "import sys; from nba_broker.archive import conn_log;"
            "sum(map(len, conn_log.read(sys.argv[1:]).batches()))"
        )
        reading = child("-c", sort, str(log))
        score = child("-m", "nba_broker.cli.main", "score", str(log), "--out", folder)
    name = f"{rows}_rows"
    yield f"read_csv.{name}", rows / pandas.wall, "rows/s"
    yield f"read_csv.cpu.{name}", rows / pandas.cpu, "rows/cpu-s"
    yield f"score.{name}", rows / score.wall, "rows/s"
    yield f"score.cpu.{name}", rows / score.cpu, "rows/cpu-s"
    yield f"score.reading_share.{name}", reading.cpu / score.cpu, "of cpu time"
    yield f"score.against_read_csv.{name}", pandas.wall / score.wall, "ratio"
    yield f"score.cpu.against_read_csv.{name}", pandas.cpu / score.cpu, "ratio"
    yield f"score.memory.{name}", score.memory / 1e6, "MB"


def processes(rows: int) -> Iterator[Figure]:
    """``nba-broker score`` over conn logs of so many rows, and dns logs of half as many, in many
    files, which one process reads, or two, or one or two workers of a Dask cluster.

    ``theirs``: in processor time of these workers; ``cpu`` is without it.
    """
    with tempfile.TemporaryDirectory() as name:
        logs, out = Path(name) / "logs", Path(name) / "out"
        logs.mkdir()
        source, asked = Traffic(1_000), Traffic(1_000)  # the same sessions
        for number in range(FILES):
            traffic.conn_log(logs / f"conn.{number}.log", rows // FILES, source)
            traffic.dns_log(logs / f"dns.{number}.log", rows // FILES, asked)
        command = ("-m", "nba_broker.cli.main", "score", str(logs), "--out", str(out))
        for number in (1, 2):
            score = child(*command, "--processes", str(number))
            yield from _rates(f"{number}_processes", rows, score)
        if find_spec("distributed") is None:
            return
        for number in (1, 2):
            with workers.started(number, "nba_broker.archive.conn_log") as (scheduler, pids):
                theirs = sum(map(processor, pids))
                score = child(*command, "--scheduler", scheduler)
                theirs = sum(map(processor, pids)) - theirs
                yield from _rates(f"{number}_workers", rows, score)
                yield f"score.theirs.{number}_workers", rows / theirs, "sessions/cpu-s"
                memory = max(map(highest, pids))
                yield f"score.memory.theirs.{number}_workers", memory / 1e6, "MB/worker"


def _rates(name: str, rows: int, score: Cost) -> Iterator[Figure]:
    yield f"score.{name}", rows / score.wall, "sessions/s"
    yield f"score.cpu.{name}", rows / score.cpu, "sessions/cpu-s"
    yield f"score.memory.{name}", score.memory / 1e6, "MB"


_READ = ("ts", "uid", "id.orig_h", "id.resp_h", "id.resp_p", "proto", "local_orig", "orig_l2_addr")


class Cost(NamedTuple):
    """The cost of a process: seconds, processor seconds, and bytes resident at most."""

    wall: float
    cpu: float
    memory: int


def child(*arguments: str) -> Cost:
    """The cost of a piece of Python in a process of its own."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, child.args)
    return Cost(
        time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    )


def fit(archive: Path | None, labels: Path | None) -> Iterator[Figure]:
    """``nba-train fit`` of a labelled archive, by default 14 days of seven devices, made up."""
    from training.data import dataset
    from training.data.labels import read
    from training.model import fit as module
    from training.model.examples import examples
    from training.model.settings import DEFAULT

    with tempfile.TemporaryDirectory() as folder:
        if archive is None or labels is None:
            archive, labels = Path(folder), Path(folder) / "labels.csv"
            _generate(archive, labels)
        began = time.perf_counter()
        sessions, _ = dataset.load(
            [archive], read([labels]), Pools([Database(config.shipped("asn.mmdb.xz"))])
        )
        windowing = time.process_time()
        classes, services = sessions.classes(), Services.of(sessions.dport)
        examples(sessions, classes, Vocabulary(sessions.table), services, DEFAULT)
        yield "fit.windowing", time.process_time() - windowing, "cpu-s"
        yield "fit.reading_and_windowing", time.perf_counter() - began, "s"
        yield "fit.reading_and_windowing.memory", _status("VmHWM") / 1e6, "MB"
        fitting = time.process_time()
        module.fit(sessions, say=lambda _: None)
        yield "fit.fitting", time.process_time() - fitting, "cpu-s"
        yield "fit", time.perf_counter() - began, "s"
        yield "fit.memory", _status("VmHWM") / 1e6, "MB"
        yield "fit.sessions", len(sessions), "sessions"


def _generate(archive: Path, labels: Path) -> None:
    profiles = dict(islice(generate.load().items(), 7))
    named = [word for name in profiles for word in ("--device", name)]
    with contextlib.redirect_stdout(sys.stderr):
        generate.main(["--days", "14", "--out", str(archive), *named])
    devices = generate.place(profiles)
    rows = [f"{one.mac},{one.name},{one.profile['category']}" for one in devices]
    labels.write_text("\n".join(["host,device,category", *rows]) + "\n")
