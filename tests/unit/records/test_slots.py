"""The store of slots: every stage's columns grow and are forgotten together."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.records.slots import Column, Slots


def test_columns_grow_together_and_keep_what_they_hold() -> None:
    slots = Slots()
    one = slots.add("one", {"ts": Column(np.float64, -np.inf), "ring": Column(np.int32, 0, (3,))})
    slots.reserve(2)
    one["ts"][1], one["ring"][1] = 5.0, [1, 2, 3]
    other = slots.add("other", {"state": Column(np.int8, -1)})
    slots.reserve(1000)
    assert len(one["ts"]) == len(one["ring"]) == len(other["state"]) == slots.capacity >= 1000
    assert one["ts"][1] == 5.0
    assert one["ring"][1].tolist() == [1, 2, 3]
    assert np.isneginf(one["ts"][2:]).all()
    assert (other["state"] == -1).all()


def test_a_slot_that_is_reset_holds_nothing_of_its_last_host() -> None:
    slots = Slots()
    one = slots.add("one", {"ts": Column(np.float64, np.nan), "ring": Column(np.int32, 0, (3,))})
    slots.reserve(3)
    one["ts"][:3], one["ring"][:3] = 1.0, 7
    slots.reset(np.array([0, 2]))
    assert np.isnan(one["ts"][:3]).tolist() == [True, False, True]
    assert one["ring"][:3].sum(1).tolist() == [0, 21, 0]


def test_records_restore_what_was_kept() -> None:
    slots = Slots()
    one = slots.add("one", {"ts": Column(np.float64), "ring": Column(np.int32, 0, (3,))})
    slots.reserve(3)
    one["ts"][1], one["ring"][1] = 5.0, [1, 2, 3]
    records = one.records(np.array([1]))
    again = Slots()
    other = again.add("one", {"ts": Column(np.float64), "ring": Column(np.int32, 0, (3,))})
    again.reserve(1)
    assert other.layout == one.layout
    other.restore(np.array([0]), records)
    assert other["ts"][0] == 5.0
    assert other["ring"][0].tolist() == [1, 2, 3]


def test_a_stage_has_its_columns_once() -> None:
    slots = Slots()
    slots.add("one", {"ts": Column(np.float64)})
    with pytest.raises(ValueError, match="one"):
        slots.add("one", {"ts": Column(np.float64)})
