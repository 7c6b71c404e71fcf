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
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings
from tests.unit.verdicts.decisions import (
    FAMILIAR,
    LAMP,
    LENS,
    NEITHER,
    SETTINGS,
    UNFAMILIAR,
    decider,
    feed,
    lines,
)


def test_a_host_is_identified_once_enough_windows_agree() -> None:
    assert lines(feed(decider(), [LAMP] * 5)) == [("identified", 0, "change", 2.0)]


def test_a_single_window_identifies_nothing() -> None:
    assert feed(decider(), [LAMP]) == []


def test_a_familiar_host_of_no_class_becomes_unknown_later_than_an_unfamiliar_one() -> None:
    made = replace(SETTINGS, unfamiliar_windows=2, slow_windows=5)
    assert lines(feed(decider(made), [NEITHER] * 9)) == [("unknown", -1, "change", 5.0)]
    assert lines(feed(decider(made), [NEITHER] * 9, known=UNFAMILIAR)) == [
        ("unknown", -1, "change", 2.0)
    ]


def test_an_unfamiliar_host_is_unknown_however_probable_a_class_is() -> None:
    assert lines(feed(decider(), [LAMP] * 5, known=UNFAMILIAR)) == [("unknown", -1, "change", 3.0)]


def test_one_unfamiliar_window_does_not_make_a_named_host_unknown() -> None:
    known = [FAMILIAR] * 3 + [UNFAMILIAR] + [FAMILIAR] * 5
    assert lines(feed(decider(), [LAMP] * 9, known=known)) == [("identified", 0, "change", 2.0)]


def test_a_named_host_becomes_unknown_after_more_unfamiliar_windows_than_a_new_one() -> None:
    made = decider(replace(SETTINGS, change_windows=5, established=100))
    known = [FAMILIAR] * 2 + [UNFAMILIAR] * 9
    decisions = feed(made, [LAMP] * 11, known=known)
    assert lines(decisions)[1:] == [("unknown", -1, "change", 8.0)]


def test_a_host_keeps_its_name_while_it_is_only_slightly_unfamiliar() -> None:
    made = decider(replace(SETTINGS, known_margin=2.0))
    known = [FAMILIAR] * 2 + [UNFAMILIAR] * 9
    assert [one[0] for one in lines(feed(made, [LAMP] * 11, known=known))] == ["identified"]
    decisions = feed(made, [LAMP] * 9, start=20.0, known=-9.0)
    assert [one[0] for one in lines(decisions)] == ["unknown"]


def test_an_established_name_changes_only_after_many_windows() -> None:
    made = decider(replace(SETTINGS, slow_windows=7))
    feed(made, [LAMP] * 3)
    assert lines(feed(made, [LENS] * 7, start=10.0)) == []
    assert lines(feed(made, [LENS], start=17.0)) == [("changed", 1, "change", 17.0)]


def test_an_established_name_is_lost_only_after_many_windows() -> None:
    made = decider(replace(SETTINGS, slow_windows=7))
    feed(made, [LAMP] * 3)
    assert lines(feed(made, [LAMP] * 6, start=10.0, known=-9.0)) == []
    assert lines(feed(made, [LAMP], start=16.0, known=-9.0)) == [("unknown", -1, "change", 16.0)]


@pytest.mark.parametrize("windows", [[LENS] * 50, [NEITHER] * 50], ids=["another", "none"])
def test_a_burst_does_not_take_an_established_name(windows: list[list[float]]) -> None:
    made = decider(replace(SETTINGS, persistence=60))
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
    assert lines(decisions)[1:] == [("changed", 1, "change", 8.0)]
    assert (STATES[decisions[1].was_state], decisions[1].was_device) == ("identified", 0)


def test_a_changed_host_that_was_unknown_in_between_is_logged_with_its_former_name() -> None:
    decisions = feed(decider(), [LAMP] * 5 + [NEITHER] * 9 + [LENS] * 9)
    assert [STATES[one.state] for one in decisions] == ["identified", "unknown", "changed"]
    assert (decisions[-1].was_device, decisions[-1].device) == (0, 1)


def test_a_name_that_was_wrong_at_first_is_corrected_without_alarm() -> None:
    made = decider(replace(SETTINGS, established=100))
    decisions = feed(made, [LAMP] * 4 + [LENS] * 9)
    assert lines(decisions)[1:] == [("identified", 1, "change", 8.0)]
    assert decisions[1].was_device == 0
    assert lines(feed(made, [LAMP] * 9, start=200.0)) == [("changed", 0, "change", 203.0)]


def test_a_host_that_was_lost_and_found_again_is_identified_not_changed() -> None:
    decisions = feed(decider(), [LAMP] * 4 + [NEITHER] * 6 + [LAMP] * 9)
    assert [STATES[d.state] for d in decisions] == ["identified", "unknown", "identified"]
    assert STATES[decisions[2].was_state] == "unknown"


def test_an_unchanged_host_is_logged_again_after_the_reminder_interval() -> None:
    made = decider()
    feed(made, [LAMP] * 2)
    assert feed(made, [LAMP], start=900.0) == []
    assert lines(feed(made, [LAMP], start=1100.0)) == [("identified", 0, "reminder", 2.0)]


def test_no_reminder_comes_when_it_is_switched_off() -> None:
    made = decider(DecisionSettings(reminder=0))
    feed(made, [LAMP] * 2)
    assert feed(made, [LAMP], start=1e9) == []


def test_a_reset_slot_is_empty() -> None:
    made = decider()
    feed(made, [LAMP] * 2)
    made.slots.reset(np.array([0]))
    made.begin(np.array([0]), np.array([5.0]))
    assert lines(feed(made, [LENS] * 2, start=6.0)) == [("identified", 1, "change", 7.0)]


def test_a_host_between_confusable_devices_keeps_its_name() -> None:
    between = [[0.65, 0.35], [0.6, 0.4]] * 10
    made = decider(replace(SETTINGS, keep_name=0.3))
    assert lines(feed(made, [LAMP] * 3 + between)) == [("identified", 0, "change", 2.0)]


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
    feed(made, [NEITHER] * 4, known=UNFAMILIAR)
    assert alarmed(made, 5.0) == [("misbehaving", -1, "change", 5.0)]
    assert lines(feed(made, [NEITHER], start=200.0, known=UNFAMILIAR)) == [
        ("unknown", -1, "reminder", 200.0)
    ]


def test_a_misbehaving_host_does_not_become_unknown() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    made.alarm(0, 5.0)
    assert feed(made, [NEITHER] * 20, start=6.0, known=UNFAMILIAR) == []


def test_a_misbehaving_host_that_becomes_another_has_changed() -> None:
    made = decider()
    feed(made, [LAMP] * 3)
    made.alarm(0, 5.0)
    assert lines(feed(made, [LENS] * 9, start=6.0)) == [("changed", 1, "change", 9.0)]


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
        st.sampled_from([LAMP, LENS, NEITHER]),
        st.sampled_from([FAMILIAR, UNFAMILIAR]),
        st.sampled_from([0.0, 0.0, 0.97]),
        st.booleans(),
    ),
    max_size=60,
)


def eventful() -> Decider:
    """One host is labelled as a class, one as a foreign device, one is ignored, and one misbehaves;
    all of it ends, or is logged again, within the windows that follow."""
    made = decider(replace(SETTINGS, recovery=10, reminder=7))
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
    scored = ScoredWindows(
        slot=np.array([window[0] for window in windows], np.int64),
        index=np.arange(len(windows)),
        ts=5.0 + np.arange(len(windows)),
        probability=np.array([window[1] for window in windows], np.float32).reshape(-1, 2),
        known=np.array([window[2] for window in windows], np.float32),
        similarity=np.array([window[3] for window in windows], np.float32).reshape(-1, 1),
        devices=np.array([7], np.int16),
        muted=np.array([window[4] for window in windows], bool),
    )

    def decided(made: Decider, start: int, stop: int) -> list[tuple[object, ...]]:
        decisions = made.update(scored.part(np.arange(start, stop)))
        return [
            (one.window + start, one.slot, one.was_state, one.was_device, one.confidence, *what)
            for one, what in zip(decisions, lines(decisions), strict=True)
        ]

    edges = [0, *sorted(min(cut, len(windows)) for cut in cuts), len(windows)]
    made = eventful()
    parts = [one for a, b in itertools.pairwise(edges) for one in decided(made, a, b)]
    assert parts == decided(eventful(), 0, len(windows))
