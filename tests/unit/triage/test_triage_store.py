"""The triage page's store: every verdict once, whatever becomes of the files."""

from __future__ import annotations

import bz2
import dataclasses
import errno
import gzip
import json
import lzma
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nba_broker.archive import device_log, zeek_log
from nba_broker.records.verdicts import Row
from nba_broker.triage import health
from nba_broker.triage.store import Host, Store
from testing import verdicts

MAC = "02:00:00:00:00:{:02x}"


def verdict(number: int = 1, **changes: Any) -> Row:
    made = Row(
        ts=1000.0,
        host=f"10.0.0.{number}",
        mac=MAC.format(number),
        hostname=f"host-{number}",
        vendor="Maker Inc.",
        state="identified",
        previous="learning",
        device="Lens",
        category="camera",
        confidence=0.9,
        alternatives=("Lamp=0.05",),
        sessions=16,
        since=1000.0,
        first_seen=900.0,
        reason="change",
        evidence=(
            "1.0.0.7 443/tcp as:1 (One, Inc.) sessions=3 weight=0.60 last=1970-01-01T00:16:00Z",
        ),
        uids=("C1", "C2"),
        model="votes",
        evidence_dst=("1.0.0.7",),
        evidence_port=(443,),
        evidence_proto=("tcp",),
        evidence_pool=("as:1",),
        evidence_org=("One, Inc.",),
        evidence_ts=(960.0,),
        evidence_sessions=(3,),
        evidence_weight=(0.6,),
        alternative_device=("Lamp",),
        alternative_confidence=(0.05,),
    )
    return dataclasses.replace(made, **changes)


def written(path: Path, *lines: Row, form: Any = "tsv") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with device_log.Writer(path, form) as log:
        for line in lines:
            log.write_row(line)
    return path


def appended(path: Path, *lines: Row, form: Any = "tsv") -> None:
    """Lines as Zeek adds them: without another header."""
    other = written(path.with_name("other"), *lines, form=form)
    rows = [row for row in other.read_bytes().splitlines(True) if not row.startswith(b"#")]
    other.unlink()
    with path.open("ab") as log:
        log.writelines(rows)


def packed(path: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(path.read_bytes()))
    return target


def polled(folder: Path, **limits: int) -> Store:
    store = Store(folder, **limits)
    store.poll()
    return store


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_a_log_is_read_as_it_was_written(tmp_path: Path, form: str) -> None:
    lines = [verdict(1), verdict(2, mac="", hostname="Küche", evidence=("a,b", "c"))]
    written(tmp_path / "nba_device.log", *lines, form=form)
    store = polled(tmp_path)
    assert {key: host.verdicts() for key, host in store.hosts.items()} == {
        MAC.format(1): [lines[0]],
        "10.0.0.2": [lines[1]],
    }
    assert (store.lines, store.newest, store.damaged, store.errors) == (2, 1000.0, 0, [])


def test_current_and_rotated_logs_are_found_by_name_and_others_are_left_alone(
    tmp_path: Path,
) -> None:
    spool = tmp_path / "spool"
    written(spool / "nba_device.log", verdict(1))
    logs = tmp_path / "logs"
    (logs / "2026-01-01").mkdir(parents=True)
    (logs / "current").symlink_to(spool)
    (spool / "loop").symlink_to(logs)
    plain = written(tmp_path / "x", verdict(2))
    packed(plain, logs / "2026-01-01" / "nba_device.00:00:00-01:00:00.log.gz")
    written(logs / "nba_device-26-01-02_00.00.00.log", verdict(3), form="json")
    written(logs / "nba_devices.log", verdict(4))
    written(logs / "conn.log", verdict(5))
    assert sorted(polled(logs).hosts) == [MAC.format(number) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    "name",
    [
        "nba_device.log-20260105",
        "nba_device.log-20260105.gz",
        "nba_device.log-2026010510.gz",
        "nba_device.log.1",
        "nba_device.log.2.gz",
        "nba_device.log.old",
        "nba_device_20260105_10:00:00-11:00:00+0000.log.gz",
        "nba_device.ndjson",
    ],
)
def test_a_log_is_found_by_whatever_name_it_was_rotated_to(name: str, tmp_path: Path) -> None:
    whole = written(tmp_path / "x", verdict(2), form="json").read_bytes()
    (tmp_path / "x").unlink()
    (tmp_path / name).write_bytes(gzip.compress(whole) if name.endswith(".gz") else whole)
    assert list(polled(tmp_path).hosts) == [MAC.format(2)]


@pytest.mark.parametrize("name", ["nba_device.log", "nba_device.1.log", "nba_device.log.gz"])
def test_whether_a_log_is_packed_is_told_by_its_content(name: str, tmp_path: Path) -> None:
    packed(written(tmp_path / "x", verdict(2)), tmp_path / name)
    assert list(polled(tmp_path).hosts) == [MAC.format(2)]


@pytest.mark.parametrize("name", ["nba_device.log.swp", "nba_device.log.part", "nba_devices.log"])
def test_what_is_no_log_by_its_name_is_left_alone(name: str, tmp_path: Path) -> None:
    written(tmp_path / name, verdict(2))
    assert not polled(tmp_path).hosts


@pytest.mark.parametrize("unit", [1e3, 1e6, 1e9])
def test_times_may_be_in_a_finer_unit(unit: float, tmp_path: Path) -> None:
    plain = written(tmp_path / "x", verdict(2, ts=1.75e9, first_seen=1.74e9), form="json")
    row = json.loads(plain.read_text())
    for name in ("ts", "first_seen", "since"):
        row[name] = round(row[name] * unit)
    (tmp_path / "nba_device.log").write_text(json.dumps(row) + "\n")
    [host] = polled(tmp_path).hosts.values()
    assert (host.latest.ts, host.latest.first_seen) == (1.75e9, 1.74e9)


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_only_what_is_new_is_read_when_a_log_grows(tmp_path: Path, form: str) -> None:
    path = written(tmp_path / "nba_device.log", verdict(1), form=form)
    store = polled(tmp_path)
    # What was read before is not looked at again, so it may as well be damaged now.
    size = path.stat().st_size
    with path.open("r+b") as log:
        log.seek(size - 40)
        log.write(b"#" * 39)
    appended(path, verdict(1, ts=2000.0, state="unknown", since=2000.0), form=form)
    store.poll()
    (host,) = store.hosts.values()
    assert [one.state for one in host.verdicts()] == ["identified", "unknown"]
    assert (host.latest.state, store.damaged) == ("unknown", 0)


def test_a_last_line_that_is_not_ended_waits_until_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "nba_device.log", verdict(1))
    whole = path.read_bytes()
    row = whole.splitlines(True)[8]
    store = polled(tmp_path)
    with path.open("ab") as log:
        log.write(row.replace(b"10.0.0.1\t", b"10.0.0.9\t")[:50])
    store.poll()
    assert (store.lines, store.damaged) == (1, 0)
    with path.open("ab") as log:
        log.write(row.replace(b"10.0.0.1\t", b"10.0.0.9\t")[50:])
    store.poll()
    assert (store.lines, store.damaged) == (2, 0)
    assert next(iter(store.hosts.values())).latest.host == "10.0.0.9"


def test_rotation_shows_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "nba_device.log", verdict(1), verdict(2))
    store = polled(tmp_path)
    appended(path, verdict(3))
    path.rename(tmp_path / "nba_device.2026-01-01.log")
    written(path, verdict(4))
    store.poll()
    assert store.lines == 4
    rotated = packed(tmp_path / "nba_device.2026-01-01.log", tmp_path / "d" / "nba_device.1.log.gz")
    (tmp_path / "nba_device.2026-01-01.log").unlink()
    store.poll()
    assert rotated.exists()
    assert store.lines == 4
    assert [len(host.lines) for host in store.hosts.values()] == [1, 1, 1, 1]


def test_a_log_in_tsv_and_in_json_shows_nothing_twice(tmp_path: Path) -> None:
    lines = [verdict(ts=1000.1234567), verdict(ts=1000.1234567, device="Lamp"), verdict(2)]
    written(tmp_path / "nba_device.log", *lines)
    written(tmp_path / "json_streaming_nba_device.log", *lines, form="json")
    assert polled(tmp_path).lines == 3


def test_a_log_that_is_packed_as_is_not_read_is_named(tmp_path: Path) -> None:
    written(tmp_path / "nba_device.log", verdict())
    (tmp_path / "nba_device.log.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(30))
    (error,) = polled(tmp_path).errors
    assert "nba_device.log.7z: packed with 7-Zip" in error


def test_a_log_that_is_written_anew_in_its_place_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "nba_device.log", verdict(1), verdict(2))
    store = polled(tmp_path)
    text = written(tmp_path / "x", verdict(3)).read_bytes()
    with path.open("r+b") as log:
        log.truncate()
        log.write(text)
    store.poll()
    assert MAC.format(3) in store.hosts


def test_lines_that_are_no_verdicts_are_counted_and_do_no_harm(tmp_path: Path) -> None:
    path = written(tmp_path / "nba_device.log", verdict(1))
    row = path.read_bytes().splitlines(True)[8]
    with path.open("ab") as log:
        log.write(b"garbage\n\xff\xfe\x00\t\t\n")
        log.write(row.replace(b"\tidentified\t", b"\tasleep\t"))
        log.write(row.replace(b"1000.000000\t", b"never\t", 1))
    appended(path, verdict(2))
    broken = written(tmp_path / "nba_device.2.log", verdict(3), form="json")
    with broken.open("ab") as log:
        log.write(b'{"ts": 1}\n{"ts":\n[]\n' + b'{"host": 7, "ts": 3, "state": "unknown"}\n')
    store = polled(tmp_path)
    assert (sorted(store.hosts), store.damaged) == ([MAC.format(n) for n in (1, 2, 3)], 8)


def test_values_of_another_type_are_shown_as_far_as_they_go(tmp_path: Path) -> None:
    (tmp_path / "nba_device.log").write_text(
        '{"ts":"2026-01-01T00:00:00Z","host":"10.0.0.1","state":"unknown","first_seen":5,'
        '"reason":"change","confidence":"much","sessions":null,"evidence":"alone","uids":[1],'
        '"since":null,"device":{"a":1}}\n'
    )
    (host,) = polled(tmp_path).hosts.values()
    latest = host.latest
    assert (latest.ts, latest.confidence, latest.sessions) == (1767225600.0, 0.0, 0)
    assert (latest.evidence, latest.uids, latest.device) == (("alone",), ("1",), "{'a': 1}")


def test_files_that_cannot_be_read_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    written(tmp_path / "nba_device.log", verdict(1))
    whole = gzip.compress(written(tmp_path / "x", verdict(2)).read_bytes())
    (tmp_path / "nba_device.1.log.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "nba_device.2.log").write_bytes(b"what is this\n")
    store = polled(tmp_path)
    assert MAC.format(1) in store.hosts
    assert [error.split(": ")[0] for error in store.errors] == [
        str(tmp_path / "nba_device.1.log.gz"),
        str(tmp_path / "nba_device.2.log"),
    ]


def forbid(patch: pytest.MonkeyPatch, *paths: Path) -> None:
    """These files and folders may not be read, not even by root."""

    def guarded(real: Any) -> Any:
        def call(path: Any, *rest: Any, **more: Any) -> Any:
            if Path(path) in paths:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path, *rest, **more)

        return call

    patch.setattr(os, "scandir", guarded(os.scandir))
    patch.setattr(Path, "open", guarded(Path.open))
    patch.setattr(zeek_log, "_opened", guarded(zeek_log._opened))


def test_a_file_or_folder_that_may_not_be_read_is_named_until_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = written(tmp_path / "nba_device.log", verdict(1))
    rotated = packed(written(tmp_path / "x", verdict(2)), tmp_path / "nba_device.1.log.gz")
    folder = written(tmp_path / "2026-01-01" / "nba_device.log", verdict(3)).parent
    written(tmp_path / "nba_device.2.log", verdict(4))
    with monkeypatch.context() as patch:
        forbid(patch, plain, rotated, folder)
        store = polled(tmp_path)
        store.poll()
    assert list(store.hosts) == [MAC.format(4)]
    assert [error.split(": ")[0] for error in store.errors] == [
        str(path) for path in sorted((plain, rotated, folder))
    ]
    assert all("as a user who may read it" in error for error in store.errors)
    store.poll()
    assert (len(store.hosts), store.errors) == (4, [])


@pytest.mark.parametrize("empty", [False, True])
def test_a_folder_that_is_renamed_or_unmounted_is_said_and_its_hosts_stay(
    tmp_path: Path, empty: bool
) -> None:
    logs = tmp_path / "logs"
    written(logs / "nba_device.log", verdict(1))
    store = polled(logs)
    logs.rename(tmp_path / "away")
    if empty:
        logs.mkdir()
    store.poll()
    assert list(store.hosts) == [MAC.format(1)]
    assert store.errors[0] == (
        f"{logs}: there is no nba_device log any more; the page shows what was read before"
    )
    assert store.errors[1:] == ([] if empty else [f"{logs}: No such file or directory"])
    if empty:
        logs.rmdir()
    (tmp_path / "away").rename(logs)
    store.poll()
    assert (store.lines, store.errors) == (1, [])


def test_a_host_is_found_by_any_notation_of_its_mac_and_by_the_address_that_it_had_last(
    tmp_path: Path,
) -> None:
    mac, six = "50:c7:bf:eb:ec:c4", "2001:db8::1"
    written(
        tmp_path / "nba_device.log",
        verdict(1, ts=1000.0, host="10.0.0.7", mac=mac),
        verdict(2, ts=2000.0, host="10.0.0.7"),
        verdict(2, ts=3000.0, host="10.0.0.8"),
        verdict(1, ts=4000.0, host=six, mac=mac),
        verdict(3, host="10.0.0.9", mac=""),
    )
    store = polled(tmp_path)
    for text, key in (
        (mac, mac),
        (mac.upper(), mac),
        ("50-C7-BF-EB-EC-C4", mac),
        ("50c7.bfeb.ecc4", mac),
        ("2001:DB8:0:0::1", mac),
        ("10.0.0.7", MAC.format(2)),
        ("10.0.0.8", MAC.format(2)),
        ("10.0.0.9", "10.0.0.9"),
    ):
        host = store.find(text)
        assert host is not None, text
        assert host.key == key, text
    for text in ("", "10.0.0.1", "10.0.0.0/24", "host-1", "50:c7", "\n"):
        assert store.find(text) is None, text


def test_a_host_that_is_told_its_mac_is_one_host_in_whatever_order_its_files_are_read(
    tmp_path: Path,
) -> None:
    before = verdict(1, mac="", ts=950.0, state="learning", reason="new")
    another = verdict(1, mac="", ts=100.0, first_seen=100.0, state="learning", reason="new")
    for order, times in enumerate(((1, 2), (2, 1))):
        folder = tmp_path / str(order)
        older = written(folder / "nba_device.1.log", another, before)
        newer = written(folder / "nba_device.2.log", verdict(1))
        for path, when in zip((older, newer), times, strict=True):
            os.utime(path, (when, when))
        hosts = polled(folder).hosts
        assert hosts[MAC.format(1)].verdicts() == [before, verdict(1)]
        assert hosts["10.0.0.1"].verdicts() == [another]


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_one_address_in_two_vlans_is_two_hosts_and_one_without_a_tag_is_the_same(
    tmp_path: Path, form: str
) -> None:
    ten = verdict(1, mac="", vlan="10", site="a", ts=1001.0)
    twenty = verdict(1, mac="", vlan="20", ts=1002.0)
    bare = verdict(1, mac="", ts=999.0)
    written(tmp_path / "nba_device.log", ten, twenty, bare, form=form)
    store = polled(tmp_path)
    assert [host.verdicts() for host in store.hosts.values()] == [[bare, ten], [twenty]]
    assert set(store.hosts) == {"10.0.0.1%a/10", "10.0.0.1%/20"}
    last = store.find("10.0.0.1")
    assert last is not None
    assert last.latest == twenty


def test_a_host_with_a_mac_is_one_whatever_its_vlan(tmp_path: Path) -> None:
    written(tmp_path / "nba_device.log", verdict(1, vlan="10"), verdict(1, vlan="20", ts=1001.0))
    assert set(polled(tmp_path).hosts) == {MAC.format(1)}


def test_beyond_its_limit_the_newest_files_count(tmp_path: Path) -> None:
    for number in range(3):
        path = written(
            tmp_path / f"nba_device.{number}.log", verdict(2 * number), verdict(2 * number + 1)
        )
        os.utime(path, (number + 1, number + 1))
    store = polled(tmp_path, lines=3)
    assert (store.lines, store.unread) == (4, 1)
    assert MAC.format(0) not in store.hosts
    store.poll()
    assert (store.lines, store.unread) == (4, 1)


def test_a_state_is_annotated_if_its_last_line_is_of_an_annotation(tmp_path: Path) -> None:
    def quiet(*lines: tuple[float, str]) -> bool:
        host = Host("h")
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        made = [
            verdict(1, ts=ts, since=1000.0, state="unknown", reason=reason) for ts, reason in lines
        ]
        written(folder / "nba_device.log", *made)
        (host,) = polled(folder).hosts.values()
        return host.quiet

    assert not quiet((1000.0, "change"), (2000.0, "reminder"))
    assert quiet((1000.0, "change"), (1500.0, "annotation"), (2000.0, "reminder"))
    assert not quiet((1000.0, "annotation"), (1500.0, "change"))
    assert not quiet((900.0, "annotation"), (1000.0, "change"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.booleans())
def test_whatever_a_file_holds_the_page_has_the_rest(
    tmp_path: Path, content: bytes, header: bool
) -> None:
    folder = tmp_path / "any"
    shutil.rmtree(folder, ignore_errors=True)
    good = written(folder / "nba_device.log", verdict(1)).read_bytes()
    (folder / "nba_device.2.log").write_bytes((good if header else b"") + content)
    (folder / "nba_device.3.log.gz").write_bytes(content)
    store = polled(folder)
    assert MAC.format(1) in store.hosts
    assert all(isinstance(host.latest, Row) for host in store.hosts.values())


def test_a_synthetic_log_has_the_hosts_and_verdicts_that_were_asked_for(tmp_path: Path) -> None:
    verdicts.device_log_of(tmp_path, hosts=50, lines=500)
    store = polled(tmp_path)
    assert (store.lines, len(store.hosts), store.damaged) == (500, 50, 0)


def figure(folder: Path, name: str, now: float) -> health.Figure:
    strip = health.Health(folder).figures(now)
    return next(one for one in strip if one.name == name)


def test_health_tells_a_worker_that_is_there_from_one_that_has_gone(tmp_path: Path) -> None:
    now = time.time()
    verdicts.stats_log(tmp_path, now)
    assert figure(tmp_path, "Worker", now).level == "ok"
    assert figure(tmp_path, "Lag", now).value == "0.1 s"
    verdicts.stats_log(tmp_path, now, worker=False)
    assert (figure(tmp_path, "Worker", now).value, figure(tmp_path, "Worker", now).level) == (
        "none",
        "bad",
    )


def test_health_sums_up_the_workers_of_several_partitions_and_tells_of_one_that_has_gone(
    tmp_path: Path,
) -> None:
    def row(ts: float, partition: int, node: str, **values: float) -> str:
        row = {"ts": ts, "kind": "worker", "node": node, "partition": partition}
        return json.dumps(row | values) + "\n"

    path = tmp_path / "nba_stats.log"
    path.write_text(
        row(1000.0, 0, "a", hosts=2, lag=0.1)
        + row(500.0, 1, "old/1", hosts=9)
        + row(1001.0, 1, "b/1", hosts=3, lag=0.5)
    )
    worker = figure(tmp_path, "Worker", 1001.0)
    assert (worker.value, worker.level) == ("5 hosts", "ok")
    assert figure(tmp_path, "Lag", 1001.0).value == "0.5 s"
    path.write_text(path.read_text() + row(1600.0, 0, "a", hosts=2, lag=0.1))
    worker = figure(tmp_path, "Worker", 1600.0)
    assert (worker.value, worker.level) == ("gone for 10 min", "bad")
    assert "b/1" in worker.note


def test_health_tells_what_was_lost_lately(tmp_path: Path) -> None:
    verdicts.stats_log(tmp_path, 1e9, lost=12)
    found = figure(tmp_path, "Lost", 1e9)
    assert (found.value, found.level) == ("12 (+12 in 10 min)", "bad")
    assert figure(tmp_path, "Skipped", 1e9).level == "ok"


def test_health_of_an_archive_says_as_of_when(tmp_path: Path) -> None:
    verdicts.stats_log(tmp_path, 1e9)
    assert figure(tmp_path, "As of", 1e9 + 7200).value == "2 h ago"


def test_health_without_a_log_or_with_a_bad_one_is_one_figure(tmp_path: Path) -> None:
    assert health.Health(tmp_path).figures(0.0)[0].value == "no nba_stats.log"
    (tmp_path / "nba_stats.log").write_bytes(b"\x00\n")
    (found,) = health.Health(tmp_path).figures(0.0)
    assert (found.value, found.level) == ("unreadable", "bad")


def test_health_reads_the_end_of_a_long_log(tmp_path: Path) -> None:
    path = verdicts.stats_log(tmp_path, 1e9, lost=3)
    end = path.read_text()
    path.write_text('{"ts":1,"node":"x","kind":"worker"}\n' * 50_000 + end)
    assert figure(tmp_path, "Lost", 1e9).value == "3 (+3 in 10 min)"


@pytest.mark.parametrize(
    "name",
    [
        *("nba_device.log-20260105", "nba_device.log-20260105.gz", "nba_device.log-20260105-17"),
        *("nba_device.log.1", "nba_device.log.2.gz", "nba_device-20260105.log", "nba_device.json"),
        *("nba_device_20260105_00:00:00-06:00:00+0000.log.gz", "json_streaming_nba_device.log.1"),
        *("2026-01-05-nba_device.log", "nba_device.2026-01-05-00-00-00.log.zst"),
    ],
)
def test_a_log_is_found_by_every_usual_name(tmp_path: Path, name: str) -> None:
    written(tmp_path / "nba_device.log", verdict(1))
    plain = written(tmp_path / "x", verdict(2))
    (tmp_path / name).write_bytes(plain.read_bytes())
    assert sorted(polled(tmp_path).hosts) == [MAC.format(1), MAC.format(2)]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_log_is_read_however_it_is_packed_and_encoded(
    tmp_path: Path, pack: Any, encoding: str
) -> None:
    plain = written(tmp_path / "x", verdict(2)).read_text()
    (tmp_path / "nba_device.log.1").write_bytes(pack(plain.encode(encoding)))
    assert sorted(polled(tmp_path).hosts) == [MAC.format(2)]
