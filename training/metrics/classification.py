"""What predictions are worth by class: confusion, accuracy, F1 and their mean, host-days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from nba_broker.records.times import DAY


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """How often class ``row`` was called ``column``: int64 [K, K] from two int columns [n]."""
    if not len(truth):
        return np.zeros((classes, classes), np.int64)
    matrix: np.ndarray = confusion_matrix(truth, prediction, labels=np.arange(classes))
    return matrix


def precision_recall_f1(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each float64 [K], from a confusion matrix; 0 where there is nothing to divide by.

    By hand, since scikit-learn starts from the predictions: a bootstrap has a thousand matrices.
    """
    hits = np.diag(matrix).astype(np.float64)
    called, support = matrix.sum(0), matrix.sum(1)
    return (
        hits / np.maximum(called, 1),
        hits / np.maximum(support, 1),
        2 * hits / np.maximum(called + support, 1),
    )


def macro_f1(matrix: np.ndarray) -> float:
    """The mean F1 of the classes that occur."""
    return float(precision_recall_f1(matrix)[2][matrix.sum(1) > 0].mean())


def best_of_day(
    probability: np.ndarray, series: np.ndarray, ts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first decision of each host on each UTC day, and the class with the highest mean
    probability of that day: both int64 [D]."""
    day = (ts // DAY).astype(np.int64)
    _, first, place = np.unique(
        np.stack([series, day]), axis=1, return_index=True, return_inverse=True
    )
    total = np.zeros((len(first), probability.shape[1]))
    np.add.at(total, place.ravel(), probability)
    return first, total.argmax(1)


def per_class(matrix: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and support of the classes that occur in a confusion matrix."""
    precision, recall, f1 = precision_recall_f1(matrix)
    support = matrix.sum(1)
    return {
        name: {
            "precision": float(precision[k]),
            "recall": float(recall[k]),
            "f1": float(f1[k]),
            "support": int(support[k]),
        }
        for k, name in enumerate(names)
        if support[k]
    }


def summary(
    names: Sequence[str],
    probability: np.ndarray,
    truth: np.ndarray,
    series: np.ndarray,
    ts: np.ndarray,
) -> dict[str, Any]:
    """All figures of B decisions as an evaluation's JSON holds them.

    names: the K classes of ``probability`` [B, K], then the classes of ``truth`` int64 [B] that the
    model does not know. series int64 [B], ts float64 [B]: host and time of each decision.
    Only classes that occur are listed and averaged.
    """
    matrix = confusion(truth, probability.argmax(1), len(names))
    first, prediction = best_of_day(probability, series, ts)
    return {
        "accuracy": float(np.trace(matrix) / matrix.sum()),
        "macro_f1": macro_f1(matrix),
        "windows": int(matrix.sum()),
        "host_day_accuracy": float((prediction == truth[first]).mean()),
        "host_days": len(first),
        "classes": per_class(matrix, names),
        "confusion": {
            name: {other: int(matrix[k, j]) for j, other in enumerate(names) if matrix[k, j]}
            for k, name in enumerate(names)
            if matrix[k].any()
        },
    }
