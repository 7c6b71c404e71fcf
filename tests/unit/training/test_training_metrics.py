"""Figures of an evaluation, checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics.classification import (
    best_of_day,
    confusion,
    macro_f1,
    precision_recall_f1,
    summary,
)
from training.metrics.intervals import binomial_bounds, share_bounds


def test_precision_recall_and_f1_of_a_small_table() -> None:
    matrix = confusion(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0]), 2)
    precision, recall, f1 = precision_recall_f1(matrix)
    assert precision == pytest.approx([2 / 3, 1 / 2])
    assert recall == pytest.approx([2 / 3, 1 / 2])
    assert f1 == pytest.approx([2 / 3, 1 / 2])


def test_the_mean_f1_is_that_of_the_classes_that_occur() -> None:
    matrix = confusion(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]), 4)
    assert macro_f1(matrix) == pytest.approx((1 + 2 / 3) / 2)


def test_a_host_is_decided_once_per_utc_day_by_its_mean_probability() -> None:
    probability = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.4, 0.6]])
    series = np.array([5, 5, 5, 5])
    ts = np.array([10.0, 20.0, 30.0, 86_400.0])
    first, answer = best_of_day(probability, series, ts)
    assert first.tolist() == [0, 3]
    assert answer.tolist() == [0, 1]


def test_a_device_that_the_model_does_not_know_counts_as_wrong() -> None:
    figures = summary(
        ["Lamp", "Stranger"],
        np.array([[1.0], [1.0]]),
        np.array([0, 1]),
        np.array([0, 1]),
        np.array([0.0, 0.0]),
    )
    assert figures["accuracy"] == 0.5
    assert figures["host_day_accuracy"] == 0.5
    assert figures["classes"]["Stranger"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 1,
    }
    assert figures["confusion"] == {"Lamp": {"Lamp": 1}, "Stranger": {"Lamp": 1}}


def test_a_share_of_clusters_that_differ_is_less_certain_than_its_trials_tell() -> None:
    """One host of four is always wrong: a bootstrap may draw it thrice, or never."""
    hits, trials = np.array([100, 0, 0, 0]), np.full(4, 100)
    low, high = share_bounds(hits, trials, 0)
    assert low == 0
    assert high == 0.75
    assert binomial_bounds(100, 400)[1] < 0.3


def test_no_hit_in_any_cluster_leaves_the_doubt_of_independent_trials() -> None:
    assert share_bounds(np.zeros(4), np.full(4, 5), 0) == binomial_bounds(0, 20)
    assert share_bounds(np.full(4, 5), np.full(4, 5), 0) == binomial_bounds(20, 20)
