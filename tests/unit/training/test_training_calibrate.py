"""Temperature and threshold, chosen where the right choice is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nba_broker.verdicts.decision import Decider
from tests.unit.verdicts.decisions import SETTINGS, scored
from training.model.calibrate import (
    LEAST,
    LIKELY,
    NEAR,
    HeldOut,
    blend,
    calibrate,
    changed,
    class_weights,
    exponent,
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
    decider = Decider(2, replace(SETTINGS, weight=0.4))
    decider.slots.reserve(2)
    given = scored([[1.0, 0.0]] * 4)
    slot = np.array([0, 1, 0, 0])
    decider.update(replace(given, slot=slot, probability=probability.astype(np.float32)))
    assert decider.columns["probability"][:2] == pytest.approx(smoothed[[3, 1]])


def held_out(logits: np.ndarray, truth: np.ndarray, known: np.ndarray) -> HeldOut:
    """Windows whose sessions are 2 nats likelier for their class, each of a host of its own."""
    number, classes = logits.shape
    return HeldOut(
        logits,
        known,
        4 * np.eye(classes)[truth] - 2,
        np.full(number, 60.0),
        truth,
        np.arange(number),
    )


def test_support_is_a_share_of_the_classs_own_ratio_and_never_nothing() -> None:
    truth = np.repeat([0, 1], 200)
    held = held_out(4 * np.eye(2)[truth], truth, np.ones(400))
    chosen = calibrate((1.0, 0.0), held, np.array([2.0, 0.01]), 0.99, np.zeros(0, int))
    assert chosen.support == pytest.approx((NEAR * 2, LEAST))
    assert chosen.supported == pytest.approx(1)


def test_all_but_the_error_rate_of_a_classs_own_windows_find_it_possible() -> None:
    truth = np.repeat([0, 1], 200)
    logits = np.zeros((400, 2))
    logits[:200, 0] = np.linspace(-3, 3, 200)
    logits[200:, 1] = 9
    chosen = calibrate(
        (1.0, 0.0), held_out(logits, truth, np.ones(400)), np.ones(2), 0.95, np.zeros(0, int)
    )
    probability = probabilities(logits)[:200]
    own = probability[:, 0] / probability.max(1)
    assert (own >= chosen.possible[0]).mean() == pytest.approx(0.95, abs=0.006)
    assert chosen.possible[1] == LIKELY  # its own windows have more


def test_a_class_without_held_out_windows_is_possible_where_any_other_is() -> None:
    truth = np.repeat([0, 1], 200)
    logits = np.zeros((400, 3))
    logits[:200, 0] = np.linspace(-3, 3, 200)
    logits[200:, 1] = 9
    held = held_out(logits, truth, np.ones(400))
    chosen = calibrate((1.0, 0.0), held, np.array([1.0, 1.0, np.inf]), 0.95, np.zeros(0, int))
    assert chosen.possible[2] == chosen.possible[0]
    assert chosen.support[2] > 100  # no window can support it


def test_probabilities_that_promise_too_much_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    honest = probabilities(rng.normal(0, 2, (20_000, 3)))
    truth = (honest.cumsum(1) > rng.random((20_000, 1))).argmax(1)
    sharp = honest**2 / (honest**2).sum(1, keepdims=True)
    assert exponent(sharp, truth) == pytest.approx(0.5, abs=0.05)
    assert exponent(honest, truth) == pytest.approx(1, abs=0.07)


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
    chosen = calibrate((1.0, 0.0), held_out(logits, truth, known), np.ones(3), 0.99, left_out)
    assert chosen.left_out == (2,)
    assert chosen.known == 1.0
    assert chosen.supported == pytest.approx(1)


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
