"""Devices left out in turn: their hosts are separated from the known ones by the scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import training.evaluation.unknowns
from tests.training.quick import QUICK, quiet, sessions
from training.cli.main import main
from training.evaluation.unknowns import FALSE_ALARMS, table, unknowns
from training.metrics.curves import auroc, roc


def test_auroc_is_the_chance_to_be_above_and_equal_ones_count_half() -> None:
    assert auroc(np.array([2.0, 3.0]), np.ones(2), np.array([0.0, 1.0])) == 1.0
    assert auroc(np.array([0.0, 3.0]), np.ones(2), np.array([1.0, 2.0])) == 0.5
    assert auroc(np.array([1.0]), np.ones(1), np.array([1.0, 1.0])) == 0.5
    assert auroc(np.array([0.0, 3.0]), np.array([1.0, 3.0]), np.array([1.0])) == 0.75


def test_a_roc_curve_is_the_share_caught_at_each_share_of_false_alarms() -> None:
    inside, outside = np.arange(100.0), np.array([-1.0, 0.5, 49.5, 200.0])
    caught = dict(zip(FALSE_ALARMS, roc(inside, np.ones(100), outside, FALSE_ALARMS), strict=True))
    assert caught[0.0] == 0.25
    assert caught[0.05] == 0.5
    assert caught[0.5] == 0.75
    assert list(caught.values()) == sorted(caught.values())


@pytest.fixture(scope="module")
def figures() -> dict:
    """Three devices with pools of their own; Every_3 behaves like Every_2."""
    whole = sessions(1.0, 60.0, 900.0, 900.0, number=300)
    whole.pool[:] = np.minimum(whole.series, 2)
    return unknowns(whole, QUICK, confusable=["Every_2", "Every_3"], say=quiet)


def test_a_device_with_pools_of_its_own_is_caught_when_left_out(figures: dict) -> None:
    for device in ("Every_0", "Every_1"):
        assert figures["devices"][device]["scores"]["known"]["caught"] == 1.0
        assert figures["devices"][device]["ever_named"] == 0.0
        assert figures["devices"][device]["scores"]["known"]["auroc"] > 0.99


def test_a_confusable_device_gets_the_others_name_and_takes_no_part_in_the_mean(
    figures: dict,
) -> None:
    assert figures["devices"]["Every_2"]["scores"]["pools"]["caught"] == 0.0
    assert figures["mean"]["scores"]["known"]["caught"] == 1.0


def test_the_table_names_every_score(figures: dict) -> None:
    assert [line.split()[1] for line in table(figures)[2:]] == list(figures["mean"]["scores"])


def test_the_command_writes_its_figures_and_takes_hosts_of_another_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.evaluation.unknowns, "QUICK", QUICK)
    rng = np.random.default_rng(0)
    lines = ["#separator \\x09", "#path\tconn", "#fields\tts\tid.orig_h\tid.resp_h"]
    for host in range(1, 5):
        times = 1000 + np.cumsum(rng.exponential(10.0, 300))
        lines += [f"{ts:.6f}\t10.0.0.{host}\t224.0.0.{host}" for ts in times]
    (tmp_path / "conn.log").write_text("\n".join(lines) + "\n")
    for name, hosts in (("known.csv", (1, 2, 3)), ("strange.csv", (4,))):
        rows = [f"10.0.0.{host},Thing_{host},thing" for host in hosts]
        (tmp_path / name).write_text("\n".join(["host,device,category", *rows]) + "\n")
    log, out = str(tmp_path / "conn.log"), tmp_path / "figures.json"
    words = ["unknowns", log, "--labels", str(tmp_path / "known.csv"), "--json", str(out)]
    words += ["--ood", log, "--ood-labels", str(tmp_path / "strange.csv")]
    page = tmp_path / "page.html"
    assert main([*words, "--html", str(page)]) == 0
    assert "Thing_3" in page.read_text()
    figures = json.loads(out.read_text())
    assert set(figures["devices"]) == {"Thing_1", "Thing_2", "Thing_3"}
    assert figures["out_of_distribution"]["ever_named"] == 0.0
