"""Measures each part of the recipe on the last sessions of every host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nba_broker.model.features import Services, Vocabulary
from nba_broker.records.errors import ArchiveError
from training.data.enough import enough
from training.data.labelled_sessions import LabelledSessions
from training.metrics.classification import summary
from training.model.calibrate import probabilities
from training.model.examples import examples
from training.model.fit import fit, split
from training.model.predict import predict
from training.model.settings import DEFAULT, Settings

LATER = 0.4
"""Share of each host's sessions, its last, that are predicted."""


def variants(settings: Settings) -> dict[str, Settings]:
    """The recipe, the recipe without each of its parts, and with other sizes. Features are left out
    of the network alone, since the class likelihoods use them too."""
    alone = replace(settings, likelihood_weights=(0.0,))
    larger = replace(settings, hidden=settings.hidden * 4 // 3)
    return {
        "the recipe": settings,
        "the network alone": alone,
        "alone, no levels": replace(alone, features=("pool", "interval", "service")),
        "alone, no services": replace(alone, features=("pool", "interval", "level")),
        "alone, pool, interval": replace(alone, features=("pool", "interval")),
        "alone, pool": replace(alone, features=("pool",)),
        "a larger state": larger,
        "one in a step": replace(settings, stacked=1),
        "one, larger state": replace(larger, stacked=1),
        "twice as many a step": replace(settings, stacked=2 * settings.stacked),
        "windows of half": replace(settings, window=settings.window // 2),
        "half the epochs": replace(settings, epochs=settings.epochs // 2),
        "no windows cut short": replace(settings, shortened=0.0),
        "no pools dropped": replace(settings, pool_dropout=0.0),
    }


def ablate(
    sessions: LabelledSessions,
    seeds: Sequence[int],
    settings: Settings | None = None,
    *,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Macro-F1 and host-day accuracy of every variant and seed; ``say`` gets a table's lines.

    Raises ArchiveError when there are too few sessions to train on or to predict.
    """
    early, later = split(sessions, LATER)
    early, _ = enough(early, (settings or DEFAULT).min_sessions, say)
    result: dict[str, Any] = {}
    say("| variant               | macro-F1 | worst class | host-days | seeds |")
    say("| --------------------- | -------: | ----------: | --------: | ----: |")
    for name, variant in variants(settings or DEFAULT).items():
        runs = [_figures(early, later, variant, seed) for seed in seeds]
        result[name] = {"settings": asdict(variant), "seeds": dict(zip(seeds, runs, strict=True))}
        f1, worst, days = (
            np.mean([run[key] for run in runs])
            for key in ("macro_f1", "worst_f1", "host_day_accuracy")
        )
        say(f"| {name:21} | {f1:8.4f} | {worst:11.3f} | {days:9.4f} | {len(seeds):5} |")
    return result


def _figures(
    early: LabelledSessions, later: LabelledSessions, settings: Settings, seed: int
) -> dict[str, Any]:
    fitted = fit(early, settings, seed=seed, say=lambda line: None)
    vocabulary, services = Vocabulary(list(fitted.pools)), Services(fitted.services)
    part = examples(later, fitted.classes, vocabulary, services, settings)
    if not len(part):
        raise ArchiveError("no host has enough later sessions for a prediction")
    names = [one.device for one in fitted.classes]
    probability = probabilities(predict(fitted.model, part).logits)
    figures = summary(names, probability, part.truth, part.series, part.ts)
    worst = min(one["f1"] for one in figures["classes"].values())
    return figures | {"worst_f1": worst}
