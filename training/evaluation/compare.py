"""Compares the recipe with baselines: same traffic, split by one protocol, same decisions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import DAY
from training.data.classes import renamed
from training.data.labelled_sessions import LabelledSessions
from training.data.recordings import caveat
from training.data.traffic import Traffic
from training.evaluation import distributions, figures, protocols, samples
from training.evaluation.baselines.baseline import Baseline, Material, Settings
from training.evaluation.baselines.registry import NOTES
from training.evaluation.compared_host_days import compared
from training.evaluation.figures import Decisions
from training.evaluation.protocols import Split
from training.evaluation.samples import Samples, Segments


def run(
    traffic: Traffic,
    protocol: str,
    baselines: Sequence[Baseline],
    settings: Settings,
    *,
    groups: np.ndarray | None = None,
    class_of: Mapping[str, str] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """A whole comparison, as in its JSON.

    class_of: the class of each device that is not a class of its own; the split is by device all
    the same. In ``temporal`` all baselines are compared on a validation part inside the training
    part; only those that are not variants are tested on the rest. Raises LabelsError when the
    labels do not allow the protocol, ArchiveError when no baseline has enough sessions.
    """
    sessions = traffic.sessions
    class_of = class_of or {}
    split = protocols.split(sessions, protocol, groups)
    traffic = replace(traffic, sessions=renamed(sessions, class_of))
    validation: dict[str, Any] = {}
    if split.fold is None:
        baselines = [one for one in baselines if one.paper]
    tested = baselines
    if protocol == "temporal":
        say("validation part, inside the training part:")
        validation = compare(
            traffic, protocols.temporal(sessions, validate=True), baselines, settings, say
        )
        tested = [one for one in baselines if not one.variant]
        say("test part, read once:")
    test = compare(traffic, split, tested, settings, say)
    if not test and not validation:
        raise ArchiveError("no baseline has enough sessions to train on")
    # Of the last baseline of the table, which is the shipped recipe when it takes part.
    last = list((test or validation).values())[-1]["own"]
    pair = distributions.most_confused(last["confusion"]) if last["decisions"] else (0, 0)
    material = material_of(traffic, split, settings)
    return {
        "protocol": protocol,
        "leaks": split.leaks,
        "folds": split.folds,
        "clusters": split.cluster_name,
        "caveat": caveat(sessions),
        "settings": {**asdict(settings), "notes": NOTES},
        "devices": _devices(sessions, class_of),
        "classes": list(material.classes),
        "units": _units(sessions, class_of, material.classes),
        "most_confused": distributions.describe(material, pair),
        "baselines": {
            one.name: {
                "about": one.about,
                "variant": one.variant,
                "test": test.get(one.name),
                "validation": validation.get(one.name),
            }
            for one in baselines
            if one.name in test or one.name in validation
        },
        "left_out": [one.name for one in baselines if one.name not in {**test, **validation}],
    }


def _devices(sessions: LabelledSessions, class_of: Mapping[str, str]) -> list[dict[str, Any]]:
    counts = np.bincount(sessions.series, minlength=len(sessions.labels))
    return [
        {
            "device": sessions.labels[one].device,
            "class": class_of.get(sessions.labels[one].device, sessions.labels[one].device),
            "unit": sessions.labels[one].unit,
            "sessions": int(counts[one]),
        }
        for one in np.flatnonzero(counts).tolist()
    ]


def _units(
    sessions: LabelledSessions, class_of: Mapping[str, str], classes: Sequence[str]
) -> dict[str, int]:
    """The largest number of units of a device in each class."""
    units = dict.fromkeys(classes, 0)
    for device, own in protocols.units(sessions).items():
        name = class_of.get(device, device)
        units[name] = max(units[name], len(own))
    return units


def compare(
    traffic: Traffic,
    split: Split,
    baselines: Sequence[Baseline],
    settings: Settings,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Fit and test every baseline; the figures by name, in the given order. A baseline without
    enough sessions to train on is left out.

    Every session of the test part is a decision, from ``min_sessions`` of its segment on, by the
    baseline's latest complete sample (``common``). There are also figures of each baseline's own
    samples (``own``), of one decision per host and day, or group, by these (``once``), and of the
    host-days that a worker's decision makes of them (``host_days``).
    """
    material = material_of(traffic, split, settings)
    results = {}
    for baseline in baselines:
        began = time.monotonic()
        try:
            result = _measure(material, split, baseline)
        except ArchiveError as error:
            # Other baselines may need fewer sessions.
            say(f"{baseline.name:18} left out: {error}")
            continue
        result["seconds"] = round(time.monotonic() - began, 1)
        results[baseline.name] = result
        common, own = result["common"], result["own"]
        say(
            f"{baseline.name:18} common: macro-F1 {_of(common, 'macro_f1')} accuracy "
            f"{_of(common, 'accuracy')}  own: macro-F1 {_of(own, 'macro_f1')} accuracy "
            f"{_of(own, 'accuracy')}  {result['seconds']:.0f} s"
        )
    return results


def _of(table: dict[str, Any], name: str) -> str:
    return f"{table['natural'][name]:.4f}" if table["decisions"] else "  -   "


def material_of(traffic: Traffic, split: Split, settings: Settings) -> Material:
    """The traffic cut by the split."""
    sessions = traffic.sessions
    known = sessions.classes()
    segments = Segments.of(sessions, split.segment)
    return Material(
        traffic=traffic,
        segments=segments,
        truth=sessions.class_of_series(known)[split.series(sessions)],
        classes=tuple(one.device for one in known),
        settings=settings,
    )


def folds_of(material: Material, split: Split, baseline: Baseline) -> tuple[Samples, np.ndarray]:
    """All samples of a baseline and the fold of each, int64 [B]."""
    every = baseline.cut(material, split.stride)
    if split.fold is not None:
        return every, split.fold[material.segments.segment[every.begin]]
    rng = np.random.default_rng(material.settings.seed)
    truth = material.truth_of(every)
    fold = np.zeros(len(every), np.int64)
    for one in np.unique(truth):
        rows = rng.permutation(np.flatnonzero(truth == one))
        fold[rows] = np.arange(len(rows)) % split.folds
    return every, fold


def _measure(material: Material, split: Split, baseline: Baseline) -> dict[str, Any]:
    segments, classes = material.segments, material.classes
    every, fold = folds_of(material, split, baseline)
    probability = np.zeros((len(every), len(classes)))
    shown: dict[str, Any] = {}
    for number in range(split.folds):
        train, test = fold != number, fold == number
        if not train.any() or not test.any():
            continue
        probability[test], shown = baseline.predict(
            material, every.select(train), every.select(test)
        )

    is_tested = fold >= 0
    own = _decisions(material, split, every.select(is_tested), probability[is_tested])
    positions = _common(material, split)
    place = samples.latest(every, segments, positions)
    predictions = Samples(positions, positions + 1, positions)
    given = np.where((place >= 0)[:, None], probability[place], 0.0)
    decisions = _decisions(material, split, predictions, given)
    seed = material.settings.seed
    period = own.cluster if split.cluster_name == "group" else (own.ts // DAY).astype(np.int64)
    start = segments.start[positions]
    waits = segments.segment[positions], positions - start + 1, segments.ts[start]
    return {
        "samples": len(every),
        "samples_per_class": dict(
            zip(
                classes,
                np.bincount(material.truth_of(every), minlength=len(classes)).tolist(),
                strict=True,
            )
        ),
        "common": figures.summary(decisions, classes, seed),
        "own": figures.summary(own, classes, seed),
        "once": figures.summary(figures.once(own, period), classes, seed),
        "over_time": figures.over_time(decisions, classes),
        "time_to_verdict": figures.time_to_verdict(decisions, *waits, classes),
        "host_days": compared(material, split, every, probability),
        "shown": shown,
    }


def _common(material: Material, split: Split) -> np.ndarray:
    """The positions of the decisions that are the same for all baselines, int64 [A]."""
    segments = material.segments
    position = np.arange(len(segments))
    is_common = position - segments.start + 1 >= material.settings.min_sessions
    if split.fold is not None:
        is_common &= split.fold[segments.segment] >= 0
    found: np.ndarray = position[is_common]
    return found


def _decisions(
    material: Material, split: Split, part: Samples, probability: np.ndarray
) -> Decisions:
    """Decisions at the last session of each sample."""
    row = material.segments.row[part.end - 1]
    return Decisions(
        probability=probability,
        truth=material.truth_of(part),
        series=material.traffic.sessions.series[row],
        ts=material.traffic.sessions.ts[row],
        cluster=split.cluster[row],
    )
