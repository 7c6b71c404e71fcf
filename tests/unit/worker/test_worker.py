"""The live process, with a Zeek made of lists."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nba_broker.archive.zeek_process import free_port
from nba_broker.cli import main
from nba_broker.destinations import overrides
from nba_broker.model import store
from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import AnnotationError, ConfigError, LinkError
from nba_broker.records.ports import port_name
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.shadow import Shadow
from nba_broker.wire.accounting import Position
from nba_broker.wire.codec import SessionBatch, decode, encode_hello
from nba_broker.wire.reorder import Reorder
from nba_broker.worker import lock, metrics, snapshot, snapshot_file
from nba_broker.worker import worker as worker_module
from nba_broker.worker.worker import Worker, worker_name
from tests.unit.conftest import BACKGROUND
from tests.unit.helpers import LAMP_CLOUD, MAC, host, pipeline, sessions

ModelFolder = Callable[..., Path]
Rows = list[tuple[float, str, str, str]]


def frame(
    seq: int,
    rows: Rows,
    sent: int,
    *,
    skipped: int = 0,
    node: str = "worker-1",
    run: str = "R1",
    clock: float = 1e6,
) -> bytes:
    """A batch as Zeek sends it; its clock is far past its sessions."""

    def value(kind: str, data: Any) -> dict[str, Any]:
        return {"@data-type": kind, "data": data}

    def column(kind: str, data: Sequence[Any]) -> dict[str, Any]:
        return value("vector", [value(kind, one) for one in data])

    table = sessions(rows)
    arguments = [
        *(value("string", text) for text in (node, run)),
        *(value("count", number) for number in (seq, sent, skipped)),
        value("real", clock),
        column("real", table.ts.tolist()),
        column("address", table.host),
        column("string", table.uid),
        column("string", table.mac),
        column("address", table.dst),
        column("port", [port_name(code) for code in table.dport.tolist()]),
    ]
    body = value("vector", [value("string", "NBA::sessions"), value("vector", arguments)])
    return json.dumps({"type": "data-message", "data": [0, 0, body]}).encode()


def name_frame(seq: int, rows: Rows, sent: int, *, skipped: int = 0) -> bytes:
    """Names as Zeek sends them: rows of (ts, host, name, address)."""

    def value(kind: str, data: Any) -> dict[str, Any]:
        return {"@data-type": kind, "data": data}

    def column(kind: str, data: Sequence[Any]) -> dict[str, Any]:
        return value("vector", [value(kind, one) for one in data])

    arguments = [
        *(value("string", text) for text in ("worker-1", "R1")),
        *(value("count", number) for number in (seq, sent, skipped)),
        value("real", 1e6),
        column("real", [row[0] for row in rows]),
        column("address", [row[1] for row in rows]),
        column("string", [row[2] for row in rows]),
        column("address", [row[3] for row in rows]),
        column("real", [60.0] * len(rows)),
        column("string", []),
    ]
    body = value("vector", [value("string", "NBA::names"), value("vector", arguments)])
    return json.dumps({"type": "data-message", "data": [0, 0, body]}).encode()


class Zeek:
    """What the worker sees of Zeek: some frames, then silence; and what it says."""

    connected = True

    def __init__(self, *frames: bytes, then: Callable[[], None] = lambda: None) -> None:
        self._frames = frames
        self._then = then
        self.said: list[str] = []

    async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
        await joined()
        for one in self._frames:
            yield one
        self._then()
        await asyncio.Event().wait()
        yield b""

    async def send(self, frames: Sequence[str]) -> int:
        self.said += frames
        return len(frames)

    def events(self, name: str) -> list[list[Any]]:
        """The arguments of every event of this name."""
        contents = [json.loads(one)["data"][2]["data"] for one in self.said]
        return [
            [argument["data"] for argument in arguments["data"]]
            for event, arguments in contents
            if event["data"] == name
        ]


def work(zeek: Zeek, made: Pipeline, **changes: Any) -> Worker:
    """Run a worker until it is told to stop."""
    worker = Worker(zeek, made, name="w", **changes)  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(worker.run(), 20))
    return worker


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


LAMP = host(7, times=list(range(20)), dst=LAMP_CLOUD)


def test_a_worker_that_is_terminated_finishes_what_has_arrived(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    zeek = Zeek(frame(1, LAMP[:10], 10), frame(2, LAMP[10:], 20), then=terminate)
    work(zeek, pipeline(model_folder()))
    assert [verdict[5] for verdict in zeek.events("NBA::verdict")] == ["learning", "identified"]
    assert zeek.events("NBA::ack")[-1] == ["worker-1", "R1", 2]


def test_what_waits_is_worked_on_and_acknowledged_step_by_step(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "STEP", 5)
    batches = [frame(seq, LAMP[5 * seq - 5 : 5 * seq], 5 * seq) for seq in (1, 2, 3, 4)]
    made, steps = pipeline(model_folder()), []
    flush = made.flush

    def counted(now: float) -> list[Verdict]:
        steps.append(len(made.intake.reorder))
        return flush(now)

    monkeypatch.setattr(made, "flush", counted)
    zeek = Zeek(*batches, then=terminate)
    work(zeek, made)
    assert [held for held in steps if held] == [5, 10, 15, 20]  # nothing goes on before it settled
    assert zeek.events("NBA::ack")[-1] == ["worker-1", "R1", 4]


def test_a_node_whose_batch_waits_for_long_is_not_silent(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), reorder=Reorder(settle=0))
    worker = Worker(Zeek(), made, name="w")  # type: ignore[arg-type]
    first, second = LAMP[:10], LAMP[10:]
    for arrived, batch in (
        (0.0, frame(1, [], 0, node="worker-1", clock=0.0)),
        (0.0, frame(1, [], 0, node="worker-2", clock=0.0)),
        (0.5, frame(2, second, 10, node="worker-1", clock=99.0)),
        (0.6, frame(2, first, 10, node="worker-2", clock=99.0)),
    ):
        # Each is a step of its own, as behind thousands of sessions; when it ends says nothing.
        worker.thread.push([(arrived, decode(batch))])  # type: ignore[list-item]
    assert (made.counters.sessions, made.intake.reorder.late) == (20, 0)


def test_a_worker_that_is_terminated_keeps_its_state(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    work(Zeek(frame(1, LAMP, 20), then=terminate), pipeline(model_folder()), state=state)
    made = pipeline(model_folder())
    assert snapshot.restore(state, made) == {"worker-1": Position("R1", 20)}
    assert made.hosts == 1


def test_a_snapshot_claims_no_session_that_waits_or_is_held_back(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(), reorder=Reorder(settle=0))
    worker = Worker(Zeek(), made, name="w")  # type: ignore[arg-type]
    batches = [
        decode(frame(seq, LAMP[start : start + 10], start + 10, clock=clock))
        for seq, start, clock in ((1, 0, 10.0), (2, 10, 15.0))
    ]
    for batch in batches:
        assert isinstance(batch, SessionBatch)
        worker.ledger.enter(batch)
    assert worker.ledger.positions() == {}
    worker.thread.push([(0.0, batch) for batch in batches])  # type: ignore[misc]
    # Of the second batch only what is older than the sensor's clock is part of the state.
    assert worker.ledger.positions() == {"worker-1": Position("R1", 10)}
    worker.thread.finish()
    assert worker.ledger.positions() == {"worker-1": Position("R1", 20)}


def test_a_snapshot_is_written_while_the_worker_works(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    state = tmp_path / "s"

    async def until_saved() -> None:
        zeek = Zeek(frame(1, LAMP, 20))
        made = pipeline(model_folder())
        worker = Worker(zeek, made, name="w", state=state, snapshot_interval=0.1)  # type: ignore[arg-type]
        running = asyncio.create_task(worker.run())
        while not state.exists():
            await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(asyncio.wait_for(until_saved(), 20))
    snapshot.restore(state, pipeline(model_folder()))


def test_a_state_that_cannot_be_written_is_said_and_stops_nothing(
    model_folder: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "gone" / "s"
    zeek = Zeek(frame(1, LAMP, 20), then=terminate)
    work(zeek, pipeline(model_folder()), state=state)
    assert "cannot write the snapshot" in caplog.text
    assert zeek.events("NBA::verdict")


def test_a_worker_that_gives_way_to_another_leaves_the_state_alone(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    with pytest.raises(LinkError, match="worker other already serves partition 0"):
        work(Zeek(encode_hello("other").encode()), pipeline(model_folder()), state=state)
    assert not state.exists()


def test_workers_of_two_partitions_do_not_mind_each_other(model_folder: ModelFolder) -> None:
    zeek = Zeek(encode_hello("other/1").encode(), frame(1, LAMP, 20), then=terminate)
    worker = work(zeek, pipeline(model_folder()))
    assert worker.ledger.received == 20
    assert zeek.events("NBA::hello") == [["w"]]


def test_the_later_of_two_workers_of_a_partition_gives_way(model_folder: ModelFolder) -> None:
    zeek = Zeek(encode_hello("other/1").encode())
    worker = Worker(zeek, pipeline(model_folder()), name=worker_name(1))  # type: ignore[arg-type]
    assert worker.partition == 1
    with pytest.raises(LinkError, match="worker other/1 already serves partition 1"):
        asyncio.run(asyncio.wait_for(worker.run(), 20))


def test_a_worker_whose_partition_no_sensor_has_says_so_once(
    model_folder: ModelFolder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba_broker.worker.worker.STATUS_PERIOD", 0.05)

    class Silent(Zeek):
        async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
            await joined()
            await asyncio.sleep(0.4)
            terminate()
            await asyncio.Event().wait()
            yield b""

    for name in ("w", "w/3"):
        worker = Worker(Silent(), pipeline(model_folder()), name=name)  # type: ignore[arg-type]
        asyncio.run(asyncio.wait_for(worker.run(), 20))
    assert caplog.text.count("no sensor sends sessions for") == 1
    assert "for partition 3; check that NBA::partitions is at least 4" in caplog.text


def test_a_worker_does_not_start_with_the_hosts_of_another_partition(
    model_folder: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / snapshot_file.FILE
    snapshot_file.write(state, snapshot.parts(pipeline(model_folder()), {}, 1))
    before = state.read_bytes()
    arguments = ["run", "--model", str(model_folder()), "--state", str(tmp_path)]
    assert main.main([*arguments, "--url", "ws://127.0.0.1:1/"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"nba-broker: state: {state} has the hosts of partition 1, and this worker is of "
        "partition 0; give each partition a folder of its own"
    )
    assert state.read_bytes() == before


def test_a_restarted_worker_says_how_many_sessions_it_missed(
    model_folder: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    zeek = Zeek(frame(9, LAMP[:5], 105), then=terminate)
    worker = work(zeek, pipeline(model_folder()), positions={"worker-1": Position("R1", 70)})
    assert worker.ledger.missed == 30
    assert "worker-1 sent 30 sessions before this worker joined" in caplog.text


def test_a_loss_is_logged_with_its_reason(
    model_folder: ModelFolder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba_broker.worker.worker.STATUS_PERIOD", 0.05)

    class Losing(Zeek):
        async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
            await joined()
            yield frame(1, LAMP[:5], 5, skipped=3)
            await asyncio.sleep(0.2)
            yield frame(3, LAMP[5:], 30, skipped=7)
            await asyncio.sleep(0.2)
            yield frame(1, LAMP[5:], 5, skipped=2, run="R2")
            await asyncio.sleep(0.2)
            terminate()
            await asyncio.Event().wait()

    work(Losing(), pipeline(model_folder()))
    text = caplog.text
    assert "worker-1 skipped 3 sessions since it started: no worker was connected" in text
    assert "worker-1 skipped 4 sessions: this worker does not keep up" in text
    assert "worker-1 skipped 2 sessions: the sensor had just started" in text
    assert text.count("skipped") == 3
    assert "10 sessions of worker-1 were lost: Zeek's cluster backend" in text


def test_a_router_is_logged_once_and_not_again_after_a_restart(
    model_folder: ModelFolder,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nba_broker.worker.worker.STATUS_PERIOD", 0.05)
    mac = MAC.format(1)
    rows = [(float(n), f"192.168.1.{5 + n % 3}", mac, LAMP_CLOUD) for n in range(12)]
    state = tmp_path / "s"
    made = pipeline(model_folder())
    work(Zeek(frame(1, rows, 12), then=terminate), made, state=state)
    assert caplog.text.count(f"{mac} stands for several hosts") == 1
    restarted = pipeline(model_folder())
    snapshot.restore(state, restarted)
    work(Zeek(frame(2, rows, 24), then=terminate), restarted)
    assert caplog.text.count(f"{mac} stands for several hosts") == 1


def test_a_lan_that_may_be_wider_is_logged_once(
    model_folder: ModelFolder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba_broker.worker.worker.STATUS_PERIOD", 0.05)
    neighbours = [
        (1.0, "10.0.5.9", MAC.format(9), LAMP_CLOUD),
        (2.0, "10.0.6.5", MAC.format(5), "10.0.5.9"),
        (3.0, "10.0.6.6", MAC.format(6), "10.0.5.9"),
    ]
    rows = [(ts + n, *row) for n in range(9) for ts, *row in neighbours]
    work(Zeek(frame(1, sorted(rows), 27), then=terminate), pipeline(model_folder()))
    hint = "if the LAN is 10.0.4.0/22, restart with --lans 10.0.4.0/22"
    assert caplog.text.count(hint) == 1


def test_answers_are_taken_over_while_the_worker_works(
    model_folder: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("nba_broker.worker.watchers.ANNOTATIONS_PERIOD", 0.05)
    path = tmp_path / "annotations.csv"
    zeek = Zeek(frame(1, LAMP[:3], 3))

    async def answered(state: str) -> None:
        while not any(v[5] == state for v in zeek.events("NBA::verdict")):
            await asyncio.sleep(0.02)

    async def until_answered() -> None:
        worker = Worker(zeek, pipeline(model_folder()), name="w", annotations=path)  # type: ignore[arg-type]
        running = asyncio.create_task(worker.run())
        await answered("learning")
        path.write_text("at,host,action\n1,h,allow\n")
        while "none of label, confirm, ignore; the old annotations stay" not in caplog.text:
            await asyncio.sleep(0.02)
        path.unlink()
        annotation_file.append(
            path, Annotation(1.5, MAC.format(7), "label", "Hall_Camera", reason="seen it")
        )
        await answered("identified")
        worker.stop()
        await running

    asyncio.run(asyncio.wait_for(until_answered(), 20))
    (verdict,) = [v for v in zeek.events("NBA::verdict") if v[5] == "identified"]
    assert (verdict[0], verdict[7], verdict[14]) == (2.0, "Hall_Camera", "annotation")
    assert verdict[15] == [
        {"@data-type": "string", "data": "label of 1970-01-01T00:00:01.500000Z: seen it"}
    ]
    assert caplog.text.count("the old annotations stay") <= 2  # refused once, gone at most once


def test_overrides_are_taken_over_while_the_worker_works(
    model_folder: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("nba_broker.worker.watchers.DATABASES_PERIOD", 0.02)
    path = tmp_path / "overrides.csv"
    path.write_text("cidr,pool\n10.0.0.0/8,cameras\n")
    made = pipeline(model_folder())
    made.pools.override(overrides.read(path))

    async def until_taken() -> None:
        worker = Worker(Zeek(), made, name="w", overrides=path)  # type: ignore[arg-type]
        running = asyncio.create_task(worker.run())
        path.write_text("name,pool\n10.0.0.1,time\n")
        while ":2: name '10.0.0.1' is an address" not in caplog.text:
            await asyncio.sleep(0.02)
        assert made.pools.own == {"cameras"}
        path.unlink()
        while "No such file" not in caplog.text:
            await asyncio.sleep(0.02)
        path.write_text("name,pool\n*.ntp.org,time\n")
        while "took over" not in caplog.text:
            await asyncio.sleep(0.02)
        worker.stop()
        await running

    asyncio.run(asyncio.wait_for(until_taken(), 20))
    assert made.pools.by_name == {"*.ntp.org": "time"}
    assert caplog.text.count("the old overrides stay in use") == 2


def test_a_worker_does_not_start_with_answers_that_are_no_use(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    path = tmp_path / "annotations.csv"
    path.write_text("at,host,action\n1,h,allow\n")
    with pytest.raises(AnnotationError, match=f"{path}:2: "):
        work(Zeek(), pipeline(model_folder()), annotations=path)


def test_a_worker_that_is_asked_writes_its_snapshot_at_once(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    state = tmp_path / "hosts.snapshot"

    async def until_saved() -> None:
        worker = Worker(Zeek(), pipeline(model_folder()), name="w", state=state)  # type: ignore[arg-type]
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0.1)
        with lock.held(tmp_path):
            assert lock.wake(tmp_path)
        while not state.exists():
            await asyncio.sleep(0.02)
        worker.stop()
        await running

    asyncio.run(asyncio.wait_for(until_saved(), 20))
    assert not lock.wake(tmp_path)


def test_a_state_folder_without_room_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ConfigError, match=f"{tmp_path}.*No space left"), lock.held(tmp_path):
        pass


def test_a_folder_is_one_workers(tmp_path: Path) -> None:
    with (
        lock.held(tmp_path),
        pytest.raises(ConfigError, match=f"worker {os.getpid()} uses"),
        lock.held(tmp_path),
    ):
        pass
    with lock.held(tmp_path):
        pass


def scraped(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


ASKED: Rows = [
    (5.5, LAMP[0][1], "lamp.example", LAMP_CLOUD),
    (15.5, LAMP[0][1], "lamp.example", LAMP_CLOUD),
]


def test_names_are_processed_and_acknowledged_with_the_sessions_that_follow(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    zeek = Zeek(
        frame(1, LAMP[:10], 10),
        name_frame(2, ASKED[:1], 1),
        frame(2, LAMP[10:], 20),
        name_frame(3, ASKED[1:], 4, skipped=2),
        frame(3, [], 20),
        then=terminate,
    )
    worker = work(zeek, made)
    assert made.counters.answers == 2
    assert zeek.events("NBA::ack")[-1] == ["worker-1", "R1", 3]
    status = worker.status()
    assert (status.names_received, status.names_lost, status.names_skipped) == (2, 2, 2)
    assert (status.received, status.lost, status.skipped) == (20, 0, 0)


def test_names_whose_sessions_were_lost_come_with_the_next_ones(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    zeek = Zeek(
        frame(1, LAMP[:10], 10),
        name_frame(2, ASKED[:1], 1),
        frame(3, LAMP[15:], 20),
        then=terminate,
    )
    worker = work(zeek, made)
    assert made.counters.answers == 1
    assert worker.ledger.lost == 5


def test_repeated_names_count_once(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    again = [name_frame(2, ASKED[:1], 1)] * 2
    worker = work(Zeek(frame(1, LAMP, 20), *again, frame(2, [], 20), then=terminate), made)
    assert made.counters.answers == worker.names.received == 1
    assert worker.invalid["repeated batch"] == 1


def test_a_name_that_breaks_the_contract_is_dropped_and_the_sessions_go_on(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    odd = name_frame(1, [(5.5, LAMP[0][1], "a b", LAMP_CLOUD)], 1)
    worker = work(Zeek(odd, frame(1, LAMP, 20), then=terminate), made)
    assert worker.invalid["malformed NBA::names"] == 1
    assert made.counters.sessions == 20


def test_metrics_say_what_the_counters_say(model_folder: ModelFolder) -> None:
    folder = model_folder(created="2026-01-01T00:00:00+00:00")
    scorer = metrics.TimedScorer(folder)
    made = pipeline(folder)
    made.scorer = scorer
    zeek = Zeek(
        frame(1, LAMP[:10], 10),
        b"{",
        name_frame(3, [*ASKED, (3.0, "192.168.1.99", "a.b", LAMP_CLOUD)], 3),
        frame(3, LAMP[10:], 25, skipped=2),
        then=terminate,
    )
    worker = work(zeek, made)
    port = free_port()
    metrics.serve(f"127.0.0.1:{port}", worker, scorer)
    found = scraped(port)
    assert found['nba_received_sessions_total{node="worker-1"}'] == 20
    assert found['nba_lost_sessions_total{node="worker-1"}'] == 5
    assert found['nba_skipped_sessions_total{node="worker-1"}'] == 2
    assert found['nba_received_names_total{node="worker-1"}'] == 3
    assert found["nba_processed_names_total"] == 2
    assert found["nba_dropped_names_total"] == 1
    assert found['nba_invalid_messages_total{kind="not JSON"}'] == 1
    assert found["nba_scored_windows_total"] == made.counters.scored > 0
    assert found["nba_verdicts_total"] == 2
    assert found["nba_hosts"] == 1
    assert found["nba_routers"] == 0
    assert found["nba_scoring_seconds_count"] >= 1
    assert found[f'nba_model_info{{model="{scorer.manifest.id}"}}'] == 1
    assert found["nba_model_age_seconds"] > 0
    assert found['nba_partition_info{partition="0"}'] == 1


def test_metrics_that_cannot_listen_are_one_clear_error(model_folder: ModelFolder) -> None:
    folder = model_folder()
    worker = Worker(Zeek(), pipeline(folder), name="w")  # type: ignore[arg-type]
    for where in ("127.0.0.1:nothing", "127.0.0.1:99999", "192.0.2.1:9000"):
        with pytest.raises(ConfigError, match="cannot listen"):
            metrics.serve(where, worker, metrics.TimedScorer(folder))


def test_a_failure_in_a_batch_is_counted_and_the_worker_stays_up(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pipeline(model_folder())
    flush, failures = made.flush, iter([RuntimeError("surprise")])

    def surprising(now: float) -> list[Verdict]:
        for failure in failures:
            raise failure
        return flush(now)

    monkeypatch.setattr(made, "flush", surprising)
    zeek = Zeek(frame(1, LAMP, 20), then=terminate)
    worker = work(zeek, made)
    assert worker.invalid == {"internal error (RuntimeError)": 1}
    assert [verdict[5] for verdict in zeek.events("NBA::verdict")] == ["learning", "identified"]


def test_verdicts_never_come_faster_than_the_manager_takes_them(model_folder: ModelFolder) -> None:
    crowd = [row for number in range(60) for row in host(number, times=[number], dst=LAMP_CLOUD)]
    zeek = Zeek(frame(1, sorted(crowd), 60), then=terminate)
    sizes: list[int] = []
    send = zeek.send

    async def counted(frames: Sequence[str]) -> int:
        sizes.append(sum("NBA::verdict" in one for one in frames))
        return await send(frames)

    zeek.send = counted  # type: ignore[method-assign]
    work(zeek, pipeline(model_folder()), verdict_rate=50.0)
    assert len(zeek.events("NBA::verdict")) == 60
    assert max(sizes) <= 50


def test_what_is_unknown_at_the_end_of_a_day_is_said_once(model_folder: ModelFolder) -> None:
    stranger = host(9, times=list(range(40)), dst="9.9.9.9")
    tomorrow = host(7, times=[90_000], dst=LAMP_CLOUD)
    zeek = Zeek(frame(1, stranger, 40), frame(2, tomorrow, 41), then=terminate)
    work(zeek, pipeline(model_folder()))
    said = "1 (192.168.1.9), mostly none 443/tcp 100 %"
    assert [arguments[:3] for arguments in zeek.events("NBA::unknown_hosts")] == [[86400.0, "w", 1]]
    assert any(said in one for one in zeek.said)


def test_an_event_of_the_site_is_published_logged_and_counted_once(
    model_folder: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    made = pipeline(model_folder())
    down = SiteEvent(90.0, "internet", "begun", 60.0, 7, 9, "", ("192.168.1.7",), "w")
    made.site_events += [down, replace(down, ts=3690.0, state="over")]
    zeek = Zeek(frame(1, LAMP, 20), then=terminate)
    with caplog.at_level("INFO", "nba_broker.worker.publisher"):
        worker = work(zeek, made)
    columns = [60.0, 7, 9, "", [{"@data-type": "address", "data": "192.168.1.7"}], "w"]
    assert zeek.events("NBA::site_event") == [
        [90.0, "internet", "begun", *columns],
        [3690.0, "internet", "over", *columns],
    ]
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", "Internet down: 7 of 9 hosts since 1970-01-01 00:01:00"),
        ("INFO", "Internet down: 7 of 9 hosts from 1970-01-01 00:01:00 to 01:01:30"),
    ]
    port = free_port()
    metrics.serve(f"127.0.0.1:{port}", worker, metrics.TimedScorer(model_folder()))
    found = scraped(port)
    assert found['nba_site_events_total{kind="internet"}'] == 1
    assert found['nba_site_events_total{kind="dns"}'] == 0


def test_an_event_of_the_site_that_cannot_be_encoded_stops_no_other(
    model_folder: ModelFolder,
) -> None:
    made = pipeline(model_folder())
    down = SiteEvent(90.0, "internet", "begun", 60.0, 7, 9, "", ("no address",), "w")
    made.site_events += [down, replace(down, examples=())]
    zeek = Zeek(frame(1, LAMP, 20), then=terminate)
    worker = work(zeek, made)
    assert worker.invalid == {"cannot be encoded (site event)": 1}
    assert len(zeek.events("NBA::site_event")) == 1


def test_a_worker_that_heard_many_names_still_answers_another(model_folder: ModelFolder) -> None:
    zeek = Zeek()
    worker = Worker(zeek, pipeline(model_folder()), name="w")  # type: ignore[arg-type]
    worker.presence.joined = -1e9  # long ago

    async def meet() -> None:
        for number in range(100):
            await worker.presence.meet(f"other-{number}")
        assert len(zeek.events("NBA::hello")) == 1  # by time, whatever the names
        worker.presence._others.said -= 1.0
        await worker.presence.meet("true rival")

    asyncio.run(meet())
    assert worker.invalid == {"too many workers": 97}
    assert len(zeek.events("NBA::hello")) == 2


class Bus:
    """What several workers hear of each other: what one says, with a delay."""

    connected = True

    def __init__(self) -> None:
        self.queues: list[asyncio.Queue[bytes]] = []

    def link(self) -> Zeek:
        bus, queue = self, asyncio.Queue[bytes]()

        class Client(Zeek):
            async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
                bus.queues.append(queue)
                await joined()
                while True:
                    yield await queue.get()

            async def send(self, frames: Sequence[str]) -> int:
                self.said += frames
                for one in bus.queues:
                    if one is not queue:
                        for text in frames:
                            one.put_nowait(text.encode())
                return len(frames)

        return Client()


def test_of_two_workers_that_start_at_once_one_leaves(model_folder: ModelFolder) -> None:
    folder = model_folder()

    async def both() -> list[BaseException | None]:
        bus = Bus()
        names = "vm:12:aaaaaa", "vm:13:bbbbbb"
        workers = [Worker(bus.link(), pipeline(folder), name=name) for name in names]  # type: ignore[arg-type]
        running = [asyncio.create_task(worker.run()) for worker in workers]
        await asyncio.sleep(3.5)
        ended = [task.exception() if task.done() else None for task in running]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        return ended

    first, second = asyncio.run(asyncio.wait_for(both(), 20))
    assert first is None
    assert isinstance(second, LinkError)
    assert "worker vm:12:aaaaaa already serves partition 0" in str(second)


def test_a_verdict_that_cannot_be_encoded_costs_no_other(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = pipeline(model_folder())
    flush = made.flush

    def odd(now: float) -> list[Verdict]:
        good = flush(now)
        bad = [replace(one, sessions=1 << 70) for one in good]
        return [*bad, *(replace(one, evidence=(None,)) for one in good), *good]  # type: ignore[arg-type]

    monkeypatch.setattr(made, "flush", odd)
    ended = made.finish
    monkeypatch.setattr(made, "finish", lambda: [*odd(1e9), *ended()])
    zeek = Zeek(frame(1, LAMP, 20), then=terminate)
    worker = work(zeek, made)
    assert [verdict[5] for verdict in zeek.events("NBA::verdict")] == ["learning", "identified"]
    assert worker.invalid == {"cannot be encoded (verdict)": 4}
    assert caplog.text.count("cannot be encoded") == 1


def test_a_snapshot_that_fails_does_not_end_the_worker(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise TypeError("cannot be encoded")

    monkeypatch.setattr(snapshot, "parts", broken)
    zeek = Zeek(frame(1, LAMP, 20), then=terminate)
    worker = work(zeek, pipeline(model_folder()), state=tmp_path / "s")
    assert worker.invalid == {"internal error (TypeError)": 1}
    assert len(zeek.events("NBA::verdict")) == 2


def test_the_lag_runs_from_the_arrival_of_what_waits_for_a_node_that_is_behind(
    model_folder: ModelFolder,
) -> None:
    worker = Worker(Zeek(), pipeline(model_folder()), name="w")  # type: ignore[arg-type]
    now = time.monotonic()
    for seconds, node, clock in ((-4.0, "worker-2", 0.0), (-4.0, "worker-1", 50.0)):
        rows = LAMP if node == "worker-1" else []
        worker.thread.push(
            [(now + seconds, decode(frame(1, rows, len(rows), node=node, clock=clock)))]
        )  # type: ignore[list-item]
    _, since = worker.thread.push(
        [(now - 3.0, decode(frame(2, [], 0, node="worker-2", clock=1.0)))]
    )  # type: ignore[list-item]
    worker._measure_lag(since)
    assert 4.0 <= worker.lag < 60.0
    assert worker.status().lag == worker.lag


def installed(model_folder: ModelFolder, into: Path, name: str, **changes: object) -> str:
    """Install a version of the voting model; returns its id."""
    return store.install(model_folder(name=name, **changes), into).now.id


@pytest.mark.parametrize("window", [8, 4, 12])
def test_models_are_switched_and_rolled_back_under_load_without_a_lost_session(
    window: int,
    model_folder: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("nba_broker.worker.watchers.MODEL_PERIOD", 0.02)
    into, batches, size = tmp_path / "in-use", 60, 50
    first = installed(model_folder, into, "first")
    rows = [row for n in range(10) for row in host(n + 1, times=range(300), dst=LAMP_CLOUD)]
    rows.sort()
    frames = [frame(n + 1, rows[n * size : (n + 1) * size], (n + 1) * size) for n in range(batches)]
    made = pipeline(into)
    made_of = made.scorer

    class Paced(Zeek):
        async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
            await joined()
            for number, one in enumerate(frames):
                if number == 20:
                    classes = [{"device": d, "category": "c"} for d in ("Cam", "Lamp")]
                    pools = ["as:2", "as:1", "lan", "gw"]
                    shares = {"classes": BACKGROUND["classes"][::-1]}
                    installed(
                        model_folder,
                        into,
                        "second",
                        classes=classes,
                        pools=pools,
                        window=window,
                        background=BACKGROUND | shares,
                    )
                if number == 40:
                    store.rollback(into)
                yield one
                if number in (20, 40):
                    before = made.scorer
                    while made.scorer is before:
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.002)
            terminate()
            await asyncio.Event().wait()
            yield b""

    zeek = Paced()
    state = tmp_path / "s"
    worker = work(zeek, made, model=into, state=state, snapshot_interval=0.1)
    assert made.scorer.manifest.id == first
    assert made.scorer is not made_of
    assert worker.ledger.received == made.counters.sessions == len(rows)
    assert (worker.ledger.lost, worker.ledger.missed, worker.invalid.total()) == (0, 0, 0)
    assert zeek.events("NBA::ack")[-1] == ["worker-1", "R1", batches]
    # Each host once as new and once with its name, whatever model it was.
    assert len(zeek.events("NBA::verdict")) == made.counters.verdicts == 20
    assert caplog.text.count("took over model") == 2
    second = pipeline(into)
    snapshot.restore(state, second)
    assert {(v.device, v.sessions) for v in second.standing()} == {("Lamp", 300)}


def test_a_bad_model_is_refused_with_one_line_and_the_old_one_stays(
    model_folder: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("nba_broker.worker.watchers.MODEL_PERIOD", 0.02)
    folder = model_folder()
    made = pipeline(folder)
    zeek = Zeek(frame(1, LAMP[:3], 3))

    async def until_refused() -> None:
        worker = Worker(zeek, made, name="w", model=folder)  # type: ignore[arg-type]
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0.05)
        (folder / "model.onnx").write_bytes(b"cut short")
        while "stays in use" not in caplog.text:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        worker.stop()
        await running

    before = made.scorer
    asyncio.run(asyncio.wait_for(until_refused(), 20))
    assert made.scorer is before
    assert caplog.text.count("does not match the SHA-256") == 1


def test_what_a_shadow_says_is_in_the_log_in_a_file_and_in_the_metrics(
    model_folder: ModelFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    other = [{"device": d, "category": "c"} for d in ("Lens", "Lamp")]
    shadow = Shadow(Scorer(model_folder(classes=other)))
    scorer = metrics.TimedScorer(model_folder())
    made = pipeline(model_folder(), shadow=shadow)
    rows = host(7, times=[n * 300 for n in range(60)], dst=LAMP_CLOUD)
    frames = [frame(n + 1, rows[n * 10 : n * 10 + 10], n * 10 + 10) for n in range(6)]

    class Paced(Zeek):
        async def frames(self, joined: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
            await joined()
            for one in frames:
                yield one
                await asyncio.sleep(0.05)
            terminate()
            await asyncio.Event().wait()

    worker = work(Paced(), made, state=tmp_path / "hosts.snapshot")
    found = json.loads((tmp_path / "shadow.json").read_text())
    assert [(one["running"], one["candidate"]) for one in found["differ"]] == [("Lamp", "Lens")]
    assert found["scores"] == shadow.scores > 0
    assert "agrees in 0.0% of" in caplog.text
    assert "192.168.1.7 (02:00:00:00:00:07) is Lamp; votes-" in caplog.text
    port = free_port()
    metrics.serve(f"127.0.0.1:{port}", worker, scorer)
    scrape = scraped(port)
    assert scrape["nba_shadow_scores_total"] == shadow.scores
    assert scrape["nba_shadow_agreeing_scores_total"] == 0
    assert scrape["nba_shadow_differing_hosts"] == 1
