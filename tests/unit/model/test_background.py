"""Likelihood ratios of sessions to what hosts in general do."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.model.background import (
    WEIGHT,
    Background,
    LikelihoodRatios,
    background_of,
    tells,
)
from nba_broker.records.ports import port_code, service_name

HTTPS, DNS, MQTT, HIGH = (
    port_code(443, "tcp"),
    port_code(53, "udp"),
    port_code(8883, "tcp"),
    port_code(50_000, "udp"),
)
LAMP = {("443/tcp", "as:1"): 90, ("8883/tcp", "as:1"): 10}
LENS = {("443/tcp", "as:2"): 50, ("high/udp", "lan"): 50}
PHONE = {("443/tcp", "as:1"): 10, ("443/tcp", "as:2"): 10, ("443/tcp", "as:3"): 80}


def shares() -> Background:
    return background_of([LAMP, LENS, PHONE], [LAMP, LENS])


def ratio(dport: int, pool: str) -> list[float]:
    found: list[float] = LikelihoodRatios(shares()).of_pairs(np.array([dport]), [pool])[0].tolist()
    return found


def test_a_session_that_one_class_alone_starts_is_likelier_for_it_and_for_no_other() -> None:
    lamp, lens = ratio(MQTT, "as:1")
    assert lamp > 0.9
    assert lens < -0.9


def test_no_class_can_be_likelier_than_as_many_times_as_there_are_devices() -> None:
    assert max(ratio(HIGH, "lan")) < np.log(3)


@pytest.mark.parametrize("pool", ["gw", "bcast", "mcast:224.0.0.251"])
def test_sessions_that_the_site_asks_for_say_nothing(pool: str) -> None:
    assert ratio(HTTPS, pool) == [0, 0]


@pytest.mark.parametrize("port", [53, 67, 123, 5353])
def test_name_resolution_and_addresses_say_nothing_wherever_they_go(port: int) -> None:
    told = tells(np.array([port_code(port, "udp")]), np.array([0]), ["as:1"])
    assert told.tolist() == [port == 123]


def test_an_old_service_elsewhere_and_a_new_service_at_an_old_pool_count_alike() -> None:
    moved, added = ratio(HTTPS, "as:99")[0], ratio(port_code(8080, "tcp"), "as:1")[0]
    assert moved > -0.7
    assert added > -0.7
    never = ratio(port_code(8080, "tcp"), "private")[0]
    assert never < min(moved, added)


def test_networks_that_nobody_used_count_as_one() -> None:
    assert ratio(HTTPS, "as:98") == ratio(HTTPS, "as:99")
    assert ratio(HTTPS, "odd:98") == ratio(HTTPS, "as:99")


def test_a_class_of_few_sessions_is_near_to_hosts_in_general() -> None:
    few = dict.fromkeys(LENS, 1)
    some = LikelihoodRatios(background_of([LAMP, LENS, PHONE], [few]))
    against = some.of_pairs(np.array([MQTT]), ["as:1"])[0, 0]
    assert np.log(WEIGHT / (WEIGHT + 2)) - 0.01 <= against < 0
    assert against > ratio(MQTT, "as:1")[1]


def test_every_device_has_the_same_weight_in_the_background() -> None:
    busy = {pair: 1000 * number for pair, number in PHONE.items()}
    assert (
        background_of([LAMP, busy], [LAMP]).background.tolist()
        == background_of([LAMP, PHONE], [LAMP]).background.tolist()
    )


def test_windows_have_the_mean_over_the_sessions_that_tell() -> None:
    table = ["as:1", "gw", "as:2"]
    pool = np.array([[-1, 0, 1, 0], [-1, -1, 1, 1]])
    dport = np.array([[0, HTTPS, DNS, MQTT], [0, 0, DNS, DNS]])
    mean, telling = LikelihoodRatios(shares())(pool, dport, table)
    assert telling.tolist() == [2, 0]
    wanted = (np.array(ratio(HTTPS, "as:1")) + ratio(MQTT, "as:1")) / 2
    assert mean[0] == pytest.approx(wanted, abs=1e-6)
    assert mean[1].tolist() == [0, 0]


def test_the_shares_in_a_manifest_give_the_same_ratios() -> None:
    read = Background.of_dict(json.loads(json.dumps(shares().as_dict())))
    ports, pools = np.array([HTTPS, MQTT, HIGH, DNS]), ["as:1", "as:2", "lan", "as:7"]
    wanted = LikelihoodRatios(shares()).of_pairs(ports, pools)
    assert LikelihoodRatios(read).of_pairs(ports, pools) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("row", [-1, -2])
def test_a_class_share_of_a_negative_row_is_refused(row: int) -> None:
    given = shares().as_dict()
    given["classes"][0]["shares"] += [row, 0.5]
    with pytest.raises(ValueError, match="a class's share is of no row"):
        Background.of_dict(given)


def test_a_background_needs_a_device() -> None:
    with pytest.raises(ValueError, match="no device"):
        background_of([{}], [LAMP])


def test_services_are_named_as_in_the_model() -> None:
    assert [service_name(code) for code in (HTTPS, HIGH)] == ["443/tcp", "high/udp"]


PAIRS = st.dictionaries(
    st.tuples(
        st.sampled_from(["443/tcp", "80/tcp", "high/udp", "123/udp", "9/udp"]),
        st.sampled_from(["as:1", "as:2", "lan", "private", "none"]),
    ),
    st.integers(1, 10_000),
    min_size=1,
)


@given(st.lists(PAIRS, min_size=1, max_size=5), PAIRS, st.integers(0, 65_535), st.data())
def test_every_ratio_is_finite_and_bounded(
    devices: list[dict[tuple[str, str], int]],
    own: dict[tuple[str, str], int],
    port: int,
    data: st.DataObject,
) -> None:
    ratios = LikelihoodRatios(background_of([*devices, own], [own]))
    pool = data.draw(st.sampled_from(["as:1", "as:9", "lan", "none", "cc:DE", "gw"]))
    (found,) = ratios.of_pairs(np.array([port_code(port, "udp")]), [pool])[0].tolist()
    assert np.log(WEIGHT / (WEIGHT + 1e6)) <= found <= np.log(len(devices) + 1) + 1e-6
