"""The real worker with the real Zeek: the same verdicts live, from a capture and from conn.log."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest

from nba_broker.cli import main
from nba_broker.model.scorer import Scorer
from nba_broker.model.windows import Windows
from testing.client import Client
from testing.worker import broker, running_worker
from testing.zeek import Cluster, Standalone, read, replay, wait_until
from tests.zeek.helpers import SAMPLE, identified, speed, verdicts, zeek_logs

pytestmark = pytest.mark.usefixtures("zeek")


class Recorder(Scorer):
    """A scorer that remembers the arrays that reach the model."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        super().__init__(folder, threads)
        self.seen: list[tuple[np.ndarray, ...]] = []

    def inputs(self, windows: Windows, table: list[str]) -> tuple[np.ndarray, ...]:
        arrays = super().inputs(windows, table)
        self.seen.append((*arrays, windows.columns["ts"], windows.dport, windows.count))
        return arrays

    def arrays(self) -> list[np.ndarray]:
        return [np.concatenate(column) for column in zip(*self.seen, strict=True)]


CAPTURES = ["HueBridge", "WeMoLink", "D-LinkHomeHub", "lsif"]


@pytest.mark.parametrize("name", CAPTURES)
def test_the_arrays_that_reach_the_model_live_and_from_conn_log_are_equal(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data: Path = request.getfixturevalue("data")
    pcap = (
        request.getfixturevalue("lsif_day")
        if name == "lsif"
        else data / "sentinel" / "pcap" / f"{name}.pcap"
    )
    recorders: list[Recorder] = []

    def recorder(folder: Path, threads: int = 1) -> Recorder:
        recorders.append(Recorder(folder, threads))
        return recorders[-1]

    monkeypatch.setattr("nba_broker.cli.build.Scorer", recorder)
    assert main.main(["pcap", str(pcap), "--out", str(tmp_path / "live")]) == 0
    logs = zeek_logs(pcap, tmp_path / "zeek")
    assert main.main(["score", str(logs), "--out", str(tmp_path / "offline")]) == 0
    live, offline = (one.arrays() for one in recorders)
    assert len(live[0]) > 0
    for a, b in zip(live, offline, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_capture_and_its_conn_log_give_the_same_verdicts(lsif_day: Path, tmp_path: Path) -> None:
    assert broker("pcap", lsif_day, "--out", tmp_path / "live").returncode == 0
    logs = zeek_logs(lsif_day, tmp_path / "zeek")
    assert broker("score", logs, "--out", tmp_path / "offline").returncode == 0
    live = verdicts(tmp_path / "live" / "nba_device.log")
    assert live == verdicts(tmp_path / "offline" / "nba_device.log")
    assert {row["state"] for row in live} >= {"learning", "identified"}


def test_two_runs_over_a_capture_give_the_same_log(sample_capture: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert broker("pcap", sample_capture, "--out", tmp_path / name).returncode == 0
    one, two = (verdicts(tmp_path / name / "nba_device.log") for name in ("one", "two"))
    assert one == two


def split_flows(pcap: Path, parts: int, folder: Path) -> list[Path]:
    """The capture's packets dealt out one by one: one packet is one flow in it."""
    content = pcap.read_bytes()
    outputs = [bytearray(content[:24]) for _ in range(parts)]
    at, number = 24, 0
    while at < len(content):
        size = 16 + int.from_bytes(content[at + 8 : at + 12], "little")
        outputs[number % parts] += content[at : at + size]
        at, number = at + size, number + 1
    folder.mkdir()
    paths = []
    for number, output in enumerate(outputs):
        paths.append(folder / f"{number}.pcap")
        paths[-1].write_bytes(output)
    return paths


def test_a_cluster_gives_the_verdicts_of_a_single_zeek_once(
    sample_capture: Path, tmp_path: Path
) -> None:
    assert broker("pcap", sample_capture, "--out", tmp_path / "single").returncode == 0
    halves = split_flows(sample_capture, 2, tmp_path / "halves")
    single = verdicts(tmp_path / "single" / "nba_device.log")
    with Cluster(tmp_path / "cluster", [read(half) for half in halves]) as zeek:
        with running_worker(zeek.url):
            for name in zeek.sensors:
                assert zeek.nodes[name].wait(120) == 0
            wait_until(lambda: len(zeek.rows("nba_device")) >= len(single))
            wait_until(lambda: received(zeek) == seen(zeek))
    assert verdicts(zeek.logs / "nba_device.log") == single
    worker = [row for row in zeek.rows("nba_stats") if row["kind"] == "worker"][-1]
    assert (worker["lost"], worker["late"], worker["invalid"]) == ("0", "0", "0")


def seen(zeek: Cluster) -> int:
    """Sessions that all sensors together say they saw."""
    last = {row["node"]: row["seen"] for row in zeek.rows("nba_stats") if row["kind"] == "sensor"}
    assert set(last) == set(zeek.sensors)
    return sum(map(int, last.values()))


def received(zeek: Cluster) -> int:
    """Sessions that the worker says it got."""
    rows = [row for row in zeek.rows("nba_stats") if row["kind"] == "worker"]
    return int(rows[-1]["received"]) if rows else 0


@pytest.mark.parametrize("first", ["zeek", "worker"])
def test_live_traffic_is_identified_whoever_starts_first(
    first: str, sample_capture: Path, tmp_path: Path
) -> None:
    zeek = Standalone(tmp_path / "zeek", replay(sample_capture, speed(20)))
    if first == "zeek":
        with zeek, running_worker(zeek.url):
            wait_until(lambda: identified(zeek))
    else:
        with running_worker(zeek.url):
            time.sleep(2)
            with zeek:
                wait_until(lambda: identified(zeek))


def test_a_killed_worker_is_followed_by_another_that_says_what_it_missed(
    sample_capture: Path, tmp_path: Path
) -> None:
    with Standalone(tmp_path, replay(sample_capture, speed(40))) as zeek:
        with running_worker(zeek.url) as first:
            wait_until(lambda: identified(zeek))
            first.send_signal(signal.SIGKILL)
        with running_worker(zeek.url) as second:
            wait_until(lambda: len({row["worker"] for row in zeek.rows("nba_device")}) == 2)
        assert second.stderr is not None
        assert "before this worker joined" in second.stderr.read()


def test_a_restarted_zeek_is_found_again_and_no_host_is_forgotten(
    sample_capture: Path, tmp_path: Path
) -> None:
    zeek = Standalone(tmp_path / "zeek", replay(sample_capture, speed(30)))
    with running_worker(zeek.url) as worker:
        with zeek:
            wait_until(lambda: len(identified(zeek)) >= 2)
            zeek.zeek.kill()
        before = {row["host"] for row in zeek.rows("nba_device")}
        again = Standalone(tmp_path / "again", replay(sample_capture, speed(30)), zeek.port)
        with again:
            time.sleep(20)
            new = {r["host"] for r in again.rows("nba_device") if r["state"] == "learning"}
        assert worker.poll() is None
    assert new.isdisjoint(before)


def test_a_second_worker_gives_way_with_one_clear_line(tmp_path: Path) -> None:
    with Standalone(tmp_path) as zeek, running_worker(zeek.url) as first:
        wait_until(lambda: any(r["kind"] == "worker" for r in zeek.rows("nba_stats")))
        second = broker("run", "--url", zeek.url)
        assert second.returncode == 1
        assert "already serves partition" in second.stderr.splitlines()[-1]
        assert first.poll() is None


def test_a_capture_that_is_none_is_one_clear_error(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"no capture" * 10)
    result = broker("pcap", bad, "--out", tmp_path / "out")
    assert result.returncode == 1
    assert result.stderr.startswith(f"nba-broker: {bad}: neither a pcap nor a pcapng file")


def test_a_run_that_fails_leaves_the_logs_that_are_there_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert broker("score", SAMPLE, "--out", out).returncode == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"no capture" * 10)
    assert broker("pcap", bad, "--out", out).returncode == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_zeek_that_is_ended_before_the_capture_is_done_is_a_failure(
    sample_capture: Path, tmp_path: Path
) -> None:
    zeek = Standalone(tmp_path, read(sample_capture))
    with zeek, Client(zeek.url, ["zeek/nba/sessions/"]) as client:
        client.hello()
        client.receive()
        zeek.zeek.stop()
        assert zeek.zeek.wait() != 0
        assert "Zeek ended before the end of the capture" in zeek.zeek.output


def test_a_port_that_is_taken_does_not_stop_zeek(tmp_path: Path) -> None:
    with Standalone(tmp_path / "first") as first:
        second = Standalone(tmp_path / "second", port=first.port)
        with second:
            wait_until(lambda: "cannot listen" in second.zeek.output)
            time.sleep(1)
            assert second.zeek.running
