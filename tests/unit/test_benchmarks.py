"""The benchmarks run; their figures are not the tests' business."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cluster, same_log, sensor, soak
from benchmarks.checks import Check
from nba_broker.archive import captures, conn_log
from nba_broker.wire.codec import SessionBatch, decode
from testing import processes, traffic, worker
from testing.traffic import Traffic


def test_a_synthetic_frame_is_what_zeek_would_send() -> None:
    (batch,) = Traffic(10).random(200)
    message = decode(traffic.frame(batch, 1))
    assert isinstance(message, SessionBatch)
    np.testing.assert_array_equal(message.sessions.ts, batch.ts)
    assert message.sessions.host == batch.host
    assert message.sessions.mac == batch.mac
    assert message.sessions.dst == batch.dst


def test_every_row_of_a_synthetic_archive_is_a_session(tmp_path: Path) -> None:
    traffic.conn_log(tmp_path / "conn.log", 1000, Traffic(20))
    archive = conn_log.read([tmp_path / "conn.log"])
    assert (len(archive), archive.report.skipped) == (1000, 0)
    (batch,) = archive.batches()
    (first, *_) = Traffic(20).random(1000)
    np.testing.assert_array_equal(batch.ts[:256], first.ts)
    assert list(batch.mac[:256]) == first.mac


def test_every_second_session_of_a_synthetic_archive_follows_an_answer(tmp_path: Path) -> None:
    traffic.conn_log(tmp_path / "conn.log", 1000, Traffic(20))
    traffic.dns_log(tmp_path / "dns.log", 1000, Traffic(20))
    archive = conn_log.read([tmp_path], names=True)
    (batch,) = archive.batches()
    (names,) = archive.names.parts()
    np.testing.assert_allclose(names.ts, batch.ts[::2] - 0.001, atol=1e-5)
    assert names.name[0] == f"x{batch.dst[0].replace('.', '-')}.example"


def test_every_host_talks_once_before_any_talks_twice() -> None:
    batches = list(Traffic(600).each_once())
    assert len({host for batch in batches for host in batch.host}) == 600
    assert sum(map(len, batches)) == 600


METRICS = """\
# HELP nba_received_sessions_total Sessions that arrived
nba_received_sessions_total{node="worker-1"} 10.0
nba_received_sessions_total{node="worker-2"} 20.0
nba_missed_sessions_total{node="worker-2"} 5.0
nba_queue_messages 3.0
"""


def test_metrics_are_read_by_label_and_in_total() -> None:
    found = worker.parse(METRICS)
    assert found["nba_received_sessions_total", '{node="worker-2"}'] == 20
    assert worker.total(found)["nba_received_sessions_total"] == 30
    assert worker.accounted(worker.total(found)) == 35
    assert soak.counts(found)["worker-2"] == {
        "received": 20,
        "missed": 5,
        "lost": 0,
        "skipped": 0,
    }


def test_each_run_of_a_sensor_counts_with_its_last_row() -> None:
    def row(node: str, run: str, seen: int) -> dict[str, str]:
        return {
            "kind": "sensor",
            "node": node,
            "run": run,
            "seen": f"{seen}",
            "sent": f"{seen - 1}",
            "skipped": "1",
        }

    rows = [row("a", "R1", 5), row("b", "R1", 7), row("a", "R1", 9), row("a", "R2", 2)]
    rows.append({"kind": "worker", "node": "w"})
    assert cluster.seen(rows) == {"seen": 18, "sent": 15, "skipped": 3}


def test_a_run_is_accounted_for_over_a_restart_of_the_worker() -> None:
    """Of 100 sent, the snapshot knew 40, 10 were sent before the worker was back, 2 were lost."""
    before = {"received": 500, "lost": 1, "missed": 0, "skipped": 9}
    heard = {"received": 548, "lost": 3, "missed": 10, "skipped": 9}
    assert soak.unaccounted(100, 40, heard, before) == 0
    assert soak.unaccounted(101, 40, heard, before) == 1


def test_latencies_of_the_warm_up_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "latencies"
    file.write_text("100.0 9.0\n105.0 8.0\n110.0 0.2\n111.5 0.1\n")
    np.testing.assert_array_equal(cluster.latencies(file, 10.0), [0.2, 0.1])


def test_memory_around_a_moment_leaves_out_processes_that_were_away() -> None:
    notes = [(1.0, {"a": 100}), (5.0, {"a": 10, "b": 0}), (6.0, {"a": 30, "b": 8})]
    assert processes.mean_around(notes, 5.5, 2.0) == {"a": 20, "b": 8}


def test_the_processor_time_of_a_child_that_has_ended_is_known() -> None:
    child = subprocess.Popen([sys.executable, "-c", "sum(range(3_000_000))"])
    assert 0 < processes.ended(child.pid) < 60
    assert child.wait() == 0
    assert processes.resident(child.pid) == processes.highest(child.pid) == 0


def test_a_worker_has_recovered_when_sessions_come_and_none_is_skipped() -> None:
    def look(received: float, skipped: float) -> dict[str, float]:
        return {"nba_received_sessions_total": received, "nba_skipped_sessions_total": skipped}

    assert sensor.recovered(look(1, 5), look(2, 5))
    assert not sensor.recovered(look(1, 5), look(2, 6))
    assert not sensor.recovered(look(2, 5), look(2, 5))
    assert not sensor.recovered({}, look(2, 5))


def test_the_longest_pause_is_what_zeek_says_at_its_end() -> None:
    assert sensor.longest_pause("warning: something\nlongest 0.131\n") == 0.131
    with pytest.raises(ValueError, match="said nothing"):
        sensor.longest_pause("fatal error")


def test_a_figure_outside_its_range_does_not_hold() -> None:
    assert Check("a", 1.04, "ratio", most=1.05).holds
    assert not Check("a", 1.06, "ratio", most=1.05).holds
    assert not Check("a", float("nan"), "ratio", most=1.05).holds
    assert "holds" not in Check("a", 1.0, "MB").line()
    assert Check("a", 3.0, "files", 2, 2).line()["holds"] is False


def test_logs_are_the_same_but_for_the_times_of_their_writing(tmp_path: Path) -> None:
    def digest(name: str, content: str) -> str:
        (tmp_path / name).write_text(content)
        return same_log.digest(tmp_path / name)

    one = digest("one", "#open\t1\na\tb\n#close\t2\n")
    assert one == digest("later", "#open\t3\na\tb\n#close\t4\n")
    assert one != digest("other", "#open\t1\na\tc\n#close\t2\n")
    assert one != digest("shorter", "#open\t1\n#close\t2\n")
    assert same_log.different({"a": one, "b": one}, {"a": one}) == 1


def test_a_process_is_killed_while_it_works(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    with same_log.Killer(child.pid, after=0.05) as killer:
        assert child.wait() == -signal.SIGKILL
    assert killer.killed


def test_a_capture_of_the_benchmark_lasts_as_long_as_it_is_told(tmp_path: Path) -> None:
    sensor.make_capture(tmp_path / "flows.pcap", flows=1000, seconds=10.0)
    content = (tmp_path / "flows.pcap").read_bytes()
    assert len(content) == 24 + 1000 * (16 + 54)
    last = content[-70:-62]
    assert int.from_bytes(last[:4], "little") == 1_700_000_009


def test_a_capture_is_repeated_a_day_later(tmp_path: Path) -> None:
    sensor.make_capture(tmp_path / "day.pcap", flows=100, seconds=10.0)
    sensor.repeat(tmp_path / "day.pcap", tmp_path / "days.pcap", 3)
    day = (tmp_path / "day.pcap").read_bytes()
    days = (tmp_path / "days.pcap").read_bytes()
    assert captures.whole(tmp_path / "days.pcap", tmp_path).packets == 300
    assert days[: len(day)] == day
    third = len(day) + (len(day) - 24)
    begun = [int.from_bytes(days[at : at + 4], "little") for at in (24, third)]
    assert begun[1] - begun[0] == 2 * 86_400
