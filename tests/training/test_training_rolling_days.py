"""Models of the time before a day follow hosts from it on, and the card tells what came true."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from nba_broker.model.manifest import Manifest
from nba_broker.records.errors import ArchiveError
from nba_broker.records.ports import port_code
from tests.commands import RUN_ELSEWHERE, words
from tests.training.quick import quick, quiet
from tests.unit.helpers import pools
from training.cli.main import main
from training.data.dataset import Origin
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation.origins import regular, spread
from training.evaluation.rolling_days import for_manifest, rolling_days
from training.model import card

DAY = 86_400.0
BEGIN = 1794960000.0  # 2026-11-18
ORIGIN = Origin(None, None, 1, "0" * 64, 0, 0, ())
LABELS = (Label("192.168.1.7", "Lamp", "bulb"), Label("192.168.1.8", "Lens", "camera"))


def sessions(days: int, late: float = 0.0) -> LabelledSessions:
    """A lamp and a lens that call clouds of their own every twenty minutes or so; the lens comes
    ``late`` days after the lamp."""
    draw = np.random.default_rng(0)
    ts = np.repeat(BEGIN + np.sort(draw.uniform(0, days * DAY, int(days * DAY / 1200))), 2)
    series = np.arange(len(ts)) % 2
    made = pools()
    host = np.where(series == 0, "192.168.1.7", "192.168.1.8").tolist()
    dst = np.where(series == 0, "1.0.0.7", "2.0.0.7").tolist()
    pool = made.ids(host, dst)
    ts = ts + series * late * DAY
    order = np.argsort(ts, kind="stable")
    return LabelledSessions(
        ts=ts[order],
        series=series[order],
        pool=np.asarray(pool, np.int32)[order],
        dport=np.full(len(ts), port_code(443, "tcp"), np.int32),
        labels=LABELS,
        table=made.table,
    )


def test_host_days_are_counted_by_the_age_of_a_model_that_saw_nothing_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick(monkeypatch)
    whole = sessions(12)
    origins = regular(whole, BEGIN + 2 * DAY, 9 * DAY)
    found = rolling_days(whole, ORIGIN, pools(), origins, say=quiet)
    assert [one["since"] for one in found["models"]] == ["2026-11-20T00:00", "2026-11-29T00:00"]
    assert [one["devices"] for one in found["models"]] == [2, 2]
    assert found["models"][0]["trained_on"] == int((whole.ts < BEGIN + 2 * DAY).sum())
    counts = {name: one["host_days"] for name, one in found["ages"].items()}
    assert counts == {"first day": 4, "days 2 to 7": 12, "days 8 to 14": 6}
    assert found["all"]["host_days"] == len(found["by_day"]) == 22
    assert found["all"]["right"] + found["all"]["no_name"] == 22
    assert set(found["devices"]) == {"Lamp", "Lens"}
    assert {one["age"] for one in found["by_day"]} == set(range(1, 11))


def test_a_device_that_comes_later_is_a_stranger_whose_name_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It behaves as the lamp did before."""
    quick(monkeypatch)
    whole = sessions(4)
    lamp = np.flatnonzero(whole.series == 0)
    ts = np.append(whole.ts, whole.ts[lamp] + 3 * DAY)
    order = np.argsort(ts, kind="stable")
    both = LabelledSessions(
        ts=ts[order],
        series=np.append(whole.series, np.full(len(lamp), 2))[order],
        pool=np.append(whole.pool, whole.pool[lamp])[order],
        dport=np.full(len(ts), port_code(443, "tcp"), np.int32),
        labels=(*LABELS, Label("192.168.1.9", "Fridge", "appliance")),
        table=whole.table,
    )
    origins = regular(both, BEGIN + 2 * DAY, 100 * DAY)
    found = rolling_days(both, ORIGIN, pools(), origins, say=quiet)
    assert found["devices"]["Fridge"] == {"right": 0, "no_name": 0, "wrong": 4}
    assert found["all"]["of_unknown_devices"] == 4
    assert ["Fridge", "Lamp", 4] in found["all"]["mistaken"]


def test_there_must_be_something_to_learn_from() -> None:
    with pytest.raises(ArchiveError, match=r"no session before 2026-11-18T00:00 .* begin later"):
        rolling_days(
            sessions(4), ORIGIN, pools(), [np.full(2, BEGIN)], say=quiet
        )  # before the first session


def test_origins_divide_an_archive_at_midnight() -> None:
    whole = sessions(10)
    found = [(one - BEGIN) / DAY for one in spread(whole, 3)]
    assert [one.tolist() for one in found] == [[4.0, 4.0], [6.0, 6.0], [8.0, 8.0]]
    assert [(one[0] - BEGIN) / DAY for one in spread(whole, 1)] == [6.0]


def test_devices_that_were_never_recorded_together_are_divided_each_in_its_own_time() -> None:
    [found] = spread(sessions(10, late=100.0), 1)
    assert ((found - BEGIN) / DAY).tolist() == [6.0, 106.0]


def test_a_device_that_is_not_followed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    whole = sessions(4)
    ends = whole.select((whole.series == 0) | (whole.ts < BEGIN + 2 * DAY))
    found = rolling_days(ends, ORIGIN, pools(), [np.full(2, BEGIN + 2 * DAY)], say=quiet)
    assert found["not_followed"] == ["Lens"]
    assert "Too short a time to measure on later days: Lens." in card.later_days(found)


def test_too_short_a_recording_is_not_divided() -> None:
    assert spread(sessions(2), 3) == []
    found = for_manifest(sessions(2), ORIGIN, pools(), 3, say=quiet)
    assert found == {"reason": "no host was recorded on 3 days or more"}
    assert "told not to" in for_manifest(sessions(9), ORIGIN, pools(), 0, say=quiet)["reason"]


def test_a_day_before_which_there_is_too_little_leaves_the_card_without_figures() -> None:
    few = sessions(10)
    few = few.select((few.series == 0) | (few.ts > BEGIN + 9 * DAY))
    found = for_manifest(few, ORIGIN, pools(), 1, say=quiet)
    assert "no model of the sessions before 2026-11-24T00:00" in found["reason"]


def write_logs(folder: Path, days: int) -> None:
    """The same two hosts as a conn log with labels."""
    (folder / "logs").mkdir()
    whole = sessions(days)
    lines = ["#separator \\x09", "#path\tconn", "#fields\tts\tid.orig_h\tid.resp_h"]
    for ts, series in zip(whole.ts.tolist(), whole.series.tolist(), strict=True):
        lines.append(f"{ts:.6f}\t{LABELS[series].host}\t{('1.1.1.1', '8.8.8.8')[series]}")
    (folder / "logs" / "conn.log").write_text("\n".join(lines) + "\n")
    rows = [f"{one.host},{one.device},{one.category}" for one in LABELS]
    (folder / "labels.csv").write_text("\n".join(["host,device,category", *rows]) + "\n")


def test_the_command_that_the_documentation_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    quick(monkeypatch)
    write_logs(tmp_path, 5)
    [command] = [one for one in RUN_ELSEWHERE if "--rolling" in one.split()]
    assert main(words(command)) == 0
    result = json.loads((tmp_path / "rolling.json").read_text())
    assert result["all"]["host_days"] == 6
    assert result["command"] == command
    printed = capsys.readouterr().out
    assert "1 of 1, from 2026-11-20T00:00 on: 6 host-days" in printed
    assert "| age of the model | host-days |" in printed
    page = (tmp_path / "rolling.html").read_text()
    assert "From day to day" in page
    assert "first day" in page


def test_the_card_of_a_fit_tells_of_rolling_days_and_names_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick(monkeypatch)
    write_logs(tmp_path, 5)
    line = ["fit", "logs", "--labels", "labels.csv"]
    assert main([*line, "--out", "mymodel", "--rolling-days", "2"]) == 0
    text = (tmp_path / "mymodel" / "README.md").read_text()
    assert "- before 2026-11-20T00:00: " in text
    assert "- before 2026-11-22T00:00: " in text
    assert "| age of the model | host-days |" in text
    rolling = Manifest.load(tmp_path / "mymodel").raw["rolling"]
    assert rolling["all"]["host_days"] == 6 + 2
    assert "192.168.1.7" not in json.dumps(rolling)
    assert main([*line, "--out", "other", "--rolling-days", "0"]) == 0
    text = (tmp_path / "other" / "README.md").read_text()
    assert "was not measured on later days: nba-train fit was told not to" in text


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--rolling", "2030-01-01"], "no labelled host has a session from that time on"),
        (["--rolling", "2026-11-17"], "no session before 2026-11-17T00:00"),
        (["--rolling", "2026-11-20", "--card", "card.md"], "give --model, not --rolling"),
    ],
)
def test_what_cannot_be_measured_is_one_clear_error(
    more: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_logs(tmp_path, 5)
    fit = ["--out", "model", "--rolling-days", "0"]
    quick(monkeypatch)
    if "--card" in more:
        assert main(["fit", "logs", "--labels", "labels.csv", *fit]) == 0
        (tmp_path / "card.md").write_text((tmp_path / "model" / "README.md").read_text())
    capsys.readouterr()
    assert main(["evaluate", "logs", "--labels", "labels.csv", "--json", "f.json", *more]) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("number", ["-1", "101", "many", "1.5"])
def test_what_is_no_number_of_origins_is_refused(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "logs", "--labels", "l", "--out", "o", "--rolling-days", number])
    assert "is not a number from 0 to 100" in capsys.readouterr().err
