"""Installing a model and going back is one step, and a bad one changes nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nba_broker.cli.main import main
from nba_broker.model import store
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ModelError

ModelFolder = Callable[..., Path]


def candidate(model_folder: ModelFolder, name: str, **changes: object) -> Path:
    """A model folder of its own."""
    made = model_folder(name=name, **changes)
    target = made.with_name(name)
    shutil.copytree(made, target)
    return target


def name_of(folder: Path) -> str:
    return Scorer(folder).manifest.name


def test_an_installed_model_is_used_and_the_one_before_comes_back(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    into = tmp_path / "etc" / "model"
    first, second = (candidate(model_folder, name) for name in ("first", "second"))
    assert store.install(first, into).before is None
    switched = store.install(second, into)
    assert (switched.before and switched.before.name, switched.now.name) == ("first", "second")
    assert name_of(into) == "second"
    assert store.rollback(into).now.name == "first"
    assert name_of(into) == "first"
    store.rollback(into)
    assert name_of(into) == "second"
    assert [(mark, one.name) for mark, one in store.versions(into)] == [
        ("previous", "first"),
        ("current", "second"),
    ]
    # Candidates may go; the whole folder may move.
    shutil.rmtree(second)
    os.rename(tmp_path / "etc", tmp_path / "moved")
    assert name_of(tmp_path / "moved" / "model") == "second"


def test_a_plain_folder_becomes_the_first_version(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    into = candidate(model_folder, "old")
    store.install(candidate(model_folder, "new"), into)
    assert (name_of(into), into.is_symlink()) == ("new", True)
    assert store.rollback(into).now.name == "old"


def test_a_candidate_that_no_worker_takes_changes_nothing(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    into = tmp_path / "model-in-use"
    store.install(candidate(model_folder, "good"), into)
    bad = candidate(model_folder, "bad")
    (bad / "model.onnx").write_bytes(b"cut short")
    with pytest.raises(ModelError, match="does not match the SHA-256"):
        store.install(bad, into)
    assert name_of(into) == "good"
    with pytest.raises(ModelError, match="no version before this one"):
        store.rollback(into)
    assert name_of(into) == "good"


def test_a_plain_folder_that_has_no_version_before_stays_one(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    into = candidate(model_folder, "plain")
    shutil.copytree(into, f"{into}.previous")  # somebody's own copy is no version
    before = sorted(tmp_path.rglob("*"))
    for where in (into, tmp_path / "nowhere" / "model"):
        with pytest.raises(ModelError, match="no version before this one"):
            store.rollback(where)
    assert sorted(tmp_path.rglob("*")) == before
    assert not into.is_symlink()


def test_what_is_no_model_is_not_replaced_and_nothing_is_left_beside_it(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    good = candidate(model_folder, "good")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for name in ("file", "folder"):
        with pytest.raises(ModelError):
            store.install(good, tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plain_folder_stays_one_when_the_candidate_cannot_be_copied(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into, good = (candidate(model_folder, name) for name in ("plain", "good"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelError, match="No space left"):
        store.install(good, into)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_version_that_this_release_cannot_read_is_replaced_without_a_complaint(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    into = tmp_path / "in-use"
    first, second = (candidate(model_folder, name) for name in ("first", "second"))
    store.install(first, into)
    (into / "manifest.json").write_text(json.dumps({"feature_version": 0}))
    switched = store.install(second, into)
    assert (switched.now.name, switched.before) == ("second", None)


def test_a_plain_folder_is_shown_as_what_is_used(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = candidate(model_folder, "plain")
    assert main(["model", "show", "--model", str(into)]) == 0
    assert capsys.readouterr().out.startswith("current   plain-")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(into)
    assert main(["model", "show", "--model", str(elsewhere)]) == 0
    assert capsys.readouterr().out.startswith("current   plain-")


def test_where_there_is_no_model_there_is_one_clear_error_and_nothing_to_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "show", "--model", str(tmp_path / "nowhere")]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "nowhere/manifest.json: not found" in shown.err


def test_the_same_network_with_other_thresholds_is_another_version(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    into = tmp_path / "in-use"
    store.install(candidate(model_folder, "same"), into)
    model_folder(name="same", thresholds={"known": 0.9})
    store.install(tmp_path / "model", into)
    assert Scorer(into).manifest.thresholds.known == 0.9
    store.rollback(into)
    assert Scorer(into).manifest.thresholds.known == 0.5


def test_installing_what_is_used_keeps_the_one_before(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    into = tmp_path / "in-use"
    first, second = (candidate(model_folder, name) for name in ("first", "second"))
    for one in (first, second, second):
        store.install(one, into)
    assert store.rollback(into).now.name == "first"


def test_the_commands_say_what_is_used_and_what_is_no_longer_known(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = str(tmp_path / "in-use")
    first = candidate(model_folder, "first")
    classes = [{"device": "Lamp", "category": "bulb"}, {"device": "Plug", "category": "plug"}]
    second = candidate(model_folder, "second", classes=classes)
    assert main(["model", "install", str(first), "--model", into]) == 0
    assert main(["model", "install", str(second), "--model", into]) == 0
    printed = capsys.readouterr().out
    assert "in-use: second-" in printed
    assert ", was first-" in printed
    assert "no longer known: Lens" in printed
    assert main(["model", "rollback", "--model", into]) == 0
    assert main(["model", "show", "--model", into]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[-2:]] == [
        "current",
        "previous",
    ]


def test_without_a_folder_of_its_own_there_is_one_clear_error(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "install", str(model_folder())]) == 1
    assert "give the workers' model folder" in capsys.readouterr().err
    unwritable = tmp_path / "file"
    unwritable.write_text(json.dumps(1))
    assert main(["model", "install", str(model_folder()), "--model", str(unwritable / "m")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
