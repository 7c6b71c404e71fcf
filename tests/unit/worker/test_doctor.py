"""What the doctor finds, and what it says to do."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve

from nba_broker.archive import zeek_process
from nba_broker.cli import main
from nba_broker.model.scorer import Scorer
from nba_broker.records.ports import port_code
from nba_broker.wire.codec import SessionBatch, encode_hello
from nba_broker.wire.connection import Link
from nba_broker.worker import doctor, snapshot, snapshot_file
from nba_broker.worker.doctor import Finding, Heard
from nba_broker.worker.settings import Settings
from tests.unit.helpers import LAMP_CLOUD, MAC, host, pipeline, sessions
from tests.unit.worker.test_snapshot import traffic
from tests.unit.worker.test_worker import frame, name_frame

ModelFolder = Callable[..., Path]


def texts(findings: list[Finding]) -> str:
    return "\n".join(map(str, findings))


def advised(findings: list[Finding]) -> list[str]:
    return [finding.text for finding in findings if finding.advice]


@pytest.mark.parametrize(
    ("version", "well"),
    [
        ("8.0.0", False),
        ("8.0.8", False),
        ("8.0.9", True),
        ("8.1.0-rc2", False),
        ("8.1.3", False),
        ("8.2.0", False),
        ("8.2.1", True),
        ("9.1.0-dev", True),
        ("7.2.1", False),
        ("", False),
    ],
)
def test_a_zeek_that_can_be_stalled_by_a_client_is_named(version: str, well: bool) -> None:
    assert (doctor.version(version).advice == "") is well


def test_a_zeek_without_a_cluster_backend_is_named() -> None:
    assert doctor.backend("none_host_1").advice
    assert doctor.backend("zeromq__host_1_N1-websocket-1") == Finding("cluster backend: zeromq")


def test_broker_is_named_though_its_endpoints_have_numbers_for_names() -> None:
    endpoint = "5a3c0e8b-0d6b-5d5e-9f0c-8d3a8f7e6b21-websocket-1"
    assert doctor.backend(endpoint) == Finding("cluster backend: broker")


@pytest.mark.parametrize(
    ("url", "authority", "well"),
    [
        ("ws://127.0.0.1:1/v1/messages/json", False, True),
        ("ws://localhost:1/v1/messages/json", False, True),
        ("ws://[::1]:1/v1/messages/json", False, True),
        ("ws://192.0.2.7:1/v1/messages/json", False, False),
        ("ws://zeek.example:1/v1/messages/json", False, False),
        ("wss://192.0.2.7:1/v1/messages/json", True, True),
        ("wss://192.0.2.7:1/v1/messages/json", False, False),
    ],
)
def test_anything_but_loopback_and_tls_is_warned_of(url: str, authority: bool, well: bool) -> None:
    assert (advised(list(doctor.port(url, authority))) == []) is well


def test_a_port_that_is_open_to_others_is_found() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        number = server.getsockname()[1]
        found = list(doctor.port(f"ws://127.0.0.1:{number}/", False))
    assert advised(found) == [f"port {number} is open at 0.0.0.0 without TLS"]


def test_addresses_that_listen_are_read_in_both_families() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert doctor.listening(server.getsockname()[1]) == ["127.0.0.1"]
    if socket.has_dualstack_ipv6():
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            assert doctor.listening(server.getsockname()[1]) == ["::1"]


def heard(*frames: bytes | str, partition: int = 0) -> Heard:
    found = Heard(partition)
    for one in frames:
        found.hear(one if isinstance(one, bytes) else one.encode())
    return found


HELLO = encode_hello("worker")


def test_without_a_worker_nothing_is_said_of_sensors() -> None:
    assert advised(list(doctor.sensors(heard(), {"worker-1"}))) == [
        "no worker is running, so sensors are silent"
    ]


def test_names_that_arrive_are_counted_and_missing_ones_noticed() -> None:
    queries = sessions(host(7, times=list(range(20)), dst="192.168.1.1"))
    queries = replace(queries, dport=np.full(20, port_code(53, "udp"), np.int32))
    batch = SessionBatch("worker-1", "R1", 1, 20, 0, time.time(), queries)
    quiet, deaf, well = heard(HELLO), heard(HELLO), heard(HELLO)
    for one in (deaf, well):
        one.note(batch)
    well.hear(name_frame(1, [(5.5, "192.168.1.7", "lamp.example", LAMP_CLOUD)], 1))
    assert doctor.names(quiet).advice == doctor.names(well).advice == ""
    assert "1 names" in doctor.names(well).text
    assert "20 DNS queries" in doctor.names(deaf).text
    assert "NBA::report_names" in doctor.names(deaf).advice


def test_a_sensor_of_the_layout_that_is_not_heard_is_named() -> None:
    found = heard(HELLO, frame(1, [], 5, node="worker-1"), b"garbage")
    found.clocks["worker-1"] = 0.1
    assert advised(list(doctor.sensors(found, {"worker-1", "worker-2"}))) == [
        "worker-2 is not heard"
    ]


def test_a_mac_that_stands_for_several_hosts_is_named() -> None:
    rows = [(float(n), f"192.168.1.{5 + n % 3}", MAC.format(1), LAMP_CLOUD) for n in range(12)]
    found = heard(HELLO, frame(1, rows[:5], 5), frame(2, rows[5:], 12))
    text = "\n".join(map(str, doctor.sensors(found, set())))
    assert f"ok               {MAC.format(1)} stands for several hosts" in text


def test_a_worker_that_works_with_the_state_but_is_not_heard_is_not_started_again() -> None:
    (only,) = doctor.sensors(heard(), {"worker-1"}, "4711")
    assert only.text == "worker 4711 runs, but is not connected to this Zeek"
    assert "nba-broker run" not in only.advice


def test_a_clock_that_is_wrong_and_a_worker_that_is_too_slow_are_named() -> None:
    found = heard(HELLO, frame(1, [], 0), frame(2, [], 0, skipped=9))
    assert advised(list(doctor.sensors(found, set()))) == [
        f"the clock of worker-1 differs from this machine's by {found.clocks['worker-1']:.1f} s",
        "worker-1 skipped 9 sessions meanwhile",
    ]


def test_the_doctor_of_a_partition_vouches_for_no_other_ones_worker() -> None:
    (only,) = doctor.sensors(heard(HELLO, partition=1), {"worker-1"})
    assert str(only) == (
        "needs attention  no worker is running in partition 1, so sensors are silent: check "
        "that NBA::partitions is 2 or more; start nba-broker run --partition 1, then repeat this"
    )


def test_a_partition_that_zeek_does_not_have_is_named() -> None:
    found = list(doctor.sensors(heard(HELLO, encode_hello("b/1"), partition=1), {"worker-1"}))
    assert str(found[0]) == "ok               worker b/1"
    assert advised(found) == ["no sensor is heard in partition 1"]
    assert "NBA::partitions is 2 or more" in found[1].advice


def test_every_partition_needs_one_worker() -> None:
    for partition, names in ((0, "ab"), (2, ("a/2", "b/2"))):
        run = f"R/{partition}" if partition else "R"
        batch = frame(1, [], 5, clock=time.time(), run=run)
        hellos = list(map(encode_hello, names))
        where = f" in partition {partition}" if partition else ""
        one = heard(hellos[0], batch, partition=partition)
        assert advised(list(doctor.sensors(one, {"worker-1"}))) == []
        two = heard(*hellos, batch, partition=partition)
        assert advised(list(doctor.sensors(two, set()))) == [f"more than one worker{where}"]


def test_sensors_that_have_seen_no_host_at_all_are_named() -> None:
    nothing = [frame(1, [], 0, node=node, clock=time.time()) for node in ("worker-1", "worker-2")]
    found = list(doctor.sensors(heard(HELLO, *nothing), set()))
    assert advised(found) == ["no session of a local host yet since the sensors started"]
    assert "NBA::hosts" in texts(found)
    for some in (
        frame(2, [], 5, node="worker-2", clock=time.time()),
        frame(2, [], 0, node="worker-2", clock=time.time(), skipped=5),
    ):
        assert "no session" not in texts(list(doctor.sensors(heard(HELLO, *nothing, some), set())))


def test_state_model_and_databases_that_are_well_need_nothing(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    settings = Settings(model=model_folder(), state=tmp_path, max_hosts=16)
    found = [*doctor.model_and_databases(settings), *doctor.state(settings)]
    assert advised(found) == []
    assert "feature version" in texts(found)


def test_the_disk_that_the_doctor_asks_for_holds_both_snapshots(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder())
    made.process(traffic(2000, hosts=200))
    written = len(b"".join(snapshot.parts(made, {})))
    needed = doctor.disk_needed(made.scorer.manifest.window, made.hosts)
    assert 2 * written <= needed < 3 * written


def test_a_state_folder_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "typo"
    assert advised(list(doctor.state(Settings(state=folder)))) == [f"no folder {folder}"]
    assert not folder.exists()


def test_a_state_that_is_missing_or_was_damaged_is_named(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    assert advised(list(doctor.state(Settings()))) == [
        "without a folder for snapshots a restart forgets all hosts"
    ]
    (tmp_path / "hosts.snapshot.bad-1").write_text("")
    settings = Settings(model=model_folder(), state=tmp_path, max_hosts=16)
    assert advised(list(doctor.state(settings))) == [
        "a worker could not read hosts.snapshot.bad-1 when it started"
    ]


def test_a_worker_that_uses_another_model_than_the_one_looked_at_is_named(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    made = pipeline(model_folder())
    snapshot_file.write(tmp_path / snapshot_file.FILE, snapshot.parts(made, {}))
    settings = Settings(model=model_folder(), state=tmp_path, max_hosts=16)
    assert advised(list(doctor.state(settings))) == []
    ours = Scorer(model_folder(name="other")).manifest.id
    assert advised(list(doctor.state(settings))) == [
        f"the worker of {tmp_path} uses model {made.scorer.manifest.id}, not {ours}"
    ]


def test_a_snapshot_that_is_none_is_named(model_folder: ModelFolder, tmp_path: Path) -> None:
    (tmp_path / snapshot_file.FILE).write_text("none\n")
    settings = Settings(model=model_folder(), state=tmp_path, max_hosts=16)
    assert advised(list(doctor.state(settings))) == ["the last snapshot cannot be read"]


def test_a_disk_without_room_for_two_snapshots_is_named(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**6))
    settings = Settings(model=model_folder(), state=tmp_path)
    (only,) = advised(list(doctor.state(settings)))
    assert "GB free" in only


def test_a_model_and_a_database_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    settings = Settings(model=tmp_path, pools=(tmp_path / "none.mmdb",))
    assert advised(list(doctor.model_and_databases(settings))) == [
        "the model cannot be used",
        "an IP database cannot be used",
    ]


def test_a_zeek_that_lacks_the_package_is_named_though_a_checkout_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeek = tmp_path / "bin/zeek"
    zeek.parent.mkdir()
    zeek.write_text("#!/bin/sh\necho zeek version 8.2.1\n")
    zeek.chmod(0o755)
    monkeypatch.setattr(zeek_process, "find_zeek", lambda chosen=None: zeek)
    found = list(doctor.installed_zeek())
    assert [one.advice for one in found] == ["", zeek_process.INSTALL]
    scripts = tmp_path / "share/zeek/site/zeek-nba/__load__.zeek"
    scripts.parent.mkdir(parents=True)
    scripts.touch()
    assert list(doctor.installed_zeek())[1] == Finding(f"package in {scripts.parent}")


def test_the_doctor_listens_to_zeek_and_never_speaks() -> None:
    received: list[str | bytes] = []

    async def zeek(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "ack", "endpoint": "zeromq_x", "version": "9.0.0"}))
        await socket.send(HELLO)
        received.extend([one async for one in socket])

    async def listen() -> tuple[Link, Heard]:
        async with serve(zeek, "127.0.0.1", 0) as server:
            number = server.sockets[0].getsockname()[1]
            link, found = Link(f"ws://127.0.0.1:{number}/"), Heard()
            await link.listen(0.3, found.hear)
            return link, found

    link, found = asyncio.run(listen())
    assert (link.version, link.endpoint, found.workers) == ("9.0.0", "zeromq_x", {"worker"})
    assert received == []


def test_the_exit_status_says_whether_there_is_something_to_do(
    model_folder: ModelFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["doctor", "--model", str(model_folder()), "--state", str(tmp_path / "state")]
    assert main.main([*arguments, "--url", "ws://127.0.0.1:1/"]) == 1
    assert "needs attention  no connection to Zeek" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "examine", lambda settings, link: [Finding("well")])
    assert main.main(arguments) == 0
    assert capsys.readouterr().out == "ok               well\n"
