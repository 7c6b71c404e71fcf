"""nba-train from a conn log to a model folder and its figures, or one line of why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import training.model.export
import training.model.fit
import training.model.settings
from nba_broker.model.scorer import Scorer
from tests.training.quick import quick
from training.cli.main import main

HOSTS = {"10.0.0.1": ("Lamp", 1.0, "10.0.0.254"), "10.0.0.2": ("Lens", 60.0, "224.0.0.251")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conn log of two hosts, their labels, and a model fitted to them."""
    folder = tmp_path_factory.mktemp("site")
    rng = np.random.default_rng(0)
    lines = ["#separator \\x09", "#path\tconn", "#fields\tts\tid.orig_h\tid.resp_h"]
    for host, (_, period, dst) in HOSTS.items():
        times = 1000 + np.cumsum(rng.exponential(period, 200))
        lines += [f"{ts:.6f}\t{host}\t{dst}" for ts in times]
    (folder / "conn.log").write_text("\n".join(lines) + "\n")
    rows = [f"{host},{device},thing" for host, (device, _, _) in HOSTS.items()]
    (folder / "labels.csv").write_text("\n".join(["host,device,category", *rows]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        assert main(arguments(folder, "--out", str(folder / "model"))) == 0
    return folder


def arguments(site: Path, *more: str, command: str = "fit") -> list[str]:
    return [command, str(site / "conn.log"), "--labels", str(site / "labels.csv"), *more]


def test_a_fitted_folder_is_one_that_a_worker_takes(site: Path) -> None:
    scorer = Scorer(site / "model")
    assert [one.device for one in scorer.manifest.classes] == ["Lamp", "Lens"]
    assert scorer.manifest.window == 16
    assert set(scorer.manifest.pools) == {"gw", "mcast:224.0.0.251"}


def test_the_manifest_records_how_the_model_was_made(site: Path) -> None:
    raw = json.loads((site / "model" / "manifest.json").read_text())
    assert raw["created"] == "1970-01-01T00:00:00+00:00"
    assert raw["training"]["sessions"] == 400
    assert [host["device"] for host in raw["training"]["hosts"]] == ["Lamp", "Lens"]
    assert raw["onnx"]["deviation"] <= training.model.export.TOLERANCE
    assert raw["databases"][0]["sha256"]
    assert "10.0.0.1" not in json.dumps(raw)


def test_the_onnx_file_holds_no_path_of_the_machine_it_was_made_on(site: Path) -> None:
    content = (site / "model" / "model.onnx").read_bytes()
    assert b".py" not in content
    assert str(Path(training.model.fit.__file__).parent).encode() not in content


def test_the_same_fit_gives_the_same_folder(site: Path, monkeypatch, tmp_path: Path) -> None:
    quick(monkeypatch)
    assert main(arguments(site, "--out", str(tmp_path / "model"))) == 0
    for name in ("model.onnx", "manifest.json", "README.md"):
        assert (tmp_path / "model" / name).read_bytes() == (site / "model" / name).read_bytes()


def test_an_evaluation_writes_the_agreed_figures_and_adds_to_the_card(
    site: Path, tmp_path: Path, capsys
) -> None:
    card = tmp_path / "card.md"
    card.write_text((site / "model" / "README.md").read_text())
    out = tmp_path / "figures.json"
    line = arguments(site, "--model", str(site / "model"), "--json", str(out), command="evaluate")
    assert main([*line, "--card", str(card)]) == 0
    figures = json.loads(out.read_text())
    assert figures["windows"] == 2 * (200 - 7)
    assert figures["macro_f1"] > 0.98
    assert figures["host_day_accuracy"] == 1.0
    assert set(figures["classes"]["Lamp"]) == {"precision", "recall", "f1", "support"}
    assert "macro-F1" in capsys.readouterr().out
    later, _, limits = card.read_text().partition("## Limits")
    assert f"nba-train evaluate {site / 'conn.log'}" in later
    assert limits


def test_an_evaluation_since_a_time_starts_with_empty_sequences(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    line = arguments(site, "--model", str(site / "model"), "--json", str(out), command="evaluate")
    assert main([*line, "--since", "1970-01-01T00:21:40Z"]) == 0
    lens = json.loads(out.read_text())["classes"]
    assert set(lens) == {"Lens"}
    assert 180 < lens["Lens"]["support"] < 193


def test_bad_labels_leave_one_line_and_no_folder(site: Path, tmp_path: Path, capsys) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("host,device\n")
    assert main(arguments(site, "--labels", str(bad), "--out", str(tmp_path / "out"))) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"nba-train: {bad}:1: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [bad]


def test_an_onnx_file_that_deviates_is_refused_and_leaves_nothing(
    site: Path, monkeypatch, tmp_path: Path, capsys
) -> None:
    quick(monkeypatch)
    monkeypatch.setattr(training.model.export, "TOLERANCE", -1.0)
    assert main(arguments(site, "--seed", "9", "--out", str(tmp_path / "model"))) == 1
    assert "deviates from PyTorch" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_becomes_the_model(site: Path, monkeypatch, tmp_path: Path) -> None:
    quick(monkeypatch)
    out = tmp_path / "model"
    out.mkdir()
    assert main(arguments(site, "--out", str(out))) == 0
    assert Scorer(out).manifest.name == "model"
    assert list(tmp_path.iterdir()) == [out]


def test_what_has_come_to_be_there_during_the_fit_is_not_replaced(
    site: Path, monkeypatch, tmp_path: Path, capsys
) -> None:
    quick(monkeypatch)
    out = tmp_path / "model"
    check = training.model.export.check

    def meanwhile(*given):
        out.symlink_to(site / "model")
        return check(*given)

    monkeypatch.setattr(training.model.export, "check", meanwhile)
    assert main(arguments(site, "--seed", "9", "--out", str(out))) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"nba-train: {out}: ")
    assert list(tmp_path.iterdir()) == [out]
    assert out.is_symlink()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fit"],
        ["fit", "x", "--labels", "l", "--out", "o", "--since", "soon"],
        *(
            ["fit", "x", "--labels", "l", "--out", "o", "--memory", size]
            for size in ("little", "1.5G", "-2G", "10K", "")
        ),
        ["nonsense"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2


@pytest.fixture
def sparse(site: Path, tmp_path: Path) -> Path:
    """The same site with a third device, of which there are five sessions, and no categories."""
    log = (site / "conn.log").read_text()
    log += "".join(f"{2000 + n}.5\t10.0.0.3\t10.0.0.254\n" for n in range(5))
    (tmp_path / "conn.log").write_text(log)
    rows = [f"{host},{device}" for host, (device, _, _) in HOSTS.items()]
    (tmp_path / "labels.csv").write_text("\n".join(["host,device", *rows, "10.0.0.3,Plug"]) + "\n")
    return tmp_path


def test_a_device_with_too_few_sessions_is_left_out_and_the_others_are_trained(
    sparse: Path, monkeypatch, capsys
) -> None:
    quick(monkeypatch)
    out = sparse / "model"
    assert main(arguments(sparse, "--strict", "--out", str(out))) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("nba-train: no host with 8 sessions of Plug: add sessions")
    assert not out.exists()
    assert main(arguments(sparse, "--out", str(out))) == 0
    line = "left out: Plug has no host with 8 sessions (the most: 5)"
    assert capsys.readouterr().out.splitlines().count(line) == 1
    raw = json.loads((out / "manifest.json").read_text())
    assert raw["classes"] == [
        {"device": device, "category": "unknown"} for device in ("Lamp", "Lens")
    ]
    assert raw["training"]["left_out"] == {"Plug": 5}
    assert raw["training"]["sessions"] == 400
    card = (out / "README.md").read_text()
    assert "Labelled but left out, because no host has 8 sessions: Plug (5)." in card


def test_an_evaluation_names_the_devices_that_it_cannot_evaluate(
    site: Path, sparse: Path, capsys
) -> None:
    out = str(sparse / "figures.json")
    model = str(site / "model")
    for _ in range(2):  # the second time over its own report
        line = arguments(sparse, "--model", model, "--json", out, command="evaluate")
        assert main(line) == 0
    said = capsys.readouterr().out
    assert "not evaluated: Plug has no host with 8 sessions (the most: 5)" in said
    assert set(json.loads(Path(out).read_text())["classes"]) == {"Lamp", "Lens"}


def test_labels_that_somebody_corrected_are_no_report(sparse: Path, site: Path, capsys) -> None:
    labels = sparse / "labels.csv"
    before = labels.read_text()
    line = arguments(sparse, "--model", str(site / "model"), command="evaluate")
    assert main([*line, "--json", str(labels)]) == 1
    assert "labels.csv: exists, and was not written by nba-train evaluate" in (
        capsys.readouterr().err
    )
    assert labels.read_text() == before
