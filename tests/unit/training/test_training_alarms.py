from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.records.ports import port_code
from tests.unit.helpers import pools
from training.cli.main import main
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation.alarms import alarms, judged, printed, rated, table
from training.evaluation.attacks import ATTACKS
from training.evaluation.followed import Followed, between
from training.metrics.intervals import binomial_bounds, poisson_bounds

DAY = 86_400.0
BEGIN = 1_600_000_000.0


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> Followed:
    """A lamp and a lens that call their clouds every ten minutes for eight days."""
    for name in set(ATTACKS) - {"scan", "beacon-60s-mimic"}:
        monkeypatch.delitem(ATTACKS, name)
    ts = np.repeat(BEGIN + np.arange(0, 8 * DAY, 600), 2)
    series = np.arange(len(ts)) % 2
    made: Pools = pools()
    host = np.where(series == 0, "192.168.1.7", "192.168.1.8").astype(object)
    dst = np.where(series == 0, "1.0.0.7", "2.0.0.7").astype(object)
    sessions = LabelledSessions(
        ts=ts,
        series=series,
        pool=made.ids(host.tolist(), dst.tolist()),
        dport=np.full(len(ts), port_code(443, "tcp"), np.int32),
        labels=(
            Label("192.168.1.7", "Lamp", "bulb"),
            Label("192.168.1.8", "Lens", "camera"),
        ),
        table=made.table,
    )
    since, learned = np.full(2, BEGIN + 4 * DAY), np.full(2, BEGIN + 3 * DAY)
    return Followed(sessions, host, dst, made, since, np.full(2, ts[-1]), learned)


@pytest.fixture
def scorer(model_folder: Callable[..., Path]) -> Scorer:
    """Who calls AS 1 is a Lamp, who calls AS 2 a Lens."""
    return Scorer(model_folder())


def test_the_exact_bounds_are_those_of_the_tables() -> None:
    assert poisson_bounds(0) == pytest.approx((0, 2.996), abs=1e-3)
    assert poisson_bounds(3) == pytest.approx((0.619, 8.767), abs=1e-3)
    assert binomial_bounds(0, 100) == pytest.approx((0, 0.0362), abs=1e-4)
    assert binomial_bounds(95, 100) == pytest.approx((0.8872, 0.9836), abs=1e-4)


def test_quiet_devices_raise_no_alarm_and_a_scan_does(
    two_devices: Followed, scorer: Scorer
) -> None:
    thresholds = [BaselineSettings().threshold]
    result = alarms(two_devices, scorer, thresholds, trials=5, say=lambda line: None)
    (row,) = result["thresholds"].values()
    assert row["notices"] == row["wrong"] == []
    assert row["device_weeks"] == row["device_weeks_with_baseline"]
    assert row["device_weeks"] == pytest.approx(8 / 7, abs=0.01)
    scan = row["attacks"]["scan"]
    assert (scan["noticed"], scan["trials"], scan["as"]) == (5, 5, {"misbehaving": 5})
    assert scan["minutes"][0] < 1
    assert any("scan | 5 of 5" in line for line in table(result))


def test_a_swapped_device_is_another_one(two_devices: Followed, scorer: Scorer) -> None:
    result = alarms(two_devices, scorer, [1e6], trials=5, say=lambda line: None)
    (row,) = result["thresholds"].values()
    for name in ("device-swapped", "addresses-swapped"):
        assert row["attacks"][name]["as"] == {"changed": 5}


def test_a_device_that_changes_is_a_notice_and_a_wrong_change(
    two_devices: Followed, scorer: Scorer
) -> None:
    sessions = two_devices.sessions
    odd = (sessions.series == 0) & (sessions.ts > BEGIN + 5 * DAY)
    pool = np.where(odd, sessions.pool[1], sessions.pool)
    changed = replace(two_devices, sessions=replace(sessions, pool=pool.astype(np.int32)))
    part = judged(changed, scorer, BaselineSettings())
    assert [one["state"] for one in part["notices"]] == ["changed"]
    (notice,) = part["notices"]
    assert (notice["device"], notice["name"]) == ("Lamp", "Lens")
    assert notice["why"].startswith("was identified Lamp; Lens=0.")
    assert part["wrong"] == part["notices"]
    row = rated([part, part])
    assert row["rate"] == pytest.approx(2 / row["device_weeks"])
    assert any("wrong: 0." in line for line in printed(row))


def test_a_day_is_judged_alone_and_nothing_after_it_is_known(
    two_devices: Followed, scorer: Scorer
) -> None:
    day = between(two_devices, BEGIN + 5 * DAY, BEGIN + 6 * DAY)
    assert day.sessions.ts.max() < BEGIN + 6 * DAY
    part = judged(day, scorer, BaselineSettings())
    assert part["device_weeks"] == pytest.approx(2 / 7)
    assert part["host_days"] in (2, 4)


@pytest.mark.parametrize("flags", [["--last", "0.5"], ["--judged", "2019-07-03T12:00"]])
def test_the_command_judges_real_traffic(
    data: Path,
    tmp_path: Path,
    flags: list[str],
    model_folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lsif = data / "lsif"
    flags = [*flags, "--model", str(model_folder())]
    days = [str(day) for day in sorted(lsif.glob("2019-07-0[1-4]"))]
    command = ["alarms", *days, "--labels", str(lsif / "labels.csv"), "--trials", "1"]
    command += ["--json", str(tmp_path / "alarms.json"), *flags]
    assert main(command) == 0
    result = json.loads((tmp_path / "alarms.json").read_text())
    (row,) = result["thresholds"].values()
    assert row["attacks"]["scan"]["trials"] == 1
    assert "| scan | " in capsys.readouterr().out


def test_a_time_with_nothing_to_judge_is_one_clear_line(
    data: Path,
    tmp_path: Path,
    model_folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lsif = data / "lsif" / "2019-07-01"
    labels = str(data / "lsif" / "labels.csv")
    command = ["alarms", str(lsif), "--labels", labels, "--json", str(tmp_path / "a")]
    assert main([*command, "--model", str(model_folder()), "--judged", "2020-01-01"]) == 1
    assert "to be judged" in capsys.readouterr().err
