"""A host's baseline: what is surprising, what raises an alarm, and what does not matter."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.host_baseline import Anomaly, BaselineSettings, HostBaseline
from nba_broker.baseline.keys import ANY
from nba_broker.records.ports import port_code
from nba_broker.records.times import HOUR
from tests.unit.baseline.baseline_traffic import (
    BEGIN,
    DAY,
    ELSEWHERE,
    GATEWAY,
    HTTPS,
    NTP,
    TABLE,
    TELNET,
    Rows,
    push,
    sessions,
    usual,
)

CALLERS = 0
CLASS_BASELINE = ClassBaseline(
    [{"span": 500.0, "pairs": [[TABLE[ELSEWHERE], "443/tcp", 480.0, 864.0, 1680.0]]}]
)


def anomalies(rows: Rows) -> list[Anomaly]:
    return push(HostBaseline(), rows)[1]


def test_a_device_that_does_nothing_new_raises_no_alarm() -> None:
    assert anomalies(usual(14)) == []


def test_a_single_new_session_is_surprising_and_no_alarm() -> None:
    new = (BEGIN + 6 * DAY, ELSEWHERE, TELNET)
    surprise, found = push(HostBaseline(), [*usual(7), new])
    assert found == []
    assert surprise.max() > 1
    assert sorted([*usual(7), new])[int(surprise.argmax())] == new


def test_a_scan_is_an_alarm_within_a_minute() -> None:
    begin = BEGIN + 6 * DAY
    scan = [(begin + second / 10, ELSEWHERE + second, TELNET) for second in range(600)]
    rows = sorted([*usual(7), *scan])
    found = anomalies(rows)
    assert begin < rows[found[0].index][0] < begin + 60


def test_a_flood_is_an_alarm_within_a_minute() -> None:
    begin = BEGIN + 6 * DAY
    rows = sorted([*usual(7), *((begin + n / 50, ELSEWHERE, HTTPS) for n in range(3000))])
    assert begin < rows[anomalies(rows)[0].index][0] < begin + 60


@pytest.mark.parametrize(("period", "hours"), [(60, 3), (1800, 16)])
def test_a_beacon_to_a_new_place_is_an_alarm(period: float, hours: float) -> None:
    begin = BEGIN + 6 * DAY
    beacon = [(begin + n * period, ELSEWHERE, HTTPS) for n in range(int(DAY / period))]
    rows = sorted([*usual(7), *beacon])
    assert begin < rows[anomalies(rows)[0].index][0] < begin + hours * HOUR


def test_icmp_errors_to_the_internet_are_no_surprise_and_others_are() -> None:
    unreachable, echo, echo6 = (port_code(number, "icmp") for number in (3, 0, 129))
    begin = BEGIN + 6 * DAY
    for pool, port, surprises in (
        (ELSEWHERE, unreachable, False),
        (ELSEWHERE, echo, True),
        (ELSEWHERE, echo6, True),
        (GATEWAY, unreachable, True),
    ):
        probed = [(begin + n / 10, pool, port) for n in range(600)]
        surprise, found = push(HostBaseline(), [*usual(7), *probed])
        assert bool(found) == surprise.any() == surprises


def test_requests_of_leases_that_nobody_answers_are_no_surprise_and_others_are() -> None:
    begin = BEGIN + 6 * DAY
    for pool, port, surprises in (
        (GATEWAY, port_code(67, "udp"), False),
        (GATEWAY, port_code(547, "udp"), False),
        (GATEWAY, port_code(69, "udp"), True),
        (ELSEWHERE, port_code(67, "udp"), True),
    ):
        repeated = [(begin + n * 64, pool, port) for n in range(600)]
        assert bool(push(HostBaseline(), [*usual(7), *repeated])[1]) == surprises


def test_accepted_behaviour_raises_no_more_alarms_and_a_scan_does() -> None:
    beacon = [(BEGIN + 6 * DAY + n * 60, ELSEWHERE, HTTPS) for n in range(2 * 1440)]
    confirmed = BEGIN + 6.5 * DAY
    baseline = HostBaseline()
    rows = sorted([*usual(8), *beacon])
    assert push(baseline, [row for row in rows if row[0] < confirmed])[1]
    baseline.accept(np.array([0]))
    scan = [(BEGIN + 7.5 * DAY + n / 10, ELSEWHERE + n, TELNET) for n in range(600)]
    later = sorted(row for row in [*rows, *scan] if row[0] >= confirmed)
    found = push(baseline, later)[1]
    assert later[found[0].index] in scan


def test_an_alarm_shows_the_most_surprising_sessions() -> None:
    begin = BEGIN + 6 * DAY
    beacon = [(begin + n * 60, ELSEWHERE, HTTPS) for n in range(300)]
    first = anomalies([*usual(7), *beacon])[0]
    assert {(one.pool, one.dport) for one in first.evidence} == {(ELSEWHERE, HTTPS)}
    assert all(one.ts >= begin for one in first.evidence)
    assert first.since == begin
    assert 1 < first.sessions <= 300
    assert first.surprise >= BaselineSettings().threshold


def test_a_host_raises_no_alarm_while_its_baseline_is_learned() -> None:
    begin = BEGIN + DAY
    scan = [(begin + n / 10, ELSEWHERE + n, TELNET) for n in range(600)]
    assert anomalies([*usual(2), *scan]) == []


def test_one_more_time_server_does_not_surprise_where_they_change_all_the_time() -> None:
    changing = [(BEGIN + n * HOUR, ELSEWHERE + n, NTP) for n in range(200)]
    used = push(HostBaseline(), [*usual(9), *changing])[0]
    never = push(HostBaseline(), [*usual(9), changing[-1]])[0]
    at = sorted([*usual(9), *changing]).index(changing[-1])
    assert used[at] == 0
    assert never.max() > 1


def test_who_meets_a_new_time_server_in_each_hour_is_not_known_for_other_new_pairs() -> None:
    changing = [(BEGIN + n * HOUR, ELSEWHERE + n, NTP) for n in range(200)]
    baseline = HostBaseline()
    push(baseline, [*usual(9), *changing])
    columns = baseline.columns
    assert columns["hours"][0, columns["key"][0].tolist().index(ANY)] < 3


def test_what_does_not_count_is_neither_judged_nor_learned_but_begins_an_hour() -> None:
    begin = (BEGIN // HOUR + 6 * 24) * HOUR
    baseline = HostBaseline(classes=CLASS_BASELINE)
    push(baseline, [row for row in usual(7) if row[0] < begin])
    before = baseline.columns["key"][0].tolist()
    some = sessions([(begin + n, ELSEWHERE, HTTPS) for n in range(3)], device_class=CALLERS)
    found, _ = baseline.push(replace(some, counted=np.zeros(3, bool)), TABLE)
    assert not found.any()
    assert baseline.columns["key"][0].tolist() == before
    assert baseline.columns["device_class"][0] == CALLERS + 1


def test_a_scan_does_not_evict_what_the_host_usually_does() -> None:
    baseline = HostBaseline()
    scan = [(BEGIN + 4 * DAY + n, ELSEWHERE + n, TELNET) for n in range(1500)]
    push(baseline, [*usual(5), *scan])
    rows = [(ts, pool, dport) for ts, pool, dport in usual(6) if ts > BEGIN + 5 * DAY]
    assert not push(baseline, rows)[0].any()


def test_a_slot_that_is_reset_and_forgotten_holds_nothing() -> None:
    baseline = HostBaseline()
    push(baseline, [*usual(4), (BEGIN + 4 * DAY, ELSEWHERE, TELNET)])
    assert baseline.evidence
    slots = np.array([0])
    baseline.slots.reset(slots)
    baseline.forget(slots)
    assert not baseline.evidence
    for name, column in baseline.columns.items():
        assert not column[0].any(), name


def test_a_host_from_the_future_is_scored_at_once_when_its_clock_is_set_back() -> None:
    beacon = [(BEGIN + 6 * DAY + n * 1800, ELSEWHERE, HTTPS) for n in range(48)]
    rows, later = usual(6), [row for row in usual(7) if row[0] > BEGIN + 6 * DAY]
    right, wrong = HostBaseline(), HostBaseline()
    push(right, rows)
    push(wrong, [(ts + 5 * 365 * DAY, pool, dport) for ts, pool, dport in rows])
    wrong.look_back(np.array([0]), BEGIN + 30 * DAY, rows[-1][0] + HOUR)
    (_, expected), (_, found) = push(right, [*later, *beacon]), push(wrong, [*later, *beacon])
    assert [one.index for one in found] == [one.index for one in expected] != []


def test_looking_back_moves_the_time_of_the_first_surprising_session() -> None:
    baseline = HostBaseline()
    push(baseline, [*usual(6), (BEGIN + 6 * DAY, ELSEWHERE, TELNET)])
    assert baseline.columns["since"][0] == BEGIN + 6 * DAY
    baseline.look_back(np.array([0]), BEGIN + 6 * DAY, BEGIN)
    assert baseline.columns["since"][0] == BEGIN + 6 * DAY
    baseline.look_back(np.array([0]), BEGIN + 5 * DAY, BEGIN)
    assert baseline.columns["since"][0] == BEGIN


def test_no_host_depends_on_another() -> None:
    begin = BEGIN + 6 * DAY
    beacon = [(begin + n * 60, ELSEWHERE, HTTPS) for n in range(300)]
    alone, quiet = [*usual(7), *beacon], usual(7, seed=1)
    both = HostBaseline()
    rows = sorted([(row, 0) for row in alone] + [(row, 1) for row in quiet])
    slot = np.array([host for _, host in rows])
    _, found = both.push(sessions([row for row, _ in rows], slot), TABLE)
    assert {int(slot[one.index]) for one in found} == {0}
    assert [one.surprise for one in found] == [one.surprise for one in anomalies(alone)]


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(1, 2500), max_size=12),
    late=st.lists(st.integers(0, 2400), max_size=20),
)
def test_cutting_sessions_into_batches_changes_nothing(cuts: list[int], late: list[int]) -> None:
    begin = BEGIN + 4 * DAY
    attack = [(begin + n * 30, ELSEWHERE + n % 40, HTTPS) for n in range(1000)]
    rows = sorted([*usual(5), *attack])
    for place in late:  # a session that comes an hour too late
        rows[place] = (rows[place][0] - HOUR, *rows[place][1:])
    slot = np.arange(len(rows)) % 2
    whole, parts = HostBaseline(classes=CLASS_BASELINE), HostBaseline(classes=CLASS_BASELINE)
    expected, wanted = whole.push(sessions(rows, slot, CALLERS), TABLE)
    got, found = [], []
    bounds = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for start, stop in pairwise(bounds):
        some = sessions(rows[start:stop], slot[start:stop], CALLERS)
        surprise, alarms = parts.push(some, TABLE)
        got.append(surprise)
        found += [(start + one.index, one.surprise, one.sessions, one.since) for one in alarms]
    np.testing.assert_array_equal(np.concatenate(got), expected)
    assert found == [(one.index, one.surprise, one.sessions, one.since) for one in wanted]
    for name, column in whole.columns.items():
        np.testing.assert_array_equal(parts.columns[name][:2], column[:2], err_msg=name)


def test_a_host_that_was_away_is_no_better_known() -> None:
    away = 30 * DAY
    seen = usual(0.02)
    back = [(BEGIN + away + n * 400.0, n % 40 + 2, HTTPS) for n in range(90)]
    assert anomalies([*seen, *back]) == []


def test_the_alarms_of_a_host_with_more_pairs_than_places_do_not_depend_on_batches() -> None:
    draw = np.random.default_rng(1)
    times = np.sort(draw.uniform(0, 8 * DAY, 4000)) + BEGIN
    pool = draw.zipf(1.25, 4000) % 60
    late = times > BEGIN + 6 * DAY
    pool[late] = np.where(draw.random(late.sum()) < 0.25, draw.integers(60, 1900), pool[late])
    rows = [(ts, int(one), HTTPS) for ts, one in zip(times.tolist(), pool, strict=True)]
    whole, pieces = HostBaseline(), HostBaseline()
    surprise, _ = push(whole, rows)
    parts = [push(pieces, rows[at : at + 7])[0] for at in range(0, len(rows), 7)]
    assert np.concatenate(parts).tolist() == surprise.tolist()
    assert surprise.any()
