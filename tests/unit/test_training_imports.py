"""What loads what: evaluating needs no torch, and a fit without it says what to install."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["torch"] = None  # importing it fails, as where it is not installed
from training.cli.main import main
from training.evaluation import evaluate
sys.exit(main(["fit", "conn.log", "--labels", "labels.csv", "--out", "model"]))
"""


def test_only_fit_needs_torch_and_says_how_to_get_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "nba-train: fit needs torch: install the extra with pip install 'nba-broker[train]'\n"
    )
