from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.host_baseline import HOUR, BaselineSettings, Excess, HostBaseline
from nba_broker.baseline.keys import ANY
from nba_broker.records.ports import port_code

DAY = 24 * HOUR
BEGIN = 1_600_000_000.0
HTTPS, DNS, NTP, TELNET = (
    port_code(443, "tcp"),
    port_code(53, "udp"),
    port_code(123, "udp"),
    port_code(23, "tcp"),
)
TABLE = ["as:1", "gw", *(f"as:{number}" for number in range(100, 2000))]
CLOUD, GATEWAY, ELSEWHERE = 0, 1, 2

Rows = list[tuple[float, int, int]]  # ts, pool, dport


def usual(days: float, *, seed: int = 0) -> Rows:
    """A device that asks for a name and calls its cloud every ten minutes or so."""
    draw = np.random.default_rng(seed)
    times = BEGIN + np.cumsum(draw.uniform(500, 700, int(days * DAY / 600)))
    return [
        row
        for ts in times.tolist()
        for row in ((ts, GATEWAY, DNS), (ts + 0.02, CLOUD, HTTPS))
        if ts < BEGIN + days * DAY
    ]


# A class whose hosts call as:100 several times in most hours, and one that knows nothing.
CALLERS, OTHERS = 0, 1
CLASS_BASELINE = ClassBaseline(
    [
        {"span": 500.0, "pairs": [[TABLE[ELSEWHERE], "443/tcp", 480.0, 864.0, 1680.0]]},
        {"span": 500.0, "pairs": []},
    ]
)


def push(
    surprise: HostBaseline, rows: Rows, slot: int = 0, kind: int = -1
) -> tuple[np.ndarray, list[Excess]]:
    rows = sorted(rows)
    return surprise.push(
        np.full(len(rows), slot),
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.int32),
        TABLE,
        np.full(len(rows), kind),
    )


def excesses(rows: Rows) -> list[Excess]:
    return push(HostBaseline(), rows)[1]


def test_a_device_that_does_nothing_new_raises_no_alarm() -> None:
    assert excesses(usual(14)) == []


def test_a_single_odd_session_is_surprising_and_no_alarm() -> None:
    odd = (BEGIN + 6 * DAY, ELSEWHERE, TELNET)
    surprise, found = push(HostBaseline(), [*usual(7), odd])
    assert found == []
    assert surprise.max() > 1
    assert sorted([*usual(7), odd])[int(surprise.argmax())] == odd


def test_a_scan_is_an_alarm_within_a_minute() -> None:
    begin = BEGIN + 6 * DAY
    scan = [(begin + second / 10, ELSEWHERE + second, TELNET) for second in range(600)]
    rows = sorted([*usual(7), *scan])
    found = excesses(rows)
    assert begin < rows[found[0].index][0] < begin + 60


def test_a_flood_is_an_alarm_within_a_minute() -> None:
    begin = BEGIN + 6 * DAY
    rows = sorted([*usual(7), *((begin + n / 50, ELSEWHERE, HTTPS) for n in range(3000))])
    assert begin < rows[excesses(rows)[0].index][0] < begin + 60


@pytest.mark.parametrize(("period", "hours"), [(60, 3), (1800, 16)])
def test_a_beacon_to_a_new_place_is_an_alarm(period: float, hours: float) -> None:
    begin = BEGIN + 6 * DAY
    beacon = [(begin + n * period, ELSEWHERE, HTTPS) for n in range(int(DAY / period))]
    rows = sorted([*usual(7), *beacon])
    assert begin < rows[excesses(rows)[0].index][0] < begin + hours * HOUR


def calls(begin: float, days: float, period: float = 600) -> Rows:
    return [(begin + n * period, ELSEWHERE, HTTPS) for n in range(int(days * DAY / period))]


def test_what_the_hosts_of_its_class_do_is_no_surprise_of_a_host_that_begins_with_it() -> None:
    rows = [*usual(9), *calls(BEGIN + 6 * DAY, 3)]
    surprise, found = push(HostBaseline(classes=CLASS_BASELINE), rows, kind=CALLERS)
    assert found == []
    assert not surprise.any()
    assert push(HostBaseline(classes=CLASS_BASELINE), rows, kind=OTHERS)[1]
    assert push(HostBaseline(classes=CLASS_BASELINE), rows)[1]


def test_many_more_sessions_than_its_class_has_are_an_alarm_all_the_same() -> None:
    begin = BEGIN + 6 * DAY
    rows = sorted([*usual(7), *calls(begin, 1 / 24, period=0.02)])
    found = push(HostBaseline(classes=CLASS_BASELINE), rows, kind=CALLERS)[1]
    assert begin < rows[found[0].index][0] < begin + HOUR


def test_a_place_that_its_class_does_not_know_is_as_surprising_as_ever() -> None:
    scan = [(BEGIN + 6 * DAY + n / 10, ELSEWHERE + 1 + n, TELNET) for n in range(600)]
    alone, among = (
        push(HostBaseline(classes=CLASS_BASELINE), [*usual(7), *scan], kind=kind)[0]
        for kind in (-1, CALLERS)
    )
    assert among.tolist() == alone.tolist()
    assert alone.any()


def test_a_class_that_meets_new_places_in_every_hour_makes_one_no_surprise() -> None:
    often = (490.0, 800.0, 1500.0)
    roaming = ClassBaseline([{"span": 500.0, "pairs": [["", "", *often], ["", "443/tcp", *often]]}])
    new = [(BEGIN + 6 * DAY + n * HOUR, ELSEWHERE + n, HTTPS) for n in range(20)]
    assert push(HostBaseline(), [*usual(7), *new])[0].any()
    assert not push(HostBaseline(classes=roaming), [*usual(7), *new], kind=0)[0].any()


def test_what_a_host_is_taken_for_holds_from_the_next_hour_on() -> None:
    begin = (BEGIN // HOUR + 6 * 24) * HOUR
    before = [row for row in usual(7) if row[0] < begin]
    surprise = HostBaseline(classes=CLASS_BASELINE)
    push(surprise, [*before, (begin, CLOUD, HTTPS)])
    same, later = (
        push(surprise, [(begin + at, ELSEWHERE, HTTPS)], kind=CALLERS)[0] for at in (60, HOUR)
    )
    assert same.all()
    assert not later.any()


def test_another_model_s_classes_keep_what_hosts_are_taken_for() -> None:
    surprise = HostBaseline(classes=CLASS_BASELINE)
    push(surprise, usual(1), kind=OTHERS)
    push(surprise, usual(1), slot=1, kind=CALLERS)
    surprise.use(ClassBaseline([{"span": 1.0, "pairs": []}]), np.array([-1, 0], np.int16))
    assert surprise.columns()["kind"][:2].tolist() == [1, 0]


@pytest.mark.parametrize(
    "table",
    [
        {"span": -1.0, "pairs": []},
        {"span": float("nan"), "pairs": []},
        {"span": 5.0, "pairs": [["as:1", "443/tcp", 7.0, 0.0, 0.0]]},
        {"span": 5.0, "pairs": [["as:1", "443", 1.0, 0.0, 0.0]]},
        {"span": 5.0, "pairs": [["as:1", "/tcp", 1.0, 0.0, 0.0]]},
        {"span": 5.0, "pairs": [["as:1", "65536/tcp", 1.0, 0.0, 0.0]]},
        {"span": 5.0, "pairs": [["as:1", "443/tcp", 1.0, float("inf"), 0.0]]},
        {"span": 5.0, "pairs": [["as:1", "443/tcp", 1.0]]},
        {"span": 5.0, "pairs": [["", "", 1.0, 0.0, 0.0]] * 200},
    ],
)
def test_a_baseline_that_is_none_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ClassBaseline([table])


def test_what_strangers_provoke_is_no_alarm_of_the_host_that_answers() -> None:
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


def test_what_was_absorbed_is_no_alarm_any_more() -> None:
    beacon = [(BEGIN + 6 * DAY + n * 60, ELSEWHERE, HTTPS) for n in range(2 * 1440)]
    answered = BEGIN + 6.5 * DAY
    surprise = HostBaseline()
    rows = sorted([*usual(8), *beacon])
    assert push(surprise, [row for row in rows if row[0] < answered])[1]
    surprise.absorb(np.array([0]))
    scan = [(BEGIN + 7.5 * DAY + n / 10, ELSEWHERE + n, TELNET) for n in range(600)]
    later = sorted(row for row in [*rows, *scan] if row[0] >= answered)
    found = push(surprise, later)[1]
    assert later[found[0].index] in scan


def test_an_alarm_tells_the_most_surprising_sessions() -> None:
    begin = BEGIN + 6 * DAY
    beacon = [(begin + n * 60, ELSEWHERE, HTTPS) for n in range(300)]
    first = excesses([*usual(7), *beacon])[0]
    assert {(one["pool"], one["dport"]) for one in first.evidence} == {(ELSEWHERE, HTTPS)}
    assert all(one["ts"] >= begin for one in first.evidence)
    assert first.since == begin
    assert 1 < first.sessions <= 300
    assert first.surprise >= BaselineSettings().threshold


def test_nothing_is_an_alarm_while_a_host_is_learned() -> None:
    begin = BEGIN + DAY
    scan = [(begin + n / 10, ELSEWHERE + n, TELNET) for n in range(600)]
    assert excesses([*usual(2), *scan]) == []


def test_one_more_time_server_does_not_surprise_where_they_change_all_the_time() -> None:
    changing = [(BEGIN + n * HOUR, ELSEWHERE + n, NTP) for n in range(200)]
    used = push(HostBaseline(), [*usual(9), *changing])[0]
    never = push(HostBaseline(), [*usual(9), changing[-1]])[0]
    at = sorted([*usual(9), *changing]).index(changing[-1])
    assert used[at] == 0
    assert never.max() > 1


def test_who_meets_a_new_time_server_in_each_hour_is_not_known_for_other_new_pairs() -> None:
    changing = [(BEGIN + n * HOUR, ELSEWHERE + n, NTP) for n in range(200)]
    surprise = HostBaseline()
    push(surprise, [*usual(9), *changing])
    columns = surprise.columns()
    assert columns["hours"][0, columns["key"][0].tolist().index(ANY)] < 3


def test_what_does_not_count_is_neither_judged_nor_learned_but_begins_an_hour() -> None:
    begin = (BEGIN // HOUR + 6 * 24) * HOUR
    surprise = HostBaseline(classes=CLASS_BASELINE)
    push(surprise, [row for row in usual(7) if row[0] < begin])
    before = surprise.columns()["key"][0].tolist()
    slot, pool, dport = (
        np.zeros(3, int),
        np.full(3, ELSEWHERE, np.int32),
        np.full(3, HTTPS, np.int32),
    )
    ts, none = begin + np.arange(3.0), np.zeros(3, bool)
    found, _ = surprise.push(slot, ts, pool, dport, TABLE, np.full(3, CALLERS), none)
    assert not found.any()
    assert surprise.columns()["key"][0].tolist() == before
    assert surprise.columns()["kind"][0] == CALLERS + 1


def test_a_scan_does_not_push_out_what_the_host_usually_does() -> None:
    surprise = HostBaseline()
    scan = [(BEGIN + 4 * DAY + n, ELSEWHERE + n, TELNET) for n in range(1500)]
    push(surprise, [*usual(5), *scan])
    rows = [(ts, pool, dport) for ts, pool, dport in usual(6) if ts > BEGIN + 5 * DAY]
    assert not push(surprise, rows)[0].any()


def test_a_slot_that_is_reset_knows_nothing() -> None:
    surprise = HostBaseline()
    push(surprise, usual(4))
    surprise.reset(np.array([0]))
    for name in ("hour", "span", "summed", "key", "hours", "top"):
        assert not surprise.columns()[name][0].any()


def test_no_host_depends_on_another() -> None:
    begin = BEGIN + 6 * DAY
    beacon = [(begin + n * 60, ELSEWHERE, HTTPS) for n in range(300)]
    alone, quiet = [*usual(7), *beacon], usual(7, seed=1)
    both = HostBaseline()
    rows = sorted([(*row, 0) for row in alone] + [(*row, 1) for row in quiet])
    ts, pool, dport, slot = map(np.array, zip(*rows, strict=True))
    _, found = both.push(slot, ts, pool.astype(np.int32), dport.astype(np.int32), TABLE)
    assert {int(slot[one.index]) for one in found} == {0}
    assert [one.surprise for one in found] == [one.surprise for one in excesses(alone)]


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
    ts, pool, dport = map(np.array, zip(*rows, strict=True))
    columns = {"pool": pool.astype(np.int32), "dport": dport.astype(np.int32)}
    columns["kind"] = np.full(len(rows), CALLERS)
    slot = np.arange(len(rows)) % 2
    whole, parts = HostBaseline(classes=CLASS_BASELINE), HostBaseline(classes=CLASS_BASELINE)
    expected, wanted = whole.push(slot, ts, table=TABLE, **columns)
    got, found = [], []
    bounds = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for start, stop in pairwise(bounds):
        some = {name: column[start:stop] for name, column in columns.items()}
        surprise, alarms = parts.push(slot[start:stop], ts[start:stop], table=TABLE, **some)
        got.append(surprise)
        found += [(start + one.index, one.surprise, one.sessions, one.since) for one in alarms]
    np.testing.assert_array_equal(np.concatenate(got), expected)
    assert found == [(one.index, one.surprise, one.sessions, one.since) for one in wanted]
    for name, column in whole.columns().items():
        np.testing.assert_array_equal(parts.columns()[name][:2], column[:2], err_msg=name)


def test_a_host_that_was_away_is_no_better_known() -> None:
    away = 30 * DAY
    seen = usual(0.02)
    back = [(BEGIN + away + n * 400.0, n % 40 + 2, HTTPS) for n in range(90)]
    assert excesses([*seen, *back]) == []


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
