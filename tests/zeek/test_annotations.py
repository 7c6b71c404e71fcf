"""An analyst's annotations for a live worker, as the real Zeek logs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing.worker import broker, running_worker
from testing.zeek import Standalone, replay, wait_until
from tests.zeek.helpers import identified, speed

pytestmark = pytest.mark.usefixtures("zeek")


def test_a_label_reaches_the_log_and_the_list_of_hosts_without_a_restart(
    sample_capture: Path, tmp_path: Path
) -> None:
    state, path = str(tmp_path / "state"), str(tmp_path / "annotations.csv")
    with (
        Standalone(tmp_path / "zeek", replay(sample_capture, speed(40))) as zeek,
        running_worker(zeek.url, "--state", state, "--annotations", path) as worker,
    ):
        wait_until(lambda: bool(identified(zeek)))
        host = sorted(identified(zeek))[0]
        # The capture is of another day than this one: so is the time of its network.
        began = min(row["ts"] for row in zeek.rows("nba_device"))
        words = ["Hall_Camera", "--at", str(began), "--reason", "seen it"]
        done = broker("label", host, *words, "--annotations", path, "--state", state)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: any(r["reason"] == "annotation" for r in zeek.rows("nba_device")))
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
