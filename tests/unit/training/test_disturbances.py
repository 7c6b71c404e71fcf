"""Every disturbance changes what it says, in the judged part of each device only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training.made_traffic import DAY, HOUR, LABELS, Row, during, judged, made, rows
from training.data.disturbances.registry import DISTURBANCES, disturbed
from training.data.disturbances.traffic import Traffic

SINCE, UNTIL = 2.25 * DAY, 5 * DAY - 600
NOON = 2.5 * DAY
TABLE = ["as:1", "as:2", "lan", "gw", "none", "as:9", "as:15169", "mcast:224.0.0.251"]
TURNS = (
    [("as:1", "443/tcp"), ("as:2", "443/tcp")],
    [("as:1", "443/tcp"), ("as:2", "443/tcp")],
    [("lan", "80/tcp")] * 2,
    [("gw", "53/udp")] * 2,
    [("as:9", "123/udp")] * 2,
    [("as:2", "443/tcp"), ("as:1", "443/tcp")],
    [("none", "443/tcp")] * 2,
    [("as:15169", "53/udp")] * 2,
    [("gw", "67/udp")] * 2,
    [("mcast:224.0.0.251", "5353/udp")] * 2,
)


@pytest.fixture
def traffic() -> Traffic:
    """A lamp and a lens, every ten minutes for five days, by turns to their cloud twice, the LAN,
    the gateway's name server, a time server, another cloud, an unknown address, a public name
    server, a DHCP server and a group. The last 2.75 days are judged."""
    found: list[Row] = []
    for number, ts in enumerate(np.arange(0, 5 * DAY, 600).tolist()):
        turn = TURNS[number % len(TURNS)]
        found += [(device, ts, *turn[device]) for device in (0, 1)]
    return judged(made(found, TABLE), SINCE, UNTIL)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_nothing_changes_before_the_judged_part_and_nothing_comes_after_it(
    name: str, traffic: Traffic
) -> None:
    after, before = disturbed(traffic, name, 0), traffic.sessions
    assert rows(after, after.ts < SINCE) == rows(before, before.ts < SINCE)
    assert rows(after) != rows(before) or name == "dhcp-down-1h"  # no lease ends in an hour
    assert after.ts.max() <= UNTIL + 0.01
    assert after.table[: len(TABLE)] == TABLE
    assert after.labels == LABELS


@pytest.mark.parametrize("name", [name for name, one in DISTURBANCES.items() if not one.random])
def test_without_chance_every_seed_gives_the_same(name: str, traffic: Traffic) -> None:
    assert rows(disturbed(traffic, name, 1)) == rows(disturbed(traffic, name, 2))


@pytest.mark.parametrize(
    "name",
    [name for name, one in DISTURBANCES.items() if one.random and not name.startswith("dhcp")],
)
def test_with_chance_seeds_differ(name: str, traffic: Traffic) -> None:
    found = [rows(disturbed(traffic, name, seed)) for seed in range(8)]
    assert any(one != found[0] for one in found)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, one in DISTURBANCES.items()
        if not one.random and not name.startswith(("cloud", "mixed"))
    ],
)
def test_without_chance_a_device_is_disturbed_whoever_is_beside_it(
    name: str, traffic: Traffic
) -> None:
    whole = traffic.sessions
    alone = whole.select(whole.series == 0)
    apart = disturbed(replace(traffic, sessions=alone), name, 0)
    together = disturbed(traffic, name, 0)
    assert rows(apart) == rows(together, together.series == 0)


_ROW = st.tuples(
    st.integers(0, 1),
    st.sampled_from([0.0, 0.5, 3.0, 60.0, 3000.0, 20_000.0]),
    st.sampled_from([*TABLE, "bcast"]),
    st.sampled_from(["443/tcp", "53/udp", "67/udp", "123/udp", "3/icmp", "40000/udp", "5353/udp"]),
)


@given(
    gaps=st.lists(_ROW, min_size=1, max_size=60),
    share=st.floats(0, 1),
    name=st.sampled_from(list(DISTURBANCES)),
    seed=st.integers(0, 2**32),
)
def test_any_traffic_stays_in_order_and_as_it_was_outside_the_judged_parts(
    gaps: list[Row], share: float, name: str, seed: int
) -> None:
    """The first device is judged in the last part of the time, the second one never."""
    ts = np.cumsum([gap for _, gap, _, _ in gaps]).tolist()
    found = [(row[0], at, *row[2:]) for row, at in zip(gaps, ts, strict=True)]
    sessions = made(found, TABLE)
    until = ts[-1]
    since = until - share * (until - ts[0])
    traffic = Traffic(sessions, np.array([since, until + 1]), np.full(2, until))
    after = disturbed(traffic, name, seed)
    assert (np.diff(after.ts) >= 0).all()
    early, late = sessions.ts < since, after.ts < since
    own, owned = sessions.series == 0, after.series == 0
    assert rows(after, late & owned) == rows(sessions, early & own)
    assert rows(after, ~owned) == rows(sessions, ~own)
    assert rows(sessions) == found  # not changed in place
    assert rows(disturbed(traffic, name, seed)) == rows(after)
    assert (after.dport.dtype, after.pool.dtype) == (sessions.dport.dtype, sessions.pool.dtype)
    assert after.series.dtype == sessions.series.dtype


def test_each_old_cloud_becomes_one_new_one(traffic: Traffic) -> None:
    after = disturbed(traffic, "cloud-moved-all", 0)
    new = {"as:1": "as:64512", "as:2": "as:64513"}
    assert rows(after) == [
        (device, ts, new.get(pool, pool) if ts >= SINCE else pool, port)
        for device, ts, pool, port in rows(traffic.sessions)
    ]
    assert after.table == [*TABLE, *new.values()]
    assert traffic.sessions.table == TABLE


def test_half_of_the_clouds_of_each_device_move(traffic: Traffic) -> None:
    after = disturbed(traffic, "cloud-moved-half", 0)
    for device in (0, 1):
        used = {pool for _, pool in during(after, SINCE, 48, device) if pool.startswith("as:")}
        used -= {"as:9", "as:15169"}  # name and time servers are no clouds of the device
        assert len(used & {"as:1", "as:2"}) == len(used - {"as:1", "as:2"}) == 1


def test_a_name_that_a_database_has_is_not_given_to_a_moved_cloud(traffic: Traffic) -> None:
    sessions = replace(traffic.sessions, table=[*TABLE, "as:64512"])
    after = disturbed(replace(traffic, sessions=sessions), "cloud-moved-all", 0)
    assert after.table[-2:] == ["as:64513", "as:64514"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("resolver-public", "gw", "as:15169"), ("resolver-gateway", "as:15169", "gw")],
)
def test_queries_go_to_another_resolver(name: str, old: str, new: str, traffic: Traffic) -> None:
    after = disturbed(traffic, name, 0)
    assert rows(after) == [
        (device, ts, new if ts >= SINCE and (pool, port) == (old, "53/udp") else pool, port)
        for device, ts, pool, port in rows(traffic.sessions)
    ]


def test_a_probed_device_answers_the_router_once_a_minute(traffic: Traffic) -> None:
    after = disturbed(traffic, "probed", 0)
    added = set(rows(after)) - set(rows(traffic.sessions))
    assert {(pool, port) for _, _, pool, port in added} == {("gw", "3/icmp")}
    for device in (0, 1):
        ts = np.sort([row[1] for row in added if row[0] == device])
        assert np.diff(ts) == pytest.approx(60)
        assert len(ts) == pytest.approx((UNTIL - SINCE) / 60, abs=1)


def test_a_device_behind_a_repeater_has_the_sessions_of_the_next_one(traffic: Traffic) -> None:
    after = disturbed(traffic, "mixed-6h", 0)
    own, others = (during(traffic.sessions, NOON, 6, device) for device in (0, 1))
    assert sorted(during(after, NOON, 6)) == sorted(own + others)
    assert during(after, NOON + 6 * HOUR, 9) == during(traffic.sessions, NOON + 6 * HOUR, 9)


def test_every_session_comes_twice(traffic: Traffic) -> None:
    after = disturbed(traffic, "twice", 0)
    [(first, pool), (second, again)] = during(after, NOON, 0.1)
    assert (first, pool) == (0, again)
    assert second == pytest.approx(0.01)


@pytest.mark.parametrize("share", [10, 30, 50])
def test_a_share_of_the_sessions_is_lost(share: int, traffic: Traffic) -> None:
    after = disturbed(traffic, f"lost-{share}%", 0)
    lost = set(rows(traffic.sessions)) - set(rows(after))
    assert len(lost) == len(traffic.sessions) - len(after)
    assert len(lost) / traffic.judged().sum() == pytest.approx(share / 100, abs=0.06)


def test_a_clock_that_is_ahead_leaves_an_hour_without_sessions_and_one_with_twice_as_many(
    traffic: Traffic,
) -> None:
    after = disturbed(traffic, "clock-ahead-6h", 0)
    assert len(after) == len(traffic.sessions)
    assert during(after, SINCE, 1) == []
    usual = [(ts, pool) for ts, pool in during(traffic.sessions, SINCE, 5)]
    assert during(after, SINCE + HOUR, 5) == usual
    assert len(during(after, SINCE + 6 * HOUR, 1)) == 12
    later = SINCE + 7 * HOUR
    assert during(after, later, 9) == during(traffic.sessions, later, 9)
