"""Random forests of baselines, on a bounded number of samples."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from training.evaluation.baselines import networks

MOST = 50_000
"""Most samples that a forest is trained on, drawn at random: more take minutes."""

_TREES = 100


def fit(values: np.ndarray, truth: np.ndarray, seed: int) -> RandomForestClassifier:
    """A forest on float [B, F] and classes int64 [B]."""
    forest = RandomForestClassifier(
        _TREES, class_weight="balanced_subsample", min_samples_leaf=1, random_state=seed
    )
    if len(values) > MOST:
        rows_of = [np.flatnonzero(truth == one) for one in np.unique(truth)]
        rows = networks.draw(rows_of, MOST, np.random.default_rng(seed))
        values, truth = values[rows], truth[rows]
    return forest.fit(values, truth)


def predict(forest: RandomForestClassifier, values: np.ndarray, classes: int) -> np.ndarray:
    """Probability float64 [B, classes] for float [B, F]; 0 for classes without training samples."""
    probability = np.zeros((len(values), classes))
    if len(values):
        probability[:, forest.classes_] = forest.predict_proba(values)
    return probability
