"""What teaches is never asked about: the parts of every split share no session but where told."""

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

SYSTEMS = registry([])
UNITS = {
    "devices": ("Lamp", "Lamp", "Lens"),
    "units": ("one", "two", ""),
    "periods": (20.0, 25.0, 60.0),
}


def parts(whole, one: Split, name: str) -> list[tuple[set[int], set[int]]]:
    """The sessions, by number, that teach and that are asked about, fold by fold."""
    material = material_of(whole, one, Settings())
    samples, fold = folds_of(material, one, SYSTEMS[name])

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
        pytest.skip("the winner learns from whole segments")
    whole = traffic(**UNITS)
    folds = parts(whole, split(whole.sessions, protocol), name)
    for learn, ask in folds:
        assert learn
        assert ask
        assert not learn & ask


@settings(max_examples=30)
@given(st.integers(0, 99), st.integers(10, 200))
def test_the_parts_share_no_session_whatever_the_traffic(seed: int, number: int) -> None:
    whole = traffic((1.0, 500.0, 3.0), number=number, seed=seed)
    for protocol in ("paper", "blocked", "temporal"):
        for learn, ask in parts(whole, split(whole.sessions, protocol), "nba-dst"):
            assert not learn & ask


def test_only_paper_overlap_leaks_and_it_says_so() -> None:
    whole = traffic()
    leaking = split(whole.sessions, "paper-overlap")
    assert leaking.leaks
    assert all(learn & ask for learn, ask in parts(whole, leaking, "nba-dst-interval"))
    assert not any(
        split(traffic(**UNITS).sessions, protocol).leaks
        for protocol in ("paper", "blocked", "temporal", "unit")
    )


def test_blocks_are_contiguous_and_no_window_reaches_over_a_border() -> None:
    whole = traffic()
    one = split(whole.sessions, "blocked")
    material = material_of(whole, one, Settings())
    samples, fold = folds_of(material, one, SYSTEMS["nba-dst"])
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


def test_in_temporal_nothing_that_teaches_is_later_than_what_is_asked() -> None:
    whole = traffic()
    ((learn, ask),) = parts(whole, split(whole.sessions, "temporal"), "nba-dst")
    ts = whole.sessions.ts
    assert ts[list(learn)].max() < ts[list(ask)].min()
    share = (ts[list(ask)].min() - ts[0]) / (ts[-1] - ts[0])
    assert share == pytest.approx(protocols.TRAINING_SHARE, abs=0.01)


def test_validation_reads_nothing_of_the_test_part() -> None:
    whole = traffic()
    ((_, test),) = parts(whole, split(whole.sessions, "temporal"), "nba-dst")
    choosing = protocols.temporal(whole.sessions, validate=True)
    assert not test & set(np.flatnonzero(choosing.segment >= 0).tolist())
    ((learn, ask),) = parts(whole, choosing, "nba-dst")
    assert learn
    assert ask
    assert not learn & ask


def test_a_unit_that_is_asked_about_has_taught_nothing() -> None:
    whole = traffic(**UNITS)
    series = whole.sessions.series
    for number, (learn, ask) in enumerate(parts(whole, split(whole.sessions, "unit"), "nba-dst")):
        asked, taught = set(series[list(ask)]), set(series[list(learn)])
        assert asked == {number, 2}
        assert taught == {1 - number, 2}


def test_hosts_without_a_unit_in_their_labels_are_units_of_their_own() -> None:
    whole = traffic((20.0, 25.0, 60.0), devices=("Lamp", "Lamp", "Lens"))
    assert protocols.units(whole.sessions) == {
        "Lamp": ["10.0.0.1", "10.0.0.2"],
        "Lens": ["10.0.0.3"],
    }
    series = whole.sessions.series
    for number, (learn, ask) in enumerate(parts(whole, split(whole.sessions, "unit"), "nba-dst")):
        assert set(series[list(ask)]) == {number, 2}
        assert set(series[list(learn)]) == {1 - number, 2}


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
    for learn, ask in folds:
        own = whole.sessions.series
        for series in (0, 1):
            taught = {groups[one] for one in learn if own[one] == series}
            asked = {groups[one] for one in ask if own[one] == series}
            assert not taught & asked


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
