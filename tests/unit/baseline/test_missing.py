"""Regular destinations of a host that goes on talking without them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.baseline.host_baseline import HostBaseline, HostSessions
from nba_broker.baseline.missing import Regular, last_seen
from nba_broker.records.ports import port_code

TABLE = ["gw", "as:1", "as:2", "as:3"]
HOUR, DAY = 3600.0, 24.0
BEGIN = 480_000 * HOUR
DNS, HTTPS, MQTT = port_code(53, "udp"), port_code(443, "tcp"), port_code(8883, "tcp")

Rows = list[tuple[float, int, int, int]]


def hourly(pool: int, service: int, begin: float, end: float, host: int = 0, each: int = 1) -> Rows:
    """A session in every hour, or every few hours, from ``begin`` to ``end``, in hours."""
    times = np.arange(begin, end, each) * HOUR + BEGIN + 60
    return [(ts, host, pool, service) for ts in times.tolist()]


def found(
    rows: Rows, cuts: Sequence[int] = (), paused: tuple[float, float] | None = None
) -> list[tuple[float, Regular]]:
    baseline, some = HostBaseline(), sorted(rows)
    edges = sorted({0, len(some), *(cut % len(some) for cut in cuts)})
    regular: list[tuple[float, Regular]] = []
    for start, stop in itertools.pairwise(edges):
        ts, slot, pool, dport = map(np.array, zip(*some[start:stop], strict=True))
        held = None
        if paused is not None:
            held = (ts >= BEGIN + paused[0] * HOUR) & (ts < BEGIN + paused[1] * HOUR)
        sessions = HostSessions(
            slot, ts, pool.astype(np.int32), dport.astype(np.int32), paused=held
        )
        baseline.push(sessions, TABLE)
        regular += [(float(ts[one.index]), one) for one in baseline.take_regular()]
    return regular


def hours(ts: float) -> float:
    return (ts - BEGIN) // HOUR


TALKS = hourly(0, DNS, 0, 12 * DAY)


def test_a_server_that_a_host_always_used_is_missing_once_it_is_silent_there() -> None:
    ((ts, one),) = found(TALKS + hourly(1, MQTT, 0, 6 * DAY))
    assert (one.pool, one.dport, one.back) == (1, MQTT, False)
    assert hours(one.last_seen) == 6 * DAY - 1
    assert 6 * DAY < hours(ts) <= 6 * DAY + 6
    assert 20 < one.daily < 30


def test_a_server_that_is_back_is_told_once() -> None:
    rows = TALKS + hourly(1, MQTT, 0, 6 * DAY) + hourly(1, MQTT, 8 * DAY, 12 * DAY)
    first, (ts, second) = found(rows)
    assert (first[1].back, second.back) == (False, True)
    assert hours(ts) == 8 * DAY + 1


def test_a_host_that_is_away_misses_nothing() -> None:
    rows = [row for row in TALKS + hourly(1, MQTT, 0, 12 * DAY) if hours(row[0]) // 40 != 4]
    assert not found(rows)


def test_a_destination_is_not_missing_for_as_long_as_it_once_was() -> None:
    silent = [hourly(1, MQTT, 30 * n, 30 * n + 10) for n in range(7)]
    assert not found(TALKS[: 7 * 30 + 10] + list(itertools.chain(*silent)))


def test_a_destination_that_the_host_seldom_uses_is_not_regular() -> None:
    assert not found(TALKS + hourly(1, MQTT, 0, 6 * DAY, each=24))


def test_a_cloud_that_moves_to_another_network_is_not_missing() -> None:
    assert not found(TALKS + hourly(1, HTTPS, 0, 6 * DAY) + hourly(2, HTTPS, 6 * DAY, 12 * DAY))


def test_one_of_two_servers_that_are_always_used_is_missing() -> None:
    rows = TALKS + hourly(1, HTTPS, 0, 6 * DAY) + hourly(2, HTTPS, 0, 12 * DAY)
    ((_, one),) = found(rows)
    assert one.pool == 1


def test_a_host_in_its_first_three_days_misses_nothing() -> None:
    assert not found(TALKS[: int(3 * DAY)] + hourly(1, MQTT, 0, 2 * DAY))


def test_nothing_is_missing_while_an_event_of_the_site_affects_the_host() -> None:
    rows = TALKS + hourly(1, MQTT, 0, 6 * DAY) + hourly(1, MQTT, 7 * DAY, 12 * DAY)
    assert not found(rows, paused=(6 * DAY, 7 * DAY + 1))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=10))
def test_however_sessions_are_cut_into_batches_the_same_is_missing(cuts: list[int]) -> None:
    rows = TALKS + hourly(1, MQTT, 0, 6 * DAY) + hourly(1, MQTT, 8 * DAY, 12 * DAY)
    rows += hourly(0, DNS, 0, 9 * DAY, host=1) + hourly(3, MQTT, 0, 5 * DAY, host=1)

    def plain(some: list[tuple[float, Regular]]) -> list[tuple[float, Regular]]:
        return [(ts, replace(one, index=0)) for ts, one in some]

    assert plain(found(rows, cuts)) == plain(found(rows))


@given(st.integers(0, 2**31 - 1), st.integers(0, 65_535))
def test_the_last_hour_is_found_from_its_remainder(hour: int, ago: int) -> None:
    seen = np.array([(hour - ago) % 65_536], np.uint16)
    assert last_seen(seen, np.array([hour]))[0] == hour - ago
