"""``nba-broker score --scheduler`` writes what one process writes, also if Dask workers die."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")

from distributed import LocalCluster

from nba_broker.archive import cluster, site_log
from nba_broker.cli.main import main
from tests.commands import RUN_ELSEWHERE, words
from tests.training.workers import killing
from tests.unit.cli import site_logs

LOGS = "nba_device.log", "nba_site.log"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_logs.write(tmp_path_factory.mktemp("site"))


def logs(out: Path, *arguments: str) -> dict[str, bytes]:
    assert main(["score", *arguments, "--format", "json", "--out", str(out)]) == 0
    return {name: (out / name).read_bytes() for name in LOGS if (out / name).exists()}


def on_workers(
    out: Path, *arguments: str, patch: pytest.MonkeyPatch, after: int
) -> dict[str, bytes]:
    """The logs by way of three workers, of which one is killed while it reads conn logs, and one
    while it reads dns logs."""
    killed: list[int] = []
    with LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as local:
        each = cluster.Cluster.map

        def deadly(self: cluster.Cluster, function: Any, items: Iterable[Any]) -> Iterable[Any]:
            one = killing(lambda *work: each(self, *work), local.scheduler_address, after, killed)
            return one(function, items)

        patch.setattr(cluster.Cluster, "map", deadly)
        found = logs(out, *arguments, "--scheduler", local.scheduler_address)
    assert len(killed) == 2
    return found


def test_the_logs_of_a_site_are_the_same_on_three_workers_of_which_some_are_killed(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(site), "--annotations", str(site / "annotations.csv")]
    here = logs(tmp_path / "here", *arguments)
    printed = capsys.readouterr().out
    events = site_log.read(tmp_path / "here" / LOGS[1])
    assert [event.kind for event in events][:1] == ["internet"]
    assert b"Own_Sensor" in here[LOGS[0]]
    assert here == logs(tmp_path / "two", *arguments, "--processes", "2")
    capsys.readouterr()
    assert here == on_workers(tmp_path / "there", *arguments, patch=monkeypatch, after=2)
    assert capsys.readouterr().out.replace("there", "here") == printed


def test_the_logs_of_real_days_are_the_same_on_three_workers_of_which_some_are_killed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [str(path) for path in sorted((data / "lsif").glob("2019-*"))]
    here = logs(tmp_path / "here", *days)
    assert here[LOGS[0]].count(b"\n") > 100
    assert here == on_workers(tmp_path / "there", *days, patch=monkeypatch, after=7)


def test_the_command_takes_a_scheduler(site: Path, tmp_path: Path) -> None:
    [shown] = [one for one, test in RUN_ELSEWHERE.items() if test.endswith(Path(__file__).name)]
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as local:
        instead = {
            "/lake/zeek": str(site),
            "results": str(tmp_path / "there"),
            "tcp://10.0.0.1:8786": local.scheduler_address,
        }
        assert main(words(shown, **instead)) == 0
    assert (tmp_path / "there" / LOGS[0]).exists()


def test_processes_and_a_scheduler_together_are_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["score", "logs", "--processes", "2", "--scheduler", "tcp://127.0.0.1:1"])
    assert "not allowed with argument --processes" in capsys.readouterr().err


def test_a_scheduler_that_does_not_reply_is_one_clear_error(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "_TIMEOUT", "1s")
    out = tmp_path / "out"
    line = ["score", str(site), "--scheduler", "tcp://127.0.0.1:1", "--out", str(out)]
    assert main(line) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("nba-broker: --scheduler tcp://127.0.0.1:1: ")
    assert not out.exists()
