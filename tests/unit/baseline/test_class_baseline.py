"""What the hosts of a class do is no surprise of a host of that class."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.host_baseline import HostBaseline
from nba_broker.records.times import HOUR
from tests.unit.baseline.baseline_traffic import (
    BEGIN,
    CLOUD,
    DAY,
    ELSEWHERE,
    HTTPS,
    TABLE,
    TELNET,
    calls,
    push,
    usual,
)

# A class whose hosts call as:100 several times in most hours, and one that knows nothing.
CALLERS, OTHERS = 0, 1
CLASS_BASELINE = ClassBaseline(
    [
        {"span": 500.0, "pairs": [[TABLE[ELSEWHERE], "443/tcp", 480.0, 864.0, 1680.0]]},
        {"span": 500.0, "pairs": []},
    ]
)


def test_what_a_class_usually_does_is_no_surprise_of_a_host_that_begins_with_it() -> None:
    rows = [*usual(9), *calls(BEGIN + 6 * DAY, 3)]
    surprise, found = push(HostBaseline(classes=CLASS_BASELINE), rows, device_class=CALLERS)
    assert found == []
    assert not surprise.any()
    assert push(HostBaseline(classes=CLASS_BASELINE), rows, device_class=OTHERS)[1]
    assert push(HostBaseline(classes=CLASS_BASELINE), rows)[1]


def test_many_more_sessions_than_its_class_has_are_an_alarm_all_the_same() -> None:
    begin = BEGIN + 6 * DAY
    rows = sorted([*usual(7), *calls(begin, 1 / 24, period=0.02)])
    found = push(HostBaseline(classes=CLASS_BASELINE), rows, device_class=CALLERS)[1]
    assert begin < rows[found[0].index][0] < begin + HOUR


def test_a_place_that_its_class_does_not_know_is_as_surprising_as_ever() -> None:
    scan = [(BEGIN + 6 * DAY + n / 10, ELSEWHERE + 1 + n, TELNET) for n in range(600)]
    alone, among = (
        push(HostBaseline(classes=CLASS_BASELINE), [*usual(7), *scan], device_class=device_class)[0]
        for device_class in (-1, CALLERS)
    )
    assert among.tolist() == alone.tolist()
    assert alone.any()


def test_a_class_that_meets_new_places_in_every_hour_makes_one_no_surprise() -> None:
    often = (490.0, 800.0, 1500.0)
    roaming = ClassBaseline([{"span": 500.0, "pairs": [["", "", *often], ["", "443/tcp", *often]]}])
    new = [(BEGIN + 6 * DAY + n * HOUR, ELSEWHERE + n, HTTPS) for n in range(20)]
    assert push(HostBaseline(), [*usual(7), *new])[0].any()
    assert not push(HostBaseline(classes=roaming), [*usual(7), *new], device_class=0)[0].any()


def test_another_class_of_a_host_counts_from_its_next_hour_on() -> None:
    begin = (BEGIN // HOUR + 6 * 24) * HOUR
    before = [row for row in usual(7) if row[0] < begin]
    baseline = HostBaseline(classes=CLASS_BASELINE)
    push(baseline, [*before, (begin, CLOUD, HTTPS)])
    same, later = (
        push(baseline, [(begin + at, ELSEWHERE, HTTPS)], device_class=CALLERS)[0]
        for at in (60, HOUR)
    )
    assert same.all()
    assert not later.any()


def test_hosts_keep_their_classes_under_the_numbers_of_another_model() -> None:
    baseline = HostBaseline(classes=CLASS_BASELINE)
    push(baseline, usual(1), device_class=OTHERS)
    push(baseline, usual(1), slot=1, device_class=CALLERS)
    baseline.use(ClassBaseline([{"span": 1.0, "pairs": []}]), np.array([-1, 0], np.int16))
    assert baseline.columns["device_class"][:2].tolist() == [1, 0]


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
def test_a_malformed_table_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ClassBaseline([table])
