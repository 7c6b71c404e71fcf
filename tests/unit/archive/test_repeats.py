"""A session counts once, whatever files have it and however often a sensor saw it."""

from __future__ import annotations

import gzip
import random
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.archive import conn_log, repeats
from nba_broker.records import uids
from tests.unit.archive.conn_rows import jsonl, row, save, sessions, times, tsv

Rows = list[dict[str, Any]]
DAY = 1_767_571_200.0


def day(number: int = 60, seed: int = 0) -> Rows:
    """Sessions of one host, each with a port and a uid of its own."""
    rng = random.Random(seed)
    return [
        row(
            DAY + at * 7 + rng.randrange(10**6) / 1e6,
            uid=f"C{seed}u{at:06}xyzabc",
            id__orig_p=40_000 + at,
        )
        for at in range(number)
    ]


def counts(archive: conn_log.Archive) -> tuple[int, int]:
    report = archive.report
    assert report.rows == (
        report.sessions + report.skipped + report.not_hosts + report.outside + report.repeated
    )
    return len(archive), report.repeated


def test_a_log_and_its_packed_copy_are_one(tmp_path: Path) -> None:
    content = tsv(day())
    save(tmp_path, content, "conn.log")
    save(tmp_path, gzip.compress(content), "conn.log.gz")
    assert counts(conn_log.read([tmp_path])) == (60, 60)
    assert sessions(tmp_path) == sessions(tmp_path / "conn.log")


def test_hours_and_their_merged_day_are_one(tmp_path: Path) -> None:
    rows = day()
    for at in range(0, 60, 20):
        save(tmp_path, tsv(rows[at : at + 20]), f"conn.{at:02}:00:00-{at + 1:02}:00:00.log")
    save(tmp_path, jsonl(rows), "conn-20260105.json")
    assert counts(conn_log.read([tmp_path])) == (60, 60)


@pytest.mark.parametrize("rounded", [0, 3])
def test_a_copy_with_coarser_times_is_one_and_the_earliest_counts(
    tmp_path: Path, rounded: int
) -> None:
    rows = day()
    down = [one | {"ts": one["ts"] * 10**rounded // 1 / 10**rounded} for one in rows]
    save(tmp_path, tsv(rows), "conn.1.log")
    save(tmp_path, tsv(down), "conn.2.log")
    archive = conn_log.read([tmp_path])
    assert times(archive) == [one["ts"] for one in down]
    assert counts(archive) == (60, 60)


def test_a_session_that_is_logged_while_it_lasts_is_one(tmp_path: Path) -> None:
    save(tmp_path, tsv(day(), path="conn"), "conn.log")
    again = [one | {"conn_state": "OTH"} for one in day()[:9] for _ in range(5)]
    save(tmp_path, tsv(again, path="conn_long"), "conn_long.log")
    assert counts(conn_log.read([tmp_path])) == (60, 45)


def test_equal_rows_without_uids_are_one_where_files_repeat_them(tmp_path: Path) -> None:
    rows = [one | {"uid": None} for one in day()]
    rows += rows[:3]  # in one file they are sessions of the same microsecond
    save(tmp_path, tsv(rows), "conn.1.log")
    save(tmp_path, tsv(rows[::-1]), "conn.2.log")
    assert counts(conn_log.read([tmp_path])) == (63, 63)


def test_a_session_with_a_mac_says_more_than_its_copy_without(tmp_path: Path) -> None:
    for number in permutations((1, 2)):
        folder = tmp_path / str(number)
        save(folder, tsv(day()), f"conn.{number[0]}.log")
        save(folder, tsv([o | {"orig_l2_addr": None} for o in day()]), f"conn.{number[1]}.log")
        assert all(one[3] for one in sessions(folder))


@settings(max_examples=30)
@given(
    files=st.lists(st.lists(st.sampled_from(range(12)), max_size=15), min_size=1, max_size=3),
    memory=st.integers(1, 3000),
    named=st.booleans(),
)
def test_what_is_left_depends_on_no_order_of_files_and_on_no_memory(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int]], memory: int, named: bool
) -> None:
    folder = tmp_path_factory.mktemp("repeats")
    rows = [one if named else one | {"uid": None} for one in day(12)]
    for number, content in enumerate(files):
        save(folder, tsv([rows[at] for at in content]), f"conn.{number}.log")
    found = [sessions(*order, memory=memory) for order in permutations(sorted(folder.iterdir()))]
    assert all(one == found[0] == sessions(folder) for one in found)
    if named:
        assert len(found[0]) == len(set().union(*files))


def doubled(share: float, seed: int = 1) -> Rows:
    """A day of which a part is told again by another worker, a moment later and in any order."""
    rng = random.Random(seed)
    rows = day(2000, seed)
    twins = [
        one | {"uid": f"D{one['uid'][1:]}", "ts": one["ts"] + rng.random() / 50}
        for one in rows
        if rng.random() < share
    ]
    mixed = rows + twins
    rng.shuffle(mixed)
    return mixed


@pytest.mark.parametrize("files", [1, 2])
@pytest.mark.parametrize("memory", [50_000, 1 << 28])
def test_a_sensor_that_sees_packets_twice_is_recognised_and_told(
    tmp_path: Path, files: int, memory: int
) -> None:
    rows = doubled(0.98)
    for number in range(files):
        save(tmp_path, tsv(rows[number::files]), f"conn.{number}.log")
    archive = conn_log.read([tmp_path], memory=memory)
    (line,) = archive.warnings
    assert line.startswith("the sensor sees packets several times: ")
    assert counts(archive) == (2000, len(rows) - 2000)
    assert times(archive) == [one["ts"] for one in day(2000, 1)]


def test_a_port_that_is_taken_again_now_and_then_is_another_session(tmp_path: Path) -> None:
    rows = doubled(0.02)
    archive = conn_log.read([save(tmp_path, tsv(rows))])
    assert (counts(archive), archive.warnings) == ((len(rows), 0), [])


def test_the_same_ports_in_two_networks_are_no_twins(tmp_path: Path) -> None:
    rows = [one | {"vlan": vlan, "uid": f"{vlan}{one['uid']}"} for one in day() for vlan in "12"]
    archive = conn_log.read([save(tmp_path, jsonl(rows))])
    assert (counts(archive), archive.warnings) == ((120, 0), [])


@pytest.mark.parametrize("memory", [500, 1 << 28])
def test_uids_that_come_again_at_another_time_are_one_and_told_of(
    tmp_path: Path, memory: int
) -> None:
    save(tmp_path, tsv(day()), "conn.1.log")
    save(tmp_path, tsv([one | {"ts": one["ts"] + 3600} for one in day()]), "conn.2.log")
    archive = conn_log.read([tmp_path], memory=memory)
    assert times(archive) == [one["ts"] for one in day()]
    (line,) = archive.warnings
    assert "50% of the sessions have the uid of an earlier session, such as C0u0000" in line
    assert counts(archive) == (60, 60)


def test_one_session_that_is_logged_hours_later_again_is_one(tmp_path: Path) -> None:
    save(tmp_path, tsv(day()), "conn.log")
    again = [one | {"ts": one["ts"] + 3600.5} for one in day()[:1]]
    save(tmp_path, tsv(again, path="conn_long"), "conn_long.log")
    archive = conn_log.read([tmp_path])
    assert (counts(archive), archive.warnings) == ((60, 1), [])


def test_short_uids_that_come_again_are_sessions_of_their_own(tmp_path: Path) -> None:
    rows = [one | {"uid": "C1"} for one in day()]
    assert counts(conn_log.read([save(tmp_path, tsv(rows))])) == (60, 0)


def test_a_sample_of_a_large_archive_tells_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = doubled(0.98)
    path = save(tmp_path, tsv(rows))
    monkeypatch.setattr(repeats, "_SAMPLE", 600)
    archive = conn_log.read([path])
    assert counts(archive) == (2000, len(rows) - 2000)


# Uids of more than 96 bits


@pytest.mark.parametrize("length", [18, 23, 24])
@pytest.mark.parametrize("form", [tsv, jsonl])
def test_long_uids_are_whole(tmp_path: Path, length: int, form: Any) -> None:
    uid = "C" + "a1B2c3D4e5F6g7H8i9J0k1L2"[: length - 1]
    assert sessions(save(tmp_path, form([row(uid=uid)])))[0][2] == uid


@pytest.mark.parametrize("form", [tsv, jsonl])
def test_uids_that_are_too_long_are_not_shown_cut_but_count_once(tmp_path: Path, form: Any) -> None:
    rows = [one | {"uid": f"0f8fad5b-d9cb-469f-a165-{at:012}"} for at, one in enumerate(day())]
    save(tmp_path, form(rows), "conn.1.log")
    save(tmp_path, form(rows), "conn.2.log")
    archive = conn_log.read([tmp_path])
    assert counts(archive) == (60, 60)
    assert {one[2] for one in sessions(tmp_path)} == {""}


def test_a_live_uid_that_is_too_long_is_none() -> None:
    assert uids.texts(["C1", "C" * 24, "C" * 25]).tolist() == [b"C1", b"C" * 24, b""]


@pytest.mark.parametrize("unset", ["-", "nan", "None", "null", "(empty)"])
def test_a_uid_that_is_none_makes_no_sessions_one(tmp_path: Path, unset: str) -> None:
    rows = [one | {"uid": unset, "ts": DAY} for one in day()]
    assert len(sessions(save(tmp_path, jsonl(rows)))) == 60
