"""Confidence intervals: exact ones of counts and shares, and the draws of a bootstrap."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest, chi2

CONFIDENCE = 0.95
"""Coverage of every interval."""

_DRAWS = 1000


def poisson_bounds(number: int) -> tuple[float, float]:
    """The exact interval of a Poisson mean of which ``number`` events were seen (Garwood, 1936);
    one-sided where there were none."""
    rest = 1 - CONFIDENCE
    if not number:
        return 0.0, float(chi2.ppf(CONFIDENCE, 2) / 2)
    low, high = chi2.ppf([rest / 2, 1 - rest / 2], [2 * number, 2 * number + 2]) / 2
    return float(low), float(high)


def binomial_bounds(hits: int, trials: int) -> tuple[float, float]:
    """The exact interval of a share of at least one trial (Clopper and Pearson, 1934)."""
    interval = binomtest(hits, trials).proportion_ci(CONFIDENCE, "exact")
    return float(interval.low), float(interval.high)


def share_bounds(hits: np.ndarray, trials: np.ndarray, seed: int) -> tuple[float, float]:
    """The interval of a share whose trials depend on each other within a cluster: ``hits`` of
    ``trials``, both [clusters], at least one trial in all.

    It is that of a bootstrap over clusters, but never narrower than the exact one of independent
    trials: where no cluster has a hit, a bootstrap knows no doubt.
    """
    draws = drawn(np.stack([hits, trials], axis=1), seed)
    low, high = percentiles(draws[:, 0] / np.maximum(draws[:, 1], 1))
    exact = binomial_bounds(round(float(hits.sum())), int(trials.sum()))
    return min(low, exact[0]), max(high, exact[1])


def drawn(matrix_of_cluster: np.ndarray, seed: int) -> np.ndarray:
    """Confusion matrices [draws, K, K], or other sums, of a bootstrap over clusters: each draws as
    many clusters, with replacement, as there are in [clusters, K, K].

    The same seed draws the same clusters, so the differences of two classifiers can be paired.
    """
    number = len(matrix_of_cluster)
    times = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), _DRAWS)
    return np.tensordot(times, matrix_of_cluster, 1)


def percentiles(values: np.ndarray) -> list[float]:
    """The interval of the values of a bootstrap [draws]; NaN does not count."""
    rest = (1 - CONFIDENCE) / 2
    return [float(one) for one in np.nanquantile(values, (rest, 1 - rest))]
