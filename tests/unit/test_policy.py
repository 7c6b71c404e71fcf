"""What is said of a host, and when."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decision import NOTHING, Decision, Policy, PolicySettings

SETTINGS = PolicySettings(
    identified=0.7,
    known=0.0,
    kept=0.6,
    plausible=0.3,
    estranged=0,
    weight=0.5,
    agree=2,
    doubt=3,
    torn=3,
    leave=3,
    met=0,
    settled=0,
    lasting=0,
    calm=100,
    reminder=1000,
)
LAMP, LENS = [1.0, 0.0], [0.0, 1.0]
NEITHER = [0.5, 0.5]
FAMILIAR, STRANGE = 1.0, -1.0


def policy(settings: PolicySettings = SETTINGS) -> Policy:
    made = Policy(2, settings)
    made.reserve(4)
    made.begin(np.arange(4), np.zeros(4))
    return made


def feed(
    made: Policy,
    windows: list[list[float]],
    *,
    start: float = 1.0,
    slot: int = 0,
    known: Sequence[float] | float = FAMILIAR,
) -> list[Decision]:
    times = start + np.arange(len(windows), dtype=float)
    return made.update(
        np.full(len(windows), slot),
        times,
        np.array(windows, np.float32).reshape(-1, 2),
        np.broadcast_to(np.array(known, np.float32), len(windows)),
    )


def said(decisions: list[Decision]) -> list[tuple[str, int, str, float]]:
    return [(STATES[d.state], d.device, d.reason, d.since) for d in decisions]


def test_a_host_is_identified_once_enough_windows_agree() -> None:
    assert said(feed(policy(), [LAMP] * 5)) == [("identified", 0, "change", 2.0)]


def test_a_single_window_identifies_nothing() -> None:
    assert feed(policy(), [LAMP]) == []


def test_a_familiar_host_that_might_be_this_or_that_becomes_unknown_later_than_a_strange_one() -> (
    None
):
    made = replace(SETTINGS, doubt=2, torn=5)
    assert said(feed(policy(made), [NEITHER] * 9)) == [("unknown", -1, "change", 5.0)]
    assert said(feed(policy(made), [NEITHER] * 9, known=STRANGE)) == [
        ("unknown", -1, "change", 2.0)
    ]


def test_a_host_unlike_all_that_was_trained_on_is_unknown_however_sure_the_name() -> None:
    assert said(feed(policy(), [LAMP] * 5, known=STRANGE)) == [("unknown", -1, "change", 3.0)]


def test_a_known_host_is_not_unknown_for_one_strange_window() -> None:
    known = [FAMILIAR] * 3 + [STRANGE] + [FAMILIAR] * 5
    assert said(feed(policy(), [LAMP] * 9, known=known)) == [("identified", 0, "change", 2.0)]


def test_a_named_host_that_stays_strange_becomes_unknown_after_more_windows_than_a_new_one() -> (
    None
):
    made = policy(replace(SETTINGS, leave=5, settled=100))
    known = [FAMILIAR] * 2 + [STRANGE] * 9
    decisions = feed(made, [LAMP] * 11, known=known)
    assert said(decisions)[1:] == [("unknown", -1, "change", 8.0)]


def test_a_host_keeps_its_name_while_it_is_only_a_little_strange() -> None:
    made = policy(replace(SETTINGS, estranged=2.0))
    known = [FAMILIAR] * 2 + [STRANGE] * 9
    assert [one[0] for one in said(feed(made, [LAMP] * 11, known=known))] == ["identified"]
    decisions = feed(made, [LAMP] * 9, start=20.0, known=-9.0)
    assert [one[0] for one in said(decisions)] == ["unknown"]


def test_a_host_that_had_a_name_for_long_gets_another_only_in_the_long_run() -> None:
    made = policy(replace(SETTINGS, torn=7))
    feed(made, [LAMP] * 3)
    assert said(feed(made, [LENS] * 7, start=10.0)) == []
    assert said(feed(made, [LENS], start=17.0)) == [("changed", 1, "change", 17.0)]


def test_a_host_that_had_a_name_for_long_loses_it_only_in_the_long_run() -> None:
    made = policy(replace(SETTINGS, torn=7))
    feed(made, [LAMP] * 3)
    assert said(feed(made, [LAMP] * 6, start=10.0, known=-9.0)) == []
    assert said(feed(made, [LAMP], start=16.0, known=-9.0)) == [("unknown", -1, "change", 16.0)]


@pytest.mark.parametrize("windows", [[LENS] * 50, [NEITHER] * 50], ids=["another", "none"])
def test_a_burst_takes_no_name_that_a_host_had_for_long(windows: list[list[float]]) -> None:
    made = policy(replace(SETTINGS, lasting=60))
    feed(made, [LAMP] * 3)
    assert said(feed(made, windows, start=10.0)) == []
    states = [one[0] for one in said(feed(made, windows, start=100.0))]
    assert states == ["changed" if windows[0] == LENS else "unknown"]


def test_a_short_disagreement_changes_nothing() -> None:
    assert said(feed(policy(), [LAMP] * 4 + [LENS] * 2 + [LAMP] * 9)) == [
        ("identified", 0, "change", 2.0)
    ]


def test_a_host_that_keeps_behaving_as_another_has_changed_and_says_from_what() -> None:
    decisions = feed(policy(), [LAMP] * 4 + [LENS] * 9)
    assert said(decisions)[1:] == [("changed", 1, "change", 8.0)]
    assert (STATES[decisions[1].was_state], decisions[1].was_device) == ("identified", 0)


def test_a_host_that_was_unknown_before_it_changed_says_what_it_was_before_that() -> None:
    decisions = feed(policy(), [LAMP] * 5 + [NEITHER] * 9 + [LENS] * 9)
    assert [STATES[one.state] for one in decisions] == ["identified", "unknown", "changed"]
    assert (decisions[-1].was_device, decisions[-1].device) == (0, 1)


def test_a_name_that_was_wrong_at_first_is_corrected_without_alarm() -> None:
    made = policy(replace(SETTINGS, settled=100))
    decisions = feed(made, [LAMP] * 4 + [LENS] * 9)
    assert said(decisions)[1:] == [("identified", 1, "change", 8.0)]
    assert decisions[1].was_device == 0
    assert said(feed(made, [LAMP] * 9, start=200.0)) == [("changed", 0, "change", 203.0)]


def test_a_host_that_was_lost_and_found_again_is_identified_not_changed() -> None:
    decisions = feed(policy(), [LAMP] * 4 + [NEITHER] * 6 + [LAMP] * 9)
    assert [STATES[d.state] for d in decisions] == ["identified", "unknown", "identified"]
    assert STATES[decisions[2].was_state] == "unknown"


def test_an_unchanged_host_is_logged_again_after_the_reminder_interval() -> None:
    made = policy()
    feed(made, [LAMP] * 2)
    assert feed(made, [LAMP], start=900.0) == []
    assert said(feed(made, [LAMP], start=1100.0)) == [("identified", 0, "reminder", 2.0)]


def test_no_reminder_comes_when_it_is_switched_off() -> None:
    made = policy(PolicySettings(reminder=0))
    feed(made, [LAMP] * 2)
    assert feed(made, [LAMP], start=1e9) == []


def test_a_slot_given_to_another_host_remembers_nothing() -> None:
    made = policy()
    feed(made, [LAMP] * 2)
    made.reset(np.array([0]))
    made.begin(np.array([0]), np.array([5.0]))
    assert said(feed(made, [LENS] * 2, start=6.0)) == [("identified", 1, "change", 7.0)]


def test_a_host_torn_between_twins_keeps_the_name_it_had() -> None:
    torn = [[0.65, 0.35], [0.6, 0.4]] * 10
    made = policy(replace(SETTINGS, kept=0.3))
    assert said(feed(made, [LAMP] * 3 + torn)) == [("identified", 0, "change", 2.0)]


def alarmed(made: Policy, ts: float) -> list[tuple[str, int, str, float]]:
    decision = made.alarm(0, ts)
    return said([decision] if decision else [])


def test_an_alarm_makes_a_host_misbehave_and_leaves_it_its_name() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    assert alarmed(made, 5.0) == [("misbehaving", 0, "change", 5.0)]
    assert alarmed(made, 6.0) == []


def test_an_alarm_of_a_host_of_which_nothing_is_known_is_none() -> None:
    made = policy()
    assert alarmed(made, 5.0) == []
    assert said(feed(made, [LAMP] * 3, start=6.0)) == [("identified", 0, "change", 7.0)]


def test_a_host_misbehaves_until_there_was_no_alarm_for_long() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    made.alarm(0, 10.0)
    made.alarm(0, 50.0)
    assert feed(made, [LAMP] * 5, start=120.0) == []
    (decision,) = feed(made, [LAMP], start=150.0)
    assert said([decision]) == [("identified", 0, "change", 150.0)]
    assert STATES[decision.was_state] == "misbehaving"


def test_an_unknown_host_may_misbehave_and_is_unknown_again() -> None:
    made = policy()
    feed(made, [NEITHER] * 4, known=STRANGE)
    assert alarmed(made, 5.0) == [("misbehaving", -1, "change", 5.0)]
    assert said(feed(made, [NEITHER], start=200.0, known=STRANGE)) == [
        ("unknown", -1, "reminder", 200.0)
    ]


def test_a_host_that_misbehaves_does_not_become_unknown_for_that() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    made.alarm(0, 5.0)
    assert feed(made, [NEITHER] * 20, start=6.0, known=STRANGE) == []


def test_a_host_that_misbehaves_and_becomes_another_has_changed() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    made.alarm(0, 5.0)
    assert said(feed(made, [LENS] * 9, start=6.0)) == [("changed", 1, "change", 9.0)]


def test_a_label_names_a_host_at_once() -> None:
    made = policy()
    feed(made, [NEITHER] * 5, known=STRANGE)
    decision = made.label(0, 9.0, device=7, at=9.0)
    assert said([decision]) == [("identified", 7, "annotation", 9.0)]
    assert (STATES[decision.was_state], decision.confidence) == ("unknown", 1.0)
    # That it is still like nobody says nothing against it.
    assert feed(made, [NEITHER] * 20, start=10.0, known=STRANGE) == []


def test_a_host_that_behaves_as_another_than_the_inventory_says_is_an_impostor() -> None:
    made = policy()
    made.label(0, 0.5, device=0, at=0.5)
    (decision,) = feed(made, [LENS] * 9)
    assert said([decision]) == [("impostor", 1, "change", 3.0)]
    assert (decision.given, decision.was_device) == (0, 0)
    assert said(feed(made, [LAMP] * 9, start=20.0)) == [("identified", 0, "change", 23.0)]


def test_what_the_model_takes_a_foreign_device_for_within_a_day_makes_no_impostor_of_it() -> None:
    made = policy(replace(SETTINGS, settled=50))
    feed(made, [NEITHER] * 5, known=STRANGE)
    made.label(0, 9.0, device=7, at=9.0)
    assert feed(made, [NEITHER] * 9, start=10.0, known=STRANGE) == []
    assert feed(made, [LAMP] * 20, start=20.0) == []
    # Another spelling is no other device.
    assert said([made.label(0, 40.0, device=8, at=40.0)]) == [("identified", 8, "annotation", 40.0)]
    assert feed(made, [LAMP] * 20, start=100.0) == []
    assert said(feed(made, [LENS] * 9, start=130.0)) == [("impostor", 1, "change", 133.0)]


def test_a_foreign_device_that_was_strange_for_a_day_is_an_impostor_when_it_is_like_a_class() -> (
    None
):
    made = policy(replace(SETTINGS, settled=50))
    made.label(0, 9.0, device=7, at=9.0)
    assert feed(made, [NEITHER] * 60, start=10.0, known=STRANGE) == []
    assert [one[0] for one in said(feed(made, [LENS] * 9, start=80.0))] == ["impostor"]


def test_what_a_foreign_device_is_like_while_it_misbehaves_is_not_accepted() -> None:
    made = policy(replace(SETTINGS, settled=50, calm=10))
    made.label(0, 0.5, device=7, at=0.5)
    feed(made, [LAMP] * 9)
    made.alarm(0, 11.0)
    feed(made, [LENS] * 5, start=12.0)
    assert [one[0] for one in said(feed(made, [LAMP] * 9, start=60.0))] == ["identified"]


def test_a_label_that_is_withdrawn_makes_no_change_of_what_the_model_says() -> None:
    made = policy(replace(SETTINGS, settled=50))
    made.label(0, 0.5, device=7, at=0.5)
    feed(made, [LAMP] * 90)
    made.unlabel(0, 100.0)
    assert [one[0] for one in said(feed(made, [LAMP] * 9, start=101.0))] == ["identified"]


def test_a_foreign_device_is_held_to_one_class_when_a_day_has_passed() -> None:
    made = policy(replace(SETTINGS, settled=50))
    feed(made, [LAMP] * 3)
    made.label(0, 10.0, device=7, at=10.0)
    assert feed(made, [LENS] * 9, start=11.0) == []
    assert feed(made, [LAMP] * 9, start=31.0) == []
    assert feed(made, [LAMP] * 9, start=61.0) == []
    assert said(feed(made, [LENS] * 9, start=80.0)) == [("impostor", 1, "change", 83.0)]
    # That it has been back once frees it no more.
    assert said(feed(made, [LAMP] * 9, start=90.0)) == [("identified", 7, "change", 93.0)]
    assert said(feed(made, [LENS] * 9, start=100.0)) == [("impostor", 1, "change", 103.0)]


def test_a_device_that_the_model_knows_is_never_taken_for_another_one_in_silence() -> None:
    made = policy()
    feed(made, [NEITHER] * 5, known=STRANGE)
    made.label(0, 9.0, device=0, at=9.0)
    assert [one[0] for one in said(feed(made, [LENS] * 9, start=10.0))] == ["impostor"]


def torn_between_twins(device: int) -> Policy:
    made = policy(replace(SETTINGS, identified=0.6, kept=0.3, torn=24, lasting=3))
    feed(made, [LAMP] * 30)
    made.label(0, 40.0, device=device, at=40.0)
    return made


@pytest.mark.parametrize("device", [0, 7])
def test_a_labelled_host_torn_between_twins_is_an_impostor_only_in_the_long_run(
    device: int,
) -> None:
    made = torn_between_twins(device)
    assert feed(made, [[0.35, 0.65]] * 20, start=41.0) == []
    assert [one[0] for one in said(feed(made, [[0.35, 0.65]] * 20, start=61.0))] == ["impostor"]


@pytest.mark.parametrize("device", [0, 7])
def test_a_labelled_host_that_cannot_be_what_it_was_named_is_an_impostor_soon(device: int) -> None:
    made = torn_between_twins(device)
    assert [one[3] for one in said(feed(made, [LENS] * 20, start=200.0))] == [204.0]


def test_a_host_that_has_only_just_been_met_is_no_impostor_yet() -> None:
    made = policy(replace(SETTINGS, met=15))
    made.label(0, 0.5, device=0, at=0.5)
    assert said(feed(made, [LENS] * 20)) == [("impostor", 1, "change", 15.0)]


def test_a_foreign_device_settles_on_no_other_class_when_a_new_model_came_long_ago() -> None:
    made = policy(replace(SETTINGS, settled=50, torn=24))
    made.label(0, 0.5, device=7, at=0.5)
    feed(made, [LAMP] * 60)
    made.use(
        2, made.settings, np.arange(8, dtype=np.int16), np.full(len(made.columns()["state"]), 60.0)
    )
    assert feed(made, [LAMP] * 3, start=200.0) == []
    assert [one[0] for one in said(feed(made, [LENS] * 20, start=210.0))] == ["impostor"]


def test_a_foreign_device_of_few_windows_may_settle_on_a_class_after_a_day() -> None:
    made = policy(replace(SETTINGS, settled=50, torn=24))
    made.label(0, 0.5, device=7, at=0.5)
    assert feed(made, [NEITHER] * 5, known=STRANGE) == []
    assert feed(made, [LAMP] * 30, start=100.0) == []
    assert [one[0] for one in said(feed(made, [LENS] * 20, start=200.0))] == ["impostor"]


def test_a_label_that_is_given_again_gives_no_more_time_to_settle_on_a_class() -> None:
    made = policy(replace(SETTINGS, settled=50))
    made.label(0, 0.5, device=7, at=0.5)
    feed(made, [LAMP] * 20)
    made.label(0, 60.0, device=7, at=60.0)
    assert [one[0] for one in said(feed(made, [LENS] * 9, start=61.0))] == ["impostor"]


def test_a_device_of_an_analysts_own_name_is_of_the_class_that_it_looks_like() -> None:
    made = policy(replace(SETTINGS, kept=0.3))
    slots = np.arange(4)
    feed(made, [LAMP] * 9)  # was a lamp before it was named
    made.label(0, 9.5, device=7, at=9.5)
    feed(made, [NEITHER] * 9, start=10.0)
    made.recognise(1, 0.5, device=7, likeness=0.99)
    feed(made, [LENS] * 9, slot=1)
    made.label(2, 0.5, device=7, at=0.5)
    feed(made, [NEITHER] * 9, slot=2)
    made.label(3, 0.5, device=1, at=0.5)
    assert made.kinds(slots).tolist() == [0, 1, NOTHING, 1]
    feed(made, [NEITHER] * 9, start=30.0, known=STRANGE)  # no longer like any lamp
    assert made.kinds(slots[:1]).tolist() == [NOTHING]


def test_a_new_model_may_take_a_device_that_none_knows_for_any_class() -> None:
    settings = replace(SETTINGS, settled=25)
    made = policy(settings)
    feed(made, [NEITHER] * 5, known=STRANGE)
    made.label(0, 9.0, device=2, at=9.0)
    feed(made, [LAMP] * 9, start=10.0)
    number = np.array([NOTHING, 0, 2], np.int16)  # LENS comes first, and LAMP is gone
    made.use(2, settings, number, np.full(64, 20.0))
    assert feed(made, [LAMP] * 20, start=21.0) == []
    assert said(feed(made, [LENS] * 9, start=50.0)) == [("impostor", 1, "change", 53.0)]


def test_a_corrected_name_makes_no_impostor_of_a_host_that_goes_on_as_before() -> None:
    made = policy()
    feed(made, [LENS] * 3)
    made.label(0, 5.0, device=0, at=5.0)
    assert feed(made, [LENS] * 20, start=6.0) == []


def test_a_confirmed_impostor_is_what_the_inventory_says() -> None:
    made = policy()
    made.label(0, 0.5, device=0, at=0.5)
    feed(made, [LENS] * 9)
    assert said([made.confirm(0, 20.0, at=20.0)]) == [("identified", 0, "annotation", 20.0)]
    assert feed(made, [LENS] * 20, start=21.0) == []


def test_a_confirmed_change_is_what_the_host_is_from_now_on() -> None:
    made = policy()
    feed(made, [LAMP] * 4 + [LENS] * 9)
    assert said([made.confirm(0, 20.0, at=20.0)]) == [("identified", 1, "annotation", 20.0)]
    assert said(feed(made, [LAMP] * 9, start=21.0)) == [("changed", 0, "change", 24.0)]


def test_a_confirmed_misbehaviour_is_over() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    made.alarm(0, 5.0)
    assert said([made.confirm(0, 6.0, at=6.0)]) == [("identified", 0, "annotation", 6.0)]
    assert alarmed(made, 7.0) == [("misbehaving", 0, "change", 7.0)]


def test_a_label_that_is_withdrawn_makes_no_impostor_any_more() -> None:
    made = policy()
    made.label(0, 0.5, device=0, at=0.5)
    feed(made, [LENS] * 9)
    decision = made.unlabel(0, 20.0)
    assert decision is not None
    assert said([decision]) == [("identified", 1, "annotation", 20.0)]
    assert made.unlabel(0, 21.0) is None
    # What the analyst called it is nothing that it has changed from.
    (decision,) = feed(made, [LAMP] * 9, start=30.0)
    assert said([decision]) == [("changed", 0, "change", 33.0)]
    assert decision.was_device == 1


def test_nobody_is_notified_of_an_ignored_host_until_that_is_over() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    made.ignore(0, 100.0)
    assert said(feed(made, [LENS] * 9, start=10.0)) == [("changed", 1, "annotation", 13.0)]
    assert said(feed(made, [LENS] * 3, start=99.0)) == [("changed", 1, "change", 13.0)]


def test_a_turn_that_rests_on_what_is_ignored_is_no_alarm() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    (decision,) = made.update(
        np.zeros(9, np.int64),
        10.0 + np.arange(9),
        np.array([LENS] * 9, np.float32),
        np.ones(9, np.float32),
        muted=np.ones(9, bool),
    )
    assert (STATES[decision.state], decision.reason) == ("changed", "annotation")


def like(made: Policy, likeness: list[float], number: int, start: float = 1.0) -> list[Decision]:
    """Windows that the model takes for a lamp, and that are so much like devices 7 and 8."""
    return made.update(
        np.zeros(number, np.int64),
        start + np.arange(number),
        np.array([LAMP] * number, np.float32),
        np.ones(number, np.float32),
        likeness=np.array([likeness] * number, np.float32),
        devices=np.array([7, 8], np.int16),
    )


def test_a_host_like_one_that_was_named_has_its_name_whatever_the_model_says() -> None:
    (decision,) = like(policy(), [0.0, 0.97], 5)
    assert said([decision]) == [("identified", 8, "change", 2.0)]
    assert abs(decision.confidence - 0.97) < 1e-6


def test_a_host_like_two_devices_that_were_named_is_neither() -> None:
    assert said(like(policy(), [0.98, 0.97], 5)) == [("identified", 0, "change", 2.0)]


def test_a_named_host_that_is_like_another_device_too_keeps_its_name() -> None:
    made = policy()
    made.label(0, 0.5, device=7, at=0.5)
    assert like(made, [0.96, 0.99], 9) == []


WINDOWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([LAMP, LENS, NEITHER]),
        st.sampled_from([FAMILIAR, STRANGE]),
        st.sampled_from([0.0, 0.0, 0.97]),
        st.booleans(),
    ),
    max_size=60,
)


def eventful() -> Policy:
    """A policy of which one host is labelled as a class, one as what no model knows, one is
    ignored, and one misbehaves; all of it ends, or is told again, within the windows that follow.
    """
    made = policy(replace(SETTINGS, calm=10, reminder=7))
    made.label(0, 0.0, device=6, at=0.0)
    made.label(1, 0.0, device=1, at=0.0)
    made.ignore(2, 20.0)
    feed(made, [LAMP] * 3, slot=3)
    assert made.alarm(3, 4.0) is not None
    return made


@given(WINDOWS, st.lists(st.integers(0, 60), max_size=4))
def test_decisions_do_not_depend_on_how_windows_were_cut_into_batches(
    windows: list[tuple[int, list[float], float, float, bool]], cuts: list[int]
) -> None:
    slot = np.array([window[0] for window in windows], np.int64)
    ts = 5.0 + np.arange(len(windows))
    probability = np.array([window[1] for window in windows], np.float32).reshape(-1, 2)
    known = np.array([window[2] for window in windows], np.float32)
    likeness = np.array([window[3] for window in windows], np.float32).reshape(-1, 1)
    muted = np.array([window[4] for window in windows], bool)

    def decided(made: Policy, start: int, stop: int) -> list[tuple[object, ...]]:
        part = slice(start, stop)
        decisions = made.update(
            slot[part],
            ts[part],
            probability[part],
            known[part],
            likeness=likeness[part],
            devices=np.array([7], np.int16),
            muted=muted[part],
        )
        return [
            (one.window + start, one.slot, one.was_state, one.was_device, one.confidence, *what)
            for one, what in zip(decisions, said(decisions), strict=True)
        ]

    edges = [0, *sorted(min(cut, len(windows)) for cut in cuts), len(windows)]
    made = eventful()
    parts = [one for a, b in itertools.pairwise(edges) for one in decided(made, a, b)]
    assert parts == decided(eventful(), 0, len(windows))


def test_a_host_that_is_no_longer_labelled_is_no_impostor_when_it_calms_down() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    made.label(0, 4.0, 0, 4.0)
    feed(made, [LENS] * 9, start=5.0)
    made.alarm(0, 20.0)
    made.unlabel(0, 21.0)
    states = [one[0] for one in said(feed(made, [LENS] * 3, start=200.0))]
    assert states[:1] == ["identified"]


def test_a_host_that_calms_down_to_what_was_told_before_is_no_second_notice() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    feed(made, [LENS] * 9, start=5.0)
    made.alarm(0, 150.0)
    (calmed,) = feed(made, [LENS], start=300.0)
    assert said([calmed])[0][:3] == ("changed", 1, "reminder")


def test_what_a_host_does_that_has_just_changed_is_no_alarm_of_its_own() -> None:
    made = policy()
    feed(made, [LAMP] * 3)
    (changed,) = feed(made, [LENS] * 9, start=5.0)
    assert STATES[changed.state] == "changed"
    assert made.alarm(0, changed.since + 99) is None
    assert made.alarm(0, changed.since + 101) is not None
