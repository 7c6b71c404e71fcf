"""nba-train refuses outputs that it cannot write or may not replace before it reads anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.cli.main import main

# None of what these read is there, so whoever reads first complains of that.
FIT = ["fit", "no.log", "--labels", "no.csv"]
REFRESH = ["refresh", "no.log", "--labels", "no.csv", "--model", "no-model"]
COMMANDS = {
    "evaluate": ["--labels", "no.csv", "--model", "no-model"],
    "compare": ["--labels", "no.csv", "--protocol", "unit"],
    "ablate": ["--labels", "no.csv"],
    "unknowns": ["--labels", "no.csv"],
    "alarms": ["--labels", "no.csv", "--model", "no-model"],
    "mud": ["--labels", "no.csv", "--judged", "2026-01-01"],
    "stress": ["--labels", "no.csv", "--model", "no-model"],
}


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command is refused."""
    assert main(words) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", [FIT, [*REFRESH, "--json", "r.json"]], ids=["fit", "refresh"])
def test_a_model_or_anything_else_that_is_there_is_not_replaced(
    line: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "versions" / "one").mkdir(parents=True)
    (here / "versions" / "one" / "manifest.json").write_text("{}")
    (here / "in-use").symlink_to("versions/one")
    (here / "dangling").symlink_to("versions/two")
    (here / "file").write_text("mine")
    before = sorted(here.rglob("*"))
    for name in ("versions/one", "in-use", "dangling", "versions", "file"):
        error = refused([*line, "--out", name], capsys)
        assert error.startswith(f"nba-train: {name}: exists already; give another folder")
        assert "nba-broker model install" in error
    assert sorted(here.rglob("*")) == before


def test_an_empty_folder_and_one_that_is_to_be_made_are_places_for_a_model(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "empty").mkdir()
    for out in ("empty", "some/new/folder"):
        assert "already" not in refused([*FIT, "--out", out], capsys)
    assert "cannot be replaced" in refused([*FIT, "--out", "."], capsys)
    (here / "file").write_text("mine")
    assert "file is not a folder" in refused([*FIT, "--out", "file/model"], capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_report_that_cannot_be_written_is_refused_first(
    command: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [command, "no.log", *COMMANDS[command], "--json"]
    assert "there is no folder nodir" in refused([*line, "nodir/x.json"], capsys)
    assert "is a folder, not a file" in refused([*line, str(here)], capsys)
    assert not list(here.iterdir())


def test_pages_cards_and_the_candidates_report_are_looked_at_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for line in (
        ["compare", "no.log", *COMMANDS["compare"], "--json", "x.json", "--html", "nodir/x"],
        ["unknowns", "no.log", *COMMANDS["unknowns"], "--json", "x.json", "--html", "nodir/x"],
        ["evaluate", "no.log", *COMMANDS["evaluate"], "--json", "x.json", "--card", "nodir/x"],
        [*REFRESH, "--out", "candidate", "--json", "nodir/x"],
        [*REFRESH, "--out", "candidate", "--json", "x.json", "--html", "nodir/x"],
        ["labels", "no.log", "--out", "nodir/x"],
    ):
        assert refused(line, capsys) == "nba-train: nodir/x: there is no folder nodir\n"


def test_missing_permission_is_refused_first(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, who may run this, may write all
    line = ["evaluate", "no.log", *COMMANDS["evaluate"], "--json"]
    assert "cannot be written to" in refused([*line, "x.json"], capsys)
    assert "cannot be written to" in refused([*FIT, "--out", "some/model"], capsys)

    def hidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", hidden)
    assert refused([*line, "x.json"], capsys) == "nba-train: x.json: Permission denied\n"


def test_labels_that_are_there_are_kept_before_an_archive_is_read(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "labels.csv").write_text("edited")
    assert "labels.csv exists already" in refused(["labels", "no.log"], capsys)
    assert (here / "labels.csv").read_text() == "edited"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--margin", "-1"], "'-1' is not a number from 0 to 1"),
        (["--margin", "nan"], "'nan' is not a number from 0 to 1"),
        *(
            (["--later", text], "neither a share between 0 and 1 nor a time")
            for text in ("0", "1", "-0.2", "25")
        ),
    ],
)
def test_a_margin_or_a_share_that_is_none_is_wrong_usage(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*REFRESH, "--out", "o", "--json", "x.json", *words])
    assert stopped.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_report_and_a_page_in_one_file_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["compare", "no.log", *COMMANDS["compare"]]
    error = refused([*line, "--json", "x", "--html", "./x"], capsys)
    assert "--json and --html are the same file, x; give two" in error
    error = refused([*line, "--json", "/dev/null", "--html", "/dev/null"], capsys)
    assert "same file" not in error


def test_a_candidate_in_the_folder_of_the_running_model_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "one").mkdir()
    (here / "no-model").symlink_to("one")
    error = refused([*REFRESH, "--json", "r.json", "--out", "one/candidate"], capsys)
    assert "--out one/candidate: is in the folder of --model; give another folder" in error
