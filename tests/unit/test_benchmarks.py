"""The benchmarks run; their figures are not the tests' business."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cluster, day_logs, same_log, sensor, soak
from benchmarks.checks import Check
from benchmarks.own_time import OwnTime
from nba_broker.archive import captures, conn_log
from nba_broker.wire.codec import SessionBatch, decode
from testing import processes, traffic, worker
from testing.traffic import Traffic
from testing.zeekctl import SENSORS


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


def test_traffic_that_is_sent_faster_keeps_its_own_time() -> None:
    clock = OwnTime(first=1000.0, start=5000.0, speed=60.0)
    assert (clock.at(5000.0), clock.at(5001.0)) == (1000.0, 1060.0)
    assert clock.sent(1060.0) == 5001.0
    (sessions,) = Traffic(10).random(100)
    batch = SessionBatch("worker-1", "R", 1, 100, 0, 5002.0, replace(sessions, ts=sessions.ts * 0))
    told = clock.message(batch)
    assert isinstance(told, SessionBatch)
    assert told.now == 1120.0
    assert set(told.sessions.ts) == {1000.0 - 60 * 5000.0}


def test_a_sensor_killed_in_a_second_has_seen_so_much_in_it(tmp_path: Path) -> None:
    notes = tmp_path / "worker-1.notes"
    notes.write_text("R1, 10.0, 0, 0, 0\nR1, 12.5, 4, 4, 0\nR1, 13.9, 9, 6, 1\nR2, 20.0, 0, 0, 0\n")
    first, second = day_logs.runs(notes)
    assert first == day_logs.Run("R1", 10.0, 13.9, 9, 6, 1, 5)
    assert (second.name, second.began, second.seen) == ("R2", 20.0, 0)


def row(since: float, until: float, port: str = "4000") -> day_logs.Row:
    return day_logs.Row("C", ("10.0.0.1", port, "10.0.0.2", "80", "tcp"), since, until)


def test_a_session_matches_one_with_the_same_ends_at_nearly_the_same_time() -> None:
    traffic = [row(100, 100), row(101, 101), row(200, 200), row(300, 300, "4001")]
    logged = [row(100.5, 100.5), row(102, 102), row(290, 290)]
    assert day_logs.unmatched(traffic, logged, 5) == [traffic[2], traffic[3]]
    assert day_logs.unmatched(logged, traffic, 5) == [logged[2]]


def test_a_session_without_a_row_is_explained_by_what_was_away() -> None:
    """Ten times as fast: the sensor ran from 0 to 100 s and was killed, and again from 130 s; the
    logger was away from 200 to 210 s."""
    sensor = row(0, 0).sensor
    other = next(name for name in SENSORS if name != sensor)
    ran = [day_logs.Run("R1", 0, 100, 9, 9, 0, 0), day_logs.Run("R2", 130, 400, 9, 9, 0, 0)]
    logger = [day_logs.Away("logger-1", 200, 210, 211)]
    gaps = day_logs.Gaps({sensor: ran, other: []}, {"R1"}, logger, OwnTime(0, 0, 10))
    assert gaps.why(row(1150, 1150), [], 10) == "sensor away"
    assert gaps.why(row(600, 900), [], 10) == "sensor killed"
    assert gaps.why(row(600, 600), [], 10) == ""
    assert gaps.why(row(600, 600), [row(400, 400)], 10) == "joined"
    assert gaps.why(row(1500, 2050), [], 10) == "logger away"
    assert gaps.why(row(1500, 1600), [], 10) == ""
    assert gaps.why_unlogged(day_logs.Received(sensor, 60, "10.0.0.1")) == "sensor killed"
    assert gaps.why_unlogged(day_logs.Received(sensor, 205, "10.0.0.1")) == "logger away"
    assert gaps.why_unlogged(day_logs.Received(sensor, 300, "10.0.0.1")) == ""
    assert gaps.what(row(1400, 1500), [row(1200, 1450)]) == "rest"
    assert gaps.what(row(1460, 1460), [row(1380, 1450)]) == "split"
    assert gaps.what(row(1380, 1380), [row(1460, 1470)]) == ""


def test_sessions_that_are_in_one_only_of_conn_log_and_worker_may_explain_a_verdict() -> None:
    clock = OwnTime(0, 0, 10)
    logged = [replace(row(at, at), uid=f"C{at}") for at in range(100) if at != 70]
    sensor = row(0, 0).sensor
    received = {
        f"C{at}": day_logs.Received(sensor, at / 10, "10.0.0.1")
        for at in range(100)
        if at not in (15, 16, 79, 80)
    }
    hosts = day_logs.by_host(logged, received, clock)
    line = {"ts": "79.5", "host": "10.0.0.1"}
    assert day_logs.apart([line], hosts) == 3
    assert day_logs.apart([line, line | {"ts": "14.0"}], hosts) == 3
    assert day_logs.apart([line | {"host": "10.0.0.2"}], hosts) == 0


def test_a_log_at_its_own_time_keeps_all_but_its_times(tmp_path: Path) -> None:
    log = tmp_path / "conn.log"
    head = "#fields\tts\tuid\tduration\tid.orig_p\n"
    log.write_text(f"{head}5001.0\tC1\t0.5\t22\n5002.0\tC2\t-\t23\n")
    day_logs.at_own_time([log], OwnTime(1000, 5000, 60), tmp_path / "own.log")
    times = "1060.000000\tC1\t30.000000\t22\n1120.000000\tC2\t-\t23\n"
    assert (tmp_path / "own.log").read_text() == head + times
