"""How windows and alarms decide the state of a host."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decision import Decider
from tests.unit.verdicts.decisions import (
    EITHER,
    FAMILIAR,
    LAMP,
    LENS,
    NEITHER,
    SILENT,
    THRESHOLDS,
    UNFAMILIAR,
    changed,
    decider,
    feed,
    lines,
    scored,
)


def test_a_host_is_identified_once_enough_windows_support_a_class() -> None:
    assert lines(feed(decider(), [LAMP] * 5)) == [("identified", 0, "change", 2.0)]


def test_a_single_window_identifies_nothing() -> None:
    assert feed(decider(), [LAMP]) == []


def test_a_new_host_whose_windows_are_against_all_classes_is_unknown() -> None:
    assert lines(feed(decider(), [NEITHER] * 9)) == [("unknown", -1, "change", 2.0)]


def test_a_new_host_whose_windows_say_nothing_is_unknown_later() -> None:
    assert lines(feed(decider(), [SILENT] * 9)) == [("unknown", -1, "change", 6.0)]


def test_an_unfamiliar_window_supports_nothing_however_probable_a_class_is() -> None:
    assert lines(feed(decider(), [LAMP] * 5, known=UNFAMILIAR)) == [("unknown", -1, "change", 2.0)]


def test_sessions_that_everybody_starts_support_nothing() -> None:
    nothing = [[0.2, -0.2]] * 5  # nats: less than the class's own windows have
    assert lines(feed(decider(), [LAMP] * 5, ratio=nothing)) == []


def test_a_window_with_too_few_telling_sessions_supports_nothing() -> None:
    assert lines(feed(decider(), [LAMP] * 5, telling=2)) == []
    assert lines(feed(decider(), [LAMP] * 5, telling=3)) == [("identified", 0, "change", 2.0)]


@pytest.mark.parametrize("windows", [[SILENT] * 90, [LAMP] * 90], ids=["nothing", "unfamiliar"])
def test_absence_of_evidence_keeps_a_name(windows: list[list[float]]) -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    assert feed(made, windows, start=10.0, known=UNFAMILIAR) == []


def test_evidence_against_a_name_takes_it_after_more_windows_than_it_took_to_get_it() -> None:
    made = decider(changed(windows_against=4))
    feed(made, [LAMP] * 3)
    assert lines(feed(made, [NEITHER] * 9, start=10.0)) == [("unknown", -1, "change", 17.0)]


def test_a_window_for_the_name_starts_the_count_against_it_anew() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    assert feed(made, ([NEITHER] * 2 + [SILENT]) * 9, start=10.0) == []


def test_a_name_is_lost_even_if_the_windows_against_it_do_not_agree() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    windows = [LENS, NEITHER] * 4
    assert [one[0] for one in lines(feed(made, windows, start=10.0))] == ["unknown"]


@pytest.mark.parametrize("windows", [[LENS] * 50, [NEITHER] * 50], ids=["another", "none"])
def test_a_burst_does_not_take_an_established_name(windows: list[list[float]]) -> None:
    made = decider(changed(persistence=60))
    feed(made, [LAMP] * 3)
    assert lines(feed(made, windows, start=10.0)) == []
    states = [one[0] for one in lines(feed(made, windows, start=100.0))]
    assert states == ["changed" if windows[0] == LENS else "unknown"]


def test_a_short_disagreement_changes_nothing() -> None:
    assert lines(feed(decider(), [LAMP] * 4 + [LENS] * 2 + [LAMP] * 9)) == [
        ("identified", 0, "change", 2.0)
    ]


def test_a_host_that_keeps_behaving_as_another_has_changed_and_the_line_says_from_what() -> None:
    decisions = feed(decider(), [LAMP] * 4 + [LENS] * 9)
    assert [one[:3] for one in lines(decisions)[1:]] == [("changed", 1, "change")]
    assert (STATES[decisions[1].was_state], decisions[1].was_device) == ("identified", 0)


def test_a_changed_host_that_was_unknown_in_between_is_logged_with_its_former_name() -> None:
    decisions = feed(decider(), [LAMP] * 5 + [NEITHER] * 9 + [LENS] * 9)
    assert [STATES[one.state] for one in decisions] == ["identified", "unknown", "changed"]
    assert (decisions[-1].was_device, decisions[-1].device) == (0, 1)


def test_a_return_to_the_former_name_is_no_change() -> None:
    made = decider()
    feed(made, [LAMP] * 4 + [LENS] * 20)
    (back,) = feed(made, [LAMP] * 20, start=50.0)
    assert lines([back])[0][:2] == ("identified", 0)
    assert STATES[back.was_state] == "changed"


def test_a_name_that_was_wrong_at_first_is_corrected_without_alarm() -> None:
    made = decider(changed(established=100))
    decisions = feed(made, [LAMP] * 4 + [LENS] * 9)
    assert [one[:2] for one in lines(decisions)[1:]] == [("identified", 1)]
    assert decisions[1].was_device == 0


def test_a_host_that_was_lost_and_found_again_is_identified_not_changed() -> None:
    decisions = feed(decider(), [LAMP] * 4 + [NEITHER] * 6 + [LAMP] * 9)
    assert [STATES[d.state] for d in decisions] == ["identified", "unknown", "identified"]
    assert STATES[decisions[2].was_state] == "unknown"


def test_no_device_is_possible_for_an_unknown_host_however_much_nearer_one_is_than_others() -> None:
    (decision,) = feed(decider(), [[0.99, 0.01]] * 9, ratio=[[-9.0, -9.0]] * 9)
    assert lines([decision])[0][:2] == ("unknown", -1)
    assert decision.probability[0] > 0.9
    assert decision.possible.tolist() == [False, False]


# Hosts that may be one of several devices.


def test_a_host_whose_windows_support_several_devices_is_ambiguous_and_no_alarm() -> None:
    (decision,) = feed(decider(), [EITHER] * 9)
    assert lines([decision]) == [("ambiguous", -1, "change", 3.0)]
    assert decision.possible.tolist() == [True, True]


def test_an_ambiguous_host_gets_the_name_that_remains() -> None:
    made = decider()
    feed(made, [EITHER] * 5)
    assert [one[:2] for one in lines(feed(made, [LENS] * 20, start=10.0))] == [("identified", 1)]


def test_an_ambiguous_host_stays_so_while_windows_say_nothing() -> None:
    made = decider()
    feed(made, [EITHER] * 5)
    assert feed(made, [SILENT] * 50, start=10.0) == []
    assert lines(feed(made, [NEITHER] * 5, start=90.0)) == [("unknown", -1, "change", 92.0)]


BETWEEN = [[2.0, 2.0]] * 9
"""Ratios of windows that are for both classes."""


def test_a_named_host_whose_windows_support_another_class_too_is_ambiguous_once() -> None:
    made = decider(changed(established=60))
    feed(made, [LAMP] * 5)
    (decision,) = feed(made, [LENS] * 9, start=10.0, ratio=BETWEEN)
    assert lines([decision])[0][:2] == ("ambiguous", -1)
    assert decision.possible.tolist() == [True, True]
    for turn, window in enumerate([LAMP, LENS] * 5):
        assert feed(made, [window] * 9, start=20.0 + 10 * turn, ratio=BETWEEN) == []


def test_an_ambiguous_host_that_had_a_name_gets_it_back_after_long_and_no_other() -> None:
    made = decider(changed(established=60))
    feed(made, [LAMP] * 5)
    feed(made, [LENS] * 9, start=10.0, ratio=BETWEEN)
    assert feed(made, [LENS] * 99, start=20.0, ratio=BETWEEN * 11) == []
    (decision,) = feed(made, [LAMP] * 99, start=200.0, ratio=BETWEEN * 11)
    assert lines([decision])[0][:2] == ("identified", 0)
    assert decision.since >= 260


def test_an_ambiguous_host_whose_former_name_is_refuted_gets_the_other() -> None:
    made = decider(changed(established=60))
    feed(made, [LAMP] * 5)
    feed(made, [LENS] * 9, start=10.0, ratio=BETWEEN)
    (decision,) = feed(made, [LENS] * 99, start=20.0)
    assert lines([decision])[0][:2] == ("identified", 1)


def test_a_class_is_ruled_out_by_a_probability_far_below_the_best_ones() -> None:
    made = decider(changed(thresholds=replace(THRESHOLDS, possible=(0.5, 0.5))))
    near, far = [[0.6, 0.4]] * 5, [[0.7, 0.3]] * 5
    both = [[2.0, 2.0]] * 5
    assert lines(feed(made, near, ratio=both)) == [("ambiguous", -1, "change", 3.0)]
    assert lines(feed(made, far, ratio=both, slot=1)) == [("identified", 0, "change", 2.0)]


def test_a_toss_up_between_two_devices_is_no_name() -> None:
    made = decider(changed(thresholds=replace(THRESHOLDS, possible=(0.5, 0.5))))
    (decision,) = feed(made, [[0.506, 0.494]] * 9, ratio=[[2.0, 2.0]] * 9)
    assert lines([decision]) == [("ambiguous", -1, "change", 3.0)]


def test_the_confidence_is_the_calibrated_probability() -> None:
    made = decider(changed(thresholds=replace(THRESHOLDS, exponent=0.5), weight=1))
    (decision,) = feed(made, [[0.8, 0.2]] * 2, ratio=[[2.0, -2.0]] * 2)
    assert decision.confidence == pytest.approx(2 / 3, abs=1e-6)


def test_a_new_host_whose_windows_never_agree_is_unknown_in_the_end() -> None:
    windows = [LAMP, NEITHER] * 9
    assert [one[0] for one in lines(feed(decider(changed(weight=1)), windows))][:1] == ["unknown"]


def test_an_unchanged_host_is_logged_again_after_the_reminder_interval() -> None:
    made = decider()
    feed(made, [LAMP] * 2)
    assert feed(made, [LAMP], start=900.0) == []
    assert lines(feed(made, [LAMP], start=1100.0)) == [("identified", 0, "reminder", 2.0)]


def test_no_reminder_comes_when_it_is_switched_off() -> None:
    made = decider(changed(reminder=0))
    feed(made, [LAMP] * 2)
    assert feed(made, [LAMP], start=1e9) == []


def test_a_reset_slot_is_empty() -> None:
    made = decider()
    feed(made, [LAMP] * 2)
    made.slots.reset(np.array([0]))
    made.begin(np.array([0]), np.array([5.0]))
    assert lines(feed(made, [LENS] * 2, start=6.0)) == [("identified", 1, "change", 7.0)]


def alarmed(made: Decider, ts: float) -> list[tuple[str, int, str, float]]:
    decision = made.alarm(0, ts)
    return lines([decision] if decision else [])


def test_an_alarm_makes_a_host_misbehave_and_keeps_its_name() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    assert alarmed(made, 5.0) == [("misbehaving", 0, "change", 5.0)]
    assert alarmed(made, 6.0) == []


def test_an_alarm_of_a_learning_host_is_ignored() -> None:
    made = decider()
    assert alarmed(made, 5.0) == []
    assert lines(feed(made, [LAMP] * 3, start=6.0)) == [("identified", 0, "change", 7.0)]


def test_a_host_misbehaves_until_it_had_no_alarm_for_long() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    made.alarm(0, 10.0)
    made.alarm(0, 50.0)
    assert feed(made, [LAMP] * 5, start=120.0) == []
    (decision,) = feed(made, [LAMP], start=150.0)
    assert lines([decision]) == [("identified", 0, "change", 150.0)]
    assert STATES[decision.was_state] == "misbehaving"


def test_an_unknown_host_may_misbehave_and_is_unknown_again() -> None:
    made = decider()
    feed(made, [NEITHER] * 4)
    assert alarmed(made, 5.0) == [("misbehaving", -1, "change", 5.0)]
    assert lines(feed(made, [NEITHER], start=200.0)) == [("unknown", -1, "reminder", 200.0)]


def test_a_misbehaving_host_does_not_become_unknown() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    made.alarm(0, 5.0)
    assert feed(made, [NEITHER] * 20, start=6.0) == []


def test_a_misbehaving_host_that_becomes_another_has_changed() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    made.alarm(0, 5.0)
    assert [one[:2] for one in lines(feed(made, [LENS] * 9, start=6.0))] == [("changed", 1)]


def test_a_recovery_to_a_state_that_was_logged_before_is_no_second_notice() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    feed(made, [LENS] * 9, start=5.0)
    made.alarm(0, 150.0)
    (calmed,) = feed(made, [LENS], start=300.0)
    assert lines([calmed])[0][:3] == ("changed", 1, "reminder")


def test_an_alarm_soon_after_a_change_is_no_line_of_its_own() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    (changed,) = feed(made, [LENS] * 9, start=5.0)
    assert STATES[changed.state] == "changed"
    assert made.alarm(0, changed.since + 99) is None
    assert made.alarm(0, changed.since + 101) is not None


WINDOWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([LAMP, LENS, EITHER, NEITHER, SILENT]),
        st.sampled_from([FAMILIAR, UNFAMILIAR]),
        st.sampled_from([0.0, 0.0, 0.97]),
        st.booleans(),
    ),
    max_size=60,
)


def eventful() -> Decider:
    """One host is labelled as a class, one as a foreign device, one is ignored, and one misbehaves;
    all of it ends, or is logged again, within the windows that follow."""
    made = decider(changed(recovery=10, reminder=7))
    made.label(0, 0.0, device=6, at=0.0)
    made.label(1, 0.0, device=1, at=0.0)
    made.ignore(2, 20.0)
    feed(made, [LAMP] * 3, slot=3)
    assert made.alarm(3, 4.0) is not None
    return made


@given(WINDOWS, st.lists(st.integers(0, 60), max_size=4))
def test_decisions_do_not_depend_on_how_windows_are_cut_into_batches(
    windows: list[tuple[int, list[float], float, float, bool]], cuts: list[int]
) -> None:
    given = replace(
        scored([window[1] for window in windows], start=5.0, known=[w[2] for w in windows]),
        slot=np.array([window[0] for window in windows], np.int64),
        similarity=np.array([window[3] for window in windows], np.float32).reshape(-1, 1),
        devices=np.array([7], np.int16),
        muted=np.array([window[4] for window in windows], bool),
    )

    def decided(made: Decider, start: int, stop: int) -> list[tuple[object, ...]]:
        decisions = made.update(given.part(np.arange(start, stop)))
        return [
            (one.window + start, one.slot, one.was_state, one.was_device, one.confidence, *what)
            for one, what in zip(decisions, lines(decisions), strict=True)
        ]

    edges = [0, *sorted(min(cut, len(windows)) for cut in cuts), len(windows)]
    made = eventful()
    parts = [one for a, b in itertools.pairwise(edges) for one in decided(made, a, b)]
    assert parts == decided(eventful(), 0, len(windows))
