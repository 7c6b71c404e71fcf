"""Where the Zeek package is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba_broker import zeek_process
from nba_broker.errors import ZeekError


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site folder of a Zeek, for a worker that was not started from a checkout."""
    zeek = tmp_path / "zeek/bin/zeek"
    monkeypatch.setattr(zeek_process, "find_zeek", lambda: zeek)
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
