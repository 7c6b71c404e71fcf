"""Every command in README and docs is run by a test, or there is a reason why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import nba_broker.cli.main
import training.cli.main
from nba_broker.cli import config
from nba_broker.cli.build import build_pipeline
from nba_broker.verdicts import annotation_file
from nba_broker.worker import snapshot, snapshot_file
from tests.commands import (
    DOCUMENTS,
    NOT_RUN,
    ROOT,
    RUN_ELSEWHERE,
    RUN_HERE,
    RUN_IN_TRAINING,
    is_synopsis,
    options,
    quoted,
    shown,
    words,
)
from tests.unit.helpers import LAMP_CLOUD, host, sessions

PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "nba-broker": nba_broker.cli.main.main,
    "nba-train": training.cli.main.main,
}


def known() -> set[str]:
    return {*RUN_HERE, *RUN_IN_TRAINING, *RUN_ELSEWHERE, *NOT_RUN}


def commands() -> set[str]:
    return {command for path in DOCUMENTS for command in shown(path.read_text())}


def test_every_command_is_run_or_there_is_a_reason_why_not() -> None:
    """A new one goes into a table of tests/commands.py, one that is gone leaves it."""
    present = commands()
    assert {one for one in present - known() if not is_synopsis(one)} == set()
    assert known() - present == set()


def test_a_command_that_is_in_no_table_is_found() -> None:
    text = "Do\n\n    nba-broker score --fast a  # now\n    rm -rf \\\n        b\n"
    text += "\nand\n\n    x,y\n    1,2\n"
    assert shown(text) == ["nba-broker score --fast a", "rm -rf b"]
    assert not set(shown(text)) & known()
    assert is_synopsis("nba-broker hosts --state DIR")
    assert not is_synopsis("nba-broker score --fast a")


def test_no_command_is_in_two_tables() -> None:
    tables = (RUN_HERE, RUN_IN_TRAINING, RUN_ELSEWHERE, NOT_RUN)
    assert sum(map(len, tables)) == len(known())


def test_whoever_is_said_to_run_a_command_is_there() -> None:
    for command, test in RUN_ELSEWHERE.items():
        program, *rest = command.split()
        ours = program.rpartition("/")[2] in PROGRAMS
        what = rest[0] if ours else program
        assert f'"{what}"' in (ROOT / test).read_text(), f"{test}: {command}"


def test_every_option_that_a_document_names_exists(capsys: pytest.CaptureFixture[str]) -> None:
    asked: dict[tuple[str, str], set[str]] = {}
    for path in DOCUMENTS:
        for command in shown(path.read_text()) + quoted(path.read_text()):
            if (found := options(command)) is not None:
                program, subcommand, names = found
                asked.setdefault((program, subcommand), set()).update(names)
    assert asked["nba-broker", "label"] >= {"--category", "--annotations"}
    for (program, subcommand), names in asked.items():
        with pytest.raises(SystemExit) as ended:
            PROGRAMS[program]([*subcommand.split(), "--help"])
        taken = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
        assert ended.value.code == 0
        taken.add("--answers")  # the second spelling of --annotations, which the help leaves out
        assert names <= taken, f"{program} {subcommand}"


def run(command: str, **instead: str) -> int:
    return PROGRAMS["nba-broker"](words(command, **instead))


def test_the_annotations_that_the_readme_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for start in ("nba-broker label", "nba-broker confirm", "nba-broker ignore"):
        [command] = [command for command in RUN_HERE if command.startswith(start)]
        assert run(command) == 0
    given = annotation_file.read(tmp_path / "annotations.csv")
    assert sorted(one.action for one in given) == ["confirm", "ignore", "label"]


def test_the_archive_that_the_readme_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [command] = [command for command in RUN_HERE if command.startswith("nba-broker score")]
    sample = str(ROOT / "models/sample")
    assert run(command, **{"/opt/zeek/logs/2026-11-*": sample}) == 0
    assert (tmp_path / "results/nba_device.log").read_text().startswith("#separator")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """What a worker with the shipped model has left behind."""
    made = build_pipeline(config.load(None, {}, {}), worker="w")
    made.process(sessions(host(7, times=list(range(100, 120)), dst=LAMP_CLOUD)))
    snapshot_file.write(tmp_path / "hosts.snapshot", snapshot.parts(made, {}))
    return tmp_path


@pytest.mark.parametrize("form", ["table", "csv", "json", "ocsf"])
def test_the_hosts_that_operations_shows(
    form: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [command] = [command for command in RUN_HERE if command.startswith("nba-broker hosts")]
    typed = command.replace("[--format table|csv|json|ocsf]", f"--format {form}")
    assert run(typed, DIR=str(state)) == 0
    printed = capsys.readouterr().out
    assert "192.168.1.7" in printed
    if form == "json":
        assert json.loads(printed)["host"] == "192.168.1.7"


def test_the_doctor_that_the_readme_calls_says_what_to_do_without_zeek(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBA_URL", "ws://127.0.0.1:1/v1/messages/json")
    [command] = [command for command in RUN_HERE if "doctor" in command]
    assert run(command) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("ok               model default-")
    assert "needs attention" in printed
