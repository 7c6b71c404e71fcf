"""Training and test part of every split share no session, except in a leaking one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tests.training.traffic import traffic
from training.data.labels import LabelsError
from training.evaluation import protocols
from training.evaluation.baselines.baseline import Settings
from training.evaluation.baselines.registry import registry
from training.evaluation.compare import folds_of, material_of
from training.evaluation.protocols import Split, split

BASELINES = registry([])
UNITS = {
    "devices": ("Lamp", "Lamp", "Lens"),
    "units": ("one", "two", ""),
    "periods": (20.0, 25.0, 60.0),
}


def parts(whole, one: Split, name: str) -> list[tuple[set[int], set[int]]]:
    """Training and test sessions, by number, fold by fold."""
    material = material_of(whole, one, Settings())
    samples, fold = folds_of(material, one, BASELINES[name])

    def sessions(keep: np.ndarray) -> set[int]:
        covered = samples.select(keep).covers(len(material.segments))
        return set(material.segments.row[covered].tolist())

    return [(sessions(fold != k), sessions(fold == k)) for k in range(one.folds)]


@pytest.mark.parametrize(
    "name", ["naive-bayes", "nba-dst-interval", "ccit", "pre", "shipped-recipe"]
)
@pytest.mark.parametrize("protocol", ["paper", "blocked", "temporal", "unit"])
def test_windows_of_different_parts_share_no_session(protocol: str, name: str) -> None:
    if protocol == "paper" and name == "shipped-recipe":
        pytest.skip("the shipped recipe trains on whole segments")
    whole = traffic(**UNITS)
    folds = parts(whole, split(whole.sessions, protocol), name)
    for train, test in folds:
        assert train
        assert test
        assert not train & test


@settings(max_examples=30)
@given(st.integers(0, 99), st.integers(10, 200))
def test_the_parts_share_no_session_whatever_the_traffic(seed: int, number: int) -> None:
    whole = traffic((1.0, 500.0, 3.0), number=number, seed=seed)
    for protocol in ("paper", "blocked", "temporal"):
        for train, test in parts(whole, split(whole.sessions, protocol), "nba-dst"):
            assert not train & test


def test_only_paper_overlap_leaks_and_it_says_so() -> None:
    whole = traffic()
    leaking = split(whole.sessions, "paper-overlap")
    assert leaking.leaks
    assert all(train & test for train, test in parts(whole, leaking, "nba-dst-interval"))
    assert not any(
        split(traffic(**UNITS).sessions, protocol).leaks
        for protocol in ("paper", "blocked", "temporal", "unit")
    )


def test_blocks_are_contiguous_and_no_window_reaches_over_a_border() -> None:
    whole = traffic()
    one = split(whole.sessions, "blocked")
    material = material_of(whole, one, Settings())
    samples, fold = folds_of(material, one, BASELINES["nba-dst"])
    first, last = samples.begin, samples.end - 1
    assert (material.segments.segment[first] == material.segments.segment[last]).all()
    for series in (0, 1):
        own = whole.sessions.series == series
        blocks = one.fold[one.segment[own]]
        assert (np.diff(blocks) >= 0).all()
        assert set(blocks) == set(range(protocols.FOLDS))
    assert set(fold) == set(range(protocols.FOLDS))


def test_the_interval_of_a_segments_first_session_tells_nothing_of_the_other_part() -> None:
    whole = traffic()
    segments = material_of(whole, split(whole.sessions, "temporal"), Settings()).segments
    first = segments.start == np.arange(len(segments))
    assert np.isinf(segments.interval[first]).all()
    assert np.isfinite(segments.interval[~first]).all()


def test_in_temporal_the_training_part_is_before_the_test_part() -> None:
    whole = traffic()
    ((train, test),) = parts(whole, split(whole.sessions, "temporal"), "nba-dst")
    ts = whole.sessions.ts
    assert ts[list(train)].max() < ts[list(test)].min()
    share = (ts[list(test)].min() - ts[0]) / (ts[-1] - ts[0])
    assert share == pytest.approx(protocols.TRAINING_SHARE, abs=0.01)


def test_validation_reads_nothing_of_the_test_part() -> None:
    whole = traffic()
    ((_, test),) = parts(whole, split(whole.sessions, "temporal"), "nba-dst")
    choosing = protocols.temporal(whole.sessions, validate=True)
    assert not test & set(np.flatnonzero(choosing.segment >= 0).tolist())
    ((train, test),) = parts(whole, choosing, "nba-dst")
    assert train
    assert test
    assert not train & test


def test_a_unit_of_the_test_part_is_not_in_the_training_part() -> None:
    whole = traffic(**UNITS)
    series = whole.sessions.series
    for number, (train, test) in enumerate(parts(whole, split(whole.sessions, "unit"), "nba-dst")):
        tested, trained = set(series[list(test)]), set(series[list(train)])
        assert tested == {number, 2}
        assert trained == {1 - number, 2}


def test_hosts_without_a_unit_in_their_labels_are_units_of_their_own() -> None:
    whole = traffic((20.0, 25.0, 60.0), devices=("Lamp", "Lamp", "Lens"))
    assert protocols.units(whole.sessions) == {
        "Lamp": ["10.0.0.1", "10.0.0.2"],
        "Lens": ["10.0.0.3"],
    }
    series = whole.sessions.series
    for number, (train, test) in enumerate(parts(whole, split(whole.sessions, "unit"), "nba-dst")):
        assert set(series[list(test)]) == {number, 2}
        assert set(series[list(train)]) == {1 - number, 2}


def test_unit_transfer_without_a_second_unit_is_one_clear_error() -> None:
    with pytest.raises(LabelsError, match="no device has sessions of two units"):
        split(traffic().sessions, "unit")


def test_no_group_is_on_both_sides(tmp_path: Path) -> None:
    whole = traffic(number=300)
    edges = np.linspace(1e9, whole.sessions.ts[-1] + 1, 41)
    rows = [
        f"conn.log,setup-{n},{a:.3f},{b - 0.001:.3f}" for n, (a, b) in enumerate(pairwise(edges))
    ]
    path = tmp_path / "setups.csv"
    path.write_text("\n".join(["log,setup,since,until", *rows]) + "\n")
    groups = protocols.read_groups(path, whole)
    assert len(set(groups)) > 30
    folds = parts(whole, split(whole.sessions, "blocked", groups), "nba-dst")
    for train, test in folds:
        own = whole.sessions.series
        for series in (0, 1):
            trained = {groups[one] for one in train if own[one] == series}
            tested = {groups[one] for one in test if own[one] == series}
            assert not trained & tested


def test_a_file_that_holds_no_groups_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "setups.csv"
    path.write_text("log,since\nconn.log,soon\n")
    with pytest.raises(LabelsError, match="no groups"):
        protocols.read_groups(path, traffic())


def test_each_device_is_left_out_once_with_all_its_units() -> None:
    whole = traffic(**UNITS)
    turns = list(protocols.leave_one_device_out(whole.sessions))
    assert [name for name, _, _ in turns] == ["Lamp", "Lens"]
    _, others, own = turns[0]
    assert set(others.series) == {2}
    assert set(own.series) == {0, 1}
