"""Temperature and threshold, chosen where the right choice is known."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.verdicts.decision import Decider
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings
from training.model.calibrate import (
    CANDIDATES,
    blend,
    calibrate,
    changed,
    class_weights,
    identified_threshold,
    moments,
    probabilities,
    quantile,
    smooth,
    tolerance,
)


def test_every_class_weighs_the_same_however_often_it_occurs() -> None:
    weights = class_weights(np.array([0, 0, 0, 2]))
    assert weights == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_factor_on_honest_logits(factor: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 3))
    truth = (probabilities(logits).cumsum(1) > rng.random((20_000, 1))).argmax(1)
    temperature, weight = blend(factor * logits, rng.normal(0, 2, (20_000, 3)), truth, (0, 1))
    assert temperature == pytest.approx(factor, rel=0.1)
    assert weight == 0


def test_class_likelihoods_decide_where_the_network_is_noise() -> None:
    rng = np.random.default_rng(0)
    likely = rng.normal(0, 2, (20_000, 3))
    truth = (probabilities(likely).cumsum(1) > rng.random((20_000, 1))).argmax(1)
    temperature, weight = blend(rng.normal(0, 2, (20_000, 3)), likely, truth, (0, 1))
    assert temperature > 5
    assert weight == 1


def test_smoothing_is_the_decisions_and_keeps_hosts_apart() -> None:
    probability = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    smoothed = smooth(probability, np.array([0, 1, 0, 0]), 0.4)
    assert smoothed == pytest.approx(np.array([[1, 0], [0, 1], [0.5, 0.5], [0.3, 0.7]]))
    decider = Decider(2, DecisionSettings(weight=0.4))
    decider.slots.reserve(2)
    slot, place = np.array([0, 1, 0, 0]), np.arange(4)
    decider.update(ScoredWindows(slot, place, place.astype(float), probability, np.zeros(4)))
    assert decider.columns["probability"][:2] == pytest.approx(smoothed[[3, 1]])


def test_the_threshold_is_the_lowest_at_which_names_are_right() -> None:
    confidence = np.array([0.52, 0.58, 0.72, 0.9])
    probability = np.stack([confidence, 1 - confidence], 1)
    truth = np.array([1, 1, 0, 0])
    threshold, precision, named = identified_threshold(probability, truth, np.arange(4))
    assert threshold == pytest.approx(0.6)
    assert (precision, named) == (1.0, 0.5)


def test_the_highest_threshold_is_taken_when_none_is_good_enough() -> None:
    probability = np.tile([0.99, 0.01], (4, 1))
    threshold, precision, _ = identified_threshold(
        probability, np.array([0, 0, 1, 1]), np.arange(4)
    )
    assert threshold == CANDIDATES[-1]
    assert precision == pytest.approx(0.5)


def test_familiarity_is_smoothed_like_probabilities() -> None:
    assert smooth(np.array([1.0, 0.0]), np.array([0, 0]), 0.7) == pytest.approx([1, 0.3])


def test_at_most_the_given_share_of_the_weight_lies_below_a_quantile() -> None:
    value = np.arange(100.0)[::-1]
    assert quantile(value, np.ones(100), 0.01) == 1.0
    assert quantile(value, np.ones(100), 0.0) == 0.0
    assert quantile(np.array([5.0, 1.0]), np.array([1.0, 99.0]), 0.01) == 1.0


def test_a_class_that_has_changed_takes_no_part_in_the_calibration() -> None:
    truth = np.repeat([0, 1, 2], 200)
    logits = 4 * np.eye(3)[np.where(truth == 2, 0, truth)]  # 2 is taken for 0 now
    known = np.where(truth == 2, -9.0, 1.0)
    left_out = changed(logits, truth)
    chosen = calibrate((1.0, 0.0), logits, known, truth, truth, 0.99, left_out)
    assert chosen.left_out == (2,)
    assert chosen.known == 1.0
    assert chosen.precision == 1.0


def test_moments_are_each_classs_own_and_lean_on_all_where_windows_are_few() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], [1000, 1])
    value = np.stack([rng.normal(5, 2, 1001), np.full(1001, -1.0), np.full(1001, 9.0)], 1)
    mean, deviation = moments(value, truth)
    assert mean == pytest.approx([5, -1, 2], abs=0.2)
    assert deviation[0] == pytest.approx(2, rel=0.1)
    assert 0 < deviation[1] < deviation[0]


def test_each_measure_of_familiarity_is_tolerated_down_to_half_of_what_may_be_lost() -> None:
    value = np.arange(1000.0)
    seen, typical, usual = tolerance(value - 1000, value, np.zeros(1000, int), kept=0.99)
    assert (seen, typical, usual) == pytest.approx((5 - 1000, 5, 495), abs=1)
