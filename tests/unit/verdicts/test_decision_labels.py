"""What annotations and prototypes do to the state of a host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decision import ANNOTATED, Decider, Decision
from nba_broker.verdicts.states import NO_DEVICE
from tests.unit.verdicts.decisions import (
    LAMP,
    LENS,
    NEITHER,
    SILENT,
    changed,
    decider,
    feed,
    lines,
    scored,
)


def test_a_label_names_a_host_at_once() -> None:
    made = decider()
    feed(made, [NEITHER] * 5)
    decision = made.label(0, 9.0, device=7, at=9.0)
    assert lines([decision]) == [("identified", 7, ANNOTATED, 9.0)]
    assert (STATES[decision.was_state], decision.confidence) == ("unknown", 1.0)
    # To look like no device contradicts no label.
    assert feed(made, [NEITHER] * 20, start=10.0) == []


def test_a_host_that_behaves_as_another_device_than_its_label_is_an_impostor() -> None:
    made = decider()
    made.label(0, 0.5, device=0, at=0.5)
    (decision,) = feed(made, [LENS] * 9)
    assert lines([decision]) == [("impostor", 1, "change", 3.0)]
    assert (decision.label, decision.was_device) == (0, 0)
    assert lines(feed(made, [LAMP] * 9, start=20.0)) == [("identified", 0, "change", 22.0)]


def test_the_class_that_a_foreign_device_settles_on_within_a_day_makes_it_no_impostor() -> None:
    made = decider(changed(established=50))
    feed(made, [NEITHER] * 5)
    made.label(0, 9.0, device=7, at=9.0)
    assert feed(made, [NEITHER] * 9, start=10.0) == []
    assert feed(made, [LAMP] * 20, start=20.0) == []
    # A new spelling of the name does not start over.
    assert lines([made.label(0, 40.0, device=8, at=40.0)]) == [("identified", 8, ANNOTATED, 40.0)]
    assert feed(made, [LAMP] * 20, start=100.0) == []
    assert lines(feed(made, [LENS] * 9, start=130.0)) == [("impostor", 1, "change", 133.0)]


def test_a_foreign_device_that_resembles_a_class_after_a_day_is_an_impostor() -> None:
    made = decider(changed(established=50))
    made.label(0, 9.0, device=7, at=9.0)
    assert feed(made, [NEITHER] * 60, start=10.0) == []
    assert [one[0] for one in lines(feed(made, [LENS] * 9, start=80.0))] == ["impostor"]


def test_a_misbehaving_foreign_device_settles_on_no_class() -> None:
    made = decider(changed(established=50, recovery=10))
    made.label(0, 0.5, device=7, at=0.5)
    feed(made, [LAMP] * 9)
    made.alarm(0, 11.0)
    feed(made, [LENS] * 5, start=12.0)
    assert [one[0] for one in lines(feed(made, [LAMP] * 9, start=60.0))] == ["identified"]


def test_a_withdrawn_label_makes_the_models_name_no_change() -> None:
    made = decider(changed(established=50))
    made.label(0, 0.5, device=7, at=0.5)
    feed(made, [LAMP] * 90)
    made.unlabel(0, 100.0)
    assert [one[0] for one in lines(feed(made, [LAMP] * 9, start=101.0))] == ["identified"]


def test_a_foreign_device_is_held_to_one_class_when_a_day_has_passed() -> None:
    made = decider(changed(established=50))
    feed(made, [LAMP] * 3)
    made.label(0, 10.0, device=7, at=10.0)
    assert feed(made, [LENS] * 9, start=11.0) == []
    assert feed(made, [LAMP] * 9, start=31.0) == []
    assert feed(made, [LAMP] * 9, start=61.0) == []
    assert lines(feed(made, [LENS] * 9, start=80.0)) == [("impostor", 1, "change", 82.0)]
    # To look like that class again gives no new freedom.
    assert lines(feed(made, [LAMP] * 9, start=90.0)) == [("identified", 7, "change", 92.0)]
    assert lines(feed(made, [LENS] * 9, start=100.0)) == [("impostor", 1, "change", 102.0)]


def test_a_host_labelled_as_a_class_may_resemble_no_other_class() -> None:
    made = decider()
    feed(made, [NEITHER] * 5)
    made.label(0, 9.0, device=0, at=9.0)
    assert [one[0] for one in lines(feed(made, [LENS] * 9, start=10.0))] == ["impostor"]


@pytest.mark.parametrize("device", [0, 7])
def test_windows_for_another_class_too_contradict_no_label(device: int) -> None:
    made = decider(changed(established=5))
    feed(made, [LAMP] * 9)
    made.label(0, 40.0, device=device, at=40.0)
    assert feed(made, [LENS] * 50, start=90.0, ratio=[[2.0, 2.0]] * 50) == []
    assert [one[0] for one in lines(feed(made, [LENS] * 9, start=200.0))] == ["impostor"]


def test_a_foreign_device_settles_on_no_other_class_when_a_new_model_came_long_ago() -> None:
    made = decider(changed(established=50))
    made.label(0, 0.5, device=7, at=0.5)
    feed(made, [LAMP] * 60)
    made.use(2, made.settings, np.arange(8, dtype=np.int16), np.full(made.slots.capacity, 60.0))
    assert feed(made, [LAMP] * 3, start=200.0) == []
    assert [one[0] for one in lines(feed(made, [LENS] * 20, start=210.0))] == ["impostor"]


def test_a_foreign_device_of_few_windows_may_settle_on_a_class_after_a_day() -> None:
    made = decider(changed(established=50, windows_against=8))
    made.label(0, 0.5, device=7, at=0.5)
    assert feed(made, [NEITHER] * 5) == []
    assert feed(made, [LAMP] * 30, start=100.0) == []
    assert [one[0] for one in lines(feed(made, [LENS] * 20, start=200.0))] == ["impostor"]


def test_a_repeated_label_gives_no_more_time_to_settle_on_a_class() -> None:
    made = decider(changed(established=50))
    made.label(0, 0.5, device=7, at=0.5)
    feed(made, [LAMP] * 20)
    made.label(0, 60.0, device=7, at=60.0)
    assert [one[0] for one in lines(feed(made, [LENS] * 9, start=61.0))] == ["impostor"]


def test_a_foreign_device_counts_as_the_class_that_it_resembles() -> None:
    made = decider()
    slots = np.arange(4)
    feed(made, [LAMP] * 9)  # was a lamp before it was named
    made.label(0, 9.5, device=7, at=9.5)
    feed(made, [SILENT] * 9, start=10.0)
    made.recognise(1, 0.5, device=7, similarity=0.99)
    feed(made, [LENS] * 9, slot=1)
    made.label(2, 0.5, device=7, at=0.5)
    feed(made, [NEITHER] * 9, slot=2)
    made.label(3, 0.5, device=1, at=0.5)
    assert made.class_of(slots).tolist() == [0, 1, NO_DEVICE, 1]
    feed(made, [NEITHER] * 9, start=30.0)  # no longer like any lamp
    assert made.class_of(slots[:1]).tolist() == [NO_DEVICE]


def test_a_foreign_device_may_settle_on_another_class_of_a_new_model() -> None:
    settings = changed(established=25)
    made = decider(settings)
    feed(made, [NEITHER] * 5)
    made.label(0, 9.0, device=2, at=9.0)
    feed(made, [LAMP] * 9, start=10.0)
    number = np.array([NO_DEVICE, 0, 2], np.int16)  # LENS comes first, and LAMP is gone
    made.use(2, settings, number, np.full(64, 20.0))
    assert feed(made, [LAMP] * 20, start=21.0) == []
    assert lines(feed(made, [LENS] * 9, start=50.0)) == [("impostor", 1, "change", 53.0)]


def test_a_corrected_host_that_behaves_as_before_is_no_impostor() -> None:
    made = decider()
    feed(made, [LENS] * 3)
    made.label(0, 5.0, device=0, at=5.0)
    assert feed(made, [LENS] * 20, start=6.0) == []


def test_a_confirmed_impostor_is_the_device_of_its_label() -> None:
    made = decider()
    made.label(0, 0.5, device=0, at=0.5)
    feed(made, [LENS] * 9)
    assert lines([made.confirm(0, 20.0, at=20.0)]) == [("identified", 0, ANNOTATED, 20.0)]
    assert feed(made, [LENS] * 20, start=21.0) == []


def test_a_confirmed_change_becomes_the_hosts_name() -> None:
    made = decider()
    feed(made, [LAMP] * 4 + [LENS] * 9)
    assert lines([made.confirm(0, 20.0, at=20.0)]) == [("identified", 1, ANNOTATED, 20.0)]
    assert lines(feed(made, [LAMP] * 9, start=21.0)) == [("changed", 0, "change", 23.0)]


def test_a_confirmed_misbehaviour_is_over() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    made.alarm(0, 5.0)
    assert lines([made.confirm(0, 6.0, at=6.0)]) == [("identified", 0, ANNOTATED, 6.0)]
    again = made.alarm(0, 7.0)
    assert again is not None
    assert lines([again]) == [("misbehaving", 0, "change", 7.0)]


def test_a_host_whose_label_is_withdrawn_is_no_impostor() -> None:
    made = decider()
    made.label(0, 0.5, device=0, at=0.5)
    feed(made, [LENS] * 9)
    decision = made.unlabel(0, 20.0)
    assert decision is not None
    assert lines([decision]) == [("identified", 1, ANNOTATED, 20.0)]
    assert made.unlabel(0, 21.0) is None
    # The line does not say that it changed from what the analyst called it.
    (decision,) = feed(made, [LAMP] * 9, start=30.0)
    assert lines([decision]) == [("changed", 0, "change", 32.0)]
    assert decision.was_device == 1


def test_a_change_of_an_ignored_host_is_muted_and_logged_again_afterwards() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    made.ignore(0, 100.0)
    assert lines(feed(made, [LENS] * 9, start=10.0)) == [("changed", 1, ANNOTATED, 12.0)]
    assert lines(feed(made, [LENS] * 3, start=99.0)) == [("changed", 1, "change", 12.0)]


def test_a_change_that_rests_on_muted_windows_is_muted() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    (decision,) = made.update(replace(scored([LENS] * 9, start=10.0), muted=np.ones(9, bool)))
    assert (STATES[decision.state], decision.reason) == ("changed", ANNOTATED)


def like(made: Decider, similarity: list[float], number: int) -> list[Decision]:
    """Windows that the model takes for a lamp, and their similarity to devices 7 and 8."""
    return made.update(
        replace(
            scored([LAMP] * number),
            similarity=np.array([similarity] * number, np.float32),
            devices=np.array([7, 8], np.int16),
        )
    )


def test_similarity_to_a_labelled_host_overrules_the_model() -> None:
    (decision,) = like(decider(), [0.0, 0.97], 5)
    assert lines([decision]) == [("identified", 8, "change", 2.0)]
    assert abs(decision.confidence - 0.97) < 1e-6


def test_a_host_similar_to_two_labelled_devices_is_neither() -> None:
    assert lines(like(decider(), [0.98, 0.97], 5)) == [("identified", 0, "change", 2.0)]


def test_a_labelled_host_that_is_similar_to_another_device_keeps_its_name() -> None:
    made = decider()
    made.label(0, 0.5, device=7, at=0.5)
    assert like(made, [0.96, 0.99], 9) == []


def test_a_host_whose_label_was_withdrawn_recovers_to_no_impostor() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    made.label(0, 4.0, 0, 4.0)
    feed(made, [LENS] * 9, start=5.0)
    made.alarm(0, 20.0)
    made.unlabel(0, 21.0)
    states = [one[0] for one in lines(feed(made, [LENS] * 3, start=200.0))]
    assert states[:1] == ["identified"]
