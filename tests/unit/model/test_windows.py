"""Rings and windows."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.model.windows import NO_POOL, HostWindows, Schedule, Windows
from nba_broker.records.uids import unpack

LENGTH, MIN_SESSIONS, STRIDE, EARLY_STRIDE = 6, 2, 3, 2


def push(windows: HostWindows, rows: list[tuple[int, float, int]]) -> Windows:
    slot = np.array([row[0] for row in rows], np.int64)
    number = np.array([row[2] for row in rows], np.int32)
    return windows.push(
        slot,
        np.array([row[1] for row in rows], np.float64),
        pool=number,
        dst=np.array([bytes([n % 256]) * 16 for n in number], "V16"),
        dport=number,
        uid=np.array([f"C{n}" for n in number], "S18"),
    )


def as_rows(windows: Windows) -> list[tuple[object, ...]]:
    return [
        (
            int(windows.slot[i]),
            int(windows.count[i]),
            windows.pool[i].tolist(),
            windows.interval[i][windows.pool[i] >= 0].tolist(),
            [unpack(uid.tobytes()) for uid in windows.columns["uid"][i][windows.pool[i] >= 0]],
        )
        for i in range(len(windows))
    ]


def expected(rows: list[tuple[int, float, int]]) -> list[tuple[object, ...]]:
    """The same, written without rings or batches."""
    history: dict[int, list[tuple[int, float]]] = {}
    last: dict[int, float] = {}
    due = []
    for slot, ts, number in rows:
        interval = np.float32(ts - last[slot]) if slot in last else np.float32(np.inf)
        last[slot] = ts
        sessions = history.setdefault(slot, [])
        sessions.append((number, float(interval)))
        count = len(sessions)
        stride = EARLY_STRIDE if count <= LENGTH else STRIDE
        if count >= MIN_SESSIONS and (count - MIN_SESSIONS) % stride == 0:
            window = sessions[-LENGTH:]
            due.append(
                (
                    slot,
                    count,
                    [NO_POOL] * (LENGTH - len(window)) + [n for n, _ in window],
                    [i for _, i in window],
                    [f"C{n}" for n, _ in window],
                )
            )
    return due


@st.composite
def batches(draw: st.DrawFn) -> list[list[tuple[int, float, int]]]:
    slots = draw(st.lists(st.integers(0, 3), max_size=60))
    gaps = draw(st.lists(st.floats(0, 1e4), min_size=len(slots), max_size=len(slots)))
    times = np.cumsum(gaps).tolist()
    rows = [(slot, ts, n) for n, (slot, ts) in enumerate(zip(slots, times, strict=True))]
    cuts = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    edges = [0, *cuts, len(rows)]
    return [rows[a:b] for a, b in itertools.pairwise(edges)]


@given(batches())
def test_windows_do_not_depend_on_how_sessions_were_cut_into_batches(
    parts: list[list[tuple[int, float, int]]],
) -> None:
    windows = HostWindows(Schedule(LENGTH, MIN_SESSIONS, STRIDE, EARLY_STRIDE))
    found = [row for part in parts if part for row in as_rows(push(windows, part))]
    assert found == expected([row for part in parts for row in part])


def test_a_late_session_has_no_interval_and_moves_no_clock() -> None:
    windows = HostWindows(Schedule(LENGTH, 1))
    push(windows, [(0, 100.0, 0)])
    late = push(windows, [(0, 90.0, 1)])
    after = push(windows, [(0, 103.0, 2)])
    assert late.interval[0, -1] == 0
    assert after.interval[0, -1] == 3


def test_a_forgotten_slot_starts_empty() -> None:
    windows = HostWindows(Schedule(LENGTH, 2))
    push(windows, [(0, 1.0, 7), (0, 2.0, 8)])
    windows.slots.reset(np.array([0]))
    assert len(push(windows, [(0, 3.0, 9)])) == 0
    (window,) = as_rows(push(windows, [(0, 4.0, 10)]))
    assert window[1:3] == (2, [NO_POOL] * 4 + [9, 10])


def test_only_long_uids_make_hosts_take_more_memory() -> None:
    windows = HostWindows(Schedule(LENGTH, 2))
    size = windows.columns["ring"]["uid"].dtype.itemsize
    for uid, larger in ((b"C" * 18, False), (b"C" * 23, True), (b"C" * 18, True)):
        windows.push(
            np.zeros(1, np.int64),
            np.ones(1),
            pool=np.zeros(1, np.int32),
            dport=np.zeros(1, np.int32),
            dst=np.zeros(1, "V16"),
            uid=np.array([uid], "S24"),
        )
        assert (windows.columns["ring"]["uid"].dtype.itemsize > size) == larger
    kept = [unpack(one.tobytes()) for one in windows.columns["ring"]["uid"][0][:3]]
    assert kept == ["C" * 18, "C" * 23, "C" * 18]
