"""An external sort gives what a sort in memory would, whatever its memory."""

from __future__ import annotations

import errno
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_broker.archive import external_sort
from nba_broker.archive.external_sort import Sorter
from nba_broker.records.errors import ArchiveError

ROW = np.dtype([("ts", np.float64), ("a", np.int32), ("b", np.int32), ("number", np.int32)])
ONE_ROW = 3 * ROW.itemsize  # bytes of memory with which every row is a run of its own


def ties(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    return (rows["b"], rows["a"])


def rows_of(keys: list[tuple[int, int, int]]) -> np.ndarray:
    return np.array([(*key, number) for number, key in enumerate(keys)], ROW)


def sorter(memory: int, *parts: np.ndarray) -> Sorter:
    made = Sorter(ROW, "ts", ties, memory)
    for part in parts:
        made.add(part)
    return made


@settings(max_examples=200)
@given(
    keys=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 2)), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    memory=st.integers(1, 70).map(lambda rows: rows * ONE_ROW),
    size=st.integers(1, 70),
    at_once=st.integers(1, 8),
)
def test_any_memory_gives_the_order_of_a_stable_sort(
    keys: list[tuple[int, int, int]], cuts: list[int], memory: int, size: int, at_once: int
) -> None:
    rows = rows_of(keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external_sort, "_LEAST", 1)
        patch.setattr(external_sort, "_MOST", at_once)
        made = sorter(memory, *np.split(rows, sorted(cuts)))
        parts = list(made.parts(size))
    assert len(made) == len(rows)
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
    assert all(0 < len(part) <= size for part in parts)
    got = [tuple(row) for part in parts for row in part.tolist()]
    assert got == sorted(map(tuple, rows.tolist()))


@pytest.mark.parametrize("memory", [ONE_ROW, 7 * ONE_ROW, 1 << 20])
def test_rows_are_given_again_as_often_as_asked_also_after_more_came(memory: int) -> None:
    rng = np.random.default_rng(0)
    rows = rows_of([(ts, 0, 0) for ts in rng.permutation(50).tolist()])
    made = sorter(memory, rows[:30])
    first = np.concatenate(list(made.parts(8)))
    assert np.array_equal(first, np.concatenate(list(made.parts(50))))
    made.add(rows[30:])
    assert np.concatenate(list(made.parts(8)))["ts"].tolist() == list(range(50))


def test_runs_of_an_archive_in_order_are_read_one_or_two_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = []

    class Run(external_sort._Run):
        def take(self, limit: float) -> np.ndarray:
            together.append(self.number)
            return super().take(limit)

    monkeypatch.setattr(external_sort, "_Run", Run)
    made = sorter(10 * ONE_ROW, rows_of([(ts, 0, 0) for ts in range(1000)]))
    assert np.concatenate(list(made.parts(64)))["ts"].tolist() == list(range(1000))
    assert len(together) < 3 * 100


def test_what_fits_in_memory_touches_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise AssertionError("a temporary file")

    monkeypatch.setattr(external_sort.tempfile, "TemporaryFile", refuse)
    made = sorter(50 * ONE_ROW, rows_of([(1, 2, 3)] * 50))
    assert len(np.concatenate(list(made.parts(8)))) == 50


def test_a_full_disk_is_one_clear_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        def seek(self, _: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(external_sort.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(ArchiveError, match="No space left on device; set TMPDIR"):
        sorter(ONE_ROW, rows_of([(1, 2, 3)] * 2))


def test_no_folder_for_temporary_files_is_one_clear_error_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(**_: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(external_sort.tempfile, "TemporaryFile", none)
    monkeypatch.setattr(external_sort.tempfile, "gettempdir", none)
    monkeypatch.setattr(external_sort.tempfile, "tempdir", None)
    with pytest.raises(ArchiveError, match=r"sorting on disk: No usable .*; set TMPDIR"):
        sorter(ONE_ROW, rows_of([(1, 2, 3)] * 2))
