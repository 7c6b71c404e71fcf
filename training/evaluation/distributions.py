"""Where and how often the two most confused classes talk: what a report shows of their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluation.baselines.baseline import Material

_EDGES = np.concatenate([[0.0], np.geomspace(1e-3, 86_400.0, 41), [np.inf]])
_DESTINATIONS = 12


def most_confused(confusion: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The two classes that are most often called each other, each weighing the same."""
    matrix = np.array(confusion, np.float64)[:, : len(confusion)]
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    np.fill_diagonal(share, -1)
    first, second = divmod(int((share + share.T).argmax()), len(share))
    return min(first, second), max(first, second)


def describe(material: Material, pair: tuple[int, int]) -> dict[str, Any]:
    """Sessions per destination pool, the most frequent ones, and per bin of the interval.

    Of both classes, as shares of their sessions. ``edges``: of the bins, in seconds.
    """
    stretches, sessions = material.stretches, material.traffic.sessions
    truth = material.truth[stretches.stretch]
    pool = sessions.pool[stretches.row]
    share = np.zeros((2, len(sessions.table)))
    bins = np.zeros((2, len(_EDGES) - 1))
    for side, one in enumerate(pair):
        own = truth == one
        share[side] = np.bincount(pool[own], minlength=len(sessions.table)) / max(own.sum(), 1)
        known = own & np.isfinite(stretches.interval)
        bins[side] = np.histogram(stretches.interval[known], _EDGES)[0] / max(known.sum(), 1)
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
