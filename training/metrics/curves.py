"""Curves of scores and confidences: ROC, the area under it, calibration, and risk by coverage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binned_statistic
from sklearn.metrics import roc_auc_score, roc_curve

_BINS = 15


def auroc(inside: np.ndarray, weight: np.ndarray, outside: np.ndarray) -> float:
    """The chance that a value from ``inside`` [B], drawn by ``weight`` [B], is above one from
    ``outside`` [C]; equal ones count half."""
    is_inside, value, weight = _together(inside, weight, outside)
    return float(roc_auc_score(is_inside, value, sample_weight=weight))


def roc(
    inside: np.ndarray, weight: np.ndarray, outside: np.ndarray, false_alarms: Sequence[float]
) -> list[float]:
    """The share of ``outside`` [C] below a threshold, at each share of ``inside`` [B], drawn by
    ``weight`` [B], that is below it; linear between the thresholds."""
    is_inside, value, weight = _together(inside, weight, outside)
    alarms, caught, _ = roc_curve(~is_inside, -value, sample_weight=weight, drop_intermediate=False)
    last = np.append(np.diff(alarms) > 0, True)  # of thresholds that cost the same, the best
    found: list[float] = np.interp(false_alarms, alarms[last], caught[last]).tolist()
    return found


def _together(
    inside: np.ndarray, weight: np.ndarray, outside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    is_inside = np.arange(len(inside) + len(outside)) < len(inside)
    return is_inside, np.append(inside, outside), np.append(weight, np.ones(len(outside)))


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, float]]:
    """Mean confidence, share that is right, and number of decisions, by equal bins of the
    confidence [B]; ``right``: bool [B]. Empty bins are left out."""
    if not len(confidence):
        return []
    confidence = np.minimum(confidence, 1.0)  # a sum of probabilities may be above by a digit
    means, _, place = binned_statistic(
        confidence, [confidence, right], bins=_BINS, range=(0.0, 1.0)
    )
    number = np.bincount(place, minlength=_BINS + 1)[1:]
    return [
        {"confidence": float(means[0, k]), "right": float(means[1, k]), "decisions": int(number[k])}
        for k in np.flatnonzero(number).tolist()
    ]


def calibration_error(bins: Sequence[dict[str, float]]) -> float | None:
    """Expected calibration error: the mean distance of confidence and share right over the bins of
    :func:`reliability`; None without a decision."""
    total = sum(one["decisions"] for one in bins)
    if not total:
        return None
    return sum(one["decisions"] * abs(one["confidence"] - one["right"]) for one in bins) / total


def risk_coverage(confidence: np.ndarray, wrong: np.ndarray, cases: int) -> list[dict[str, float]]:
    """What is gained and lost when only answers from a confidence on are given (El-Yaniv and
    Wiener, "On the Foundations of Noise-free Selective Classification", 2010).

    A row for each confidence [B] of the B answers, the highest first: the share of ``cases`` that
    get an answer (``coverage``), and the share of these answers that is wrong (``risk``). wrong:
    bool [B]; ``cases`` is B and those without an answer.
    """
    values, place = np.unique(-confidence, return_inverse=True)
    answers = np.cumsum(np.bincount(place, minlength=len(values)))
    mistakes = np.cumsum(np.bincount(place, wrong, minlength=len(values)))
    return [
        {"confidence": -value, "coverage": number / cases, "risk": bad / number}
        for value, number, bad in zip(
            values.tolist(), answers.tolist(), mistakes.tolist(), strict=True
        )
    ]


def area_of_risk(rows: Sequence[dict[str, float]]) -> float | None:
    """The area under :func:`risk_coverage` as a mean risk: over the answers, the most confident
    first (Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", 2017). 0 is
    best; None without an answer."""
    if not rows:
        return None
    steps = np.diff([0.0, *(one["coverage"] for one in rows)])
    return float(np.average([one["risk"] for one in rows], weights=steps))
