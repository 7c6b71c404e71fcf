"""What the names of destinations change for a host's baseline: less that is new, and more."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.baseline.class_baseline import ClassBaseline
from nba_broker.baseline.host_baseline import HostBaseline, HostSessions
from nba_broker.baseline.keys import domain_of
from nba_broker.records.times import HOUR
from tests.unit.baseline.baseline_traffic import BEGIN, CLOUD, DAY, ELSEWHERE, HTTPS, NTP, TABLE

NAMES = ["", "api.maker.com", "cdn7.maker.com", "evil.example.net", "203.0.113.9", "pool.time.org"]
NONE, MAKER, SIBLING, EVIL, ADDRESS, TIME = range(len(NAMES))
ASKED = 1 << 30  # the host of the session asked for the name itself
NIGHTLY = ClassBaseline(
    [{"span": 500.0, "pairs": [[TABLE[ELSEWHERE], "443/tcp", 480.0, 864.0, 1680.0]]}]
)
NIGHTLY_BY_NAME = ClassBaseline(
    [
        {
            "span": 500.0,
            "pairs": [
                [TABLE[ELSEWHERE], "443/tcp", 480.0, 864.0, 1680.0],
                ["*.maker.com", "443/tcp", 480.0, 864.0, 1680.0],
            ],
        }
    ]
)

Named = list[tuple[float, int, int, int]]  # ts, pool, dport, name


def batch(rows: Named, slot: int | np.ndarray = 0, device_class: int = -1) -> HostSessions:
    """Rows in their order, of one host or of these hosts [n]."""
    ts, pool, dport, name = zip(*rows, strict=True)
    return HostSessions(
        np.zeros(len(rows), np.int64) + slot,
        np.array(ts),
        np.array(pool, np.int32),
        np.array(dport, np.int32),
        np.full(len(rows), device_class),
        name=np.array(name, np.int32) + np.where(name, ASKED, 0).astype(np.int32),
    )


def push(
    rows: Named, baseline: HostBaseline | None = None, device_class: int = -1
) -> tuple[np.ndarray, int]:
    """The surprise of rows in their order, and the number of alarms."""
    baseline = baseline or HostBaseline()
    sessions = batch(rows, device_class=device_class)
    surprise, alarms = baseline.push(sessions, TABLE, NAMES.__getitem__)
    return surprise, len(alarms)


def often(
    days: float, *, name: int = MAKER, pool: int = CLOUD, begin: float = BEGIN, every: float = 600.0
) -> Named:
    """HTTPS to one name in one pool, every ten minutes."""
    return [(begin + n * every, pool, HTTPS, name) for n in range(int(days * DAY / every))]


LATER = BEGIN + 6 * DAY


def test_a_familiar_name_in_a_new_network_is_nothing_new() -> None:
    moved = often(2, pool=ELSEWHERE, begin=LATER)
    surprise, alarms = push(often(6) + moved)
    assert alarms == 0
    assert surprise[-len(moved) :].max() < 1
    assert push(often(6, name=NONE) + often(2, name=NONE, pool=ELSEWHERE, begin=LATER))[1] > 0


def test_another_host_of_a_familiar_domain_is_nothing_new() -> None:
    assert push(often(6) + often(2, name=SIBLING, begin=LATER))[0].max() < 1


def test_a_new_name_in_a_familiar_network_is_an_alarm() -> None:
    usual = [*often(6), *often(1, begin=LATER)]
    beacon = often(1, name=EVIL, begin=LATER + 7)
    assert push(sorted(usual + beacon))[1] > 0
    nameless = [(ts, pool, dport, NONE) for ts, pool, dport, _ in sorted(usual + beacon)]
    assert push(nameless)[1] == 0  # the network alone does not tell


def test_names_that_become_visible_surprise_nobody() -> None:
    surprise, alarms = push(often(6, name=NONE) + often(4, begin=LATER))
    assert alarms == 0
    assert surprise.max() < 1


def test_names_that_are_no_longer_visible_surprise_nobody() -> None:
    surprise, alarms = push(often(6) + often(4, name=NONE, begin=LATER))
    assert alarms == 0
    assert surprise.max() < 1


def test_an_address_as_a_name_counts_as_none() -> None:
    named = push(often(6, name=ADDRESS) + often(1, name=ADDRESS, pool=ELSEWHERE, begin=LATER))
    nameless = push(often(6, name=NONE) + often(1, name=NONE, pool=ELSEWHERE, begin=LATER))
    np.testing.assert_array_equal(named[0], nameless[0])


def test_the_pool_of_a_class_excuses_a_new_name_only_where_the_class_has_no_names() -> None:
    rows = sorted([*often(8), *often(2, name=MAKER, pool=ELSEWHERE)])
    rows += often(1, name=EVIL, pool=ELSEWHERE, begin=BEGIN + 8 * DAY)
    last = slice(-144, None)
    excused = push(rows, HostBaseline(classes=NIGHTLY), 0)[0][last].sum()
    not_excused = push(rows, HostBaseline(classes=NIGHTLY_BY_NAME), 0)[0][last].sum()
    assert excused < 1 < not_excused


def test_a_domain_of_the_class_excuses_what_is_new_for_the_host() -> None:
    rows = sorted([*often(8, name=TIME), *often(2, name=MAKER, pool=9, begin=LATER)])
    assert push(rows, HostBaseline(classes=NIGHTLY_BY_NAME), 0)[0].sum() < push(rows)[0].sum() / 10


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(1, 1800), max_size=12),
    late=st.lists(st.integers(0, 1700), max_size=20),
    draw=st.integers(0, 2**32 - 1),
)
def test_cutting_named_sessions_into_batches_changes_nothing(
    cuts: list[int], late: list[int], draw: int
) -> None:
    random = np.random.default_rng(draw)
    rows: Named = []
    for ts in np.sort(random.uniform(BEGIN, BEGIN + 8 * DAY, 1800)).tolist():
        place = int(random.zipf(1.4)) % 50
        name = int(random.integers(0, len(NAMES)))
        rows.append((ts, place, (HTTPS, NTP)[place % 2], name if ts > BEGIN + DAY else NONE))
    for place in late:
        rows[place] = (rows[place][0] - HOUR, *rows[place][1:])
    slot = np.arange(len(rows)) % 2
    whole, parts = (HostBaseline(classes=NIGHTLY_BY_NAME) for _ in range(2))
    expected, wanted = whole.push(batch(rows, slot, 0), TABLE, NAMES.__getitem__)
    got, found = [], []
    bounds = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for start, stop in pairwise(bounds):
        some = batch(rows[start:stop], slot[start:stop], 0)
        surprise, alarms = parts.push(some, TABLE, NAMES.__getitem__)
        got.append(surprise)
        found += [(start + one.index, one.surprise) for one in alarms]
    np.testing.assert_array_equal(np.concatenate(got), expected)
    assert found == [(one.index, one.surprise) for one in wanted]
    for name, column in whole.columns.items():
        np.testing.assert_array_equal(parts.columns[name][:2], column[:2], err_msg=name)


@pytest.mark.parametrize("name", [NONE, EVIL])
def test_the_many_pools_of_a_name_do_not_hide_a_beacon(name: int) -> None:
    servers = [(BEGIN + n * HOUR, ELSEWHERE + n // 3, NTP, TIME) for n in range(8 * 24)]
    beacon = [(ts, 900, HTTPS, name) for ts, *_ in often(2, begin=LATER + 60, every=1800.0)]
    rows = sorted([*often(8), *servers, *beacon])
    surprise, alarms = push(rows)
    assert alarms > 0
    of_beacon = surprise[[row[1] == 900 for row in rows]]
    assert of_beacon[24:48].sum() > 0.9 * of_beacon[:24].sum()  # it is no less new after hours


def test_names_that_others_at_the_site_asked_for_count_as_none() -> None:
    rows = often(6) + often(2, pool=ELSEWHERE, begin=LATER)
    sessions = batch(rows)
    of_others = replace(sessions, name=sessions.name & ~np.int32(ASKED))
    nameless = HostBaseline().push(replace(sessions, name=None), TABLE)
    found = HostBaseline().push(of_others, TABLE, NAMES.__getitem__)
    np.testing.assert_array_equal(found[0], nameless[0])
    assert len(found[1]) == len(nameless[1]) > 0


def test_names_that_become_visible_one_after_the_other_surprise_nobody() -> None:
    first = [*often(6, name=NONE), *often(6, begin=LATER)]
    second = [*often(10, name=NONE), *often(2, name=TIME, begin=BEGIN + 10 * DAY)]
    later = [(ts + 300, pool, dport, name) for ts, pool, dport, name in second]
    surprise, alarms = push(sorted(first + later))
    assert alarms == 0
    assert surprise.max() < 1


def test_a_host_that_browses_has_no_more_alarms_than_without_names() -> None:
    draw = np.random.default_rng(3)
    names = ["", *(f"www.site-{chr(97 + n // 26)}{chr(97 + n % 26)}.com" for n in range(26 * 26))]
    rows = []
    for hour in range(24 * 14):
        if 8 <= hour % 24 <= 22:
            sites = np.minimum(draw.zipf(1.4, draw.poisson(20)), len(names) - 1).tolist()
            for site in sites:
                pool = site % 5 if site % 3 else ELSEWHERE + site
                rows.append((BEGIN + (hour + draw.uniform()) * HOUR, pool, HTTPS, site))
    sessions = batch(sorted(rows))
    _, named = HostBaseline().push(sessions, TABLE, names.__getitem__)
    _, nameless = HostBaseline().push(replace(sessions, name=None), TABLE)
    assert len(named) <= len(nameless)


def test_the_names_of_a_cloud_for_its_addresses_are_of_no_domain() -> None:
    assert domain_of("ec2-203-0-113-9.eu-west-1.compute.amazonaws.com") == ""
    assert domain_of("203.0.113.9.bc.googleusercontent.com") == ""
    assert domain_of("cdn7.maker.com") == "*.maker.com"
    assert domain_of("www.163.com") != domain_of("www.8888.com")


def test_a_secret_changes_nothing_but_the_keys() -> None:
    rows = sorted([*often(8, name=TIME), *often(2, name=MAKER, pool=9, begin=LATER)])
    rows += often(1, name=EVIL, begin=BEGIN + 8 * DAY)
    plain = HostBaseline(classes=NIGHTLY_BY_NAME)
    keyed = HostBaseline(classes=NIGHTLY_BY_NAME, secret=b"a secret")
    expected, found = (push(rows, one, 0) for one in (plain, keyed))
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1] == expected[1]
    assert expected[0].sum() > 1
    assert (keyed.columns["key"][0] != plain.columns["key"][0]).any()
    for name, column in plain.columns.items():
        if name != "key":
            np.testing.assert_array_equal(keyed.columns[name], column, err_msg=name)
