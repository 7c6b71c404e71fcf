"""The sum of a host's surprise: what raises an alarm, and what passes."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.baseline.cusum import COLUMNS, PER_NAT, Cusum
from nba_broker.baseline.settings import BaselineSettings
from nba_broker.records.slots import Columns, Slots

SETTINGS = BaselineSettings(threshold=10.0, drift=0.5)
HOST, OTHER = 0, 3


def made() -> tuple[Cusum, Columns]:
    slots = Slots()
    columns = slots.add("cusum", COLUMNS)
    slots.reserve(OTHER + 1)
    return Cusum(columns, SETTINGS), columns


def add(cusum: Cusum, *nats: float, slot: int = HOST) -> list[bool]:
    parts = (np.array(nats) * PER_NAT).astype(np.int64)
    alarms: list[bool] = cusum.add(np.full(len(nats), slot), parts)[1].tolist()
    return alarms


def end_hour(cusum: Cusum, passed: float = 1.0) -> bool:
    return bool(cusum.end_hours(np.array([HOST]), np.array([passed]))[0])


def test_an_alarm_is_raised_where_the_sum_reaches_the_threshold() -> None:
    cusum, _ = made()
    assert add(cusum, 4, 5.75, 0.25, 1) == [False, False, True, False]


def test_after_an_alarm_the_sum_starts_with_what_exceeded_the_threshold() -> None:
    cusum, _ = made()
    assert add(cusum, 12) == [True]
    assert add(cusum, 7.75, 0.25) == [False, True]


def test_the_sum_is_the_same_in_one_batch_and_in_several() -> None:
    nats = np.random.default_rng(1).uniform(0, 4, 50)
    (one, together), (several, apart) = made(), made()
    alarms = add(one, *nats)
    assert [found for each in nats for found in add(several, each)] == alarms
    assert any(alarms)
    for name in together:
        np.testing.assert_array_equal(together[name], apart[name])


def test_hosts_are_summed_apart() -> None:
    cusum, _ = made()
    slot, parts = np.array([HOST, HOST, OTHER]), np.array([6, 6, 6]) * PER_NAT
    level, alarm = cusum.add(slot, parts)
    assert alarm.tolist() == [False, True, False]
    assert (level / PER_NAT).tolist() == [6, 2 + 10, 6]


def test_the_drift_passes_in_every_hour_and_the_sum_never_falls_below_zero() -> None:
    cusum, columns = made()
    add(cusum, 3)
    assert not end_hour(cusum, passed=4.0)
    assert columns["cusum"][HOST] == (3 - 4 * SETTINGS.drift) * PER_NAT
    assert end_hour(cusum, passed=4.0)
    assert columns["cusum"][HOST] == 0


def test_an_attack_raises_the_hosts_mean_surprise_by_the_hourly_cap_at_most() -> None:
    (cusum, columns), (capped, expected) = made(), made()
    add(cusum, 9)
    add(capped, SETTINGS.hourly_cap)
    end_hour(cusum)
    end_hour(capped)
    assert columns["mean_surprise"][HOST] == expected["mean_surprise"][HOST] > 0


def test_surprise_that_comes_in_every_hour_becomes_the_mean_and_adds_nothing() -> None:
    cusum, columns = made()
    for _ in range(3000):
        add(cusum, 1)
        end_hour(cusum)
    assert columns["mean_surprise"][HOST] == pytest.approx(1, rel=0.01)
    assert columns["cusum"][HOST] == 0
