"""The shipped recipe, nba-train fit, as one of the systems of a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nba_broker.model.features import Services, Vocabulary
from training.data.dataset import LabelledSessions
from training.data.enough import enough
from training.evaluation import instances
from training.evaluation.baselines.baseline import Annotation, Material, System
from training.evaluation.instances import Instances
from training.model import fit
from training.model.calibrate import softmax


def _cut(material: Material, stride: int) -> Instances:
    return instances.windows(material.stretches, fit.DEFAULT.window, material.settings.min_sessions)


def _answer(material: Material, learn: Instances, ask: Instances) -> Annotation:
    """Fit to the stretches that teach, asked through the recipe's own features."""
    settings = replace(fit.DEFAULT, min_sessions=material.settings.min_sessions)
    taught, _ = enough(_sessions(material, learn), settings.min_sessions, lambda line: None)
    fitted = fit.fit(taught, settings, seed=material.settings.seed, say=lambda line: None)
    windows = fit.examples(
        _sessions(material, ask),
        fitted.classes,
        Vocabulary(list(fitted.pools)),
        Services(fitted.services),
        settings,
    )
    of_model = np.array([material.classes.index(one.device) for one in fitted.classes])
    known = np.isin(material.truth_of(ask), of_model)
    order = np.lexsort((windows.ts, windows.series))
    probability = np.zeros((len(ask), len(material.classes)))
    answered = np.flatnonzero(known)
    probability[np.ix_(answered, of_model)] = softmax(fit.predict(fitted.model, windows))[order]
    shown: dict[str, Any] = {"pools": len(fitted.pools)}
    return probability, shown


def _sessions(material: Material, part: Instances) -> LabelledSessions:
    """The sessions that some instance holds, every stretch a series of its own."""
    sessions, stretches = material.traffic.sessions, material.stretches
    kept = np.flatnonzero(part.covers(len(stretches)))
    kept = kept[np.argsort(stretches.row[kept])]
    chosen = np.zeros(len(sessions), bool)
    chosen[stretches.row[kept]] = True
    series_of_stretch = np.zeros(len(material.truth), np.int64)
    series_of_stretch[stretches.stretch] = sessions.series[stretches.row]
    return replace(
        sessions.select(chosen),
        series=stretches.stretch[kept],
        labels=tuple(sessions.labels[series] for series in series_of_stretch.tolist()),
    )


WINNER = System("winner", "the recipe of nba-train fit", _cut, _answer, paper=False)
"""Not for windows dealt at random: it learns from whole stretches."""
