"""Clocks that are wrong, and workers that are two, with the real Zeek and the real worker."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Sessions
from testing.client import Client
from testing.worker import broker, running_worker
from testing.zeek import Cluster, Standalone, read, replay, wait_until
from tests.zeek.helpers import verdicts
from tools import capture

pytestmark = pytest.mark.usefixtures("zeek")

YEAR = 365.25 * 86_400
START = 1_767_571_200.0
SECONDS = 60  # of traffic: 120 sessions of each host
Row = tuple[float, int, str]
SLOWLY = """
event new_connection(c: connection)
	{
	local began = current_time();
	while ( current_time() - began < 10msec )
		;
	}
"""


def write(path: Path, rows: list[Row]) -> Path:
    """A capture of sessions: when, the host's number, and where to."""
    table = Sessions(
        np.array([row[0] for row in rows]),
        [f"192.168.1.{row[1]}" for row in rows],
        [f"C{n}" for n in range(len(rows))],
        [f"02:00:00:00:00:{row[1]:02x}" for row in rows],
        [row[2] for row in rows],
        np.full(len(rows), port_code(443, "tcp"), np.int32),
    )
    assert capture.write(path, table) == 0
    return path


def traffic(hosts: range) -> list[Row]:
    return sorted(
        (START + n * 0.5 + host * 0.01, host, f"104.17.148.{host}")
        for host in hosts
        for n in range(2 * SECONDS)
    )


@pytest.fixture(scope="module")
def other_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that sets a process's clock, see behind.c."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("clock") / "behind.so"
    source = Path(__file__).with_name("behind.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def lines(zeek: Cluster | Standalone) -> set[tuple[str, str]]:
    return {(row["host"], row["state"]) for row in zeek.rows("nba_device")}


def said(worker: subprocess.Popen[str]) -> str:
    worker.send_signal(signal.SIGTERM)
    assert worker.stderr is not None
    return worker.stderr.read()


@pytest.mark.parametrize("off", [-3600, 3600])
def test_a_node_whose_clock_is_an_hour_off_stalls_no_other_and_is_named(
    off: int, other_clock: Path, tmp_path: Path
) -> None:
    right = write(tmp_path / "right.pcap", traffic(range(10, 15)))
    wrong = write(tmp_path / "wrong.pcap", traffic(range(20, 25)))
    cluster = Cluster(
        tmp_path / "cluster", (replay(right), replay(wrong)), settings=["NBA::stats_interval=2sec"]
    )
    cluster.nodes["worker-2"].environment |= {
        "LD_PRELOAD": str(other_clock),
        "NBA_TEST_CLOCK": str(off),
    }
    with cluster, running_worker(cluster.url) as worker:
        began = time.time()
        hosts = {f"192.168.1.{number}" for number in (*range(10, 15), *range(20, 25))}
        wait_until(lambda: hosts <= {host for host, _ in lines(cluster)}, SECONDS + 20)
        named = time.time()
        wait_until(
            lambda: hosts <= {host for host, state in lines(cluster) if state != "learning"},
            SECONDS + 20,
        )
        time.sleep(11)  # a status and the log's lines
        rows = cluster.rows("nba_device")
        stats = [row for row in cluster.rows("nba_stats") if row["kind"] == "worker"]
        text = said(worker)
    assert named - began < 30
    # All of them by the clock that is right: this machine's.
    assert all(abs(float(row["ts"]) - began) < 120 for row in rows)
    assert text.count("worker-2's clock is") == 1
    assert f"worker-2's clock is 3600 s {'behind' if off < 0 else 'ahead of'} the others" in text
    assert "worker-1's clock" not in text
    assert all(float(row["lag"]) < 10 for row in stats)
    # On a busy machine a few come later than the hold; by the wrong clock half of them would.
    assert int(stats[-1]["late"]) < 0.05 * int(stats[-1]["received"])


def without(rows: list[dict[str, Any]], host: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["host"] != host]


@pytest.mark.parametrize("how", ["pcap", "run"])
def test_one_future_packet_changes_nothing_for_other_hosts(how: str, tmp_path: Path) -> None:
    rows = traffic(range(10, 15))
    stray = (START + 6 * YEAR, 9, "104.17.148.9")  # after which Zeek's own clock stands still
    found = []
    for name, sessions in (("right", rows), ("wrong", [*rows[:150], stray, *rows[150:]])):
        out = tmp_path / name
        path = write(tmp_path / f"{name}.pcap", sessions)
        if how == "pcap":
            result = broker("pcap", path, "--out", out)
            assert result.returncode == 0
            text = result.stderr
        else:
            # Slowly, so that the worker, as of sensors, has waited for others before it ends.
            slowly = tmp_path / "slowly.zeek"
            slowly.write_text(SLOWLY)
            with Standalone(out, (*read(path), slowly)) as zeek, running_worker(zeek.url) as worker:
                assert zeek.zeek.wait() == 0
                time.sleep(11)
                text = said(worker)
        found.append(verdicts(out / "nba_device.log"))
        assert ("2032-" in text) is (name == "wrong"), text
    right, wrong = found
    assert without(wrong, "192.168.1.9") == right != []
    (line,) = [row for row in wrong if row["host"] == "192.168.1.9"]
    assert START <= line["ts"] <= START + SECONDS


def test_a_capture_whose_last_sessions_are_days_later_keeps_their_verdicts(tmp_path: Path) -> None:
    rows = traffic(range(10, 15))
    path = write(tmp_path / "gap.pcap", [*rows, (START + 9 * 86_400, 9, "104.17.148.9")])
    with Standalone(tmp_path / "zeek", read(path)) as zeek, running_worker(zeek.url):
        assert zeek.zeek.wait() == 0
    last = zeek.rows("nba_device")[-1]
    assert (last["host"], float(last["ts"])) == ("192.168.1.9", START + 9 * 86_400)


def test_a_second_worker_gives_way_whoever_made_up_names_before(tmp_path: Path) -> None:
    with Standalone(tmp_path) as zeek, running_worker(zeek.url) as first:
        wait_until(lambda: any(r["kind"] == "worker" for r in zeek.rows("nba_stats")))
        with Client(zeek.url, []) as client:
            for number in range(500):
                client.hello(f"made-up-{number}")
            second = broker("run", "--url", zeek.url)
        assert second.returncode == 1
        assert "already serves partition 0" in second.stderr.splitlines()[-1]
        time.sleep(12)
        assert first.poll() is None


def test_a_worker_that_was_stopped_and_replaced_gives_way(tmp_path: Path) -> None:
    with Standalone(tmp_path) as zeek, running_worker(zeek.url) as first:
        wait_until(lambda: any(r["kind"] == "worker" for r in zeek.rows("nba_stats")))
        first.send_signal(signal.SIGSTOP)
        with running_worker(zeek.url) as second:
            rows = len(zeek.rows("nba_stats"))
            wait_until(
                lambda: any(r["kind"] == "worker" for r in zeek.rows("nba_stats")[rows:]), 30
            )
            first.send_signal(signal.SIGCONT)
            assert first.wait(20) == 1
            assert first.stderr is not None
            assert "already serves partition 0" in first.stderr.read().splitlines()[-1]
            time.sleep(6)
            assert second.poll() is None


def test_of_two_workers_that_start_at_once_exactly_one_stays(tmp_path: Path) -> None:
    with (
        Standalone(tmp_path) as zeek,
        running_worker(zeek.url) as one,
        running_worker(zeek.url) as two,
    ):
        wait_until(lambda: one.poll() is not None or two.poll() is not None)
        time.sleep(12)
        assert sorted(str(worker.poll()) for worker in (one, two)) == ["1", "None"]
