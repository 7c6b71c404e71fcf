"""The names of destinations: what counts, for whom, and for how long."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.destinations.names import KEPT, NameTable, SavedRow
from nba_broker.records.addresses import canonical
from nba_broker.records.names import Answers, Names
from nba_broker.records.slots import Slots


class Event(NamedTuple):
    """An answer, or a session where ``name`` is empty."""

    ts: float
    slot: int
    address: str
    name: str = ""


def packed(addresses: Sequence[str]) -> np.ndarray:
    return np.frombuffer(b"".join(canonical(one)[1] for one in addresses), "V16")


def table(**sizes: int) -> NameTable:
    slots = Slots()
    made = NameTable(slots, **sizes)
    slots.reserve(64)
    return made


def numbers(table: NameTable, events: Sequence[Event]) -> list[int]:
    """The numbers of the names of the sessions among events that are in order."""
    some = [one for one in events if not one.name]
    asked = [one for one in events if one.name]
    ts = np.array([one.ts for one in asked])
    found = table.ids(
        np.array([one.slot for one in some], np.int64),
        packed([one.address for one in some]),
        Answers(
            names_of(asked),
            np.array([one.slot for one in asked], np.int64),
            np.searchsorted([one.ts for one in some], ts),
        ),
    )
    return list(found.tolist())


def names_of(asked: Sequence[Event]) -> Names:
    return Names(
        np.array([one.ts for one in asked]),
        packed(["192.168.1.9"] * len(asked)),
        np.array([one.name for one in asked], object),
        packed([one.address for one in asked]),
        np.full(len(asked), 300.0),
    )


def seen(names: NameTable, events: Sequence[Event]) -> list[str]:
    """The names of the sessions among events that are in order."""
    return [names.text(number) for number in numbers(names, events)]


def test_a_session_has_the_name_that_its_host_asked_for_last() -> None:
    events = [
        Event(1, 0, "52.0.0.1", "a.example"),
        Event(2, 0, "52.0.0.1"),
        Event(3, 0, "52.0.0.1", "b.example"),
        Event(4, 0, "52.0.0.1"),
    ]
    assert seen(table(), events) == ["a.example", "b.example"]


def test_an_answer_at_the_time_of_a_session_counts_and_a_later_one_does_not() -> None:
    events = [Event(1, 0, "52.0.0.1", "a.example"), Event(1, 0, "52.0.0.1")]
    assert seen(table(), events) == ["a.example"]
    assert seen(table(), [Event(1, 0, "52.0.0.1"), Event(2, 0, "52.0.0.1", "a.example")]) == [""]


def test_what_another_host_asked_for_counts_where_the_host_itself_did_not_ask() -> None:
    events = [
        Event(1, 0, "52.0.0.1", "mine.example"),
        Event(2, 1, "52.0.0.1", "yours.example"),
        Event(3, 0, "52.0.0.1"),
        Event(3, 1, "52.0.0.1"),
        Event(3, 2, "52.0.0.1"),
    ]
    assert seen(table(), events) == ["mine.example", "yours.example", "yours.example"]


def test_an_answer_to_nobody_known_counts_for_the_site() -> None:
    assert seen(table(), [Event(1, -1, "52.0.0.1", "a.example"), Event(2, 3, "52.0.0.1")]) == [
        "a.example"
    ]


def test_a_private_address_has_a_name_only_for_who_asked() -> None:
    for address in ("192.168.1.7", "10.0.0.1", "fd00::1", "fe80::1", "100.64.0.1"):
        events = [Event(1, 0, address, "nas.lan"), Event(2, 0, address), Event(2, 1, address)]
        assert seen(table(), events) == ["nas.lan", ""]


def test_a_filter_that_answers_no_address_gives_no_name() -> None:
    for address in ("0.0.0.0", "127.0.0.1", "::", "::1", "224.0.0.251", "255.255.255.255",
                    "ff02::fb"):  # fmt: skip
        names = table()
        assert seen(names, [Event(1, 0, address, "ads.example"), Event(2, 0, address)]) == [""]
        assert not len(names)


def test_ipv4_and_ipv6_addresses_are_told_apart() -> None:
    events = [
        Event(1, 0, "2600::1", "six.example"),
        Event(1, 0, "2600:0:0:1::1", "other.example"),
        Event(2, 0, "2600::1"),
        Event(2, 0, "2600:0:0:1::1"),
        Event(2, 0, "2600:0:0:2::1"),
        Event(2, 0, "0.0.0.1"),
    ]
    assert seen(table(), events) == ["six.example", "other.example", "", ""]


def test_a_slot_that_is_used_again_does_not_have_the_names_of_its_former_host() -> None:
    slots = Slots()
    names = NameTable(slots)
    slots.reserve(4)
    seen(names, [Event(1, 0, "192.168.1.7", "nas.lan")])
    names.forget(np.array([0]))
    slots.reset(np.array([0]))
    assert seen(names, [Event(2, 0, "192.168.1.7")]) == [""]


def test_a_name_that_left_the_table_is_not_taken_for_the_one_in_its_place() -> None:
    names = table(names=1)
    (number,) = numbers(names, [Event(1, 0, "52.0.0.1", "a.example"), Event(2, 0, "52.0.0.1")])
    assert names.text(number) == "a.example"
    seen(names, [Event(3, 0, "52.0.0.2", "b.example")])
    assert names.text(number) == ""
    assert seen(names, [Event(4, 0, "52.0.0.1"), Event(4, 0, "52.0.0.2")]) == ["", "b.example"]


def test_a_host_that_asks_for_random_names_pushes_out_its_own_only() -> None:
    names = table(names=64, addresses=64)
    quiet = [Event(1 + slot / 100, slot, f"52.0.{slot}.{n}", f"{n}.host{slot}.example")
             for slot in range(1, 5) for n in range(4)]  # fmt: skip
    seen(names, quiet)
    for n in range(5_000):
        seen(names, [Event(100 + n, 9, f"66.{n >> 8}.{n & 255}.1", f"x{n}.dga.example")])
    assert len(names.texts) <= 64
    assert len(names.site) <= 64
    assert len(names.texts.keys) <= 65
    others = [Event(9_999, 20, one.address) for one in quiet]
    assert seen(names, others) == [one.name for one in quiet]


def test_one_resolver_that_asks_for_all_may_have_the_whole_table() -> None:
    names = table(names=64, addresses=64)
    asked = [Event(n, 0, f"52.0.0.{n}", f"{n}.example") for n in range(1, 61)]
    seen(names, asked)
    assert seen(names, [Event(99, 5, one.address) for one in asked]) == [one.name for one in asked]


def test_a_full_table_loses_what_was_asked_for_the_longest_ago() -> None:
    names = table(names=16, addresses=16)
    first = [Event(n, 0, f"52.0.0.{n}", f"{n}.example") for n in range(1, 17)]
    seen(names, first)
    seen(names, [Event(20, 0, "52.0.0.1", "1.example"), Event(21, 0, "52.0.0.99", "99.example")])
    others = [Event(30, 1, f"52.0.0.{n}") for n in (1, 2, 3, 99)]
    assert seen(names, others) == ["1.example", "", "3.example", "99.example"]


def test_times_that_a_clock_no_longer_allows_become_now() -> None:
    names = table(names=2, addresses=2)
    seen(names, [Event(9e9, 0, "52.0.0.1", "a.example")])
    names.look_back(100.0, 50.0)
    seen(names, [Event(60, 0, "52.0.0.2", "b.example"), Event(61, 0, "52.0.0.3", "c.example")])
    assert seen(names, [Event(70, 1, f"52.0.0.{n}") for n in (1, 2, 3)]) == [
        "", "b.example", "c.example"]  # fmt: skip


class Naive:
    """The rules, one event at a time."""

    def __init__(self) -> None:
        self.own: dict[int, OrderedDict[str, str]] = {}
        self.site: dict[str, str] = {}

    def see(self, event: Event) -> str:
        own = self.own.setdefault(event.slot, OrderedDict())
        if not event.name:
            return own.get(event.address) or self.site.get(event.address, "")
        if not event.address.startswith("10."):
            self.site[event.address] = event.name
        if event.slot >= 0:
            own[event.address] = event.name
            if len(own) > KEPT:
                own.popitem(last=False)
        return ""


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(-1, 3),
        st.integers(1, 40),
        st.sampled_from(["52.0.0.", "10.0.0.", "2600::"]),
        st.sampled_from(["", "", "a.example", "b.example", "c.example"]),
    ),
    max_size=200,
)


def in_order(drawn: Sequence[tuple[int, int, int, str, str]]) -> list[Event]:
    """Events with ascending times, at equal ones the answers first."""
    events, ts = [], 0.0
    for gap, slot, number, prefix, name in drawn:
        ts += gap
        events.append(Event(ts, max(slot, 0) if not name else slot, f"{prefix}{number}", name))
    return sorted(events, key=lambda one: (one.ts, not one.name))


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.lists(st.integers(0, 200), max_size=4))
def test_names_are_as_by_one_event_at_a_time_however_events_are_cut(
    drawn: list[tuple[int, int, int, str, str]], cuts: list[int]
) -> None:
    events, naive, names = in_order(drawn), Naive(), table()
    expected = [found for one in events for found in [naive.see(one)] if not one.name]
    found = []
    bounds = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    for start, stop in pairwise(bounds):
        # An answer at the time of a session counts for it, so no cut is between the two.
        found += seen(names, events[start:stop])
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(1, 5), st.integers(1, 5))
def test_full_tables_do_not_depend_on_how_events_are_cut(
    drawn: list[tuple[int, int, int, str, str]], most_names: int, most_addresses: int
) -> None:
    events = in_order(drawn)
    whole = table(names=most_names, addresses=most_addresses)
    single = table(names=most_names, addresses=most_addresses)
    # Not by their texts, because a name may leave the table before the end.
    assert numbers(whole, events) == [found for one in events for found in numbers(single, [one])]
    assert len(whole.texts) <= most_names
    assert len(whole.site) <= most_addresses


def saved(names: NameTable) -> tuple[list[SavedRow], list[SavedRow]]:
    parts = list(names.saved(size=3))
    return [row for part, _ in parts for row in part], [row for _, part in parts for row in part]


def restored(names: NameTable) -> NameTable:
    """A table as a worker that starts again has it."""
    other = table()
    other.restore(*saved(names))
    for name, column in names.columns.items():
        other.columns[name][:] = column
    assert saved(other) == saved(names)
    return other


def test_a_restored_table_goes_on_as_before() -> None:
    names = table()
    asked = [
        Event(1, 0, "52.0.0.1", "a.example"),
        Event(2, 1, "52.0.0.1", "b.example"),
        Event(3, 1, "192.168.1.5", "nas.lan"),
    ]
    seen(names, asked)
    later = [Event(4, slot, one.address) for slot in (0, 1, 2) for one in asked[1:]]
    assert seen(restored(names), later) == seen(names, later)


def test_a_number_from_before_a_snapshot_means_no_other_name_after_it() -> None:
    names = table(names=2)
    (number,) = numbers(names, [Event(1, 0, "52.0.0.1", "a.example"), Event(1, 0, "52.0.0.1")])
    for n in range(2, 6):
        seen(names, [Event(n, 0, f"52.0.0.{n}", f"{n}.example")])
    assert names.text(number) == ""
    again = restored(names)
    seen(again, [Event(n, 0, f"52.0.1.{n}", f"new{n}.example") for n in range(10, 20)])
    assert again.text(number) == ""


@given(st.data())
def test_rows_that_no_table_has_are_refused(data: st.DataObject) -> None:
    names = table()
    seen(names, [Event(1, 0, "52.0.0.1", "a.example"), Event(2, 0, "52.0.0.2", "b.example")])
    texts, addresses = saved(names)
    bad = data.draw(
        st.sampled_from(
            [
                ([*texts, texts[0]._replace(key="other.example")], addresses),
                ([texts[0]._replace(row=-1)], addresses),
                ([texts[0]._replace(row=1 << 20, value=1 << 20)], addresses),
                ([texts[0]._replace(key="")], addresses),
                ([texts[0]._replace(key="a b")], addresses),
                ([texts[0]._replace(key="x" * 256)], addresses),
                ([texts[0]._replace(used=float("nan"))], addresses),
                (texts, [addresses[0]._replace(value=-1)]),
                (texts, [addresses[0], addresses[0]._replace(key=7)]),
            ]
        )
    )
    with pytest.raises(ValueError, match="a "):
        table().restore(*bad)


def test_a_name_that_moves_while_a_snapshot_is_written_is_restored_once() -> None:
    names = table(names=2)
    seen(names, [Event(1, 0, "52.0.0.1", "a.example"), Event(2, 0, "52.0.0.2", "b.example")])
    parts = names.saved(size=2)
    first = next(parts)[0]
    seen(names, [Event(3, 0, "52.0.0.3", "c.example"), Event(4, 0, "52.0.0.1", "a.example")])
    rest = list(parts)
    again = table()
    again.restore(
        [*first, *(row for part, _ in rest for row in part)],
        [row for _, part in rest for row in part],
    )
    assert seen(again, [Event(9, 5, "52.0.0.1")]) == ["a.example"]
