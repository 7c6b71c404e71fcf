"""The hosts' state over a restart."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.announcements import Announcement
from nba_broker.records.errors import ConfigError, SnapshotError
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Lease, Sessions, take
from nba_broker.records.slots import Column
from nba_broker.records.verdicts import Verdict
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.wire.accounting import Position
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, host, pipeline, sessions

ModelFolder = Callable[..., Path]


def traffic(number: int = 600, hosts: int = 12, seed: int = 1) -> Sessions:
    """Hosts with and without MACs, known clouds and neighbours, in time order."""
    rng = random.Random(seed)
    rows = []
    for n in range(number):
        who = rng.randrange(hosts)
        mac = MAC.format(who) if who % 3 else ""
        dst = rng.choice([LAMP_CLOUD, LENS_CLOUD, "192.168.1.1", "224.0.0.251", "fe80::5"])
        rows.append((1000.0 + n * 7.5, f"192.168.1.{who + 10}", mac, dst))
    return sessions(rows)


def save(path: Path, made: Pipeline, positions: dict[str, Position] | None = None) -> None:
    snapshot_file.write(path, snapshot.parts(made, positions or {}))


def restored(path: Path, made: Pipeline) -> Pipeline:
    snapshot.restore(path, made)
    return made


def test_a_restored_worker_goes_on_as_if_it_had_never_stopped(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    table = traffic()
    whole = pipeline(model_folder()).process(table)
    first = pipeline(model_folder())
    said = first.process(take(table, np.arange(300)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    assert said + second.process(take(table, np.arange(300, 600))) == whole
    assert {v.state for v in whole} >= {"learning", "identified"}


def test_a_restored_worker_goes_on_with_the_secret_of_the_state(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    table = traffic()
    whole = pipeline(model_folder(), secret=b"of the state")
    whole.process(table)
    first = pipeline(model_folder(), secret=b"of the state")
    first.process(take(table, np.arange(300)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder(), secret=b"of a new worker"))
    second.process(take(table, np.arange(300, 600)))
    assert second.baseline.secret == b"of the state"
    keys = [set(one.baseline.columns["key"][:12].ravel().tolist()) for one in (whole, second)]
    assert keys[0] == keys[1] != {0, 1}


def test_what_leases_say_of_clients_outlives_a_restart(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    first = pipeline(model_folder())
    client = {"vendor_class": "MSFT 5.0", "params": (1, 3, 6)}
    first.lease(Lease(500.0, "192.168.1.11", MAC.format(1), "pc", **client))
    first.lease(Lease(1e9, "192.168.1.14", MAC.format(4), "pc", **client))  # not yet due
    first.process(traffic())
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    (slot,) = second.identity.present(["192.168.1.11"], [MAC.format(1)])
    assert second.facts(slot).vendor_class == "MSFT 5.0"
    assert second.facts(slot).params == (1, 3, 6)
    assert second.timeline.tracker.leases == first.timeline.tracker.leases


def test_what_hosts_announced_and_which_ports_they_ask_for_outlive_a_restart(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    def asks(number: int) -> Sessions:
        asked = sessions(host(number, times=[1e4 + number], dst="192.168.1.11"))
        return replace(asked, dport=np.array([port_code(9100, "tcp")], np.int32))

    first = pipeline(model_folder())
    first.announce([Announcement(2000.0, "192.168.1.11", one) for one in ("_ipp._tcp", "md=9")])
    first.process(traffic())
    for number in (41, 42):
        first.process(asks(number))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    (slot,) = second.identity.present(["192.168.1.11"], [MAC.format(1)])
    facts = second.facts(slot)
    assert (facts.services, facts.descriptions, facts.ports) == (("_ipp._tcp",), ("md=9",), ())
    second.process(asks(41))
    assert second.facts(slot).ports == ()
    second.process(asks(43))
    assert second.facts(slot).ports == ("9100/tcp",)


def test_answers_outlive_a_restart(model_folder: ModelFolder, tmp_path: Path) -> None:
    table = traffic(2000)
    given = [
        Annotation(3000.0, MAC.format(1), "label", "Hall_Camera", "camera"),
        Annotation(4000.0, MAC.format(2), "confirm"),
        Annotation(5000.0, MAC.format(4), "ignore", expires=12000.0),
        Annotation(9000.0, MAC.format(5), "label", "Lens"),
    ]
    unbroken = pipeline(model_folder())
    unbroken.annotate(given)
    whole = unbroken.process(table)
    first = pipeline(model_folder())
    first.annotate(given)
    said = first.process(take(table, np.arange(1000)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    assert second.annotate(given) == []
    assert said + second.process(take(table, np.arange(1000, 2000))) == whole
    assert {v.device for v in whole if v.reason == "annotation"} >= {"Hall_Camera", "Lens"}
    assert [one.device for one in second.annotations.prototypes] == [2, 1]


def test_names_leases_and_addresses_are_restored(model_folder: ModelFolder, tmp_path: Path) -> None:
    first = pipeline(model_folder())
    first.lease(Lease(1.0, "192.168.1.7", MAC.format(7), "lamp"))
    first.lease(Lease(50.0, "192.168.1.9", MAC.format(7), "lamp"))
    first.process(sessions(host(7, times=[2.0], dst=LAMP_CLOUD)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    # Without a MAC, at the address lent before and at the one lent after the snapshot.
    second.process(sessions([(3.0, "192.168.1.7", "", LAMP_CLOUD)]))
    second.process(sessions([(60.0, "192.168.1.9", "", LAMP_CLOUD)]))
    assert second.hosts == 1
    identity = second.identity
    assert (identity.mac(0), identity.hostname(0)) == (MAC.format(7), "lamp")


@pytest.mark.parametrize("cut", [4, 6, 7, 12])
def test_a_router_is_found_and_remembered_over_a_restart(
    cut: int, model_folder: ModelFolder, tmp_path: Path
) -> None:
    table = sessions(
        [(n * 10.0, f"192.168.1.{5 + n % 3}", MAC.format(1), LAMP_CLOUD) for n in range(30)]
    )
    whole = pipeline(model_folder()).process(table)
    first = pipeline(model_folder())
    said = first.process(take(table, np.arange(cut)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    assert said + second.process(take(table, np.arange(cut, 30))) == whole
    assert list(second.identity.routers()) == [MAC.format(1)]


REPEATER = "24:6f:28:d9:a7:64"


def shared(number: int = 400) -> Sessions:
    """Hosts of two VLANs with the same addresses, two stations of a repeater, and a bond."""
    rng = random.Random(3)
    rows, segments = [], []
    for n in range(number):
        mac, last, segment = rng.choice(
            [
                *[("", who, vlan) for who in (20, 21) for vlan in ("/10", "/20", "")],
                *[(REPEATER, who, "/10") for who in (30, 31)],
                *[(MAC.format(who), 40, "/10") for who in (40, 41)],
            ]
        )
        rows.append(
            (1000.0 + n * 30, f"192.168.1.{last}", mac, rng.choice([LAMP_CLOUD, "8.8.8.8"]))
        )
        segments.append(segment)
    return replace(sessions(rows), segment=segments)


@pytest.mark.parametrize("at", [3, 20, 60, 200])
def test_segments_leases_bonds_and_turns_outlive_a_restart(
    model_folder: ModelFolder, tmp_path: Path, at: int
) -> None:
    table = shared()
    leases = [Lease(900.0, f"192.168.1.{n}", MAC.format(n), f"host-{n}") for n in (30, 31, 40)]
    whole, first = pipeline(model_folder()), pipeline(model_folder())
    for lease in leases:
        whole.lease(lease)
        first.lease(lease)
    expected = whole.process(table)
    said = first.process(take(table, np.arange(at)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    assert said + second.process(take(table, np.arange(at, len(table)))) == expected
    identity = second.identity
    assert identity.bonds() == whole.identity.bonds() != {}
    assert identity.claims() == whole.identity.claims()
    assert identity.routers().keys() == {REPEATER}
    assert dict(identity.addresses()) == dict(whole.identity.addresses())


def test_slots_are_given_anew_without_gaps(model_folder: ModelFolder, tmp_path: Path) -> None:
    first = pipeline(model_folder(), max_hosts=16)
    for number in range(20):
        first.process(sessions(host(number + 1, times=[float(number)], dst=LAMP_CLOUD)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    assert second.hosts == second.identity.capacity == first.hosts


def test_positions_are_restored(model_folder: ModelFolder, tmp_path: Path) -> None:
    save(tmp_path / "s", pipeline(model_folder()), {"worker-1": Position("R1", 7)})
    positions = snapshot.restore(tmp_path / "s", pipeline(model_folder()))
    assert positions == {"worker-1": Position("R1", 7)}


def test_the_hosts_of_another_partition_are_refused(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    made = pipeline(model_folder())
    snapshot_file.write(tmp_path / "s", snapshot.parts(made, {"n": Position("R/2", 3)}, 2))
    with pytest.raises(ConfigError, match="of partition 2, and this worker is of partition 0"):
        snapshot.restore(tmp_path / "s", pipeline(model_folder()), 0)
    for partition in (2, None):
        known = snapshot.restore(tmp_path / "s", pipeline(model_folder()), partition)
        assert known == {"n": Position("R/2", 3)}


def test_hosts_that_come_go_and_move_while_a_snapshot_is_written_do_no_harm(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba_broker.worker.snapshot._PART", 3)
    table = traffic(2000, hosts=60, seed=3)
    made = pipeline(model_folder(), max_hosts=40)
    made.process(take(table, np.arange(500)))
    at = 500
    content = []
    for part in snapshot.parts(made, {}):
        content.append(part)
        made.process(take(table, np.arange(at, at + 40)))
        at += 40
    snapshot_file.write(tmp_path / "s", content)
    second = restored(tmp_path / "s", pipeline(model_folder(), max_hosts=40))
    second.process(take(table, np.arange(at, 2000)))
    assert second.hosts <= 40
    identity = second.identity
    named = identity.names(0, identity.capacity)
    assert len({key for key, _ in named.values()}) == len(named) == second.hosts


def test_more_hosts_than_there_is_room_for_leave_at_the_first_session(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    first = pipeline(model_folder())
    for number in range(30):
        first.process(sessions(host(number + 1, times=[float(number)], dst=LAMP_CLOUD)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder(), max_hosts=16))
    second.process(sessions(host(99, times=[100.0], dst=LAMP_CLOUD)))
    assert second.hosts <= 16
    assert second.process(sessions(host(30, times=[101.0], dst=LAMP_CLOUD))) == []


def test_another_model_keeps_what_hosts_did_and_the_names_that_it_knows(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    first = pipeline(model_folder())
    first.process(sessions(host(7, times=list(range(20)), dst=LAMP_CLOUD)))
    first.process(sessions(host(8, times=list(range(20, 40)), dst=LENS_CLOUD)))
    save(tmp_path / "s", first)
    classes = [{"device": d, "category": "c"} for d in ("Cam", "Lens", "Lamp")]
    second = pipeline(model_folder(classes=classes[1:], databases=[{"sha256": "x"}]))
    second = restored(tmp_path / "s", second)
    assert [(v.device, v.state) for v in second.standing()] == [
        ("Lamp", "identified"),
        ("Lens", "identified"),
    ]
    # Full windows at once, and no line: neither "learning" nor a name that it has already.
    assert second.process(sessions(host(7, times=list(range(40, 44)), dst=LAMP_CLOUD))) == []


@pytest.mark.parametrize("changes", [{"window": 16}, {"window": 4}])
def test_a_snapshot_of_another_window_keeps_the_sessions_that_fit_both(
    changes: dict[str, int], model_folder: ModelFolder, tmp_path: Path
) -> None:
    first = pipeline(model_folder())
    first.process(traffic())
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder(**changes)))
    assert second.hosts == first.hosts
    fit = min(8, changes["window"])
    slots = np.arange(second.hosts)
    kept = second.windows.latest(slots).columns["ts"][:, -fit:]
    names = second.identity.names(0, second.hosts)
    where = {key: slot for slot, key in first.identity.names(0, first.hosts).items()}
    before = first.windows.latest(np.array([where[names[slot]] for slot in slots]))
    assert (kept == before.columns["ts"][:, -fit:]).all()


def test_a_snapshot_of_another_version_is_refused(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "s", pipeline(model_folder()))
    written = snapshot.FORMAT
    monkeypatch.setattr(snapshot, "FORMAT", written + 1)
    with pytest.raises(
        SnapshotError, match=rf"version .* \(format {written}, not {written + 1}\)$"
    ):
        snapshot.restore(tmp_path / "s", pipeline(model_folder()))


def test_a_snapshot_that_would_be_read_for_ever_is_refused(
    model_folder: ModelFolder, tmp_path: Path
) -> None:
    made = pipeline(model_folder())
    made.process(sessions(host(7, times=list(range(20)), dst=LAMP_CLOUD)))
    first, hosts, *rest = snapshot.parts(made, {})
    hosts = hosts[: -made.decider.columns.layout.itemsize]
    header = orjson.loads(first) | {"decision": "another", "decision_bytes": -len(hosts)}
    snapshot_file.write(tmp_path / "s", [orjson.dumps(header) + b"\n", hosts, *rest])
    with pytest.raises(SnapshotError):
        snapshot.restore(tmp_path / "s", pipeline(model_folder()))


def test_a_snapshot_with_other_columns_is_refused_in_one_short_line(
    model_folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pipeline(model_folder())
    with monkeypatch.context() as former:
        stages = snapshot._stages(made)
        other = made.slots.add("other", {"former": Column(np.int8)})
        former.setattr(snapshot, "_stages", lambda pipeline: stages | {"other": other})
        save(tmp_path / "s", made)
    with pytest.raises(SnapshotError) as error:
        snapshot.restore(tmp_path / "s", pipeline(model_folder()))
    assert str(error.value) == f"{tmp_path / 's'}: another version of this worker wrote it (layout)"


WELL_FORMED: list[bytes] = []


def well_formed(folder: Path) -> bytes:
    if not WELL_FORMED:
        made = pipeline(folder)
        made.annotate([Annotation(0.0, MAC.format(1), "label", "Hall_Camera")])
        made.process(traffic())
        assert len(made.annotations.prototypes)
        WELL_FORMED.append(b"".join(snapshot.parts(made, {"n": Position("R", 3)})))
    return WELL_FORMED[0]


SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


@SLOW
@given(st.data())
def test_a_file_that_was_cut_or_changed_is_refused(
    model_folder: ModelFolder, tmp_path: Path, data: st.DataObject
) -> None:
    folder = model_folder()
    good = well_formed(folder)
    good += hashlib.sha256(good).digest()
    at = data.draw(st.integers(0, len(good) - 1))
    bad = data.draw(
        st.sampled_from(
            [good[:at], good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], good + good[at:]]
        )
    )
    (tmp_path / "s").write_bytes(bad)
    with pytest.raises(SnapshotError):
        snapshot.restore(tmp_path / "s", pipeline(folder))


@SLOW
@given(st.data())
def test_whatever_a_checksummed_file_holds_it_is_refused_or_the_worker_works(
    model_folder: ModelFolder, tmp_path: Path, data: st.DataObject
) -> None:
    folder = model_folder()
    bad = bytearray(well_formed(folder))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(bad) - 1))
        change = data.draw(st.binary(max_size=8))
        bad[at : at + data.draw(st.integers(0, 8))] = change
    snapshot_file.write(tmp_path / "s", [bytes(bad)])
    made = pipeline(folder)
    try:
        snapshot.restore(tmp_path / "s", made)
    except SnapshotError:
        return
    for verdict in made.process(traffic(seed=2)):
        assert isinstance(verdict, Verdict)


@SLOW
@given(st.binary(max_size=300))
def test_whatever_bytes_a_file_holds_they_are_refused(
    model_folder: ModelFolder, tmp_path: Path, content: bytes
) -> None:
    folder = model_folder()
    for written in (content, content + hashlib.sha256(content).digest()):
        (tmp_path / "s").write_bytes(written)
        with pytest.raises(SnapshotError):
            snapshot.restore(tmp_path / "s", pipeline(folder))


def test_what_cannot_be_used_is_set_aside_and_nothing_there_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "hosts.snapshot"
    for number in (1, 2):
        path.write_bytes(b"bad")
        assert snapshot_file.set_aside(path) == tmp_path / f"hosts.snapshot.bad-{number}"
    assert not path.exists()


def test_a_snapshot_that_cannot_be_completed_leaves_the_last_one(tmp_path: Path) -> None:
    def broken() -> object:
        yield b"something"
        raise OSError("disk full")

    snapshot_file.write(tmp_path / "s", [b"good"])
    before = (tmp_path / "s").read_bytes()
    with pytest.raises(OSError, match="disk full"):
        snapshot_file.write(tmp_path / "s", broken())  # type: ignore[arg-type]
    assert (tmp_path / "s").read_bytes() == before


def test_nobody_else_may_read_a_snapshot(tmp_path: Path) -> None:
    snapshot_file.write(tmp_path / "s", [b"good"])
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_to_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write to"):
        snapshot_file.path_in(tmp_path / "file" / "state")


def test_long_uids_are_kept_whole_over_a_restart(model_folder: ModelFolder, tmp_path: Path) -> None:
    table = traffic()
    table.uid = [f"C{n:022}" if n > 150 else f"C{n:017}" for n in range(len(table))]
    whole = pipeline(model_folder()).process(table)
    first = pipeline(model_folder())
    said = first.process(take(table, np.arange(300)))
    save(tmp_path / "s", first)
    second = restored(tmp_path / "s", pipeline(model_folder()))
    assert said + second.process(take(table, np.arange(300, 600))) == whole
    named = [uid for one in whole for uid in one.uids]
    assert set(named) <= set(table.uid)
    assert any(len(uid) == 23 for uid in named)
    assert any(len(uid) == 18 for uid in named)
