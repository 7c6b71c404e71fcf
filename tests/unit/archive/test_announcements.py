"""What hosts announce by mDNS, from dns logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive import conn_log, processes
from nba_broker.archive.announcements import MOST, REPEAT, Announcements, announcements
from nba_broker.records.announcements import Announcement, is_announcement
from tests.unit.archive.test_answers import START, conn

HOST = "192.168.1.2"


def row(*answers: str, **changes: Any) -> dict[str, Any]:
    """A row of dns.log, in which a host announces these answers."""
    return {
        "ts": START + 1,
        "uid": "CmdnS1",
        "id.orig_h": HOST,
        "id.orig_p": 5353,
        "id.resp_h": "224.0.0.251",
        "id.resp_p": 5353,
        "proto": "udp",
        "trans_id": 0,
        "query": "_raop._tcp.local",
        "AA": True,
        "answers": list(answers),
    } | changes


def said(*rows: dict[str, Any]) -> list[str]:
    return [one.what for one in announcements(rows)]


def test_services_are_in_names_of_instances_and_models_in_descriptions() -> None:
    found = said(
        row(
            "_hue._tcp.local",
            "Bridge - 1. Floor._hue._tcp.local",
            "TXT 9 bridgeid= TXT 9 MD=BSB002 TXT 17 ty=Laser Jet 9, A",
            "bridge.local",
            "192.168.1.2",
        )
    )
    assert found == ["_hue._tcp", "_hue._tcp", "md=BSB002", "ty=Laser Jet 9, A"]


def test_what_was_asked_for_is_no_service_of_the_host() -> None:
    """A Zeek may have matched the query with the answer to another one."""
    assert said(row("Box._ipp._tcp.local")) == ["_ipp._tcp"]
    assert said(row()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"AA": False},  # a query that lists the answers of others
        {"id.resp_h": "192.168.1.3"},
        {"id.resp_h": "224.0.0.252", "id.resp_p": 5355},
        {"id.orig_p": 40000},
        {"id.orig_h": "-"},
        {"ts": "yesterday"},
    ],
)
def test_what_is_not_said_to_all_neighbours_by_the_host_itself_is_left_out(
    changes: dict[str, Any],
) -> None:
    assert said(row("Bridge._hue._tcp.local", **changes)) == []


def test_additional_records_count_where_the_log_has_them() -> None:
    assert said(row("X._hap._tcp.local", addl=["TXT 4 ci=5"])) == ["_hap._tcp", "ci=5"]


def test_a_text_that_looks_like_a_service_is_none() -> None:
    assert said(row("TXT 16 x._hue._tcp.local")) == []


@pytest.mark.parametrize(
    "before",
    [
        "TXT 10 note=Büro",
        "TXT 7 note=��",  # bytes that are no UTF-8, as a log in TSV is read
        r"TXT 7 note=\xff\xfe",  # as Zeek writes them in JSON
        r"TXT 5 md=\xff\xfe",
    ],
)
def test_texts_count_behind_one_that_is_not_ascii(before: str) -> None:
    assert said(row(f"{before} TXT 8 md=TXT 1 TXT 4 ty=x")) == ["md=TXT 1", "ty=x"]


def test_a_length_that_no_text_has_ends_a_description() -> None:
    assert said(row(f"TXT {10**20} md=x", f"TXT 0  TXT {'9' * 5000} md=x")) == []


def test_the_time_is_that_of_the_answer_and_the_segment_that_of_the_row() -> None:
    (found,) = announcements([row("x._hue._tcp.local", rtt=0.5, vlan=20, _node_name="oslo-1")])
    assert found == Announcement(START + 1.5, HOST, "_hue._tcp", "oslo-1/20")


TEXT = st.text(max_size=300) | st.from_regex(r"(md|ci|TY)=.{0,200}") | st.just("x._a._tcp.local")


@given(st.lists(TEXT.map(lambda text: f"TXT {len(text)} {text}") | TEXT, max_size=8))
def test_whatever_a_host_announces_is_left_out_or_a_service_or_description(
    texts: list[str],
) -> None:
    assert all(map(is_announcement, said(row(*texts))))


@given(st.lists(st.tuples(st.floats(0, 4 * REPEAT), st.integers(0, 99)), max_size=200))
def test_a_host_that_announces_much_keeps_no_other_from_being_heard(
    flood: list[tuple[float, int]],
) -> None:
    collected = Announcements()
    rows = [Announcement(ts, HOST, f"_{number}._tcp") for ts, number in sorted(flood)]
    other = Announcement(2 * REPEAT, "192.168.1.3", "_hue._tcp")
    collected.take([*rows, other])
    found = collected.listed()
    assert other in found
    assert len(found) <= 1 + MOST * 5
    times = [one.ts for one in found]
    assert times == sorted(times)


def test_the_same_announcement_counts_once_in_half_a_day() -> None:
    collected = Announcements()
    collected.take(
        Announcement(ts, HOST, "_hue._tcp") for ts in (0, 9, REPEAT - 1, REPEAT, REPEAT + 9)
    )
    assert [one.ts for one in collected.listed()] == [0, REPEAT]


TIMES = st.floats(0, 3 * REPEAT).map(lambda ts: Announcement(ts, HOST, f"_{int(ts) % 50}._tcp"))


@given(st.lists(st.lists(TIMES, max_size=99), max_size=9))
def test_the_same_ones_count_however_they_are_read(files: list[list[Announcement]]) -> None:
    together, apart = Announcements(), Announcements()
    for file in files:
        together.take(file)
        alone = Announcements()
        alone.take(file)
        apart.take(alone.found)
    assert apart.found == together.found


def test_an_archive_gives_them_until_a_time_however_many_processes_read_it(tmp_path: Path) -> None:
    conn(tmp_path)
    rows = [row("x._hue._tcp.local"), row("x._ipp._tcp.local", ts=START + 9)]
    (tmp_path / "dns.log").write_text("\n".join(map(json.dumps, rows)))
    with processes.started(2) as some:
        for how in (None, some):
            archive = conn_log.read([tmp_path], names=True, others=how)
            until = archive.names.announced.reader()
            assert [one.what for one in until(START + 5)] == ["_hue._tcp"]
            assert [one.what for one in until(START + 5)] == []
            assert [one.what for one in until(START + 9)] == ["_ipp._tcp"]
    until = conn_log.read([tmp_path], names=True, since=START + 2).names.announced.reader()
    assert [one.what for one in until(START + 9)] == ["_ipp._tcp"]
