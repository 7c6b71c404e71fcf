"""Events of the site: many hosts that lose or change the same thing at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.baseline.host_baseline import HostBaseline
from nba_broker.baseline.site_settings import SiteSettings
from nba_broker.records.ports import port_code
from nba_broker.records.slots import Slots
from nba_broker.verdicts.site_changes import Change, SiteSessions
from nba_broker.verdicts.site_events import TICK, SiteEvents

TABLE = ["gw", "as:1", "as:2", "as:3", "as:15169", "lan", "bcast"]
GW, _, _, _, RESOLVER, LAN, BROADCAST = range(len(TABLE))
START = 1_750_000_200.0 // TICK * TICK
HOUR = 3600.0
BEGIN = START + 6 * HOUR
LEARNED = SiteSettings(learning=4 * HOUR, least_ticks=24)
HTTPS, DNS = port_code(443, "tcp"), port_code(53, "udp")
DHCP, NTP = port_code(67, "udp"), port_code(123, "udp")

Rows = list[tuple[float, int, int, int]]


@dataclass
class Home:
    """Hosts that ask DNS and start sessions with three clouds in turn every four minutes."""

    hosts: int = 5
    hours: float = 12.0

    def rows(self) -> Rows:
        rows: Rows = []
        for host in range(self.hosts):
            times = np.arange(START + 11 * host, START + self.hours * HOUR, 240)
            for turn, ts in enumerate(times.tolist()):
                rows.append((ts, host, 1 + turn % 3, HTTPS))
                rows.append((ts - 1, host, GW, DNS))
            asked = np.arange(START + 60 * host, START + self.hours * HOUR, 2 * HOUR)
            rows += [(ts, host, BROADCAST, DHCP) for ts in asked.tolist()]
            rows += [(ts + 5, host, 2, NTP) for ts in asked.tolist()]
        return rows


def during(row: tuple[float, int, int, int], hours: float) -> bool:
    return BEGIN <= row[0] < BEGIN + hours * HOUR


def internet_lost(rows: Rows, hours: float) -> Rows:
    """Hosts try the same destination again every minute, and no other."""
    kept = [row for row in rows if not (during(row, hours) and row[3] in (HTTPS, NTP))]
    hosts = {row[1] for row in rows}
    again = np.arange(BEGIN + 20, BEGIN + hours * HOUR, 60).tolist()
    return kept + [(ts + host, host, 1, HTTPS) for host in hosts for ts in again]


def dns_lost(rows: Rows, hours: float) -> Rows:
    """Queries are repeated, and nothing else follows."""
    kept = [row for row in rows if not (during(row, hours) and row[3] in (HTTPS, NTP))]
    asked = [row for row in kept if during(row, hours) and row[3] == DNS]
    return kept + [(row[0] + n, *row[1:]) for row in asked for n in (1, 2, 3)]


def repeated(rows: Rows, hours: float, service: int, pool: int) -> Rows:
    """Requests of a service are repeated every minute."""
    hosts = {row[1] for row in rows}
    again = np.arange(BEGIN + 20, BEGIN + hours * HOUR, 60).tolist()
    return rows + [(ts + host, host, pool, service) for host in hosts for ts in again]


def another_resolver(rows: Rows, hosts: Sequence[int]) -> Rows:
    return [
        (*row[:2], RESOLVER, DNS) if row[3] == DNS and row[0] >= BEGIN and row[1] in hosts else row
        for row in rows
    ]


def sessions(rows: Rows) -> SiteSessions:
    ts, slot, pool, dport = zip(*sorted(rows), strict=True)
    return SiteSessions(
        np.array(slot, np.int64),
        np.array(ts, np.float64),
        np.array(pool, np.int32),
        np.array(dport, np.int32),
    )


def part(some: SiteSessions, start: int, stop: int) -> SiteSessions:
    rows = slice(start, stop)
    return SiteSessions(some.slot[rows], some.ts[rows], some.pool[rows], some.dport[rows])


def run(
    some: SiteSessions, cuts: Sequence[int] = (), stage: SiteEvents | None = None
) -> tuple[list[tuple[float, Change]], np.ndarray]:
    """The changes with the session before which they are, and which sessions are explained."""
    stage = stage or SiteEvents(Slots(), LEARNED)
    changes: list[tuple[float, Change]] = []
    explained = np.zeros(len(some.ts), bool)
    edges = sorted({0, len(some.ts), *(cut % len(some.ts) for cut in cuts)})
    for start, stop in itertools.pairwise(edges):
        for one in stage.parts(part(some, start, stop), TABLE):
            rows = start + np.arange(one.start, one.stop)
            changes += [(float(some.ts[rows[0]]), change) for change in one.changes]
            found = stage.explains(part(some, rows[0], rows[-1] + 1), TABLE)
            if found is not None:
                explained[rows] = found
    return changes, explained


def told(changes: list[tuple[float, Change]]) -> list[tuple[str, str, int]]:
    return [(one.event.kind, one.state, len(one.slots)) for _, one in changes]


def test_undisturbed_hosts_are_no_event() -> None:
    changes, explained = run(sessions(Home().rows()))
    assert not changes
    assert not explained.any()


@pytest.mark.parametrize("hours", [1, 3])
def test_an_outage_of_the_internet_is_one_event_that_ends(hours: float) -> None:
    changes, explained = run(sessions(internet_lost(Home().rows(), hours)))
    assert told(changes) == [("internet", "begun", 5), ("internet", "over", 5)]
    (begun, one), (over, _) = changes
    assert one.event.since == BEGIN
    assert BEGIN < begun <= BEGIN + 3 * TICK + 60
    assert BEGIN + hours * HOUR < over <= BEGIN + hours * HOUR + 2 * TICK
    assert explained.any()


def test_what_an_outage_explains_are_the_retries_and_nothing_before_it_is_found() -> None:
    some = sessions(internet_lost(Home().rows(), 3))
    changes, explained = run(some)
    (begun, _), (over, _) = changes
    inside = (some.ts >= begun) & (some.ts < over)
    assert not explained[~inside].any()
    assert (explained[inside] == np.isin(some.dport, [HTTPS, NTP, DNS])[inside]).all()


def test_queries_that_are_only_repeated_are_an_outage_of_dns() -> None:
    changes, _ = run(sessions(dns_lost(Home().rows(), 2)))
    assert told(changes) == [("dns", "begun", 5), ("dns", "over", 5)]


@pytest.mark.parametrize(("kind", "service", "pool"), [("dhcp", DHCP, BROADCAST), ("ntp", NTP, 2)])
def test_requests_that_only_repeat_are_an_event(kind: str, service: int, pool: int) -> None:
    some = sessions(repeated(Home().rows(), 2, service, pool))
    changes, explained = run(some)
    assert told(changes) == [(kind, "begun", 5), (kind, "over", 5)]
    assert (some.dport[explained] == service).all()


def test_a_new_resolver_of_most_hosts_is_one_event_until_it_is_usual() -> None:
    some = sessions(another_resolver(Home(hours=36).rows(), [0, 1, 2, 3]))
    changes, explained = run(some)
    assert [(one.event.kind, one.state, one.usual) for _, one in changes] == [
        ("resolver", "begun", False),
        ("resolver", "over", True),
    ]
    about = changes[0][1].event.about
    assert about is not None
    assert (about.pool, about.dport) == (RESOLVER, DNS)
    assert (some.pool[explained] == RESOLVER).all()


def test_an_event_affects_its_hosts_until_an_hour_after_it_is_over() -> None:
    stage = SiteEvents(Slots(), LEARNED)
    some = sessions(another_resolver(Home(hours=36).rows(), [0, 1, 2, 3]))
    changes, _ = run(some, stage=stage)
    over, every = changes[-1][0], np.arange(5)
    for later, expected in ((HOUR - 1, [True] * 4 + [False]), (HOUR + 1, [False] * 5)):
        found = stage.affects(every, np.full(5, over + later))
        assert found is not None
        assert found.tolist() == expected


def test_a_new_resolver_of_a_few_hosts_among_many_is_no_event() -> None:
    assert not run(sessions(another_resolver(Home(hosts=8).rows(), [0, 1, 2])))[0]


def test_a_router_that_probes_every_host_is_one_event_as_long_as_it_does() -> None:
    closed = port_code(3, "icmp")
    some = sessions(repeated(Home().rows(), 4, closed, GW))
    changes, explained = run(some)
    assert told(changes) == [("probe", "begun", 5), ("probe", "over", 5)]
    assert changes[0][0] <= BEGIN + TICK + 60
    assert (some.dport[explained] == closed).all()


@pytest.mark.parametrize("hosts", [1, 2])
def test_a_site_of_fewer_than_three_hosts_has_no_event(hosts: int) -> None:
    rows = Home(hosts=hosts).rows()
    for disturbed in (internet_lost(rows, 3), dns_lost(rows, 3), repeated(rows, 3, DHCP, GW)):
        assert not run(sessions(disturbed))[0]


def test_hosts_that_lose_the_internet_while_more_get_on_are_no_event() -> None:
    rows = Home(hosts=9).rows()
    lost = [row for row in internet_lost(rows, 3) if row[1] < 3]
    assert not run(sessions(lost + [row for row in rows if row[1] >= 3]))[0]


def test_hosts_that_sleep_at_night_are_no_event() -> None:
    rows = Home(hours=24).rows()
    night = [row for row in rows if row[1] == 0 or not during(row, 8)]
    assert not run(sessions(night))[0]


def test_a_sensor_that_was_away_is_no_event() -> None:
    rows = [row for row in Home(hours=60).rows() if not during(row, 30)]
    assert not run(sessions(rows))[0]


def test_hosts_that_all_start_again_after_a_blackout_are_no_event() -> None:
    rows = [row for row in Home().rows() if not during(row, 2)]
    boot = BEGIN + 2 * HOUR
    for host in range(5):
        rows += [(boot + n, host, BROADCAST, DHCP) for n in range(3)]
        rows += [(boot + 10 + n, host, GW, DNS) for n in range(20)]
        rows += [(boot + 11 + n, host, 1 + n % 3, HTTPS) for n in range(20)]
    assert not run(sessions(rows))[0]


def test_a_host_that_is_not_learned_yet_shows_no_sign() -> None:
    stage = SiteEvents(Slots(), SiteSettings())
    assert not run(sessions(internet_lost(Home().rows(), 3)), stage=stage)[0]


def test_a_second_outage_is_a_second_event() -> None:
    rows = internet_lost(Home(hours=24).rows(), 2)
    later = [
        (row[0] + 8 * HOUR, *row[1:]) for row in rows if BEGIN - HOUR <= row[0] < BEGIN + 4 * HOUR
    ]
    kept = [row for row in rows if not BEGIN + 7 * HOUR <= row[0] < BEGIN + 12 * HOUR]
    changes, _ = run(sessions(kept + later))
    assert [(kind, state) for kind, state, _ in told(changes)] == [
        ("internet", "begun"),
        ("internet", "over"),
    ] * 2


def test_late_sessions_do_not_look_like_a_burst() -> None:
    some = sessions(Home().rows())
    late = some.ts.copy()
    ahead = (late >= BEGIN) & (late < BEGIN + HOUR)
    late[ahead] += HOUR  # a clock that is an hour ahead for an hour
    assert not run(replace(some, ts=late))[0]


DISTURBED = [
    internet_lost(Home(hosts=4, hours=10).rows(), 2),
    dns_lost(Home(hosts=4, hours=10).rows(), 2),
    another_resolver(Home(hosts=4, hours=10).rows(), [0, 1, 2]),
    repeated(Home(hosts=4, hours=10).rows(), 2, port_code(3, "icmp"), GW),
]


@settings(max_examples=25, deadline=None)
@given(
    number=st.integers(0, len(DISTURBED) - 1),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_however_sessions_are_cut_into_steps_events_and_what_they_explain_are_the_same(
    number: int, cuts: list[int]
) -> None:
    some = sessions(DISTURBED[number])
    whole, cut = run(some), run(some, cuts)
    assert [(ts, one.state, one.slots.tolist()) for ts, one in whole[0]] == [
        (ts, one.state, one.slots.tolist()) for ts, one in cut[0]
    ]
    assert (whole[1] == cut[1]).all()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(START, START + 20 * HOUR),
            st.integers(0, 5),
            st.integers(0, len(TABLE) - 1),
            st.sampled_from([HTTPS, DNS, DHCP, NTP, port_code(3, "icmp"), port_code(99, "tcp")]),
        ),
        min_size=1,
        max_size=300,
    )
)
def test_any_sessions_are_taken(rows: Rows) -> None:
    stage = SiteEvents(Slots(), SiteSettings(learning=TICK, least_ticks=1))
    changes, _ = run(sessions(rows), stage=stage)
    for _, one in changes:
        assert len(one.slots) <= 6


@pytest.mark.parametrize("disturbed", DISTURBED)
def test_a_stage_that_is_restored_goes_on_as_before(disturbed: Rows) -> None:
    some = sessions(disturbed)
    half = int(np.searchsorted(some.ts, BEGIN + 1.5 * HOUR))
    whole = SiteEvents(Slots(), LEARNED)
    run(part(some, 0, half), stage=whole)
    slots = Slots()
    restored = SiteEvents(slots, LEARNED)
    slots.reserve(len(whole.columns["first"]))
    every = np.arange(len(whole.columns["first"]))
    records = whole.columns.records(every)
    restored.check(records)
    restored.columns.restore(every, records)
    restored.restore(whole.state(), len(TABLE))
    rest = part(some, half, len(some.ts))
    assert told(run(rest, stage=whole)[0]) == told(run(rest, stage=restored)[0])


@pytest.mark.parametrize(
    "broken",
    [
        {"tick": 0},
        {"times": [np.nan]},
        {"events": [{"kind": "flood"}]},
        {"about": {"7": [99, 53, ""]}},
        {"about": {"7": [0, 53, "00"]}},
    ],
)
def test_a_state_that_is_none_is_refused(broken: dict[str, object]) -> None:
    stage = SiteEvents(Slots(), LEARNED)
    run(sessions(Home(hours=2).rows()), stage=stage)
    with pytest.raises((LookupError, TypeError, ValueError)):
        SiteEvents(Slots(), LEARNED).restore(stage.state() | broken, len(TABLE))


def test_a_resolver_that_became_usual_surprises_nobody() -> None:
    baseline = HostBaseline()
    some = sessions(another_resolver(Home(hours=36).rows(), [0, 1, 2, 3]))
    changes, _ = run(some)
    baseline.slots.reserve(8)
    for _, one in changes:
        one.explain(baseline, TABLE)
    assert (baseline.columns["pair"][:4] > 0).any(1).all()
