"""What a Dask cluster's workers make of an archive is what one process does, also if they die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("distributed")

from distributed import Client, LocalCluster

import nba_broker
from nba_broker.archive import cluster, conn_log
from nba_broker.archive.cluster import workers
from nba_broker.archive.elsewhere import Each
from nba_broker.cli import config
from nba_broker.destinations.databases import Database
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import Schedule, Windows
from nba_broker.records.errors import ArchiveError, ConfigError, ModelError
from tests.commands import RUN_ELSEWHERE, words
from tests.training.workers import killing
from training.cli.main import main
from training.data import dataset, labelled_sessions, labelling, labels
from training.data.labelled_sessions import LabelledSessions
from training.evaluation.evaluate import evaluate

INCOMPLETE = 1  # one of the site's logs is none
MODEL = config.shipped("default")
EVERY = Schedule(length=8, min_sessions=3)
HOSTS = {f"10.0.0.{n}": f"02:00:00:00:00:{n:02x}" for n in range(1, 6)}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with two workers, each a process, of which none is killed."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as local:
        yield local.scheduler_address


@pytest.fixture
def doomed() -> Iterator[str]:
    """As ``scheduler``, for one test, which may kill its workers: after that others could wait for
    them in vain."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as local:
        yield local.scheduler_address


@pytest.fixture
def each_doomed(doomed: str) -> Iterator[Each]:
    with cluster.connected(doomed) as found:
        assert found is not None
        yield found


@pytest.fixture
def each(scheduler: str) -> Iterator[Each]:
    with cluster.connected(scheduler) as found:
        assert found is not None
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight conn logs of five hosts, rows in no order, MACs known late, one log cut off; labels."""
    folder = tmp_path_factory.mktemp("site")
    rng = np.random.default_rng(0)
    for number in range(8):
        lines = ["#separator \\x09", "#path\tconn"]
        lines.append("#fields\tts\tuid\tid.orig_h\tid.resp_h\tid.resp_p\torig_l2_addr")
        for n, ts in enumerate(rng.uniform(number * 1000, number * 1000 + 1500, 300).round(1)):
            host = rng.choice(list(HOSTS))
            mac = HOSTS[host] if ts > 2000 and n % 3 else "-"
            dst = f"{rng.integers(1, 200)}.1.1.{rng.integers(1, 4)}"
            lines.append(f"{ts:.6f}\tC{number}x{n}\t{host}\t{dst}\t443\t{mac}")
        lines.append("torn")
        (folder / f"conn.{number}.log").write_text("\n".join(lines) + "\n")
    (folder / "conn.9.log").write_text("no log\n")
    rows = [f"{mac},Device_{mac[-1]},thing" for mac in HOSTS.values()]
    (folder / "labels.csv").write_text("\n".join(["host,device,category", *rows]) + "\n")
    return folder


def load(
    site: Path, each: Each | None = None, logs: str = ""
) -> tuple[LabelledSessions, dataset.Origin]:
    """The labelled sessions of a site, or of those of its folders that match ``logs``."""
    paths = sorted(site.glob(logs)) if logs else [site]
    pools = Pools([Database(config.shipped("asn.mmdb.xz"))])
    return dataset.load(paths, labels.read([site / "labels.csv"]), pools, each=each)


def windows(sessions: LabelledSessions) -> tuple[Windows]:
    return (sessions.windows(EVERY),)


def assert_same(one: LabelledSessions, other: LabelledSessions) -> None:
    assert one.table == other.table
    for name in ("ts", "series", "pool", "dport"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def assert_same_windows(one: Windows, other: Windows) -> None:
    for name in ("slot", "index", "count", "pool", "interval", "dport"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_workers_read_the_same_archive(site: Path, each: Each) -> None:
    here, there = (
        conn_log.read([site], memory=1 << 16, others=workers(one)) for one in (None, each)
    )
    assert here.report.skipped_in == there.report.skipped_in != {}
    assert here.report.rows == there.report.rows == 8 * 301
    assert len(here.report.errors) == len(there.report.errors) == 1
    assert here.logs == there.logs
    for name in ("addresses", "macs"):
        assert getattr(here, name).tolist() == getattr(there, name).tolist()
    for one, other in zip(here.rows(), there.rows(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_workers_make_the_same_windows(
    site: Path, each: Each, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled_sessions, "_TOGETHER", 500)  # so that there is more than one part
    sessions, origin = load(site)
    there, same = load(site, each)
    assert_same(sessions, there)
    assert origin.fingerprint == same.fingerprint
    (made,) = sessions.apart(windows, each)
    assert_same_windows(made, sessions.windows(EVERY))


def test_an_evaluation_has_the_same_figures_wherever_it_runs(
    site: Path, each: Each, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled_sessions, "_TOGETHER", 500)
    sessions, _ = load(site)
    assert evaluate(Scorer(MODEL), sessions) == evaluate(Scorer(MODEL), sessions, each)


def test_a_worker_that_is_killed_costs_no_session(
    site: Path, doomed: str, each_doomed: Each
) -> None:
    killed: list[int] = []
    there, origin = load(site, killing(each_doomed, doomed, 3, killed))
    sessions, same = load(site)
    assert_same(sessions, there)
    assert origin.fingerprint == same.fingerprint
    with Client(doomed, set_as_default=False) as client:
        assert killed
        assert killed[0] not in client.run(os.getpid).values()


def test_a_worker_that_is_killed_costs_no_window(
    site: Path, doomed: str, each_doomed: Each, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled_sessions, "_TOGETHER", 500)
    sessions, _ = load(site)
    killed: list[int] = []
    (made,) = sessions.apart(windows, killing(each_doomed, doomed, 2, killed))
    assert killed
    assert_same_windows(made, sessions.windows(EVERY))


def test_a_fit_is_the_same_on_three_workers_of_which_one_after_another_is_killed(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = pytest.importorskip("training.model.fit")
    settings = pytest.importorskip("training.model.settings")
    quick = replace(settings.DEFAULT, window=8, hidden=8, epochs=2, per_class=128, batch=64)
    monkeypatch.setattr(fit, "fit", partial(fit.fit, settings=quick))
    monkeypatch.setattr(labelled_sessions, "_TOGETHER", 200)
    monkeypatch.setattr(labelling, "_AT_ONCE", 200)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    here, there = (tmp_path / where / "model" for where in ("here", "there"))
    line = ["fit", str(site), "--labels", str(site / "labels.csv"), "--out"]
    assert main([*line, str(here)]) == INCOMPLETE
    killed: list[int] = []
    with LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as local:
        each = cluster.Cluster.map

        def deadly(self: cluster.Cluster, *work: Any) -> Iterable[Any]:
            return killing(partial(each, self), local.scheduler_address, 3, killed)(*work)

        monkeypatch.setattr(cluster.Cluster, "map", deadly)
        assert main([*line, str(there), "--scheduler", local.scheduler_address]) == INCOMPLETE
    # As they read, labelled, and made the windows of the early sessions and of all.
    assert len(killed) == 4
    for name in ("model.onnx", "manifest.json"):
        assert (here / name).read_bytes() == (there / name).read_bytes()


def test_results_come_in_order_whichever_is_ready_first(each: Each) -> None:
    assert list(each(_sleepy, [0.4, 0.0, 0.2, 0.0, 0.1, 0.0])) == [0.4, 0.0, 0.2, 0.0, 0.1, 0.0]


def test_a_part_that_kills_every_worker_is_one_clear_error(each_doomed: Each) -> None:
    with pytest.raises(ArchiveError, match="more memory"):
        list(each_doomed(_deadly, ["anything"]))


def test_a_task_that_does_not_get_on_is_given_to_another_worker(
    each_doomed: Each, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 1.0)
    items = [tmp_path / f"{number}" for number in range(4)]
    assert list(each_doomed(_stuck_the_first_time, items)) == items


def test_a_file_that_a_worker_cannot_see_is_an_error_and_not_left_out(
    site: Path, each: Each, tmp_path: Path
) -> None:
    path = tmp_path / "conn.log"
    path.write_text((site / "conn.0.log").read_text())

    def vanishing(function: Callable[[Path], Any], items: Iterable[Path]) -> Iterable[Any]:
        path.unlink()
        return each(function, items)

    with pytest.raises(ArchiveError, match=r"conn\.log: not readable on .*same path"):
        conn_log.read([site / "conn.1.log", path], others=workers(vanishing))


def test_standard_input_is_of_this_process_alone(each: Each) -> None:
    with pytest.raises(ArchiveError, match="standard input"):
        conn_log.read(["-"], others=workers(each))


def test_a_worker_with_another_model_under_the_same_name_is_an_error(
    site: Path, model_folder: Callable[..., Path], each: Each
) -> None:
    scorer = Scorer(model_folder())
    model_folder(thresholds={"known": 0.9})
    sessions, _ = load(site)
    with pytest.raises(ModelError, match="is another one than here"):
        evaluate(scorer, sessions, each)


def test_a_worker_of_another_version_is_an_error(
    scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nba_broker, "__version__", "99.0")
    with pytest.raises(ConfigError, match=r"99\.0 here and .* on tcp://"):
        cluster.Cluster(scheduler)


def test_so_is_one_that_comes_later(each: Each, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nba_broker, "__version__", "99.0")
    with pytest.raises(ArchiveError, match=r"99\.0 here and .* install the same"):
        list(each(_sleepy, [0.0]))


def test_the_command_takes_a_scheduler(site: Path, scheduler: str, tmp_path: Path) -> None:
    [shown] = [
        command for command, test in RUN_ELSEWHERE.items() if test.endswith(Path(__file__).name)
    ]
    instead = {
        "/lake/zeek": str(site),
        "labels.csv": str(site / "labels.csv"),
        "mymodel": str(MODEL),
        "report.json": str(tmp_path / "there"),
        "tcp://10.0.0.1:8786": scheduler,
    }
    assert main(words(shown, **instead)) == INCOMPLETE
    here = ["evaluate", str(site), "--labels", str(site / "labels.csv"), "--model", str(MODEL)]
    assert main([*here, "--json", str(tmp_path / "here")]) == INCOMPLETE
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("here", "there"))
    assert one.pop("command") != other.pop("command")
    assert one == other
    assert one["windows"] > 1000


def test_a_scheduler_that_does_not_reply_is_one_clear_error(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "_TIMEOUT", "1s")
    line = ["fit", str(site), "--labels", "l", "--out", "o", "--scheduler", "tcp://127.0.0.1:1"]
    assert main(line) == 1
    error = capsys.readouterr().err
    assert error.startswith("nba-train: --scheduler tcp://127.0.0.1:1: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("scheduler", ["nonsense", "foo://here:1", "tcp://here"])
def test_what_is_no_address_is_one_line_and_leaves_nothing_to_be_closed(
    scheduler: str, site: Path
) -> None:
    line = ["fit", str(site), "--labels", "l", "--out", "o", "--scheduler", scheduler]
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "training.cli.main", *line], capture_output=True)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"nba-train: --scheduler {scheduler}: ")
    assert done.stderr.count(b"\n") == 1
    assert time.monotonic() - began < 30  # a client that cannot be closed is waited for a minute


def test_a_scheduler_without_workers_is_named_and_waited_for() -> None:
    said = []
    with LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as local:

        def say(line: str) -> None:
            said.append(line)
            local.scale(1)

        with cluster.connected(local.scheduler_address, say) as each:
            assert each is not None
            assert list(each(_sleepy, [0.0])) == [0.0]
        assert said == [f"waiting for a worker of {local.scheduler_address}"]


def test_real_days_are_the_same_on_three_workers_one_of_which_is_killed(data: Path) -> None:
    site, days = data / "lsif", "2019-07-0[1-4]"
    sessions, origin = load(site, logs=days)
    killed: list[int] = []
    with (
        LocalCluster(
            n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as local,
        cluster.connected(local.scheduler_address) as each,
    ):
        assert each is not None
        there, same = load(site, killing(each, local.scheduler_address, 2, killed), days)
        (made,) = there.apart(windows, killing(each, local.scheduler_address, 2, killed))
        figures = evaluate(Scorer(MODEL), there, each)
    assert len(killed) == 4  # as they read conn and dns logs, labelled, and made windows
    assert_same(sessions, there)
    assert origin == same
    assert_same_windows(made, sessions.windows(EVERY))
    assert figures == evaluate(Scorer(MODEL), sessions)


def _stuck_the_first_time(item: Path) -> Path:
    try:
        (item.parent / "begun").touch(exist_ok=False)
    except FileExistsError:
        return item
    time.sleep(600)
    raise AssertionError


def _sleepy(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def _deadly(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
