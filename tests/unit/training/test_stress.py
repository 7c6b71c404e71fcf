"""A command counts verdicts and notices under every disturbance, with intervals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.model.scorer import Scorer
from nba_broker.records.ports import port_code
from tests.commands import RUN_ELSEWHERE, words
from tests.unit.helpers import pools
from training.cli.main import main
from training.data.disturbances.registry import DISTURBANCES, Disturbance
from training.data.disturbances.traffic import Traffic
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation import stress as stress_module
from training.evaluation.followed import Followed
from training.evaluation.stress import UNDISTURBED, stress, worst
from training.evaluation.verdicts import Change, Replay, Stream, replay
from training.reports import pages

DAY = 86_400.0


@pytest.fixture
def followed() -> Followed:
    """A lamp and a lens that call their clouds every half hour for four days, and a stranger that
    calls nobody whom the model knows; the last two days are judged."""
    ts = np.repeat(np.arange(0, 4 * DAY, 1800), 3)
    series = np.arange(len(ts)) % 3
    made = pools()
    host = np.array(["192.168.1.7", "192.168.1.8", "192.168.1.9"], object)[series]
    dst = np.array(["1.0.0.7", "2.0.0.7", "192.168.1.50"], object)[series]
    sessions = LabelledSessions(
        ts=ts,
        series=series,
        pool=made.ids(host.tolist(), dst.tolist()),
        dport=np.full(len(ts), port_code(443, "tcp"), np.int32),
        labels=(
            Label("192.168.1.7", "Lamp", "bulb"),
            Label("192.168.1.8", "Lens", "camera"),
            Label("192.168.1.9", "Stranger", "hub"),
        ),
        table=made.table,
    )
    since, learned = np.full(3, 2 * DAY), np.full(3, 3 * DAY)
    return Followed(sessions, host, dst, made, since, np.full(3, ts[-1]), learned)


def _quiet(line: str) -> None:
    """Prints nothing."""


def only(patch: pytest.MonkeyPatch, *names: str, **made: Disturbance) -> None:
    """Leave these disturbances, and add others."""
    kept = {name: DISTURBANCES[name] for name in names} | made
    for name in list(DISTURBANCES):
        patch.delitem(DISTURBANCES, name)
    for name, one in kept.items():
        patch.setitem(DISTURBANCES, name, one)


def swapped(since: float) -> Callable[[Traffic, np.random.Generator], LabelledSessions]:
    """Makes the lamp call the lens's cloud from a time on."""

    def make(traffic: Traffic, draw: np.random.Generator) -> LabelledSessions:
        sessions = traffic.sessions
        lens = sessions.pool[sessions.series == 1][0]
        odd = (sessions.series == 0) & (sessions.ts >= since)
        return replace(sessions, pool=np.where(odd, lens, sessions.pool).astype(np.int32))

    return make


def test_the_same_host_days_are_counted_under_every_disturbance(
    followed: Followed, model_folder: Callable[..., Path]
) -> None:
    lines: list[str] = []
    result = stress(followed, Scorer(model_folder()), seeds=2, say=lines.append)
    assert list(result["disturbances"]) == [UNDISTURBED, *DISTURBANCES]
    assert (result["hosts"], result["host_days"]) == (3, 6)
    for name, row in result["disturbances"].items():
        assert row["right"] + row["no_name"] + row["wrong"] == 6
        assert row["rate"] == row["notices"] / result["device_weeks"]
        assert row["rate_bounds"][0] <= row["rate"] <= row["rate_bounds"][1]
        for what, (low, high) in row["bounds"].items():
            assert 0 <= low <= row["shares"][what] <= high <= 1
        assert row["seeds"] == (2 if name != UNDISTURBED and DISTURBANCES[name].random else 1)
    quiet = result["disturbances"][UNDISTURBED]
    assert (quiet["right"], quiet["no_name"], quiet["wrong"]) == (6, 0, 0)
    assert (quiet["changes"], quiet["wrong_changes"], quiet["lost"]) == (0, 0, [])
    assert lines[0] == "6 host-days of 3 hosts, 0.85 device-weeks"
    assert lines[3].startswith("| undisturbed | 100.0% (54.1% to 100.0%) | 0.0% (0.0% to 45.9%) |")
    assert lines[-1] == result["worst"] == worst(result["disturbances"])


def test_disturbances_add_only_pools_that_the_model_has_not_and_change_no_others(
    followed: Followed, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scorer remembers which number of a pool is which."""
    tables: list[list[str]] = []
    done: list[Replay] = []

    def recorded(stream: Stream, scorer: Scorer, settings: BaselineSettings) -> Replay:
        tables.append(stream.table)
        done[:] = done or [replay(stream, scorer, settings)]  # what comes out is all the same here
        return done[0]

    monkeypatch.setattr(stress_module, "replay", recorded)
    model = model_folder(pools=["as:1", "as:2", "lan", "as:64512"])
    stress(followed, Scorer(model), seeds=1, say=_quiet)
    assert len(tables) == 1 + len(DISTURBANCES)
    first = tables[0]
    assert set(first) >= {"as:1", "as:2", "gw", "bcast", "as:15169", "as:64512"}
    for table in tables:
        assert table[: len(first)] == first
        assert set(table[len(first) :]) <= {"as:64513", "as:64514"}
    assert followed.sessions.table == ["as:1", "as:2", "lan"]


def test_a_host_that_does_as_another_device_is_wrong_at_the_end_of_the_day(
    followed: Followed, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, swapped=Disturbance(swapped(3 * DAY)))
    row = stress(followed, Scorer(model_folder()), say=_quiet)["disturbances"]["swapped"]
    assert (row["right"], row["no_name"], row["wrong"]) == (5, 0, 1)
    assert row["mistaken"] == [["Lamp", "Lens", 1]]
    assert row["notices"] >= 1
    assert row["changes"] >= row["wrong_changes"] >= 1
    assert row["lost"] == []  # it has a name, though a wrong one
    low, high = row["bounds"]["wrong"]
    assert low == 0  # two of three hosts have none, and may be all that a bootstrap draws
    assert high >= 1 / 2  # or it draws only the lamp


def test_a_name_that_does_not_come_back_is_lost_for_good(
    followed: Followed, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong name is not lost, and a host without a right name cannot lose it."""
    ends = iter([["Lamp", "Lens", "unknown"], ["unknown", "Lamp", "unknown"]])

    def at_the_end(
        changes: list[Change], names: list[str], slot: np.ndarray, end: np.ndarray
    ) -> list[str]:
        return next(ends) if np.isinf(end).all() else ["Lamp"] * len(slot)

    only(monkeypatch, "twice")
    monkeypatch.setattr(stress_module, "at_the_end", at_the_end)
    result = stress(followed, Scorer(model_folder()), say=_quiet)
    assert result["disturbances"][UNDISTURBED]["lost"] == []
    assert result["disturbances"]["twice"]["lost"] == [["Lamp", 1]]
    assert result["worst"] == "Worst by names lost for good: twice (Lamp)."


def test_numbers_of_a_random_disturbance_are_means_over_its_seeds(
    followed: Followed, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes well with every second seed."""
    turns = iter([5 * DAY, 2 * DAY] * 2)

    def make(traffic: Traffic, draw: np.random.Generator) -> LabelledSessions:
        return swapped(next(turns))(traffic, draw)

    only(monkeypatch, luck=Disturbance(make, random=True))
    row = stress(followed, Scorer(model_folder()), seeds=4, say=_quiet)["disturbances"]["luck"]
    assert (row["right"], row["wrong"], row["seeds"]) == (5, 1, 4)
    assert row["mistaken"] == [["Lamp", "Lens", 1]]


def test_the_worst_disturbance_is_named_in_each_respect() -> None:
    def row(right: float, wrong: float, rate: float = 0.0, *lost: str) -> dict[str, object]:
        shares = {"right": right / 10, "wrong": wrong / 10}
        gone = [[device, 1.0] for device in lost]
        return {"right": right, "wrong": wrong, "shares": shares, "notices": rate} | {
            "rate": rate,
            "lost": gone,
        }

    quiet = {UNDISTURBED: row(9, 0, 1)}
    assert worst({**quiet, "harmless": row(9, 0, 0.5)}) == "No disturbance does harm."
    rows = {**quiet, "confusing": row(7, 2, 1), "blinding": row(5, 0, 1, "Lamp", "Lens")}
    assert worst(rows) == (
        "Worst by wrong names: confusing (20.0% of host-days); by right names: blinding (50.0% of "
        "host-days); by names lost for good: blinding (Lamp, Lens)."
    )


def test_a_page_shows_every_disturbance_and_what_was_mistaken(
    followed: Followed, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "probed", swapped=Disturbance(swapped(3 * DAY)))
    result = stress(followed, Scorer(model_folder()), say=_quiet)
    page = pages.render_stress(result | {"command": "nba-train stress <logs>"})
    assert "nba-train stress &lt;logs&gt;" in page
    for name in result["disturbances"]:
        assert f"<tr><td>{name}<td>" in page
    assert "<tr><td>swapped<td>Lamp<td>Lens<td>1" in page


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four days of a lamp and a lens, with labels, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    clouds = {"192.168.1.7": "1.1.1.1", "192.168.1.8": "8.8.8.8"}
    with (tmp_path / "logs" / "conn.log").open("w") as log:
        for number in range(0, int(4 * DAY), 1800):
            for host, dst in clouds.items():
                row = {"ts": 1.6e9 + number, "uid": f"C{number}x{host[-1]}", "proto": "tcp"}
                row |= {"id.orig_h": host, "id.orig_p": 40000, "id.resp_h": dst, "id.resp_p": 443}
                log.write(json.dumps(row) + "\n")
    (tmp_path / "labels.csv").write_text(
        "host,device,category\n192.168.1.7,Lamp,bulb\n192.168.1.8,Lens,camera\n"
    )


@pytest.fixture
def model(model_folder: Callable[..., Path]) -> str:
    """A model with the pools of both."""
    return str(model_folder(pools=["as:13335", "as:15169", "lan", "gw"]))


@pytest.mark.usefixtures("archive")
def test_the_command_that_the_documentation_shows(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [command] = [one for one in RUN_ELSEWHERE if one.split()[1] == "stress"]
    assert main(words(command, mymodel=model)) == 0
    result = json.loads(Path("stress.json").read_text())
    assert result["judged"] == 1600214400
    assert result["last"] is None
    assert result["host_days"] == 4
    assert list(result["disturbances"]) == [UNDISTURBED, *DISTURBANCES]
    printed = capsys.readouterr().out
    assert all(f"| {name} | " in printed for name in result["disturbances"])
    assert result["worst"] in printed
    assert "cloud-moved-all" in Path("stress.html").read_text()


@pytest.mark.usefixtures("archive")
def test_the_last_share_is_judged_where_no_time_is_given(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "twice")
    flags = ["--labels", "labels.csv", "--model", model, "--json", "half.json"]
    assert main(["stress", "logs", *flags, "--last", "0.25", "--seeds", "1"]) == 0
    result = json.loads(Path("half.json").read_text())
    assert (result["judged"], result["last"], result["seeds"]) == (None, 0.25, 1)
    assert result["device_weeks"] == pytest.approx(2 / 7, rel=0.01)


@pytest.mark.usefixtures("archive")
def test_a_time_after_the_archive_leaves_nothing_to_judge(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--labels", "labels.csv", "--model", model, "--json", "none.json"]
    assert main(["stress", "logs", *flags, "--judged", "2026-01-01"]) == 1
    assert "no labelled host has a session in the time to be judged" in capsys.readouterr().err


COMMAND = ["stress", "logs", "--labels", "l.csv", "--model", "m", "--json", "f"]


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "half", "nan"])
def test_what_is_no_share_is_refused(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*COMMAND, "--last", share])
    assert "is not a share above 0, up to 1" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "1.5", "-1", "three", "1001"])
def test_what_is_no_number_of_seeds_is_refused(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*COMMAND, "--seeds", number])
    assert "is not a number from 1 to 1000" in capsys.readouterr().err
