"""Restarts with a state folder, the doctor and the benchmarks with the real Zeek."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from benchmarks import cluster, live, sensor
from testing.worker import ENVIRONMENT, broker, running_worker
from testing.zeek import Standalone, has_broker, replay, wait_until, zeek_path
from tests.zeek.helpers import identified, speed

pytestmark = pytest.mark.usefixtures("zeek")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_with_a_state_folder_forgets_no_host_over_a_restart(
    how: signal.Signals,
    sample_capture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = tmp_path / "state"
    monkeypatch.setitem(ENVIRONMENT, "NBA_SNAPSHOT_INTERVAL", "1")
    with Standalone(tmp_path / "zeek", replay(sample_capture, speed(40))) as zeek:
        with running_worker(zeek.url, "--state", str(state)) as first:
            wait_until(lambda: len(identified(zeek)) >= 2)
            named = identified(zeek)
            time.sleep(2.5)  # a snapshot that knows them
            first.send_signal(how)
            first.wait(40)
        lines = len(zeek.rows("nba_device"))
        with running_worker(zeek.url, "--state", str(state)) as second:
            time.sleep(8)
        assert second.stderr is not None
        assert "hosts from" in second.stderr.read()
        again = {
            row["host"] for row in zeek.rows("nba_device")[lines:] if row["state"] == "learning"
        }
    assert again.isdisjoint(named)


def test_a_snapshot_that_is_damaged_is_set_aside_with_one_line(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "hosts.snapshot").write_bytes(b"garbage")
    with Standalone(tmp_path / "zeek") as zeek:
        with running_worker(zeek.url, "--state", str(state)) as worker:
            wait_until(lambda: (state / "hosts.snapshot.bad-1").exists())
            time.sleep(2)
            assert worker.poll() is None
        assert worker.stderr is not None
        assert worker.stderr.read().count("moved to") == 1
    assert (state / "hosts.snapshot").exists()


def seen(zeek: Standalone) -> int:
    """Sessions of hosts that the sensor says it saw."""
    return max(
        (int(row["seen"]) for row in zeek.rows("nba_stats") if row["kind"] == "sensor"), default=0
    )


def test_the_doctor_hears_every_sensor_of_a_working_system(
    sample_capture: Path, tmp_path: Path
) -> None:
    settings = (*replay(sample_capture), "NBA::stats_interval=1sec")
    with Standalone(tmp_path / "zeek", settings) as zeek:
        alone = broker("doctor", "--url", zeek.url)
        assert alone.returncode == 1
        assert "no worker is running" in alone.stdout
        state = str(tmp_path / "state")
        with running_worker(zeek.url, "--state", state):
            wait_until(lambda: seen(zeek) > 0)
            time.sleep(3)
            result = broker("doctor", "--url", zeek.url, "--state", state)
            second = broker("doctor", "--url", zeek.url, "--partition", "1")
            with running_worker(zeek.url, "--partition", "1"):
                time.sleep(12)  # it has said how it fares
                stray = broker("doctor", "--url", zeek.url, "--state", state, "--partition", "1")
        nodes = {row["partition"] for row in zeek.rows("nba_stats") if row["kind"] == "worker"}
    assert nodes == {"0"}
    assert "needs attention  no worker is running in partition 1" in second.stdout
    assert "ok               worker" not in second.stdout
    assert (
        "needs attention  no sensor is heard in partition 1: check that NBA::partitions"
        in stray.stdout
    )
    backend = "broker" if has_broker(zeek_path()) else "zeromq"
    assert f"cluster backend: {backend}" in result.stdout
    assert "heard 1 sensors: standalone" in result.stdout
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("network", "well"), [("10.0.0.0/8", True), ("203.0.113.0/24", False)])
def test_the_doctor_asks_about_the_networks_where_no_host_is_seen(
    network: str, well: bool, tmp_path: Path
) -> None:
    script, state = tmp_path / "hosts.zeek", str(tmp_path / "state")
    script.write_text(f"redef NBA::hosts += {{ {network} }};\n")
    traffic = replay(Path(__file__).parent / "btest/Traces/eight.pcap")
    with (
        Standalone(tmp_path / "zeek", (*traffic, script)) as zeek,
        running_worker(zeek.url, "--state", state),
    ):
        time.sleep(3)
        result = broker("doctor", "--url", zeek.url, "--state", state)
    assert "heard 1 sensors: standalone" in result.stdout
    assert ("needs attention  no session of a local host yet" in result.stdout) is not well
    assert result.returncode == (0 if well else 1), result.stdout


def test_the_live_benchmarks_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SESSIONS", 100_000)
    ((_, rate, _),) = live.transport()
    assert rate > 0
    figures = {name: value for name, value, _ in live.end_to_end()}
    assert figures["end_to_end.lost"] == 0
    assert figures["end_to_end.sessions"] > 0


def test_the_benchmarks_of_a_cluster_account_for_every_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "SESSIONS", 50_000)
    monkeypatch.setattr(cluster, "SINGLE", 5_000)
    figures = {name: value for name, value, _ in cluster.throughput()}
    assert figures["cluster.transport.lost"] == figures["cluster.worker.lost"] == 0
    assert figures["cluster.worker.scored"] > 0
    assert figures["cluster.two_workers.sessions"] > 0
    assert figures["cluster.two_workers.lost"] == 0
    assert figures["cluster.single_events.sessions"] > 0
    assert 0 <= figures["cluster.single_events.dropped"] < 1
    monkeypatch.setattr(cluster, "OVERLOAD", 4.0)
    figures = {name: value for name, value, _ in cluster.overload()}
    assert figures["overload.skipped"] > 0
    assert figures["overload.unaccounted"] == figures["overload.lost"] == 0


def test_no_verdict_is_there_before_the_hold_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "RATE", 4_000.0)
    monkeypatch.setattr(cluster, "WARM", 2.0)
    monkeypatch.setattr(cluster, "PACED", 4.0)
    figures = {name: value for name, value, _ in cluster.latency()}
    assert figures["latency.verdicts"] > 0
    assert figures["latency.p50"] >= 100
    assert figures["latency.p99_beyond_hold"] == pytest.approx(figures["latency.p99"] - 100)


def test_what_the_package_costs_is_measured_on_the_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor, "FLOWS", 2_000)
    figures = {name: value for name, value, _ in sensor.cost()}
    assert figures["sensor.with_against_without"] > 0
