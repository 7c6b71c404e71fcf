"""nba_site.log comes out as Zeek would have written it, and reads back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive import site_log, zeek_log
from nba_broker.records.site_events import KINDS, STATES, SiteEvent
from tests.unit.helpers import columns

DOWN = SiteEvent(
    1767614490.5, "dns", "begun", 1767614400.0, 7, 9, "10.0.0.1 53/udp", ("10.0.0.7", "fe80::7")
)
BARE = dataclasses.replace(DOWN, kind="internet", where="", examples=(), worker="w/1")


def written(path: Path, *events: SiteEvent, form: Any = "tsv") -> list[str]:
    site_log.write(path, events, form)
    return path.read_text().splitlines()


def test_the_columns_are_those_that_zeek_declares() -> None:
    kinds = {kind.replace("[", " of ").rstrip("]") for kind in site_log.COLUMNS.values()}
    declared = columns("SiteInfo")
    assert list(declared) == list(site_log.COLUMNS)
    assert set(declared.values()) == kinds


def test_a_log_in_tsv_is_zeeks(tmp_path: Path) -> None:
    lines = written(tmp_path / "nba_site.log", DOWN, BARE)
    assert lines[4] == "#path\tnba_site"
    assert lines[6] == "#fields\tts\tkind\tstate\tsince\thosts\twatched\twhere\texamples\tworker"
    assert lines[8:10] == [
        "1767614490.500000\tdns\tbegun\t1767614400.000000\t7\t9\t10.0.0.1 53/udp\t"
        "10.0.0.7,fe80::7\t-",
        "1767614490.500000\tinternet\tbegun\t1767614400.000000\t7\t9\t-\t(empty)\tw/1",
    ]
    assert lines[-1].startswith("#close\t")


def test_a_log_in_json_is_zeeks(tmp_path: Path) -> None:
    assert written(tmp_path / "nba_site.log", DOWN, BARE, form="json") == [
        '{"ts":1767614490.5,"kind":"dns","state":"begun","since":1767614400.0,"hosts":7,'
        '"watched":9,"where":"10.0.0.1 53/udp","examples":["10.0.0.7","fe80::7"]}',
        '{"ts":1767614490.5,"kind":"internet","state":"begun","since":1767614400.0,"hosts":7,'
        '"watched":9,"examples":[],"worker":"w/1"}',
    ]


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_without_an_event_there_is_no_log(form: Any, tmp_path: Path) -> None:
    site_log.write(tmp_path / "nba_site.log", [], form)
    assert list(tmp_path.iterdir()) == []
    assert site_log.read(tmp_path / "nba_site.log") == []
    assert site_log.table([]) == []


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
EVENTS = st.lists(
    st.builds(
        SiteEvent,
        ts=st.integers(1, 4 * 10**9).map(float),
        kind=st.sampled_from(KINDS),
        state=st.sampled_from(STATES),
        since=st.integers(1, 4 * 10**9).map(float),
        hosts=st.integers(0, 10**6),
        watched=st.integers(0, 10**6),
        where=st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=20),
        examples=st.lists(ADDRESSES, max_size=5).map(tuple),
        worker=st.sampled_from(["", "vm:12:a1b2c3", "vm:12:a1b2c3/7"]),
    ),
    min_size=1,
    max_size=5,
)


@given(EVENTS, st.sampled_from(["tsv", "json"]))
def test_what_was_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, events: list[SiteEvent], form: Any
) -> None:
    path = tmp_path_factory.mktemp("log") / "nba_site.log"
    site_log.write(path, events, form)
    assert site_log.read(path) == events


@pytest.mark.parametrize(
    "change",
    [{"kind": "weather"}, {"state": "perhaps"}, {"ts": "soon"}, {"ts": 0.0}, {"since": None}],
)
def test_a_row_that_is_no_event_is_none(change: dict[str, Any], tmp_path: Path) -> None:
    written(tmp_path / "l", DOWN, form="json")
    (row,) = zeek_log.rows(tmp_path / "l")
    assert site_log.event_of(row) == DOWN
    assert site_log.event_of(row | change) is None


def test_times_in_milliseconds_and_as_iso_8601_are_read(tmp_path: Path) -> None:
    written(tmp_path / "l", DOWN, form="json")
    (row,) = zeek_log.rows(tmp_path / "l")
    changed = row | {"ts": 1767614490500, "since": "2026-01-05T12:00:00Z"}
    assert site_log.event_of(changed) == DOWN


def test_events_are_shown_from_their_beginning_to_their_end() -> None:
    over = dataclasses.replace(DOWN, ts=DOWN.since + 3600, state="over")
    assert site_log.table([DOWN, over]) == [
        "",
        "Events of the whole site:",
        "  DNS down (10.0.0.1 53/udp): 7 of 9 hosts from 2026-01-05 12:00:00 to 13:00:00",
    ]
