"""Destinations and intervals of the two most confused classes, for a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluation.baselines.baseline import Material

_EDGES = np.concatenate([[0.0], np.geomspace(1e-3, 86_400.0, 41), [np.inf]])
_DESTINATIONS = 12


def most_confused(confusion: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The two classes that are most often mistaken for each other, both with the same weight."""
    matrix = np.array(confusion, np.float64)[:, : len(confusion)]
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    np.fill_diagonal(share, -1)
    first, second = divmod(int((share + share.T).argmax()), len(share))
    return min(first, second), max(first, second)


def describe(material: Material, pair: tuple[int, int]) -> dict[str, Any]:
    """Sessions per destination pool, the most frequent ones, and per bin of the interval.

    Of both classes, as shares of their sessions. ``edges``: of the bins, in seconds.
    """
    segments, sessions = material.segments, material.traffic.sessions
    truth = material.truth[segments.segment]
    pool = sessions.named_pool[segments.row]
    share = np.zeros((2, len(sessions.table)))
    bins = np.zeros((2, len(_EDGES) - 1))
    for side, one in enumerate(pair):
        own = truth == one
        share[side] = np.bincount(pool[own], minlength=len(sessions.table)) / max(own.sum(), 1)
        known = own & np.isfinite(segments.interval)
        bins[side] = np.histogram(segments.interval[known], _EDGES)[0] / max(known.sum(), 1)
    top = np.argsort(-share.sum(0), kind="stable")[:_DESTINATIONS]
    return {
        "classes": [material.classes[one] for one in pair],
        "destinations": [
            {"name": sessions.table[one], "shares": share[:, one].round(5).tolist()}
            for one in top.tolist()
            if share[:, one].any()
        ],
        "edges": _EDGES[1:-1].tolist(),
        "intervals": bins.round(5).tolist(),
    }
