"""What other stages may ask of hosts' states."""

from __future__ import annotations

import numpy as np

from nba_broker.records.slots import Slots
from nba_broker.verdicts.decision import Decider
from nba_broker.verdicts.states import IDENTIFIED, LEARNING, NO_DEVICE, UNKNOWN
from tests.unit.verdicts.decisions import LAMP, NEITHER, SETTINGS, decider, feed

SLOTS = np.arange(4)


def several() -> Decider:
    """A lamp, an unknown host, one that an analyst named 7, and one that is learning."""
    made = decider()
    feed(made, [LAMP] * 3, slot=0)
    feed(made, [NEITHER] * 3, slot=1)
    made.label(2, 5.0, device=7, at=4.0)
    return made


def test_states_devices_and_labels_are_read_by_slot() -> None:
    made = several()
    assert made.state_of(SLOTS).tolist() == [IDENTIFIED, UNKNOWN, IDENTIFIED, LEARNING]
    assert made.device_of(SLOTS).tolist() == [0, NO_DEVICE, 7, NO_DEVICE]
    assert made.label_of(SLOTS).tolist() == [NO_DEVICE, NO_DEVICE, 7, NO_DEVICE]
    assert made.is_named(SLOTS).tolist() == [True, False, True, False]
    assert made.is_labelled(SLOTS).tolist() == [False, False, True, False]
    assert made.labelled().tolist() == [2]


def test_results_are_copies_of_the_state() -> None:
    made = several()
    made.device_of(SLOTS)[:] = 1
    assert made.device_of(SLOTS).tolist() == [0, NO_DEVICE, 7, NO_DEVICE]


def test_an_ignored_host_is_not_among_the_unknown_ones_until_its_time_is_over() -> None:
    made = several()
    assert made.unknown(6.0).tolist() == [1]
    made.ignore(1, 10.0)
    assert made.ignored().tolist() == [1]
    assert made.unknown(6.0).tolist() == []
    assert made.unknown(10.0).tolist() == [1]


def test_unlabelled_hosts_of_other_devices_may_be_recognised_as_a_device() -> None:
    assert several().recognisable(7).tolist() == [0, 1]
    assert several().recognisable(0).tolist() == [1]


def test_a_labelled_host_is_an_example_unless_the_model_names_its_class_or_another() -> None:
    made = several()
    assert made.is_example(2)  # of a device that the model does not know
    made.label(1, 6.0, device=0, at=6.0)
    assert made.is_example(1)  # of a class that the model does not recognise in it
    made.label(0, 6.0, device=0, at=6.0)
    assert not made.is_example(0)
    made.alarm(2, 7.0)
    assert not made.is_example(2)


def test_the_state_of_one_host_has_all_that_annotations_need() -> None:
    host = several().host(2)
    assert (host.state, host.device, host.label, host.label_at) == (IDENTIFIED, 7, 7, 4.0)
    assert (host.lookalike, host.confirmed_at, host.ignored_until) == (NO_DEVICE, 0.0, 0.0)


def test_times_after_the_limit_become_now_where_a_clock_is_set_back() -> None:
    made = several()
    made.look_back(np.array([0, 2]), 3.0, 1.0)
    assert made.standing(0).since == 2.0  # before the limit
    assert made.standing(2).since == 1.0
    assert made.host(2).label_at == 4.0  # an annotation's own time stays


def test_states_lie_in_a_store_that_other_stages_share() -> None:
    slots = Slots()
    made = Decider(2, SETTINGS, slots)
    slots.reserve(3)
    made.label(1, 1.0, device=1, at=1.0)
    slots.reset(np.array([1]))
    assert made.label_of(np.arange(3)).tolist() == [NO_DEVICE] * 3
