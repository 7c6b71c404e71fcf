"""Nothing is kept about this machine, and so nothing sent, but what a user asks for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.helpers import ROOT

SCORE = f"from nba_broker.cli.main import main; main(['score', '{ROOT / 'models/sample'}'])"


@pytest.mark.parametrize("setting", [None, "0"])
@pytest.mark.parametrize("program", [SCORE, "import training, onnxruntime"])
def test_a_command_leaves_nothing_in_the_home_folder(
    tmp_path: Path, program: str, setting: str | None
) -> None:
    """ONNX Runtime keeps an id there for its reports, unless it is told not to before it loads."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    env.pop("ORT_DISABLE_TELEMETRY", None)
    env |= {} if setting is None else {"ORT_DISABLE_TELEMETRY": setting}
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=work, stdout=subprocess.DEVNULL, env=env
    )
    assert (work / "nba_device.log").exists() == (program == SCORE)
    assert list(home.rglob("*")) == []
