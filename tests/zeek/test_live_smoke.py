"""A real Zeek and a client in plain JSON: sessions arrive, a verdict becomes a log line."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from testing.client import SESSIONS, Client, Event, decode
from testing.zeek import Cluster, Standalone, read, replay, wait_until

pytestmark = pytest.mark.usefixtures("zeek")

EIGHT = Path(__file__).parent / "btest/Traces/eight.pcap"
TOPICS = ("zeek/nba/sessions/", "zeek/nba/lease/")


def batches(events: list[Event]) -> list[list[Any]]:
    """The arguments of the sessions events."""
    return [arguments for name, arguments in events if name == "NBA::sessions"]


def test_replayed_capture_reaches_the_worker(tmp_path: Path) -> None:
    """A standalone Zeek publishes what it sees while a worker is there, then empty batches."""
    hold = Path(__file__).parent / "hold.zeek"
    arguments = (*replay(EIGHT), hold)
    with Standalone(tmp_path, arguments) as zeek, Client(zeek.url, TOPICS) as client:
        got = batches(client.work(2.5))
    assert [batch[2] for batch in got] == list(range(1, len(got) + 1))
    assert got[-1][3:5] == [8, 0]
    assert sum(len(batch[6]) for batch in got) == 8
    assert len(got[-1][6]) == 0
    sensor = [row for row in zeek.rows("nba_stats") if row["kind"] == "sensor"][-1]
    assert (sensor["seen"], sensor["sent"], sensor["skipped"]) == ("8", "8", "0")


def test_capture_in_pcap_mode_ends_by_itself(tmp_path: Path) -> None:
    """In pcap mode Zeek waits for the worker, loses nothing and exits 0 after the last ack."""
    with Standalone(tmp_path, read(EIGHT)) as zeek:
        with Client(zeek.url, TOPICS) as client:
            got = batches(client.work(20))
        assert zeek.zeek.wait() == 0
    assert [len(batch[6]) for batch in got] == [0, 8, 0]
    assert got[-1][5] == pytest.approx(3600 + got[1][6][-1])


def test_capture_in_pcap_mode_ends_though_acknowledgements_are_lost(tmp_path: Path) -> None:
    """In pcap mode the next hello gets another batch, whose acknowledgement counts for all."""
    with Standalone(tmp_path, read(EIGHT)) as zeek:
        with Client(zeek.url, SESSIONS) as client:
            client.hello()
            lost = 0
            while True:
                _, arguments = decode(client.receive())
                if arguments[3] < 8:
                    client.ack(*arguments[:3])
                elif lost < 2:
                    lost += 1
                else:
                    break
                if lost == 2:
                    client.hello()
            client.ack(*arguments[:3])
            assert zeek.zeek.wait() == 0


def test_capture_in_pcap_mode_fails_when_the_worker_leaves(tmp_path: Path) -> None:
    """In pcap mode a worker that leaves before all is acknowledged makes Zeek fail."""
    with Standalone(tmp_path, read(EIGHT)) as zeek:
        with Client(zeek.url, TOPICS) as client:
            client.hello()
            client.receive()
        assert zeek.zeek.wait() != 0
        assert "the worker left" in zeek.zeek.output


def test_two_standalone_zeeks_coexist(tmp_path: Path) -> None:
    """Two Zeeks on one machine do not hear each other's worker."""
    with (
        Standalone(tmp_path / "one") as one,
        Standalone(tmp_path / "two") as two,
        Client(one.url, TOPICS) as a,
        Client(two.url, TOPICS) as b,
    ):
        assert batches(a.work(1.5))
        with pytest.raises(TimeoutError):
            b.receive(timeout=0.5)


def test_verdict_becomes_a_log_line(tmp_path: Path) -> None:
    """A standalone Zeek logs a verdict and the worker's status."""
    with Standalone(tmp_path) as zeek, Client(zeek.url, SESSIONS) as client:
        client.join()
        client.verdict("10.0.0.1", "acme-camera")
        client.status()
        wait_until(lambda: zeek.rows("nba_device"))
        wait_until(lambda: any(row["kind"] == "worker" for row in zeek.rows("nba_stats")))
        assert zeek.rows("nba_device")[0]["device"] == "acme-camera"


def test_cluster_logs_each_verdict_once(tmp_path: Path) -> None:
    """In a cluster both sensors publish, and one line per verdict lands at the logger."""
    with Cluster(tmp_path, (read(EIGHT), read(EIGHT))) as zeek:
        with Client(zeek.url, TOPICS) as client:
            events = client.work(20, until=16)
            client.verdict("10.0.0.1", "acme-camera")
            client.status()
            events += client.work(1)
            wait_until(lambda: zeek.rows("nba_device"))
        for name in zeek.sensors:
            assert zeek.nodes[name].wait() == 0
    sessions = Counter(dict.fromkeys(zeek.sensors, 0))
    for batch in batches(events):
        sessions[str(batch[0])] += len(batch[6])
    assert sessions == {"worker-1": 8, "worker-2": 8}
    assert [row["device"] for row in zeek.rows("nba_device")] == ["acme-camera"]
    kinds = Counter(row["kind"] for row in zeek.rows("nba_stats"))
    assert kinds["sensor"] >= 2
    assert kinds["worker"] == 1
    assert kinds["manager"] >= 1


def test_only_the_manager_hears_verdicts_and_every_node_knows_the_device(tmp_path: Path) -> None:
    watch = Path(__file__).parent / "watch.zeek"
    with Cluster(tmp_path, settings=(watch,)) as zeek, Client(zeek.url, SESSIONS) as client:
        client.join()

        def heard(name: str) -> list[str]:
            file = zeek.nodes[name].folder / "heard"
            return file.read_text().splitlines() if file.exists() else []

        def hears_all(name: str) -> bool:
            return len(heard(name)) == 3

        client.verdict("10.0.0.1", "acme-camera")
        client.verdict("10.0.0.2", "acme-camera")  # the same MAC: it has moved
        others = [name for name in zeek.nodes if name != "manager"]
        for name in others:
            wait_until(partial(hears_all, name), 30, f"{name} to hear")
    assert heard("manager") == ["verdict 10.0.0.1 acme-camera", "verdict 10.0.0.2 acme-camera"]
    for name in others:
        assert heard(name) == [
            "device 10.0.0.1 acme-camera",
            "device 10.0.0.1 ",
            "device 10.0.0.2 acme-camera",
        ]
