"""What names add to likelihood ratios: a class's own names are for it wherever they lead, others in
the same cloud are not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.model.background import Background, LikelihoodRatios
from nba_broker.records.ports import port_code
from training.data.public_counts import Key
from training.model.background import background_of_counts

HTTPS, NTP = port_code(443, "tcp"), port_code(123, "udp")
RING = {("443/tcp", "as:1", "fw.ring.com"): 90, ("123/udp", "as:5", "#.pool.ntp.org"): 10}
LAMP = {("443/tcp", "as:1", "api.lamp.com"): 80, ("123/udp", "as:6", "#.pool.ntp.org"): 20}
PLUG = {("443/tcp", "as:2", ""): 60, ("8883/tcp", "as:2", "mqtt.plug.com"): 40}
PHONE = {("443/tcp", "as:1", ""): 10, ("443/tcp", "as:3", "www.example.com"): 90}
CLASSES = [RING, LAMP, PLUG]


def shares() -> Background:
    return background_of_counts([*CLASSES, PHONE], CLASSES)


def ratio(name: str, pool: str = "as:1", dport: int = HTTPS) -> list[float]:
    """Of each class."""
    ratios = LikelihoodRatios(shares())
    found: list[float] = ratios.of_pairs(np.array([dport]), [pool], [name])[0].tolist()
    return found


def test_the_name_of_a_class_is_for_it_like_the_pool_and_against_others_there() -> None:
    ring, lamp, _ = ratio("fw.ring.com")
    assert ring == ratio("")[0] > 0
    assert lamp < -1
    assert ratio("")[1] > 0


def test_a_name_in_a_new_network_is_as_good_as_in_its_own() -> None:
    assert ratio("fw.ring.com", "as:99")[0] >= ratio("fw.ring.com")[0]
    assert ratio("", "as:99")[0] < 0.1


def test_a_stranger_in_the_cloud_of_a_class_does_not_look_like_it() -> None:
    assert ratio("cloud.stranger.com")[0] < ratio("")[0] - 1


def test_a_sibling_in_the_same_domain_does_not_look_like_the_class() -> None:
    assert ratio("chime.ring.com")[0] < ratio("fw.ring.com")[0] - 0.5


def test_a_name_that_everybody_asks_for_says_little() -> None:
    assert ratio("3.pool.ntp.org", "as:5", NTP)[0] < ratio("", "as:5", NTP)[0] - 0.3
    assert ratio("3.pool.ntp.org", "as:5", NTP)[0] == ratio("0.pool.ntp.org", "as:7", NTP)[0]


@pytest.mark.parametrize("name", ["", "10.0.0.1", "localhost", "::1"])
def test_without_a_name_the_pool_alone_counts(name: str) -> None:
    plain = LikelihoodRatios(replace(shares(), names=None))
    wanted = plain.of_pairs(np.array([HTTPS]), ["as:1"])[0].tolist()
    assert ratio(name) == wanted


def test_a_class_without_names_is_judged_by_the_pool() -> None:
    plain = LikelihoodRatios(replace(shares(), names=None))
    wanted = plain.of_pairs(np.array([HTTPS]), ["as:2"])[0, 2]
    assert ratio("any.other.com", "as:2")[2] == pytest.approx(wanted, abs=1e-6)


def test_names_say_nothing_where_no_class_has_any() -> None:
    nameless = [{(service, pool, ""): n for (service, pool, _), n in LAMP.items()}]
    assert background_of_counts([*nameless, PHONE], nameless).names is None


def test_a_manifest_without_names_is_one_of_an_older_nba_train() -> None:
    given = shares().as_dict()
    del given["names"]
    assert Background.of_dict(given).names is None


def test_the_names_in_a_manifest_give_the_same_ratios() -> None:
    read = Background.of_dict(json.loads(json.dumps(shares().as_dict())))
    for name in ("fw.ring.com", "chime.ring.com", "other.com"):
        found = LikelihoodRatios(read).of_pairs(np.array([HTTPS]), ["as:1"], [name])[0]
        assert found == pytest.approx(ratio(name), abs=1e-2)


@pytest.mark.parametrize(
    "change",
    [
        {"names": []},
        {"services": [99]},
        {"within": [-1]},
        {"shares": [0.0]},
        {"shares": [float("nan")]},
        {"other_name": 0},
        {"other_domain": 2},
        {"classes": []},
    ],
)
def test_damaged_names_are_refused(change: dict[str, object]) -> None:
    given = shares().as_dict()
    size = len(given["names"]["names"])
    change = {
        key: value * size if key != "classes" and isinstance(value, list) else value
        for key, value in change.items()
    }
    with pytest.raises((ValueError, IndexError)):
        Background.of_dict(given | {"names": given["names"] | change})


def test_windows_count_each_session_by_its_own_name() -> None:
    names = ["", "fw.ring.com", "other.com"]
    pool, dport = np.zeros((1, 3), np.int32), np.full((1, 3), HTTPS)
    found, telling = LikelihoodRatios(shares())(
        pool, dport, ["as:1"], np.array([[0, 1, 2]], np.int32), names.__getitem__
    )
    wanted = np.mean([ratio(name) for name in names], axis=0)
    assert found[0] == pytest.approx(wanted, abs=1e-6)
    assert telling.tolist() == [3]


def test_two_names_that_take_turns_in_a_row_of_the_table_stay_apart() -> None:
    numbers = np.array([[5, 5 + (1 << 18)]], np.int32)
    text = {5: "fw.ring.com", 5 + (1 << 18): "other.com"}.__getitem__
    found, _ = LikelihoodRatios(shares())(
        np.zeros((1, 2), np.int32), np.full((1, 2), HTTPS), ["as:1"], numbers, text
    )
    wanted = np.mean([ratio("fw.ring.com"), ratio("other.com")], axis=0)
    assert found[0] == pytest.approx(wanted, abs=1e-6)


def test_a_name_is_looked_up_once_whoever_asked_for_it() -> None:
    looked_up: list[int] = []

    def text(number: int) -> str:
        looked_up.append(number)
        return "fw.ring.com"

    own, of_another = 5 | 1 << 30, 5
    numbers = np.array([[own, of_another] * 50], np.int32)
    LikelihoodRatios(shares())(
        np.zeros((1, 100), np.int32), np.full((1, 100), HTTPS), ["as:1"], numbers, text
    )
    assert looked_up == [5]


NAMES = ["", "a.x.com", "b.x.com", "#.y.org", "s3.amazonaws.com"]
COUNTS = st.dictionaries(
    st.tuples(
        st.sampled_from(["443/tcp", "123/udp"]),
        st.sampled_from(["as:1", "as:2", "lan"]),
        st.sampled_from(NAMES),
    ),
    st.integers(1, 10_000),
    min_size=1,
)


@given(
    st.lists(COUNTS, min_size=1, max_size=4),
    COUNTS,
    st.one_of(
        st.sampled_from(["c.x.com", "7.y.org", *NAMES]),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=255),
    ),
    st.sampled_from(["as:1", "as:9", "lan"]),
)
def test_every_ratio_of_any_name_is_finite_and_bounded(
    devices: Sequence[dict[Key, int]], own: dict[Key, int], name: str, pool: str
) -> None:
    ratios = LikelihoodRatios(background_of_counts([*devices, own], [own]))
    (found,) = ratios.of_pairs(np.array([HTTPS]), [pool], [name])[0].tolist()
    assert -20 < found <= np.log(len(devices) + 1) + 1e-6
