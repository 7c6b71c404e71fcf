"""Chooses the temperature of the probabilities, and the thresholds of the decision.

All are chosen on held-out later sessions of known devices. Every class has the same weight.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from scipy.special import log_softmax, softmax

from nba_broker.model import manifest
from nba_broker.records.classes import Class
from nba_broker.verdicts.decision_settings import WEIGHT

LEAST = 0.05
"""Mean log likelihood ratio, in nats, that a window of any class needs: below it, hosts in general
are about as likely to start its sessions."""

CHANGED = 0.5
"""A class has changed when less than this share of its late windows is recognised. It takes no part
in the calibration: its new behaviour does not show how reliable the model is for the others."""

NEAR = 0.75
"""Share of a class's own mean ratio that a window needs to support it. It is nearer to the class
than to hosts in general, whose ratio is 0, by so much because a wrong name costs more than a late
one."""

LIKELY = 0.5
"""A class that is at least half as probable as the most probable one is possible in any case:
held-out windows of a few hosts do not show how often two similar devices are a toss-up."""

_NEVER = 1e3  # nats: no window reaches it
_PRIOR = 4.0  # windows
_LEAST = np.log(1e-12)  # log probability, so that one window does not decide
_TEMPERATURES = np.geomspace(0.2, 10.0, 40)

_EXPONENTS = np.geomspace(0.25, 1.0, 25)  # over 1, few held-out windows promise too much

DESCRIPTION = (
    f"A window supports a class if its mean log likelihood ratio is at least {NEAR:g} of that of "
    "the class's own sessions, and if the window is familiar. All but the error rate of the "
    "held-out later windows are familiar, all classes having the same weight, and find their own "
    "class possible; classes that had changed are left out."
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The chosen numbers, and their figures on the windows by which they were chosen.

    temperature, likelihood_weight: see :func:`blend`. known: familiarity from which a window is of
    a known device; a share ``kept`` reaches it. support: the mean log likelihood ratio from which a
    window supports each class, nats. possible: the smoothed probability from which each class is
    possible, as a share of the most probable class's; all but a share ``error_rate`` of the class's
    own windows reach it (label-conditional conformal sets: Vovk, "Conditional Validity of Inductive
    Conformal Predictors", 2012).
    exponent: of the smoothed probability, which makes it a calibrated one. supported: share of the
    windows that support their own class. left_out: classes that had changed.
    """

    temperature: float
    likelihood_weight: float
    known: float
    kept: float
    error_rate: float
    support: tuple[float, ...]
    possible: tuple[float, ...]
    exponent: float
    supported: float
    left_out: tuple[int, ...]

    def of_worker(self) -> manifest.Thresholds:
        """Those that a worker decides by."""
        return manifest.Thresholds(
            self.known, self.support, self.possible, self.exponent, self.error_rate
        )


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


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """B held-out windows at which a worker scores.

    logits: blended, float32 [B, K]. known: familiarity, float32 [B]. ratio float32 [B, K], telling
    float32 [B]: see nba_broker.model.scorer.Scores. truth: class, host: both int64 [B].
    """

    logits: np.ndarray
    known: np.ndarray
    ratio: np.ndarray
    telling: np.ndarray
    truth: np.ndarray
    host: np.ndarray

    def select(self, rows: np.ndarray) -> HeldOut:
        """The windows of these rows, bool [B]."""
        return HeldOut(*(getattr(self, one.name)[rows] for one in fields(self)))


def calibrate(
    blended: tuple[float, float],
    held_out: HeldOut,
    typical: np.ndarray,
    kept: float,
    left_out: np.ndarray,
) -> Thresholds:
    """All thresholds, from held-out windows, of which ``kept`` shall pass.

    typical: the mean ratio of each class's own earlier sessions, float64 [K]. A class without
    held-out windows, or one that had changed, has the lowest ``possible`` of the others.
    """
    usual = held_out.select(~np.isin(held_out.truth, left_out))
    weight = class_weights(usual.truth)
    least = quantile(usual.known, weight, 1 - kept)
    smoothed = smooth(probabilities(usual.logits), usual.host, WEIGHT)
    support, possible = np.clip(NEAR * typical, LEAST, _NEVER), np.full(len(typical), np.nan)
    for number in np.unique(usual.truth).tolist():
        own = (smoothed[:, number] / smoothed.max(1))[usual.truth == number]
        possible[number] = min(quantile(own, np.ones(len(own)), 1 - kept), LIKELY)
    possible = np.where(np.isnan(possible), np.nanmin(possible), possible)
    own = usual.ratio[np.arange(len(usual.truth)), usual.truth]
    supports = (own >= support[usual.truth]) & (usual.known >= least)
    supports &= own * usual.telling >= np.log(len(typical) / (1 - kept))
    return Thresholds(
        *blended,
        known=least,
        kept=float(weight[usual.known >= least].sum()),
        error_rate=1 - kept,
        support=tuple(support.tolist()),
        possible=tuple(np.clip(possible, 1e-6, 1).tolist()),
        exponent=exponent(smoothed, usual.truth),
        supported=float(weight[supports].sum()),
        left_out=tuple(left_out.tolist()),
    )


def exponent(smoothed: np.ndarray, truth: np.ndarray) -> float:
    """The power to which smoothed probabilities [B, K] are raised before they are made to sum to 1
    again, so that the truth has the least loss: temperature scaling (Guo et al., "On Calibration of
    Modern Neural Networks", 2017)."""
    logs = np.log(np.maximum(smoothed, 1e-12))
    return float(min(_EXPONENTS, key=lambda one: cross_entropy(one * logs, truth)))


def describe(thresholds: Thresholds, classes: Sequence[Class]) -> str:
    """One line for a person."""
    changed = ", ".join(classes[number].device for number in thresholds.left_out)
    weak = ", ".join(
        one.device for one, least in zip(classes, thresholds.support, strict=True) if least <= LEAST
    )
    return (
        f"temperature {thresholds.temperature:.2f}, weight of class likelihoods "
        f"{thresholds.likelihood_weight:g}; {thresholds.supported:.1%} of the later windows "
        f"support their class, {thresholds.kept:.1%} pass for known"
        f"{f'; hardly differ from hosts in general: {weak}' if weak else ''}"
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
