"""Time order out of batches of several nodes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.sessions import Sessions
from nba_broker.wire.reorder import Reorder
from tests.unit.helpers import sessions


def rows(part: Sessions) -> list[tuple[float, str, str]]:
    return list(zip(part.ts.tolist(), part.host, part.dst, strict=True))


def one(ts: float, host: str = "192.168.1.1", dst: str = "1.1.1.1") -> Sessions:
    return sessions([(ts, host, "", dst)])


def test_a_session_waits_until_every_live_node_has_passed_it() -> None:
    reorder = Reorder(hold=0.1, silence=2, settle=0)
    assert len(reorder.push("a", 10.0, one(9.95), now=0)) == 0
    assert len(reorder.push("b", 9.0, one(8.9), now=0)) == 1  # b's clock still holds a's session
    assert rows(reorder.push("b", 10.2, sessions([]), now=0.1)) == []
    assert rows(reorder.push("a", 10.2, sessions([]), now=0.1)) == [
        (9.95, "192.168.1.1", "1.1.1.1")
    ]


def test_a_silent_node_no_longer_holds_the_others_back() -> None:
    reorder = Reorder(hold=0.1, silence=2, settle=0)
    reorder.push("slow", 5.0, sessions([]), now=0)
    assert len(reorder.push("fast", 10.0, one(9.0), now=1)) == 0
    assert len(reorder.push("fast", 11.0, sessions([]), now=2.5)) == 1


def test_nothing_goes_on_before_all_nodes_can_have_been_heard_of() -> None:
    reorder = Reorder(hold=0.1, silence=2, settle=0.5)
    assert len(reorder.push("first", 10.0, one(9.0), now=0)) == 0
    passed = rows(reorder.push("second", 10.0, one(8.0), now=0.6))
    assert [row[0] for row in passed] == [8.0, 9.0]


def test_everything_goes_on_when_all_nodes_are_silent() -> None:
    reorder = Reorder(hold=0.1, silence=2, settle=0)
    reorder.push("a", 10.0, one(10.0), now=0)
    assert len(reorder.release(now=1)) == 0
    assert len(reorder.release(now=2.5)) == 1


def test_a_late_session_is_counted_and_kept() -> None:
    reorder = Reorder(hold=0.1, silence=2, settle=0)
    assert len(reorder.push("a", 10.0, one(9.0), now=0)) == 1
    assert rows(reorder.push("a", 11.0, one(8.0), now=0))[0][0] == 8.0
    assert reorder.late == 1


TIMES = st.integers(0, 20).map(lambda n: n / 4)
ROWS = st.lists(
    st.tuples(
        TIMES,
        st.sampled_from(["192.168.1.2", "192.168.1.3"]),
        st.just(""),
        st.sampled_from(["1.1.1.1", "2.2.2.2"]),
    ),
    max_size=40,
)


@given(ROWS, st.lists(st.integers(0, 40), max_size=6))
def test_the_order_is_that_of_the_whole_however_it_was_cut(
    table: list[tuple[float, str, str, str]], cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(table)) for cut in cuts), len(table)]
    reorder = Reorder(hold=100, silence=2)
    out = []
    for number, (a, b) in enumerate(itertools.pairwise(edges)):
        out += rows(reorder.push(f"node{number % 3}", 0.0, sessions(table[a:b]), now=0))
    out += rows(reorder.flush())
    assert out == sorted((ts, host, dst) for ts, host, _, dst in table)
    assert reorder.late == 0


@given(ROWS, st.lists(st.tuples(st.integers(0, 12), TIMES), max_size=8))
def test_what_goes_on_is_at_any_time_all_that_every_node_has_passed(
    table: list[tuple[float, str, str, str]], batches: list[tuple[int, float]]
) -> None:
    reorder = Reorder(hold=0.5, silence=10, settle=0)
    clocks: dict[str, float] = {}
    held: list[tuple[float, str, str]] = []
    at = 0
    for number, (size, clock) in enumerate(batches):
        batch = table[at : at + size]
        at += size
        node = f"node{number % 2}"
        clocks[node] = clock
        held += [(ts, host, dst) for ts, host, _, dst in batch]
        released = rows(reorder.push(node, clock, sessions(batch), now=0))
        limit = min(clocks.values()) - 0.5
        assert released == sorted(row for row in held if row[0] <= limit)
        held = [row for row in held if row[0] > limit]
        assert len(reorder) == len(held)
        assert reorder.oldest == min((row[0] for row in held), default=np.inf)
    assert rows(reorder.flush()) == sorted(held)


def test_an_empty_reorder_releases_nothing() -> None:
    assert len(Reorder().flush()) == 0
    assert np.array_equal(Reorder().release(1.0).ts, np.zeros(0))


def test_a_node_whose_clock_stands_still_does_not_fill_the_memory() -> None:
    reorder = Reorder(settle=0.0, most=3)
    reorder.push("stuck", 0.0, sessions([]), 0.0)
    three = sessions([(ts, "192.168.1.1", "", "1.1.1.1") for ts in (1.0, 2.0, 3.0)])
    assert len(reorder.push("b", 9.0, three, 0.0)) == 0
    assert reorder.push("b", 9.0, one(4.0), 0.0).ts.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert len(reorder) == 0


def test_no_session_waits_longer_than_the_patience_for_a_node_that_is_behind() -> None:
    reorder = Reorder(hold=0.1, silence=2, settle=0.5)
    assert reorder.patience == pytest.approx(5.2)
    out: list[tuple[float, float]] = []
    for n in range(80):
        now = n / 4
        reorder.add("behind", 6400.0 + now, sessions([]), now)
        part = reorder.push("right", 10_000.0 + now, one(10_000.0 + now), now)
        out += [(ts, now) for ts in part.ts.tolist()]
    assert all(10_000 + now - ts <= reorder.patience + 0.25 for ts, now in out)
    assert len(out) > 50
    assert reorder.late == 0


def test_what_is_held_back_of_a_node_is_moved_with_its_clock() -> None:
    reorder = Reorder(hold=0.1, silence=2, settle=0)
    reorder.add("a", 100.0, one(99.0, dst="1.1.1.1"), 0.0, ticket=1)
    reorder.add("b", 40.0, one(38.5, dst="2.2.2.2"), 0.5, ticket=2)
    assert (reorder.first, reorder.since) == (1, 0.0)
    reorder.move("b", 60.0)
    assert rows(reorder.release(0.5)) == [
        (98.5, "192.168.1.1", "2.2.2.2"),
        (99.0, "192.168.1.1", "1.1.1.1"),
    ]
    assert (reorder.first, reorder.since) == (np.inf, np.inf)
