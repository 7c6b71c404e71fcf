"""Measures each part of the recipe, and each number of the decision, on later sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nba_broker.model.features import Services, Vocabulary
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import Windows
from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import DAY
from nba_broker.verdicts.decision_settings import DecisionSettings
from training.data.enough import enough
from training.data.labelled_sessions import LabelledSessions
from training.evaluation.verdicts import Scored, at_the_end, decide, decider_with
from training.metrics.classification import summary
from training.metrics.outcomes import outcomes
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


def decisions(settings: DecisionSettings) -> dict[str, DecisionSettings]:
    """The decision as it is, and with half and twice each of its numbers."""
    found = {"as it is": settings}
    for name in ("weight", "windows_for", "windows_against", "established", "persistence"):
        value = getattr(settings, name)
        for word, changed in (("half", value / 2), ("twice", value * 2)):
            found[f"{word} {name}"] = replace(settings, **{name: type(value)(changed)})
    support = np.array(settings.thresholds.support)
    for factor in (0.5, 0.75, 1.25, 1.5):
        thresholds = replace(settings.thresholds, support=tuple((factor * support).tolist()))
        found[f"{factor:g} support"] = replace(settings, thresholds=thresholds)
    return found


def ablate_decision(
    sessions: LabelledSessions, scorer: Scorer, *, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Host-days by their verdict with each variant of the decision, and without the names of
    destinations, of a worker with this model that sees these sessions; ``say`` gets the lines of a
    table.

    Raises ArchiveError when no host has enough sessions for a window.
    """
    manifest = scorer.manifest
    windows = sessions.windows(manifest.schedule)
    if not len(windows):
        raise ArchiveError("no host has enough sessions for a window")
    ts = sessions.ts[windows.index]
    scored = _scored(windows, ts, scorer(windows, sessions.table, sessions.text))
    settings = DecisionSettings.of_model(manifest)
    made = {name: (one, scored) for name, one in decisions(settings).items()}
    if manifest.background.names is not None:
        made["without names"] = settings, _scored(windows, ts, scorer(windows, sessions.table))
    slot, day = np.unique(np.stack([windows.slot, (ts // DAY).astype(np.int64)]), axis=1)
    devices = [sessions.labels[number].device for number in slot.tolist()]
    names = [one.device for one in manifest.classes]
    outside = set(devices) - set(names)
    result: dict[str, Any] = {}
    say("| decision               | right | no name | wrong | lines |")
    say("| ---------------------- | ----: | ------: | ----: | ----: |")
    for name, (settings, scored) in made.items():
        changes = decide(decider_with(settings, len(names), int(slot.max()) + 1), scored)
        verdicts = at_the_end(changes, names, slot, (day + 1) * DAY)
        found = outcomes(zip(devices, verdicts, strict=True), names, outside)
        result[name] = {
            "right": found.right,
            "no_name": found.no_name,
            "wrong": found.wrong,
            "lines": len(changes),
        }
        say(
            f"| {name:22} | {found.right:5} | {found.no_name:7} | {found.wrong:5} "
            f"| {len(changes):5} |"
        )
    return result


def _scored(windows: Windows, ts: np.ndarray, scores: Scores) -> Scored:
    return Scored(
        np.arange(len(windows)),
        windows.index,
        windows.slot,
        ts,
        scores.probability,
        scores.known,
        scores.ratio,
        scores.telling,
    )


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
