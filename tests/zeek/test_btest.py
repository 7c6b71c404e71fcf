"""The Zeek scripts' own tests, run by btest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("zeek")


def test_btests_pass() -> None:
    """Every btest of the package passes."""
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}"}
    run = subprocess.run(
        ["btest", "-d", "-j", "2"],
        cwd=Path(__file__).parent / "btest",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
