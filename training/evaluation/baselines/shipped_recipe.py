"""The shipped recipe, nba-train fit, beside the baselines of a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nba_broker.model.features import Services, Vocabulary
from training.data.enough import enough
from training.data.labelled_sessions import LabelledSessions
from training.evaluation import samples
from training.evaluation.baselines.baseline import Baseline, Material, Prediction
from training.evaluation.samples import Samples
from training.model.calibrate import probabilities
from training.model.examples import examples
from training.model.fit import fit
from training.model.predict import predict
from training.model.settings import DEFAULT


def _cut(material: Material, stride: int) -> Samples:
    return samples.windows(material.segments, DEFAULT.window, material.settings.min_sessions)


def _predict(material: Material, train: Samples, test: Samples) -> Prediction:
    """Fit to the training segments, and predict by the recipe's own features."""
    settings = replace(DEFAULT, min_sessions=material.settings.min_sessions)
    training, _ = enough(_sessions(material, train), settings.min_sessions, lambda line: None)
    fitted = fit(training, settings, seed=material.settings.seed, say=lambda line: None)
    windows = examples(
        _sessions(material, test),
        fitted.classes,
        Vocabulary(list(fitted.pools)),
        Services(fitted.services),
        settings,
    )
    of_model = np.array([material.classes.index(one.device) for one in fitted.classes])
    known = np.isin(material.truth_of(test), of_model)
    order = np.lexsort((windows.ts, windows.series))
    probability = np.zeros((len(test), len(material.classes)))
    predicted = probabilities(predict(fitted.model, windows).logits)
    probability[np.ix_(np.flatnonzero(known), of_model)] = predicted[order]
    shown: dict[str, Any] = {"pools": len(fitted.pools)}
    return probability, shown


def _sessions(material: Material, part: Samples) -> LabelledSessions:
    """The sessions of these samples, every segment as a series of its own."""
    sessions, segments = material.traffic.sessions, material.segments
    kept = np.flatnonzero(part.covers(len(segments)))
    kept = kept[np.argsort(segments.row[kept])]
    chosen = np.zeros(len(sessions), bool)
    chosen[segments.row[kept]] = True
    series_of_segment = np.zeros(len(material.truth), np.int64)
    series_of_segment[segments.segment] = sessions.series[segments.row]
    return replace(
        sessions.select(chosen),
        series=segments.segment[kept],
        labels=tuple(sessions.labels[series] for series in series_of_segment.tolist()),
    )


SHIPPED_RECIPE = Baseline(
    "shipped-recipe", "the recipe of nba-train fit", _cut, _predict, paper=False
)
"""Not for windows that are dealt at random: it trains on whole segments."""
