"""Checks of labels, before anything is trained.

A candidate that was trained on wrong labels does well on later days with the same wrong labels, so
the labels are compared with the running model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np

from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.verdicts.states import NO_DEVICE
from training.data.labelled_sessions import LabelledSessions
from training.evaluation.verdicts import of_windows
from training.gate.checks import Check, some
from training.gate.standing import standing

CONTRADICTED = 0.2
"""Largest share of hosts whose label is another device than the running model names. Some labels
are corrections, and confusable devices are mistaken; when labels slipped by a row it is nearly
all."""

FEWER = 0.75
"""Least number of labelled hosts, as a share of those that the running model was trained on."""


def check_labels(
    running: Scorer,
    sessions: LabelledSessions,
    *,
    annotated: Collection[str] = (),
    dropped: Collection[str] = (),
) -> list[Check]:
    """The checks of labels by the running model's training part and verdicts.

    annotated: hosts, as in labels, that an analyst named; these names count more than the model's.
    dropped: classes that the candidate need not have.
    """
    return [
        _contradictions(running, sessions, annotated),
        _hosts(running.manifest, sessions, dropped),
        _classes(running.manifest, sessions, dropped),
    ]


def _contradictions(
    running: Scorer, sessions: LabelledSessions, annotated: Collection[str]
) -> Check:
    """Hosts that most of their time have another name from the running model than their label."""
    manifest = running.manifest
    names = [one.device for one in manifest.classes]
    windows = sessions.windows(manifest.schedule)
    ts = sessions.ts[windows.index]
    changes = of_windows(manifest, windows, ts, running(windows, sessions.table))
    _, device = standing(windows, changes)
    compared, against = 0, []
    for number in np.unique(windows.slot).tolist():
        label = sessions.labels[number]
        own = device[windows.slot == number]
        if label.device not in names or label.host in annotated or (own == NO_DEVICE).mean() > 0.5:
            continue
        compared += 1
        called = names[int(np.bincount(own[own != NO_DEVICE]).argmax())]
        if called != label.device:
            against.append(f"{label.host} is labelled {label.device} and behaves like {called}")
    if not against:
        return Check("labels", True, f"all {compared} hosts behave like their labels")
    return Check(
        "labels",
        len(against) <= CONTRADICTED * compared,
        f"{len(against)} of {compared} hosts have another label than their name from the running "
        f"model (at most {CONTRADICTED:.0%} may): {some(against, '; ')}",
    )


def _hosts(manifest: Manifest, sessions: LabelledSessions, dropped: Collection[str]) -> Check:
    """Whether about as many hosts have labels as the running model was trained on."""
    try:
        trained = Counter(str(one["device"]) for one in manifest.raw["training"]["hosts"])
    except (KeyError, TypeError):
        return Check(
            "hosts", True, "the running model does not record the hosts that it was trained on"
        )
    number = np.bincount(sessions.series, minlength=len(sessions.labels))
    have = Counter(
        label.device
        for label, own in zip(sessions.labels, number, strict=True)
        if own >= manifest.min_sessions
    )
    known = {name: count for name, count in trained.items() if name not in dropped}
    there = {name: min(have[name], count) for name, count in known.items()}
    total, left = sum(known.values()), sum(there.values())
    fewer = [
        f"{name} {there[name]} of {known[name]}" for name in known if there[name] < known[name]
    ]
    return Check(
        "hosts",
        left >= FEWER * total,
        f"labels cover {left} of the {total} hosts that the running model was trained on (at least "
        f"{FEWER:.0%} must be){f'; fewer: {some(fewer)}' if fewer else ''}",
    )


def _classes(manifest: Manifest, sessions: LabelledSessions, dropped: Collection[str]) -> Check:
    """Whether the candidate has every class of the running model."""
    here = {one.device for one in sessions.classes()}
    missing = [
        one.device
        for one in manifest.classes
        if one.device not in here and one.device not in dropped
    ]
    if not missing:
        return Check("classes", True, "the candidate has every class of the running model")
    return Check(
        "classes",
        False,
        f"no labelled host with {manifest.min_sessions} sessions for {some(missing)}, which the "
        "running model knows; label a host of each, or give --drop CLASS to remove the class",
    )
