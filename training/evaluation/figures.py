"""The figures of a comparison: tables with intervals, calibration, and how long a verdict takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nba_broker.records.times import DAY
from training.metrics import curves
from training.metrics.classification import confusion, macro_f1, per_class, precision_recall_f1
from training.metrics.intervals import drawn, percentiles


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """B decisions and their truth.

    probability: [B, K], all 0 where there is no prediction. truth: class, int64 [B]. series: host,
    int64 [B]. ts: time, float64 [B]. cluster: what the bootstrap draws together, int64 [B].
    """

    probability: np.ndarray
    truth: np.ndarray
    series: np.ndarray
    ts: np.ndarray
    cluster: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """Whether there is a prediction, bool [B]."""
        predicted: np.ndarray = np.asarray(self.probability.any(1))
        return predicted

    @property
    def prediction(self) -> np.ndarray:
        """The class, int64 [B]; K where there is no prediction."""
        best, none = self.probability.argmax(1), self.probability.shape[1]
        prediction: np.ndarray = np.where(self.predicted, best, none)
        return prediction


def summary(decisions: Decisions, classes: Sequence[str], seed: int) -> dict[str, Any]:
    """All figures of one table, natural and balanced; classes that do not occur are left out."""
    if not len(decisions.truth):
        return {"decisions": 0}
    number = len(classes) + 1
    matrix = confusion(decisions.truth, decisions.prediction, number)
    clusters, place = np.unique(decisions.cluster, return_inverse=True)
    cells = (place * number + decisions.truth) * number + decisions.prediction
    of_cluster = np.bincount(cells, minlength=len(clusters) * number * number)
    draws = drawn(of_cluster.reshape(len(clusters), number, number), seed)
    bins = reliability(decisions)
    return {
        "decisions": len(decisions.truth),
        "coverage": float(decisions.predicted.mean()),
        "clusters": len(clusters),
        "natural": _table(matrix, draws, classes),
        "balanced": _table(_copied(matrix), np.array([_copied(one) for one in draws]), classes),
        "confusion": matrix[:-1].tolist(),
        "ece": curves.calibration_error(bins),
        "reliability": bins,
    }


def reliability(decisions: Decisions) -> list[dict[str, float]]:
    """The bins of the decisions that have a prediction."""
    predicted = decisions.predicted
    right = (decisions.prediction == decisions.truth)[predicted]
    return curves.reliability(decisions.probability.max(1)[predicted], right)


def _table(matrix: np.ndarray, draws: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    accuracy = np.array([np.trace(one) / one.sum() for one in draws])
    f1 = np.array([precision_recall_f1(one)[2] for one in draws])
    f1[draws.sum(2) == 0] = np.nan  # a class that was not drawn has none
    of_class = per_class(matrix, classes)
    for k, name in enumerate(classes):
        if name in of_class:
            of_class[name]["f1_interval"] = percentiles(f1[:, k])
    return {
        "accuracy": float(np.trace(matrix) / matrix.sum()),
        "accuracy_interval": percentiles(accuracy),
        "macro_f1": macro_f1(matrix),
        "macro_f1_interval": percentiles(np.array([macro_f1(one) for one in draws])),
        "classes": of_class,
    }


def _copied(matrix: np.ndarray) -> np.ndarray:
    """The matrix if every class had been copied until all are as large as the largest."""
    size = matrix.sum(1, keepdims=True)
    copied: np.ndarray = matrix * np.divide(
        size.max(), size, out=np.zeros(size.shape), where=size > 0
    )
    return copied


def once(decisions: Decisions, period: np.ndarray) -> Decisions:
    """One decision per series and ``period``, int64 [B], by its mean probability."""
    _, first, place = np.unique(
        np.stack([decisions.series, period]), axis=1, return_index=True, return_inverse=True
    )
    total = np.zeros((len(first), decisions.probability.shape[1]))
    np.add.at(total, place.ravel(), decisions.probability)
    size = np.maximum(total.sum(1, keepdims=True), 1e-12)
    return Decisions(
        total / size,
        decisions.truth[first],
        decisions.series[first],
        decisions.ts[first],
        decisions.cluster[first],
    )


def over_time(decisions: Decisions, classes: Sequence[str]) -> list[dict[str, Any]]:
    """F1 of each class that occurs, by UTC day."""
    day = (decisions.ts // DAY).astype(np.int64)
    rows = []
    for one in np.unique(day):
        here = day == one
        matrix = confusion(decisions.truth[here], decisions.prediction[here], len(classes) + 1)
        f1 = precision_recall_f1(matrix)[2]
        rows.append(
            {
                "day": int(one),
                "f1": {name: float(f1[k]) for k, name in enumerate(classes) if matrix[k].sum()},
            }
        )
    return rows


def time_to_verdict(
    decisions: Decisions,
    segment: np.ndarray,
    number: np.ndarray,
    began: np.ndarray,
    classes: Sequence[str],
) -> dict[str, dict[str, float]]:
    """Sessions and minutes to the first prediction, and to the first right one, by class (medians).

    segment: int64 [B], ascending. number: of the session in its segment, from 1. began: when the
    segment began, seconds. A segment without such a prediction counts as infinite; -1 stands for
    an infinite median.
    """
    found: dict[str, dict[str, float]] = {}
    for k, name in enumerate(classes):
        own = decisions.truth == k
        segments = np.unique(segment[own])
        if not len(segments):
            continue
        found[name] = {}
        for what, good in (
            ("prediction", own & decisions.predicted),
            ("right prediction", own & (decisions.prediction == k)),
        ):
            rows = np.flatnonzero(good)
            _, first = np.unique(segment[rows], return_index=True)
            never = [np.inf] * (len(segments) - len(first))
            rows = rows[first]
            sessions = float(np.median([*number[rows].tolist(), *never]))
            minutes = float(np.median([*((decisions.ts - began)[rows] / 60).tolist(), *never]))
            found[name][f"sessions to {what}"] = sessions if np.isfinite(sessions) else -1
            found[name][f"minutes to {what}"] = minutes if np.isfinite(minutes) else -1
    return found
