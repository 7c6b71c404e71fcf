"""The commands with which the README trains a model, on an archive that is made up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.commands import RUN_IN_TRAINING, words
from tests.training.quick import quick
from training.cli.main import main

HOSTS = {"00:11:22:33:44:55": ("192.168.1.7", "192.168.1.1"), "": ("192.168.1.40", "224.0.0.251")}
DAY = 86400
BEGIN = 1794960000  # 2026-11-18


def test_the_readmes_commands_train_and_measure_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick(monkeypatch)
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    labels = readme.split("    host,device,category\n", 1)[1].split("\n\n", 1)[0]
    rows = ["host,device,category", *(line.strip() for line in labels.splitlines())]
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    rng = np.random.default_rng(0)
    lines = ["#separator \\x09", "#fields\tts\tid.orig_h\tid.resp_h\torig_l2_addr"]
    for mac, (host, dst) in HOSTS.items():
        times = np.sort(BEGIN + rng.uniform(0, 4 * DAY, 400))
        lines += [f"{ts:.6f}\t{host}\t{dst}\t{mac or '-'}" for ts in times]
    (tmp_path / "conn.log").write_text("\n".join(lines) + "\n")

    archive = {f"/opt/zeek/logs/2026-1{day}*": str(tmp_path / "conn.log") for day in ("", "1-2")}
    for command in sorted(RUN_IN_TRAINING, reverse=True):
        assert main(words(command, **archive)) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["classes"]) == {"Hall_Camera", "Front_Desk_PC"}
    assert report["windows"] > 0
