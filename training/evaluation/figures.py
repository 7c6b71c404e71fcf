"""What answers are worth, with intervals: the figures of a comparison beyond a plain summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.model.metrics import confusion, macro_f1, per_class, precision_recall_f1

_DAY = 86_400.0
_BINS = 15
_DRAWS = 1000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """B decisions and their truth.

    probability: [B, K], all 0 where there was no answer. truth: int64 [B]. series: whose. ts: when.
    cluster: what is drawn together by the bootstrap. All int64 [B], ts float64 [B].
    """

    probability: np.ndarray
    truth: np.ndarray
    series: np.ndarray
    ts: np.ndarray
    cluster: np.ndarray

    @property
    def answered(self) -> np.ndarray:
        """Whether there was an answer, bool [B]."""
        answered: np.ndarray = np.asarray(self.probability.any(1))
        return answered

    @property
    def answer(self) -> np.ndarray:
        """The class, int64 [B]; K where there was no answer."""
        best, none = self.probability.argmax(1), self.probability.shape[1]
        answer: np.ndarray = np.where(self.answered, best, none)
        return answer


def summary(decisions: Decisions, classes: Sequence[str], seed: int) -> dict[str, Any]:
    """All figures of one table, natural and balanced; classes that do not occur are left out."""
    if not len(decisions.truth):
        return {"decisions": 0}
    number = len(classes) + 1
    matrix = confusion(decisions.truth, decisions.answer, number)
    clusters, place = np.unique(decisions.cluster, return_inverse=True)
    cells = (place * number + decisions.truth) * number + decisions.answer
    of_cluster = np.bincount(cells, minlength=len(clusters) * number * number).reshape(
        len(clusters), number, number
    )
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(clusters), np.full(len(clusters), 1 / len(clusters)), _DRAWS)
    samples = np.tensordot(drawn, of_cluster, 1)
    return {
        "decisions": len(decisions.truth),
        "answered": float(decisions.answered.mean()),
        "clusters": len(clusters),
        "natural": _table(matrix, samples, classes),
        "balanced": _table(_copied(matrix), np.array([_copied(one) for one in samples]), classes),
        "confusion": matrix[:-1].tolist(),
        "ece": calibration_error(decisions),
        "reliability": reliability(decisions),
    }


def _table(matrix: np.ndarray, samples: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    accuracy = [float(np.trace(one) / one.sum()) for one in samples]
    f1 = np.array([precision_recall_f1(one)[2] for one in samples])
    f1[samples.sum(2) == 0] = np.nan  # a class that was not drawn has none
    of_class = per_class(matrix, classes)
    for k, name in enumerate(classes):
        if name in of_class:
            of_class[name]["f1_interval"] = _interval(f1[:, k])
    return {
        "accuracy": float(np.trace(matrix) / matrix.sum()),
        "accuracy_interval": _interval(accuracy),
        "macro_f1": macro_f1(matrix),
        "macro_f1_interval": _interval([macro_f1(one) for one in samples]),
        "classes": of_class,
    }


def _copied(matrix: np.ndarray) -> np.ndarray:
    """The matrix if every class had been copied until all are as large as the largest."""
    size = matrix.sum(1, keepdims=True)
    copied: np.ndarray = matrix * np.divide(
        size.max(), size, out=np.zeros(size.shape), where=size > 0
    )
    return copied


def _interval(values: Sequence[float] | np.ndarray) -> list[float]:
    low = (1 - _LEVEL) / 2
    return [float(one) for one in np.nanquantile(values, (low, 1 - low))]


def reliability(decisions: Decisions) -> list[dict[str, float]]:
    """Mean confidence, share that is right, and number, by equal bins of the confidence."""
    confidence = decisions.probability.max(1)[decisions.answered]
    right = (decisions.answer == decisions.truth)[decisions.answered]
    place = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    return [
        {
            "confidence": float(confidence[place == one].mean()),
            "right": float(right[place == one].mean()),
            "decisions": int((place == one).sum()),
        }
        for one in np.unique(place)
    ]


def calibration_error(decisions: Decisions) -> float | None:
    """Expected calibration error: how far confidence and share right lie apart on average."""
    bins = reliability(decisions)
    total = sum(one["decisions"] for one in bins)
    if not total:
        return None
    return sum(one["decisions"] * abs(one["confidence"] - one["right"]) for one in bins) / total


def once(decisions: Decisions, period: np.ndarray) -> Decisions:
    """One decision per series and ``period``, int64 [B], by the mean of what was answered."""
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
    day = (decisions.ts // _DAY).astype(np.int64)
    rows = []
    for one in np.unique(day):
        here = day == one
        matrix = confusion(decisions.truth[here], decisions.answer[here], len(classes) + 1)
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
    stretch: np.ndarray,
    number: np.ndarray,
    began: np.ndarray,
    classes: Sequence[str],
) -> dict[str, dict[str, float]]:
    """Sessions and minutes to the first answer, and to the first right one, by class (medians).

    stretch: int64 [B], in whose order the decisions lie. number: of the session in its stretch,
    from 1. began: when the stretch did. A stretch that never gets there counts as infinite.
    """
    found: dict[str, dict[str, float]] = {}
    for k, name in enumerate(classes):
        own = decisions.truth == k
        stretches = np.unique(stretch[own])
        if not len(stretches):
            continue
        found[name] = {}
        for what, good in (
            ("answer", own & decisions.answered),
            ("right answer", own & (decisions.answer == k)),
        ):
            rows = np.flatnonzero(good)
            _, first = np.unique(stretch[rows], return_index=True)
            never = [np.inf] * (len(stretches) - len(first))
            rows = rows[first]
            sessions = float(np.median([*number[rows].tolist(), *never]))
            minutes = float(np.median([*((decisions.ts - began)[rows] / 60).tolist(), *never]))
            found[name][f"sessions to {what}"] = sessions if np.isfinite(sessions) else -1
            found[name][f"minutes to {what}"] = minutes if np.isfinite(minutes) else -1
    return found
