"""What hosts announced, bounded for each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.hosts.announced import MOST, Announced


def test_services_and_descriptions_count_from_when_they_were_first_announced() -> None:
    announced = Announced()
    for ts, what in ((1.0, "_hue._tcp"), (2.0, "md=BSB002"), (9.0, "_hue._tcp")):
        announced.take(7, what, ts)
    assert announced.services(7, 1.0) == ()
    assert announced.services(7, 1.5) == ("_hue._tcp",)
    assert announced.descriptions(7, 1.5) == announced.descriptions(8, np.inf) == ()
    assert announced.descriptions(7, np.inf) == ("md=BSB002",)


@given(st.lists(st.integers(0, 10**6), max_size=300))
def test_a_host_that_announces_much_neither_grows_nor_pushes_out_others(flood: list[int]) -> None:
    announced = Announced()
    announced.take(1, "_hue._tcp", 0.0)
    for number in flood:
        announced.take(2, f"_{number}._tcp", 1.0)
        announced.take(2, f"md={number}", 1.0)
    assert announced.services(1, np.inf) == ("_hue._tcp",)
    assert announced.services(2, np.inf) == ()
    assert len(announced.descriptions(2, np.inf)) == min(len(set(flood)), MOST)


def test_a_host_that_left_leaves_nothing_to_the_next_in_its_slot() -> None:
    announced = Announced()
    announced.take(1, "_hue._tcp", 0.0)
    announced.forget([1, 2])
    assert announced.services(1, np.inf) == ()


def test_a_time_of_a_wrong_clock_becomes_the_present() -> None:
    announced = Announced()
    announced.take(1, "_hue._tcp", 1e9)
    announced.look_back(500.0, 400.0)
    assert announced.services(1, 401.0) == ("_hue._tcp",)
