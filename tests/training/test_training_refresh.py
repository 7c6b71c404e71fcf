"""A candidate passes where it is as good as the running model, and is refused with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("scipy")


import training.model.fit
import training.model.settings
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ArchiveError
from nba_broker.records.ports import port_code
from training.cli.main import main
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.gate.checks import CHECKS, Check, cut
from training.gate.labels import check_labels
from training.gate.later_days import check_later_days

ModelFolder = Callable[..., Path]

QUICK = replace(
    training.model.settings.DEFAULT, window=16, hidden=16, epochs=3, per_class=1024, batch=64
)
KINDS = ("Lamp", "Lens", "Lock")
PERIODS = (20.0, 60.0, 180.0)
DAY = 86_400.0


def sessions(
    pools: Sequence[int], series: Sequence[int], labels: Sequence[Label]
) -> LabelledSessions:
    """One session a minute."""
    return LabelledSessions(
        np.arange(len(pools)) * 60.0,
        np.array(series),
        np.array(pools, np.int32),
        np.full(len(pools), port_code(443, "tcp"), np.int32),
        tuple(labels),
        ["as:1", "as:2", "as:3"],
    )


def lamps(*devices: str, number: int = 30) -> LabelledSessions:
    """Hosts with these labels that all behave as lamps of the voting model."""
    labels = [
        Label(f"10.0.0.{n}", device, "camera" if device == "Lens" else "bulb")
        for n, device in enumerate(devices)
    ]
    return sessions([0] * number * len(devices), list(range(len(devices))) * number, labels)


def named(checks: Sequence[Check], name: str) -> Check:
    return next(one for one in checks if one.name == name)


def test_hosts_that_act_as_another_device_than_their_label_are_named(
    model_folder: ModelFolder,
) -> None:
    right = named(check_labels(Scorer(model_folder()), lamps("Lamp", "Lamp")), "labels")
    assert right.passed
    wrong = named(check_labels(Scorer(model_folder()), lamps("Lamp", "Lens", "Lens")), "labels")
    assert not wrong.passed
    assert "2 of 3 hosts" in wrong.reason
    assert "10.0.0.1 is labelled Lens and behaves like Lamp" in wrong.reason


def test_one_odd_label_among_many_is_named_and_passes(model_folder: ModelFolder) -> None:
    found = named(check_labels(Scorer(model_folder()), lamps("Lens", *["Lamp"] * 5)), "labels")
    assert found.passed
    assert "1 of 6 hosts" in found.reason


def test_what_an_analyst_named_and_what_is_new_is_no_contradiction(
    model_folder: ModelFolder,
) -> None:
    scorer = Scorer(model_folder())
    assert named(check_labels(scorer, lamps("Lens"), annotated={"10.0.0.0"}), "labels").passed
    assert named(check_labels(scorer, lamps("Candle")), "labels").passed


def test_a_class_that_is_not_labelled_is_missed_unless_it_is_to_go(
    model_folder: ModelFolder,
) -> None:
    scorer = Scorer(model_folder())
    lost = named(check_labels(scorer, lamps("Lamp")), "classes")
    assert not lost.passed
    assert "Lens" in lost.reason
    assert named(check_labels(scorer, lamps("Lamp"), dropped=["Lens"]), "classes").passed


def test_half_of_the_running_models_training_hosts_are_too_few(
    model_folder: ModelFolder,
) -> None:
    hosts = [{"device": "Lamp"}] * 4 + [{"device": "Lens"}] * 4
    scorer = Scorer(model_folder(training={"hosts": hosts}))
    few = named(check_labels(scorer, lamps(*["Lamp"] * 4)), "hosts")
    assert not few.passed
    assert "labels cover 4 of the 8 hosts" in few.reason
    assert "Lens 0 of 4" in few.reason
    assert named(check_labels(scorer, lamps(*["Lamp"] * 4), dropped=["Lens"]), "hosts").passed
    assert named(check_labels(scorer, lamps(*["Lamp"] * 4, *["Lens"] * 2)), "hosts").passed


def test_a_model_is_as_good_as_itself(model_folder: ModelFolder) -> None:
    scorer = Scorer(model_folder())
    later = sessions([0, 1] * 40, [0, 1] * 40, lamps("Lamp", "Lens").labels)
    checks, figures = check_later_days(scorer, scorer, later)
    assert all(one.passed for one in checks)
    f1 = figures["macro_f1"]
    assert 0.9 < f1["running"] == f1["candidate"] < 1.0  # a host waits for its name
    assert f1["interval"] == [0.0, 0.0]
    assert figures["lines"] == [0, 0]
    assert figures["moments"] == 2 * (40 - 3)


def test_a_class_that_loses_its_name_is_reported(model_folder: ModelFolder, tmp_path: Path) -> None:
    running = Scorer(model_folder())
    # The same network that takes every destination of a lens for one of nobody.
    candidate = Scorer(model_folder(pools=["as:1", "as:9", "lan", "gw"]))
    later = sessions([0, 1] * 40, [0, 1] * 40, lamps("Lamp", "Lens").labels)
    checks, figures = check_later_days(running, candidate, later)
    refused = {one.name: one.reason for one in checks if not one.passed}
    assert set(refused) >= {"macro_f1", "named"}
    assert "lost Lens (right name" in refused["named"]
    assert figures["classes"]["Lens"]["candidate"] == 0.0
    assert figures["classes"]["Lamp"]["named"][0] > 0.8


def test_strangeness_of_known_devices_is_refused(model_folder: ModelFolder) -> None:
    running = Scorer(model_folder())
    strict = Scorer(model_folder(thresholds={"known": 2.0}))
    later = sessions([0, 1] * 40, [0, 1] * 40, lamps("Lamp", "Lens").labels)
    checks, figures = check_later_days(running, strict, later)
    assert not named(checks, "unknown").passed
    assert figures["unknown"][0] == 0.0
    assert figures["unknown"][1] > 0.8


def test_more_wrong_lines_than_chance_gives_are_refused(model_folder: ModelFolder) -> None:
    running = Scorer(model_folder())
    wrong = Scorer(model_folder(classes=[{"device": d, "category": "c"} for d in ("Lens", "Lamp")]))
    later = lamps(*["Lamp"] * 8)
    checks, figures = check_later_days(running, wrong, later)
    assert figures["lines"] == [0, 8]
    assert not named(checks, "lines").passed
    assert not named(checks, "behaviour").passed


def test_hosts_with_a_wrong_name_at_the_end_of_the_day_are_refused(
    model_folder: ModelFolder,
) -> None:
    running = Scorer(model_folder())
    wrong = Scorer(model_folder(classes=[{"device": d, "category": "c"} for d in ("Lens", "Lamp")]))
    later = lamps(*["Lamp"] * 8)
    checks, figures = check_later_days(running, wrong, later)
    found = named(checks, "host_days")
    assert not found.passed
    assert found.reason == (
        "at the end of the day, 8 of 8 host-days have a wrong name, running 0; 0 have none, "
        "running 0; more wrong names than by chance; that is more than 1%, not by chance"
    )
    assert figures["verdicts"] == {
        "running": {"right": 8, "no_name": 0, "wrong": 0},
        "candidate": {"right": 0, "no_name": 0, "wrong": 8},
        "wrong_only_with_running": 0,
        "wrong_only_with_candidate": 8,
    }


def test_a_wrong_name_for_one_host_may_be_chance(model_folder: ModelFolder) -> None:
    running = Scorer(model_folder())
    later = lamps(*["Lamp"] * 8, "Lens")
    found = named(check_later_days(running, running, later)[0], "host_days")
    assert found.passed
    assert "1 of 9 host-days have a wrong name, running 1" in found.reason


def test_names_that_are_as_wrong_as_before_are_refused_all_the_same_when_they_are_many(
    model_folder: ModelFolder,
) -> None:
    running = Scorer(model_folder())
    found = named(check_later_days(running, running, lamps(*["Lens"] * 8))[0], "host_days")
    assert not found.passed
    assert "more wrong names than by chance" not in found.reason


def test_later_days_are_a_share_or_from_a_time_on() -> None:
    whole = lamps("Lamp", number=101)
    assert cut(whole, 0.25) == 4500.0
    assert cut(whole, 600.0) == 600.0
    with pytest.raises(ArchiveError, match="the archive has sessions from"):
        cut(whole, 1e9)


def test_models_without_a_common_device_cannot_be_compared(model_folder: ModelFolder) -> None:
    with pytest.raises(ArchiveError, match="no host of a device that both models know"):
        check_later_days(Scorer(model_folder()), Scorer(model_folder()), lamps("Candle"))


CLOUDS = ("1.1.1.1", "8.8.8.8", "208.67.222.222")
"""Addresses in three networks, of which the embedded database knows."""


def write_site(folder: Path, start: float, seed: int) -> Path:
    """A conn log of two hosts of each kind, which differ in how often and where they talk."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(6):
        kind = n % 3
        times = start + np.cumsum(rng.exponential(PERIODS[kind], int(60_000 / PERIODS[kind])))
        rows += [(ts, f"10.0.0.{n + 1}", CLOUDS[kind]) for ts in times]
    lines = [
        "#separator \\x09",
        "#path\tconn",
        "#fields\tts\tid.orig_h\tid.resp_h\tid.resp_p\tproto",
    ]
    lines += [f"{ts:.6f}\t{host}\t{dst}\t443\ttcp" for ts, host, dst in sorted(rows)]
    (folder / "conn.log").write_text("\n".join(lines) + "\n")
    return folder


def write_labels(path: Path, devices: dict[int, str]) -> Path:
    rows = [f"10.0.0.{n + 1},{device},thing" for n, device in devices.items()]
    path.write_text("\n".join(["host,device,category", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two archives, labels, and a model of the first archive."""
    folder = tmp_path_factory.mktemp("site")
    first = write_site(folder / "first", 1e9, 0)
    write_site(folder / "second", 1e9 + DAY, 1)
    labels = write_labels(folder / "labels.csv", {n: KINDS[n % 3] for n in range(6)})
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        line = ["fit", str(first), "--labels", str(labels), "--out", str(folder / "running")]
        assert main(line) == 0
    return folder


def quick(patch: pytest.MonkeyPatch) -> None:
    real = training.model.fit.fit
    patch.setattr(training.model.fit, "fit", lambda sessions, **more: real(sessions, QUICK, **more))


def renew(site: Path, out: Path, labels: Path, *more: str) -> int:
    line = ["refresh", str(site / "second"), "--labels", str(labels)]
    line += ["--model", str(site / "running"), "--out", str(out / "candidate")]
    return main([*line, "--json", str(out / "r.json"), "--html", str(out / "r.html"), *more])


def test_a_candidate_of_the_next_days_passes_and_is_what_was_judged(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick(monkeypatch)
    assert renew(site, tmp_path, site / "labels.csv") == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["passed"]
    assert [one["name"] for one in result["checks"]] == list(CHECKS)
    manifest = Manifest.load(tmp_path / "candidate")
    assert manifest.raw["gate"]["candidate"] == manifest.sha256 == result["candidate"]
    assert set(manifest.raw["usual"]) == {"never_seen_pools", "known", "confidence"}
    assert max(host["last"] for host in manifest.raw["training"]["hosts"]) < 1e9 + DAY + 60_000
    assert "passed: model candidate-" in capsys.readouterr().out
    page = (tmp_path / "r.html").read_text()
    assert "Candidate passed" in page
    assert "Host-days by their verdict at the end of the day" in page
    card = (tmp_path / "candidate" / "README.md").read_text()
    assert "nba-train refresh judged it; see gate in manifest.json" in card


@pytest.mark.parametrize(
    ("devices", "reason"),
    [
        ({n: KINDS[(n + 1) % 3] for n in range(6)}, "refused; labels: 6 of 6 hosts"),
        ({0: "Lamp", 3: "Lamp", 1: "Lens"}, "refused; hosts: labels cover 3 of the 6 hosts"),
        (
            {0: "Lamp", 1: "Lens", 3: "Lamp", 4: "Lens"},
            "classes: no labelled host with 8 sessions for Lock",
        ),
    ],
    ids=["shuffled", "half missing", "a class missing"],
)
def test_wrong_labels_are_refused_before_anything_is_trained(
    devices: dict[int, str],
    reason: str,
    site: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(training.model.fit, "fit", None)
    labels = write_labels(tmp_path / "labels.csv", devices)
    assert renew(site, tmp_path, labels) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("nba-train: refused; ")
    assert reason in error
    assert not (tmp_path / "candidate").exists()
    assert not json.loads((tmp_path / "r.json").read_text())["passed"]
    assert "no model was trained" in (tmp_path / "r.html").read_text()


def test_a_class_with_too_few_sessions_to_train_is_refused(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training.model.fit, "fit", None)
    rows = [f"10.0.0.{n + 1},{KINDS[n % 3]},thing," for n in range(6)]
    rows[2::3] = [f"{row}{1e9 + DAY + 3 * PERIODS[2]}" for row in rows[2::3]]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["host,device,category,until", *rows]) + "\n")
    assert renew(site, tmp_path, labels) == 1
    said = capsys.readouterr()
    assert f"left out: {KINDS[2]} has no host with 8 sessions" in said.out
    assert f"classes: no labelled host with 8 sessions for {KINDS[2]}" in said.err
    assert not (tmp_path / "candidate").exists()


def test_labels_that_change_at_random_hold_on_no_later_day(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick(monkeypatch)
    rng = np.random.default_rng(3)
    start = 1e9 + DAY
    rows = ["host,device,category,since,until"]
    for n in range(6):
        for piece in range(24):
            since = start + piece * 2_700
            rows.append(f"10.0.0.{n + 1},{KINDS[rng.integers(3)]},thing,{since},{since + 2_700}")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(rows) + "\n")
    assert renew(site, tmp_path, labels, "--accept", "labels", "--accept", "hosts") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "behaviour: training on the earlier days gives a macro-F1 of" in error
    assert not (tmp_path / "candidate").exists()


def test_the_report_names_what_an_operator_accepts(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    labels = write_labels(tmp_path / "labels.csv", {0: "Lamp", 1: "Lens", 3: "Lamp", 4: "Lens"})
    assert renew(site, tmp_path, labels, "--drop", "Lock") == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["dropped"] == ["Lock"]
    assert [one.device for one in Manifest.load(tmp_path / "candidate").classes] == ["Lamp", "Lens"]


def test_a_class_that_the_running_model_does_not_know_cannot_be_dropped(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert renew(site, tmp_path, site / "labels.csv", "--drop", "Lokc") == 1
    assert "--drop: the running model has no class Lokc" in capsys.readouterr().err


def test_no_candidate_of_an_earlier_time_is_left_to_be_mistaken_for_one_that_passed(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = shutil.copytree(site / "running", tmp_path / "candidate")
    assert renew(site, tmp_path, site / "labels.csv") == 1
    assert "exists already" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [old]


def test_a_check_that_is_none_cannot_be_accepted(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert renew(site, tmp_path, site / "labels.csv", "--accept", "everything") == 1
    assert "--accept: no check everything; there are labels, hosts," in capsys.readouterr().err
