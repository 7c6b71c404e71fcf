"""A release is tried on the Pythons that are here, and its version is written once."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.unit.helpers import ROOT
from tools import dist

VERSION = "{}.{}".format(*sys.version_info)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def program(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{content}\n")
    path.chmod(0o755)


def test_pythons_are_found_on_the_path_and_in_pyenv_if_they_answer_as_their_version(
    tmp_path: Path,
) -> None:
    program(tmp_path / "bin/python3.12", "echo 3.12")
    program(tmp_path / "bin/python3.13", "exit 127  # a shim of a version that is switched off")
    program(tmp_path / "bin/python3.14", "echo 3.11")
    program(tmp_path / ".pyenv/versions/3.11.7/bin/python", "echo 3.11")
    program(tmp_path / ".pyenv/versions/3.10.1/bin/python", "echo 3.10")
    found = dist.pythons({"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin"})
    assert found == {
        "3.11": tmp_path / ".pyenv/versions/3.11.7/bin/python",
        "3.12": tmp_path / "bin/python3.12",
    }


def test_a_release_is_tried_from_the_oldest_python_that_it_supports_on() -> None:
    assert PROJECT["requires-python"] == f">={dist.SUPPORTED[0]}"


def test_a_command_that_fails_ends_the_program_with_what_it_printed() -> None:
    with pytest.raises(SystemExit, match="no such option"):
        dist._run("sh", "-c", "echo no such option; exit 2")


def test_no_wheel_of_another_version_stays_for_the_containerfile_to_take_too(
    tmp_path: Path,
) -> None:
    kept = ["nba_broker-notes.txt", "other-1.whl"]
    for name in (*kept, "nba_broker-0.0.1-py3-none-any.whl", "nba_broker-0.0.1.tar.gz"):
        (tmp_path / name).touch()
    dist.remove_built(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


def test_the_version_is_written_in_one_place() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.py", "*.zeek", "*.toml", "*.cfg", "*.meta", "Makefile", "packaging"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip("this is no checkout")
    written = re.compile(rf"^\W*_*version_*\W*[=:]\s*['\"]?{re.escape(PROJECT['version'])}\b", re.M)
    files = [
        name
        for name in tracked.stdout.splitlines()
        if written.search((ROOT / name).read_text(errors="replace"))
    ]
    assert files == ["pyproject.toml"]


def test_changes_have_the_version_that_was_released_last() -> None:
    headings = re.findall(r"^(\d+\.\d+\.\d+)$", (ROOT / "CHANGES").read_text(), re.M)
    assert headings[0] == PROJECT["version"]
