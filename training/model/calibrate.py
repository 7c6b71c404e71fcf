"""Chooses the temperature of the probabilities, and the thresholds of the decision.

All are chosen on held-out later sessions of known devices. Every class has the same weight.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import log_softmax, softmax

from nba_broker.records.classes import Class
from nba_broker.verdicts.decision_settings import DecisionSettings

PRECISION = 0.97
"""The share of names given to held-out hosts that must be right. Where some devices are confusable,
a higher share would leave half of the hosts without a name."""

CHANGED = 0.5
"""A class has changed when less than this share of its late windows is recognised. It takes no part
in the calibration: its new behaviour does not show how reliable the model is for the others."""

_PRIOR = 4.0  # windows
_LEAST = np.log(1e-12)  # log probability, so that one window does not decide
_TEMPERATURES = np.geomspace(0.2, 10.0, 40)

CANDIDATES = tuple(np.round(np.arange(0.50, 0.951, 0.05), 2).tolist())
"""Thresholds to choose from: below 0.5 a name is no better than a coin toss; above 0.95 confusable
devices would never be named."""

DESCRIPTION = (
    f"identified: the lowest of {CANDIDATES[0]:.2f} to {CANDIDATES[-1]:.2f} at which "
    f"{PRECISION:.0%} of the names for smoothed, held-out later windows are right, else the "
    "highest; known: the value that the wanted share of these windows reaches; each window begins "
    "a new host, every class has the same weight, and classes that had changed are left out"
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The chosen numbers, and their figures on the windows by which they were chosen.

    temperature, likelihood_weight: see :func:`blend`. identified: smoothed probability from which a
    host gets a class's name; a share ``named`` of windows reaches it, and of these a share
    ``precision`` is right. known: smoothed familiarity from which a window is of a known device; a
    share ``kept`` reaches it. left_out: classes that had changed.
    """

    temperature: float
    likelihood_weight: float
    identified: float
    precision: float
    named: float
    known: float
    kept: float
    left_out: tuple[int, ...]


def changed(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The classes that have changed, int64; none if all have: then the model is bad."""
    right = logits.argmax(1) == truth
    present = np.unique(truth)
    lost = np.array([right[truth == k].mean() < CHANGED for k in present])
    return present[lost & ~lost.all()]


def moments(value: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float64 [K] each, of the values [B, K] that windows of each
    class have for their own class.

    The deviation of all classes is a prior with the weight of ``_PRIOR`` windows; a class without
    windows gets the mean of the others.
    """
    own = value[np.arange(len(truth)), truth].astype(np.float64)
    count = np.bincount(truth, minlength=value.shape[1])
    mean = np.bincount(truth, own, value.shape[1]) / np.maximum(count, 1)
    mean[count == 0] = mean[count > 0].mean()
    square = np.square(own - mean[truth])
    common = (class_weights(truth) * square).sum()
    each = np.bincount(truth, square, value.shape[1])
    deviation = np.sqrt((each + _PRIOR * common) / (count + _PRIOR))
    return mean, np.maximum(deviation, 1e-3)


def tolerance(
    seen: np.ndarray, typical: np.ndarray, truth: np.ndarray, kept: float
) -> tuple[float, float, float]:
    """Least values of the two measures of familiarity [B], each reached by all windows but half of
    those beyond ``kept``; and how far the median of the second lies above its least value."""
    weight = class_weights(truth)
    rest = (1 - kept) / 2
    least = quantile(typical, weight, rest)
    usual = max(quantile(typical, weight, 0.5) - least, 1e-3)
    return quantile(seen, weight, rest), least, usual


def blend(
    network: np.ndarray, likelihoods: np.ndarray, truth: np.ndarray, weights: Sequence[float]
) -> tuple[float, float]:
    """The temperature by which to divide the network's logits [B, K], and the one of ``weights`` by
    which to multiply the class log likelihoods [B, K], so that the softmax of their sum has the
    least loss.

    A network needs many windows of a class; counts need few, but see less. So later windows choose
    the weight of each (stacking: Wolpert, "Stacked generalization", 1992).
    """
    candidates = itertools.product(_TEMPERATURES, weights)
    temperature, weight = min(
        candidates, key=lambda one: cross_entropy(network / one[0] + one[1] * likelihoods, truth)
    )
    return float(temperature), float(weight)


def calibrate(
    blended: tuple[float, float],
    logits: np.ndarray,
    known: np.ndarray,
    truth: np.ndarray,
    series: np.ndarray,
    kept: float,
    left_out: np.ndarray,
) -> Thresholds:
    """All thresholds, from the blended logits [B, K] and the familiarity [B] of windows at which a
    worker scores. ``kept`` of them shall pass for known; series, truth: int64 [B]."""
    stays = ~np.isin(truth, left_out)
    series, truth = series[stays], truth[stays]
    identified, precision, named = identified_threshold(probabilities(logits[stays]), truth, series)
    smoothed = smooth(known[stays], series, DecisionSettings().known_weight)
    least = quantile(smoothed, class_weights(truth), 1 - kept)
    passing = float(class_weights(truth)[smoothed >= least].sum())
    return Thresholds(
        *blended, identified, precision, named, least, passing, tuple(left_out.tolist())
    )


def describe(thresholds: Thresholds, classes: Sequence[Class]) -> str:
    """One line for a person."""
    changed = ", ".join(classes[number].device for number in thresholds.left_out)
    return (
        f"temperature {thresholds.temperature:.2f}, weight of class likelihoods "
        f"{thresholds.likelihood_weight:g}; from {thresholds.identified:.2f} on "
        f"{thresholds.named:.0%} of the later windows are named, {thresholds.precision:.1%} of "
        f"these correctly; from {thresholds.known:.3f} on {thresholds.kept:.1%} pass for known"
        f"{f'; left out because they have changed: {changed}' if changed else ''}"
    )


def quantile(value: np.ndarray, weight: np.ndarray, share: float) -> float:
    """The largest of the values [B] below which no more than ``share`` of the weight [B] lies.

    By hand, since numpy's weighted quantile may lie above a value that several windows share.
    """
    order = np.argsort(value, kind="stable")
    below = np.append(0.0, np.cumsum(weight[order])[:-1])
    return float(value[order][np.flatnonzero(below <= share * weight.sum())[-1]])


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Probabilities float64 [B, K] of logits [B, K]."""
    found: np.ndarray = softmax(logits.astype(np.float64), axis=1)
    return found


def class_weights(truth: np.ndarray) -> np.ndarray:
    """A weight per row, float64 [B], that sums to 1 and gives every class the same share."""
    _, place, count = np.unique(truth, return_inverse=True, return_counts=True)
    return 1 / (len(count) * count[place])


def cross_entropy(logits: np.ndarray, truth: np.ndarray) -> float:
    """The mean over classes of the mean negative log probability of the truth."""
    likely = log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(truth)), truth]
    return float(-(class_weights(truth) * np.maximum(likely, _LEAST)).sum())


def smooth(value: np.ndarray, series: np.ndarray, weight: float) -> np.ndarray:
    """Each host's probabilities [B, K], or familiarity [B], smoothed over its windows in order, as
    nba_broker.verdicts.decision does with this weight of the newest window."""
    smoothed = value.copy()
    for number in np.unique(series):
        rows = np.flatnonzero(series == number)
        for windows, (before, row) in enumerate(pairwise(rows), 2):
            newest = max(weight, 1 / windows)
            smoothed[row] = (1 - newest) * smoothed[before] + newest * smoothed[row]
    return smoothed


def identified_threshold(
    probability: np.ndarray, truth: np.ndarray, series: np.ndarray
) -> tuple[float, float, float]:
    """The lowest candidate at which the smoothed decisions reach PRECISION, else the highest; with
    its precision and the share of all windows that it names."""
    smoothed = smooth(probability, series, DecisionSettings().weight)
    weight = class_weights(truth)
    confidence, right = smoothed.max(1), smoothed.argmax(1) == truth
    for threshold in CANDIDATES:
        named = confidence >= threshold
        share = weight[named].sum()
        precision = weight[named & right].sum() / share if share else 0.0
        if precision >= PRECISION:
            break
    return threshold, float(precision), float(share)
