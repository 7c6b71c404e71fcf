"""Annotations for a live worker, as the real Zeek logs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zeek.test_worker import broker, identified, running_worker, sample_capture, speed
from tests.zeek.zeek_process import Standalone, replay, wait_until

pytestmark = pytest.mark.usefixtures("zeek")

__all__ = ["sample_capture"]  # a fixture


def test_a_label_reaches_the_log_and_the_list_of_hosts_without_a_restart(
    sample_capture: Path, tmp_path: Path
) -> None:
    state, path = str(tmp_path / "state"), str(tmp_path / "annotations.csv")
    with (
        Standalone(tmp_path / "zeek", replay(sample_capture, speed(sample_capture, 40))) as zeek,
        running_worker(zeek.url, "--state", state, "--answers", path) as worker,
    ):
        wait_until(lambda: bool(identified(zeek)), 60)
        host = sorted(identified(zeek))[0]
        # The capture is of another day than this one: so is the time of its network.
        began = min(row["ts"] for row in zeek.rows("nba_device"))
        words = ["Hall_Camera", "--at", str(began), "--reason", "seen it"]
        done = broker("label", host, *words, "--answers", path, "--state", state)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: any(r["reason"] == "annotation" for r in zeek.rows("nba_device")), 30)
        shown = broker("hosts", "--state", state, "--format", "csv")
        worker.terminate()
        worker.wait(40)
        (line,) = [row for row in zeek.rows("nba_device") if row["reason"] == "annotation"]
        notices = [row for row in zeek.rows("notice") if row.get("src") == host]
    assert (line["host"], line["state"], line["device"]) == (host, "identified", "Hall_Camera")
    assert float(line["confidence"]) == 1.0
    assert "seen it" in str(line["evidence"])
    assert "Hall_Camera" in shown.stdout, shown.stderr
    assert not notices
