"""Where the Zeek package is looked for."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from nba_broker.archive import zeek_process
from nba_broker.cli import config
from nba_broker.records.errors import ZeekError
from tests.unit.helpers import ROOT


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site folder of a Zeek, for a worker that was not started from a checkout."""
    zeek = tmp_path / "zeek/bin/zeek"
    monkeypatch.setattr(zeek_process, "find_zeek", lambda chosen=None: zeek)
    monkeypatch.setattr(zeek_process, "__file__", str(tmp_path / "lib/nba_broker/zeek_process.py"))
    folder = tmp_path / "zeek/share/zeek/site"
    folder.mkdir(parents=True)
    return folder


def package(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "__load__.zeek").touch()
    return folder


def test_a_package_from_a_checkout_of_any_name_is_found_by_zkgs_alias(site: Path) -> None:
    (site / "zeek-nba").symlink_to(package(site / "packages/my-checkout"))
    assert zeek_process.find_scripts() == site / "zeek-nba"


def test_a_package_is_found_without_the_alias(site: Path) -> None:
    made = package(site / "packages/zeek-nba")
    assert zeek_process.find_scripts() == made


def test_a_package_that_is_not_there_is_one_error_that_says_what_to_do(site: Path) -> None:
    with pytest.raises(ZeekError, match=r"run: zkg install zeek-nba \(in a checkout: zkg install"):
        zeek_process.find_scripts()


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)
    return path


def test_the_zeek_that_was_chosen_comes_before_that_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, chosen = (executable(tmp_path / name / "bin/zeek") for name in ("usual", "chosen"))
    monkeypatch.setenv("PATH", str(usual.parent))
    assert zeek_process.find_zeek() == usual
    assert zeek_process.find_zeek(chosen) == chosen
    for given in (chosen.parent, chosen.parent.parent):
        assert zeek_process.find_zeek(given) == chosen


def test_a_chosen_zeek_that_is_not_there_is_one_error_and_no_other_zeek(tmp_path: Path) -> None:
    with pytest.raises(ZeekError, match=f"no Zeek at {tmp_path}; set NBA_ZEEK to its prefix"):
        zeek_process.find_zeek(tmp_path)


def test_the_zeek_is_chosen_by_the_environment(tmp_path: Path) -> None:
    assert config.load(None, {"NBA_ZEEK": str(tmp_path)}, {}).zeek == tmp_path


def test_btests_take_the_folder_of_the_zeek_that_nba_broker_takes(tmp_path: Path) -> None:
    chosen = executable(tmp_path / "bin/zeek")
    script = ROOT / "tests/zeek/btest/Scripts/chosen-zeek"
    for given in (chosen, chosen.parent, tmp_path):
        assert zeek_process.find_zeek(given) == chosen
        said = subprocess.run(
            ["sh", script], env={"NBA_ZEEK": str(given)}, capture_output=True, check=True, text=True
        )
        assert said.stdout == f"{chosen.parent}:\n"


def test_where_no_port_can_be_had_nobody_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(zeek_process, "_PORTS", range(port, port + 1))
        monkeypatch.setattr(zeek_process, "_TRIES", 1)
        with pytest.raises(ZeekError, match=r"no free port on 127\.0\.0\.1 \(.*in use"):
            zeek_process.free_port()
