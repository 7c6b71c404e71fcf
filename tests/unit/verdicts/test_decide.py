"""A step's windows and alarms, decided in event order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.verdicts.applied_annotations import Applied
from nba_broker.verdicts.decide import Alarms, decide
from nba_broker.verdicts.decision import NO_ROW, Decider, Decision
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.states import IDENTIFIED, LEARNING, MISBEHAVING
from tests.unit.verdicts.decisions import EITHER, LAMP, LENS, NEITHER, changed, scored

SETTINGS = changed(weight=0.5, established=5, recovery=6, reminder=9)

Session = tuple[int, "list[float] | None", bool]
SESSIONS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from([None, LAMP, LENS, EITHER, NEITHER]), st.booleans()
    ),
    max_size=60,
)
"""The host, its window's scores where one is due, and whether there is an alarm."""


def decider() -> Decider:
    made = Decider(2, SETTINGS)
    made.slots.reserve(3)
    made.begin(np.arange(3), np.zeros(3))
    return made


def step(sessions: list[Session]) -> tuple[ScoredWindows, Alarms]:
    """The step of these sessions, one a second."""
    slot = np.array([one[0] for one in sessions], np.int64)
    ts = 1.0 + np.arange(len(sessions))
    index = np.array([n for n, one in enumerate(sessions) if one[1] is not None], np.int64)
    due = scored([one[1] for one in sessions if one[1] is not None])
    windows = replace(due, slot=slot[index], index=index, ts=ts[index])
    return windows, Alarms.at([n for n, one in enumerate(sessions) if one[2]], slot, ts)


def one_by_one(made: Decider, windows: ScoredWindows, alarms: Alarms) -> list[Decision]:
    """The same, an event after the other."""
    events = [(index, False, row) for row, index in enumerate(windows.index.tolist())]
    events += [(index, True, row) for row, index in enumerate(alarms.index.tolist())]
    found: list[Decision] = []
    for _, is_alarm, row in sorted(events):
        if is_alarm:
            decision = made.alarm(int(alarms.slot[row]), float(alarms.ts[row]), row)
            found += [] if decision is None else [decision]
        else:
            one = windows.part(np.array([row]))
            found += [replace(decision, window=row) for decision in made.update(one)]
    return found


@given(SESSIONS)
def test_windows_and_alarms_of_a_step_are_decided_as_if_they_came_one_by_one(
    sessions: list[Session],
) -> None:
    windows, alarms = step(sessions)
    together, apart = decider(), decider()
    expected = [repr(one) for one in one_by_one(apart, windows, alarms)]
    assert [repr(one) for one in decide(together, windows, alarms)] == expected
    slots = np.arange(3)
    assert (together.columns.records(slots) == apart.columns.records(slots)).all()


def test_an_alarm_comes_after_the_window_of_its_session() -> None:
    windows, alarms = step([(0, LAMP, False), (0, LAMP, True)])
    made = decider()
    first, second = decide(made, windows, alarms)
    assert (first.state, first.window, first.alarm) == (IDENTIFIED, 1, NO_ROW)
    assert (second.state, second.window, second.alarm) == (MISBEHAVING, NO_ROW, 0)


def test_a_step_may_have_alarms_alone() -> None:
    windows, alarms = step([(0, None, True)])
    assert decide(decider(), windows, alarms) == []
    assert decide(decider(), ScoredWindows.none(), alarms) == []


def test_a_prototype_is_made_after_its_window_and_before_the_alarm_of_that_session() -> None:
    windows, alarms = step([(0, LAMP, False), (1, LAMP, False), (0, LAMP, True)])
    made = decider()

    def add_prototype() -> list[Applied]:
        assert made.host(0).state == IDENTIFIED
        assert made.host(1).state == LEARNING
        return [Applied(made.recognise(1, 3.0, 7, 0.97), 3.0, ())]

    found = decide(made, windows, alarms, add_prototype=add_prototype)
    decisions = [one.decision if isinstance(one, Applied) else one for one in found]
    assert [(one.slot, one.state) for one in decisions] == [
        (0, IDENTIFIED),
        (1, IDENTIFIED),
        (0, MISBEHAVING),
    ]
