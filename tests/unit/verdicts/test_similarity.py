"""Hosts are similar if they distribute their sessions similarly; similar hosts form groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.ports import port_code
from nba_broker.verdicts import similarity
from nba_broker.verdicts.similarity import Profiles

TABLE = ["gw", "as:1", "as:2", "as:3", "mcast:224.0.0.251"]
HTTPS, DNS, NTP = port_code(443, "tcp"), port_code(53, "udp"), port_code(123, "udp")

sessions = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 4), st.sampled_from([HTTPS, DNS, NTP])),
    min_size=1,
    max_size=80,
)


def profiles(rows: Sequence[tuple[int, int, int]]) -> Profiles:
    slot, pool, dport = (np.array(column) for column in zip(*rows, strict=True))
    return similarity.profiles(slot, pool, dport, TABLE)


def between(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> float:
    both = profiles([(0, *row) for row in one] + [(1, *row) for row in other])
    return float(similarity.similarity(both, both)[0, 1])


def test_profiles_do_not_depend_on_the_number_of_sessions() -> None:
    assert between([(1, HTTPS), (2, HTTPS)], [(1, HTTPS), (2, HTTPS)] * 9) == pytest.approx(1)


def test_hosts_without_a_common_service_are_not_similar() -> None:
    assert between([(1, HTTPS)], [(1, NTP)]) == 0


def test_time_servers_in_other_pools_reduce_similarity_less_than_other_services() -> None:
    assert 0 < between([(1, NTP)], [(2, NTP)]) < between([(1, NTP)], [(1, NTP)])


def test_sessions_within_the_network_weigh_less_than_those_to_a_cloud() -> None:
    dns, cloud = [(0, DNS)], [(1, HTTPS)]
    assert between(dns * 3 + cloud, dns + cloud * 3) > between(cloud * 4, dns * 4 + cloud)
    assert between([*dns, (1, HTTPS)], [*dns, (2, NTP)]) < 0.5


def test_high_ports_are_one_service() -> None:
    assert between([(1, port_code(40_000, "udp"))], [(1, port_code(50_000, "udp"))]) == (
        pytest.approx(1)
    )


def test_profiles_made_separately_with_one_pool_table_are_comparable() -> None:
    one, other = profiles([(7, 1, HTTPS), (7, 0, DNS)]), profiles([(3, 0, DNS), (3, 1, HTTPS)])
    assert similarity.similarity(one, other) == pytest.approx(np.ones((1, 1)))


@given(sessions)
def test_similarity_is_symmetric_within_bounds_and_1_with_itself(
    rows: list[tuple[int, int, int]],
) -> None:
    hosts = profiles(rows)
    alike = similarity.similarity(hosts, hosts)
    assert alike.shape == (len(hosts), len(hosts))
    assert ((alike >= 0) & (alike <= 1)).all()
    assert np.allclose(alike, alike.T)
    assert np.allclose(np.diag(alike), 1)


@given(sessions, st.sampled_from([0.3, 0.6, 0.85]))
def test_groups_are_those_of_average_linkage(
    rows: list[tuple[int, int, int]], threshold: float
) -> None:
    hosts = profiles(rows)
    group = similarity.groups(hosts, threshold)
    alike = similarity.similarity(hosts, hosts)
    number = int(group.max()) + 1
    assert sorted(set(group.tolist())) == list(range(number))
    mean = np.array(
        [
            [alike[np.ix_(group == a, group == b)].mean() for b in range(number)]
            for a in range(number)
        ]
    )
    apart = ~np.eye(number, dtype=bool)
    assert (mean[apart] < threshold + 1e-9).all()


@given(sessions, st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_sessions(rows: list, random) -> None:
    shuffled = random.sample(rows, len(rows))
    assert (
        similarity.groups(profiles(rows)).tolist() == similarity.groups(profiles(shuffled)).tolist()
    )


def test_groups_are_numbered_by_their_first_hosts() -> None:
    hosts = profiles([(0, 1, HTTPS), (1, 2, NTP), (2, 1, HTTPS), (3, 3, DNS)])
    assert similarity.groups(hosts).tolist() == [0, 1, 0, 2]


def test_no_hosts_make_no_groups() -> None:
    nothing = np.zeros(0, np.int64)
    hosts = similarity.profiles(nothing, nothing, nothing, TABLE)
    assert len(similarity.groups(hosts)) == 0
    assert len(similarity.kinds(hosts, [])) == 0


def test_hosts_of_two_makers_are_of_two_kinds() -> None:
    hosts = profiles([(slot, 1, HTTPS) for slot in range(5)])
    assert similarity.groups(hosts).tolist() == [0, 0, 0, 0, 0]
    assert similarity.kinds(hosts, ["B", "", "A", "B", ""]).tolist() == [0, 1, 2, 0, 1]


def test_the_main_pairs_are_listed_with_share_and_organisation() -> None:
    hosts = profiles([(0, 1, HTTPS)] * 3 + [(0, 0, DNS)] * 4 + [(1, 2, port_code(40_000, "udp"))])
    organisation = {0: "", 1: "Acme", 2: ""}.__getitem__
    assert hosts.select(np.array([0])).mostly(TABLE, organisation) == (
        "as:1 (Acme) 443/tcp 75 %, gw 53/udp 25 %"
    )
    assert hosts.select(np.array([1])).mostly(TABLE, organisation) == "as:2 high/udp 100 %"
