"""Another model is installed and rolled back while a real cluster publishes: no session is lost."""

from __future__ import annotations

import json
import shutil
from itertools import groupby
from pathlib import Path

import pytest

from benchmarks.live import PUBLISH
from nba_broker.cli import config
from nba_broker.model.manifest import Manifest
from testing.worker import broker, measured_worker
from testing.zeek import Cluster, wait_until

pytestmark = pytest.mark.usefixtures("zeek")

SENSORS = 2
RATE = 1_000  # sessions per second of each sensor
SESSIONS = 40 * RATE
HOSTS = 100


def other(folder: Path) -> Path:
    """The shipped model with a shorter window, under another name."""
    shutil.copytree(config.shipped("default"), folder)
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "candidate", "window": 32}))
    return folder


def test_a_switch_and_a_rollback_under_load_lose_no_session_and_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A line for each host every second, so that the log tells which model speaks.
    monkeypatch.setenv("NBA_REMINDER", "1")
    model, state = tmp_path / "model", tmp_path / "state"
    shutil.copytree(config.shipped("default"), model)
    candidate = other(tmp_path / "candidate")
    before, after = Manifest.load(model).id, Manifest.load(candidate).id
    options = (f"NBA::bench_sessions={SESSIONS}", f"NBA::bench_rate={RATE}.0")
    sensor = (PUBLISH, *options, f"NBA::bench_hosts={HOSTS}")
    with (
        Cluster(
            tmp_path / "zeek", [sensor] * SENSORS, settings=("NBA::stats_interval=1sec",)
        ) as zeek,
        measured_worker(zeek.url, "--model", model, "--state", state) as worker,
    ):

        def speaks() -> str:
            rows = zeek.rows("nba_device")
            return rows[-1]["model"] if len(rows) > HOSTS else ""

        def received() -> int:
            return int(worker.metrics()["nba_received_sessions_total"])

        wait_until(lambda: speaks() == before)
        assert broker("model", "install", candidate, "--model", model).returncode == 0
        wait_until(lambda: speaks() == after)
        assert broker("model", "rollback", "--model", model).returncode == 0
        wait_until(lambda: speaks() == before)
        assert received() < SENSORS * SESSIONS  # so all this was under load
        wait_until(lambda: received() >= SENSORS * SESSIONS)
        found = worker.settle()
        hosts = broker("hosts", "--model", model, "--state", state, "--format", "json")
        zeek.stop()
    last = {row["node"]: row for row in zeek.rows("nba_stats") if row["kind"] == "sensor"}
    assert set(last) == set(zeek.sensors)
    for row in last.values():
        assert int(row["seen"]) == int(row["sent"]) + int(row["skipped"])
        assert int(row["skipped"]) == 0
    sent = sum(int(row["sent"]) for row in last.values())
    assert sent == found["nba_received_sessions_total"] == found["nba_processed_sessions_total"]
    for fate in ("lost", "missed", "skipped"):
        assert found[f"nba_{fate}_sessions_total"] == 0

    log = zeek.rows("nba_device")
    assert [name for name, _ in groupby(row["model"] for row in log)] == [before, after, before]
    assert sum(row["reason"] == "new" for row in log) == HOSTS
    sessions: dict[str, int] = {}
    for row in log:
        assert int(row["sessions"]) >= sessions.get(row["host"], 0)
        sessions[row["host"]] = int(row["sessions"])
    standing = [json.loads(line) for line in hosts.stdout.splitlines()]
    assert len(standing) == HOSTS
    assert sum(one["sessions"] for one in standing) == sent
