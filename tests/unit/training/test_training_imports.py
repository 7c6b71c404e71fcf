"""Evaluating needs no torch, and a fit without torch says what to install."""

from __future__ import annotations

import re
import subprocess
import sys

PROGRAM = """
import importlib.abc
import sys

class NoTorch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)

sys.meta_path.insert(0, NoTorch())
from training.cli.main import main
from training.evaluation import evaluate
sys.exit(main(["fit", "conn.log", "--labels", "labels.csv", "--out", "model"]))
"""


def test_only_fit_needs_torch_and_says_how_to_get_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(
        r"nba-train: fit needs torch: install the extra with .*pip install .*\[train\]'\n",
        done.stderr,
    )
