"""How sure is sure enough: a temperature for the probabilities, a threshold for naming a host.

Both are chosen on held-out later sessions of known devices, where every class counts the same.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from nba_broker.policy import PolicySettings

PRECISION = 0.99
"""Of what is said of held-out hosts, the share that must be true."""

CANDIDATES = tuple(np.round(np.arange(0.50, 0.951, 0.05), 2).tolist())
"""Thresholds to choose from: below, a coin toss would do; above, twins would never be named."""

DESCRIPTION = (
    f"the lowest of {CANDIDATES[0]:.2f} to {CANDIDATES[-1]:.2f} at which {PRECISION:.0%} of the "
    "names that the policy's smoothing gives held-out later windows are right, every class "
    "counting the same; else the highest"
)


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


def temperature_of(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature between 0.2 and 5 by which to divide the logits for the least loss."""
    candidates = np.geomspace(0.2, 5.0, 65)
    return float(min(candidates, key=lambda one: cross_entropy(logits / one, truth)))


def smooth(probability: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Each host's probabilities [B, K] smoothed over its windows, in order, as the policy does."""
    weight = PolicySettings().weight
    smoothed = probability.copy()
    for number in np.unique(series):
        rows = np.flatnonzero(series == number)
        for before, row in pairwise(rows):
            smoothed[row] = (1 - weight) * smoothed[before] + weight * smoothed[row]
    return smoothed


def identified_threshold(
    probability: np.ndarray, truth: np.ndarray, series: np.ndarray
) -> tuple[float, float, float]:
    """The lowest candidate at which the smoothed decisions reach PRECISION, else the highest.

    Returns it with the precision and the share of all windows that are named there.
    """
    smoothed = smooth(probability, series)
    weight = class_weights(truth)
    confidence, right = smoothed.max(1), smoothed.argmax(1) == truth
    for threshold in CANDIDATES:
        named = confidence >= threshold
        share = weight[named].sum()
        precision = weight[named & right].sum() / share if share else 0.0
        if precision >= PRECISION:
            break
    return threshold, float(precision), float(share)
