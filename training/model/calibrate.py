"""How sure is sure enough: a temperature for the probabilities, thresholds for naming a host.

All are chosen on held-out later sessions of known devices, where every class counts the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nba_broker.records.classes import Class
from nba_broker.verdicts.decision_settings import DecisionSettings

PRECISION = 0.97
"""Of the names given to held-out hosts, the share that must be right. Where one device has twins,
a higher one would leave half of the hosts without a name, to be right about the twins."""

CHANGED = 0.5
"""A class of whose late windows less than this share is recognised has changed. What it does now
says nothing of how sure a model may be of what it knows, so it takes no part."""

_PRIOR = 4.0
_TEMPERATURES = np.geomspace(0.2, 10.0, 40)

CANDIDATES = tuple(np.round(np.arange(0.50, 0.951, 0.05), 2).tolist())
"""Thresholds to choose from: below, a coin toss would do; above, twins would never be named."""

DESCRIPTION = (
    f"identified: the lowest of {CANDIDATES[0]:.2f} to {CANDIDATES[-1]:.2f} at which "
    f"{PRECISION:.0%} of the names that the policy's smoothing gives held-out later windows are "
    "right, else the highest; known: what the wanted share of these windows reaches; hosts begin "
    "anew every window, and every class counts the same but for those left out, which had changed"
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What was chosen, and what it means on the windows that chose it.

    temperature, habits: see :func:`blend`. identified: smoothed probability from which a class is
    believed; of the ``named`` share of windows that reach it, ``precision`` is right. known:
    smoothed familiarity below which a window is of no known device; ``kept`` of them reach it.
    left_out: classes that had changed.
    """

    temperature: float
    habits: float
    identified: float
    precision: float
    named: float
    known: float
    kept: float
    left_out: tuple[int, ...]


def changed(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The classes that have changed, int64; none if all have."""
    right = logits.argmax(1) == truth
    present = np.unique(truth)
    lost = np.array([right[truth == k].mean() < CHANGED for k in present])
    return present[lost & ~lost.all()]


def moments(value: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float64 [K] each, of what windows of each class have of their
    own column of ``value`` [B, K].

    The deviation leans on that of all classes, as if of as many windows as ``_PRIOR``; a class that
    has none gets the others' mean.
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
    """The two measures of familiarity [B] that all but half of the rest of ``kept`` windows reach,
    and by how much more the usual window has of the second."""
    weight = class_weights(truth)
    rest = (1 - kept) / 2
    least = quantile(typical, weight, rest)
    usual = max(quantile(typical, weight, 0.5) - least, 1e-3)
    return quantile(seen, weight, rest), least, usual


def blend(
    network: np.ndarray, habits: np.ndarray, truth: np.ndarray, weights: Sequence[float]
) -> tuple[float, float]:
    """By what to divide the network's logits [B, K], and by which of ``weights`` to multiply the
    habits' log likelihoods [B, K], so that the softmax of their sum has the least loss.

    A network needs many windows of a class to know it; counts need few, but see less. So how much
    each has to say is asked of later windows (stacking: Wolpert 1992).
    """
    candidates = itertools.product(_TEMPERATURES, weights)
    temperature, weight = min(
        candidates, key=lambda one: cross_entropy(network / one[0] + one[1] * habits, truth)
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
    """All thresholds, from the blended logits [B, K] and the familiarity [B] of windows that a
    policy would be asked, of which ``kept`` shall pass for known; series, truth: int64 [B]."""
    stays = ~np.isin(truth, left_out)
    series, truth = series[stays], truth[stays]
    identified, precision, named = identified_threshold(softmax(logits[stays]), truth, series)
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
        f"temperature {thresholds.temperature:.2f}, habits {thresholds.habits:g}; from "
        f"{thresholds.identified:.2f} on {thresholds.named:.0%} of the later windows are named, "
        f"{thresholds.precision:.1%} of these correctly; {thresholds.kept:.1%} pass for known "
        f"from {thresholds.known:.3f} on"
        f"{f'; left out, as it has changed: {changed}' if changed else ''}"
    )


def quantile(value: np.ndarray, weight: np.ndarray, share: float) -> float:
    """The largest of the values [B] below which lies no more than ``share`` of the weight [B]."""
    order = np.argsort(value, kind="stable")
    below = np.append(0.0, np.cumsum(weight[order])[:-1])
    return float(value[order][np.flatnonzero(below <= share * weight.sum())[-1]])


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities float64 [B, K] of logits [B, K]."""
    power = np.exp(logits - logits.max(1, keepdims=True).astype(np.float64))
    probability: np.ndarray = power / power.sum(1, keepdims=True)
    return probability


def class_weights(truth: np.ndarray) -> np.ndarray:
    """A weight per row, float64 [B], that sums to 1 and gives every class the same share."""
    _, place, count = np.unique(truth, return_inverse=True, return_counts=True)
    return 1 / (len(count) * count[place])


def cross_entropy(logits: np.ndarray, truth: np.ndarray) -> float:
    """The mean over classes of the mean negative log probability of the truth."""
    likely = softmax(logits)[np.arange(len(truth)), truth]
    return float(-(class_weights(truth) * np.log(np.maximum(likely, 1e-12))).sum())


def smooth(value: np.ndarray, series: np.ndarray, weight: float) -> np.ndarray:
    """Each host's probabilities [B, K], or familiarity [B], smoothed over its windows, in order, as
    the policy does with this weight of the newest."""
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
    """The lowest candidate at which the smoothed decisions reach PRECISION, else the highest.

    Returns it with the precision and the share of all windows that are named there.
    """
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
