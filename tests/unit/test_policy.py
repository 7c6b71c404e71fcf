"""What is said of a host, and when."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.messages import STATES
from nba_broker.policy import Decision, Policy, PolicySettings

SETTINGS = PolicySettings(
    identified=0.7, known=0.0, weight=0.5, agree=2, doubt=3, leave=3, settled=0, reminder=1000
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
    made = replace(SETTINGS, doubt=2, leave=5)
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
    made = policy(replace(SETTINGS, leave=5))
    known = [FAMILIAR] * 2 + [STRANGE] * 9
    decisions = feed(made, [LAMP] * 11, known=known)
    assert said(decisions)[1:] == [("unknown", -1, "change", 8.0)]


def test_a_short_disagreement_changes_nothing() -> None:
    assert said(feed(policy(), [LAMP] * 4 + [LENS] * 2 + [LAMP] * 9)) == [
        ("identified", 0, "change", 2.0)
    ]


def test_a_host_that_keeps_behaving_as_another_has_changed_and_says_from_what() -> None:
    decisions = feed(policy(), [LAMP] * 4 + [LENS] * 9)
    assert said(decisions)[1:] == [("changed", 1, "change", 8.0)]
    assert (STATES[decisions[1].was_state], decisions[1].was_device) == ("identified", 0)


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


WINDOWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([LAMP, LENS, NEITHER]),
        st.sampled_from([FAMILIAR, STRANGE]),
    ),
    max_size=60,
)


@given(WINDOWS, st.lists(st.integers(0, 60), max_size=4))
def test_decisions_do_not_depend_on_how_windows_were_cut_into_batches(
    windows: list[tuple[int, list[float], float]], cuts: list[int]
) -> None:
    slot = np.array([window[0] for window in windows], np.int64)
    ts = np.arange(len(windows), dtype=float)
    probability = np.array([window[1] for window in windows], np.float32).reshape(-1, 2)
    known = np.array([window[2] for window in windows], np.float32)
    whole = said(policy().update(slot, ts, probability, known))
    edges = [0, *sorted(min(cut, len(windows)) for cut in cuts), len(windows)]
    made = policy()
    parts = [
        decision
        for a, b in itertools.pairwise(edges)
        for decision in made.update(slot[a:b], ts[a:b], probability[a:b], known[a:b])
    ]
    assert said(parts) == whole
