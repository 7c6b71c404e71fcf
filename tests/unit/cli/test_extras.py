"""The command that installs an extra suits the way in which nba-broker was installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from nba_broker.cli import extras
from nba_broker.records.errors import ConfigError


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an environment that this Python is in."""
    pip = tmp_path / ".venv/bin/pip"
    pip.parent.mkdir(parents=True)
    pip.touch()
    monkeypatch.setattr(sys, "executable", str(pip.with_name("python")))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (
            {"url": "{here}", "dir_info": {"editable": True}},
            ".venv/bin/pip install -e '.[triage]'",
        ),
        ({"url": "{here}", "dir_info": {}}, ".venv/bin/pip install '.[triage]'"),
        ({"url": "{here}/dist/a.whl"}, "{here}/.venv/bin/pip install '{here}/dist/a.whl[triage]'"),
        ({"url": "file:///no/a%20b"}, "{here}/.venv/bin/pip install '/no/a b[triage]'"),
        ({"url": "https://e.org/a.whl"}, "{here}/.venv/bin/pip install 'nba-broker[triage]'"),
        ({}, "{here}/.venv/bin/pip install 'nba-broker[triage]'"),
    ],
)
def test_the_command_takes_the_extra_from_where_the_rest_came(
    origin: dict[str, Any], command: str, checkout: Path
) -> None:
    if "url" in origin:
        origin = origin | {"url": origin["url"].format(here=checkout.as_uri())}
    assert extras.install("triage", origin) == command.format(here=checkout)


def test_from_another_folder_the_command_has_whole_paths(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout / ".venv/bin")
    monkeypatch.setattr(sys, "executable", str(checkout / ".venv/python"))
    origin = {"url": checkout.as_uri(), "dir_info": {"editable": True}}
    command = f"{checkout}/.venv/python -m pip install -e '{checkout}[x]'"
    assert extras.install("x", origin) == command


def test_a_package_that_is_missing_is_one_error_with_the_command() -> None:
    said = r"fit needs torch: install the extra with \S.*pip install .*\[train\]'"
    with pytest.raises(ConfigError, match=said), extras.needed("fit", "train"):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
