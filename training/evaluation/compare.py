"""All systems on the same traffic, split by one protocol, asked at the same moments."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nba_broker.records.errors import ArchiveError
from training.data.classes import renamed
from training.data.recordings import caveat
from training.data.traffic import Traffic
from training.evaluation import distributions, figures, instances, protocols
from training.evaluation.baselines.baseline import Material, Settings, System
from training.evaluation.baselines.registry import NOTES
from training.evaluation.figures import Decisions
from training.evaluation.instances import Instances, Stretches
from training.evaluation.protocols import Split

_DAY = 86_400.0


def run(
    traffic: Traffic,
    protocol: str,
    systems: Sequence[System],
    settings: Settings,
    *,
    groups: np.ndarray | None = None,
    class_of: Mapping[str, str] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """A whole comparison, as its JSON holds it.

    class_of: the class of devices that are no class of their own; the split is by device all the
    same. In ``temporal`` all systems are compared on a validation stretch inside the training part;
    only those that are no variants are asked about the rest. Raises LabelsError where the labels do
    not allow the protocol, ArchiveError where no system finds enough sessions.
    """
    sessions = traffic.sessions
    class_of = class_of or {}
    split = protocols.split(sessions, protocol, groups)
    traffic = replace(traffic, sessions=renamed(sessions, class_of))
    validation: dict[str, Any] = {}
    if split.fold is None:
        systems = [one for one in systems if one.paper]
    asked = systems
    if protocol == "temporal":
        say("validation stretch, inside the training part:")
        validation = compare(
            traffic, protocols.temporal(sessions, validate=True), systems, settings, say
        )
        asked = [one for one in systems if not one.variant]
        say("the rest, read once:")
    test = compare(traffic, split, asked, settings, say)
    if not test and not validation:
        raise ArchiveError("no system finds enough sessions to learn from")
    # Of the last, and so the most interesting, system of the table.
    last = list((test or validation).values())[-1]["own"]
    pair = distributions.most_confused(last["confusion"]) if last["decisions"] else (0, 0)
    material = material_of(traffic, split, settings)
    counts = np.bincount(sessions.series, minlength=len(sessions.labels))
    units = dict.fromkeys(material.classes, 0)
    for device, own in protocols.units(sessions).items():
        name = class_of.get(device, device)
        units[name] = max(units[name], len(own))
    return {
        "protocol": protocol,
        "leaks": split.leaks,
        "folds": split.folds,
        "clusters": split.cluster_name,
        "caveat": caveat(sessions),
        "settings": {**asdict(settings), "notes": NOTES},
        "devices": [
            {
                "device": sessions.labels[one].device,
                "class": class_of.get(sessions.labels[one].device, sessions.labels[one].device),
                "unit": sessions.labels[one].unit,
                "sessions": int(counts[one]),
            }
            for one in np.flatnonzero(counts).tolist()
        ],
        "classes": list(material.classes),
        "units": units,
        "most_confused": distributions.describe(material, pair),
        "systems": {
            one.name: {
                "about": one.about,
                "variant": one.variant,
                "test": test.get(one.name),
                "validation": validation.get(one.name),
            }
            for one in systems
            if one.name in test or one.name in validation
        },
        "left_out": [one.name for one in systems if one.name not in {**test, **validation}],
    }


def compare(
    traffic: Traffic,
    split: Split,
    systems: Sequence[System],
    settings: Settings,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Fit and ask every system; its figures by name, in the order given, but for those of systems
    that find too little to learn from.

    Every session of what is asked about is a decision, from ``min_sessions`` of its stretch on,
    answered with the system's latest complete instance (``asked``). Beside it each system's own
    instances (``own``), and one decision per host and day, or group, from these (``once``).
    """
    material = material_of(traffic, split, settings)
    results = {}
    for system in systems:
        began = time.monotonic()
        try:
            result = _measure(material, split, system)
        except ArchiveError as error:
            # What one system cannot learn from says something of it, and nothing of the others.
            say(f"{system.name:18} left out: {error}")
            continue
        result["seconds"] = round(time.monotonic() - began, 1)
        results[system.name] = result
        asked, own = result["asked"], result["own"]
        say(
            f"{system.name:18} asked: macro-F1 {_of(asked, 'macro_f1')} accuracy "
            f"{_of(asked, 'accuracy')}  own: macro-F1 {_of(own, 'macro_f1')} accuracy "
            f"{_of(own, 'accuracy')}  {result['seconds']:.0f} s"
        )
    return results


def _of(table: dict[str, Any], name: str) -> str:
    return f"{table['natural'][name]:.4f}" if table["decisions"] else "  -   "


def material_of(traffic: Traffic, split: Split, settings: Settings) -> Material:
    """The traffic cut as the split says."""
    sessions = traffic.sessions
    known = sessions.classes()
    stretches = Stretches.of(sessions, split.stretch)
    return Material(
        traffic=traffic,
        stretches=stretches,
        truth=sessions.class_of_series(known)[split.series(sessions)],
        classes=tuple(one.device for one in known),
        settings=settings,
    )


def folds_of(material: Material, split: Split, system: System) -> tuple[Instances, np.ndarray]:
    """All instances of a system and the fold of each, int64 [B]."""
    all_of_them = system.cut(material, split.stride)
    if split.fold is not None:
        return all_of_them, split.fold[material.stretches.stretch[all_of_them.begin]]
    rng = np.random.default_rng(material.settings.seed)
    truth = material.truth_of(all_of_them)
    fold = np.zeros(len(all_of_them), np.int64)
    for one in np.unique(truth):
        rows = rng.permutation(np.flatnonzero(truth == one))
        fold[rows] = np.arange(len(rows)) % split.folds
    return all_of_them, fold


def _measure(material: Material, split: Split, system: System) -> dict[str, Any]:
    stretches, classes = material.stretches, material.classes
    all_of_them, fold = folds_of(material, split, system)
    probability = np.zeros((len(all_of_them), len(classes)))
    shown: dict[str, Any] = {}
    for number in range(split.folds):
        learn, ask = fold != number, fold == number
        if not learn.any() or not ask.any():
            continue
        probability[ask], shown = system.answer(
            material, all_of_them.select(learn), all_of_them.select(ask)
        )

    is_asked = fold >= 0
    own = _decisions(material, split, all_of_them.select(is_asked), probability[is_asked])
    asked = _asked(material, split)
    place = instances.latest(all_of_them, stretches, asked)
    answers = Instances(asked, asked + 1, asked)
    given = np.where((place >= 0)[:, None], probability[place], 0.0)
    decisions = _decisions(material, split, answers, given)
    seed = material.settings.seed
    period = own.cluster if split.cluster_name == "group" else (own.ts // _DAY).astype(np.int64)
    start = stretches.start[asked]
    return {
        "instances": len(all_of_them),
        "instances_per_class": dict(
            zip(
                classes,
                np.bincount(material.truth_of(all_of_them), minlength=len(classes)).tolist(),
                strict=True,
            )
        ),
        "asked": figures.summary(decisions, classes, seed),
        "own": figures.summary(own, classes, seed),
        "once": figures.summary(figures.once(own, period), classes, seed),
        "over_time": figures.over_time(decisions, classes),
        "time_to_verdict": figures.time_to_verdict(
            decisions, stretches.stretch[asked], asked - start + 1, stretches.ts[start], classes
        ),
        "shown": shown,
    }


def _asked(material: Material, split: Split) -> np.ndarray:
    """The positions at which everyone is asked, int64 [A]."""
    stretches = material.stretches
    position = np.arange(len(stretches))
    is_asked = position - stretches.start + 1 >= material.settings.min_sessions
    if split.fold is not None:
        is_asked &= split.fold[stretches.stretch] >= 0
    asked: np.ndarray = position[is_asked]
    return asked


def _decisions(
    material: Material, split: Split, part: Instances, probability: np.ndarray
) -> Decisions:
    """Decisions at the last session of each instance."""
    row = material.stretches.row[part.end - 1]
    return Decisions(
        probability=probability,
        truth=material.truth_of(part),
        series=material.traffic.sessions.series[row],
        ts=material.traffic.sessions.ts[row],
        cluster=split.cluster[row],
    )
