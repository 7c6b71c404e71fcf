"""Events of the site are told from their beginning to their end, whoever told of which."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.site_events import KINDS, STATES, SiteEvent
from nba_broker.records.site_spans import WORDS, spans
from tests.unit.helpers import scripts

NOON = 1767614400.0
HOUR = 3600.0
DOWN = SiteEvent(
    ts=NOON + 90,
    kind="internet",
    state="begun",
    since=NOON,
    hosts=7,
    watched=9,
    where="",
    examples=("192.168.1.7",),
    worker="w:1:a",
)


def over(event: SiteEvent, after: float = 6 * HOUR, **changes: object) -> SiteEvent:
    return dataclasses.replace(event, state="over", ts=event.since + after, **changes)  # type: ignore[arg-type]


def test_an_event_lasts_from_its_beginning_to_its_end() -> None:
    (found,) = spans([DOWN, over(DOWN, hosts=8)])
    assert (found.event.since, found.until) == (NOON, NOON + 6 * HOUR)
    assert found.text == "Internet down: 8 of 9 hosts from 2026-01-05 12:00:00 to 18:00:00"


def test_an_event_that_is_over_on_another_day_names_that_day() -> None:
    (found,) = spans([DOWN, over(DOWN, 24 * HOUR)])
    assert found.text.endswith(" from 2026-01-05 12:00:00 to 2026-01-06 12:00:00")


def test_an_event_without_an_end_lasts() -> None:
    (found,) = spans([dataclasses.replace(DOWN, kind="dns", where="10.0.0.1 53/udp")])
    assert found.until is None
    assert found.text == "DNS down (10.0.0.1 53/udp): 7 of 9 hosts since 2026-01-05 12:00:00"


def test_an_end_whose_beginning_is_in_no_log_is_an_event() -> None:
    (found,) = spans([over(DOWN)])
    assert (found.event.since, found.until) == (NOON, NOON + 6 * HOUR)


def test_events_of_two_kinds_or_at_two_places_or_times_are_several() -> None:
    others = [
        dataclasses.replace(DOWN, kind="ntp"),
        dataclasses.replace(DOWN, where="as:1"),
        dataclasses.replace(DOWN, since=NOON + HOUR, ts=NOON + HOUR + 90),
    ]
    found = spans([DOWN, over(DOWN), *others])
    assert len(found) == 4
    assert [one.event for one in found if one.until is not None] == [over(DOWN)]


def test_each_worker_ends_its_own_and_a_restarted_one_that_of_the_one_before() -> None:
    second = dataclasses.replace(DOWN, worker="w:2:b/1", hosts=3)
    found = spans([DOWN, second, over(second, HOUR), over(DOWN, 2 * HOUR, worker="w:3:c")])
    assert [(one.event.hosts, one.until) for one in found] == [
        (3, NOON + HOUR),
        (7, NOON + 2 * HOUR),
    ]


EVENTS = st.lists(
    st.builds(
        SiteEvent,
        ts=st.floats(0, 4e9),
        kind=st.sampled_from(KINDS),
        state=st.sampled_from(STATES),
        since=st.sampled_from([NOON, NOON + HOUR]),
        hosts=st.integers(0, 9),
        watched=st.integers(0, 9),
        where=st.sampled_from(["", "gw"]),
        examples=st.just(()),
        worker=st.sampled_from(["", "a", "b"]),
    ),
    max_size=12,
)


@given(EVENTS, st.randoms())
def test_no_event_is_told_twice_or_not_at_all_in_whatever_order_the_records_come(
    events: list[SiteEvent], random: object
) -> None:
    found = spans(events)
    ends = sum(event.state == "over" for event in events)
    assert sum(one.until is not None for one in found) == ends
    assert ends <= len(found) <= len(events)
    assert {one.event for one in found} <= set(events)
    assert all(one.text for one in found)
    later = sorted(events, key=lambda one: one.ts)
    random.shuffle(events)  # type: ignore[attr-defined]
    if len({one.ts for one in later}) == len(later):
        assert spans(events) == found


def test_zeeks_notice_uses_the_same_words() -> None:
    assert list(WORDS) == list(KINDS)
    (table,) = re.findall(r"const site_words: .*?\{(.*?)\};", scripts(), re.S)
    assert dict(re.findall(r'\["(\w+)"\] = "([^"]+)"', table)) == WORDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words(kind: str) -> None:
    assert spans([dataclasses.replace(DOWN, kind=kind)])[0].text.startswith(WORDS[kind])
