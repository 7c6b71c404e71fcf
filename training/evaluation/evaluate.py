"""Figures of a model folder on labelled sessions, by the runtime's own code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.archive.elsewhere import Each
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import Schedule, Windows
from nba_broker.records.errors import ArchiveError, ModelError
from nba_broker.records.times import DAY
from nba_broker.verdicts.states import NO_DEVICE
from training.data.labelled_sessions import LabelledSessions
from training.evaluation.host_days import REMINDER, by_device, figures, host_days
from training.evaluation.verdicts import Change, of_windows
from training.metrics.classification import best_of_day, summary


def evaluate(
    scorer: Scorer, sessions: LabelledSessions, each: Each | None = None
) -> dict[str, Any]:
    """Figures of the model's first choice at every session from the ``min_sessions``-th on, and of
    a worker's verdicts for these hosts.

    Every host's window starts empty at its first session here. ``each`` makes the windows and
    scores them, for example on a cluster, with the same figures. Raises ArchiveError when no host
    has enough sessions for a decision.
    """
    manifest = scorer.manifest
    known = [one.device for one in manifest.classes]
    others = [one for one in sessions.classes() if one.device not in known]
    score = partial(_scored, scorer)
    if each is not None:
        score = partial(_scored_elsewhere, scorer.folder.absolute(), manifest.raw)
    windows, *outputs = sessions.apart(score, each or map)
    if not len(windows):
        raise ArchiveError(
            f"no labelled host has the {manifest.min_sessions} sessions that the model needs"
        )
    class_of_series = sessions.class_of_series([*manifest.classes, *others])
    truth = class_of_series[windows.slot]
    scores = Scores(*outputs)
    names = [*known, *(one.device for one in others)]
    ts = sessions.ts[windows.index]
    changes = of_windows(manifest, windows, ts, scores, REMINDER)
    first, best = best_of_day(scores.probability, windows.slot, ts)
    day = (ts[first] // DAY).astype(np.int64)
    days = host_days(changes, known, sessions.labels, windows.slot[first], day)
    return {
        "model": manifest.id,
        "unknown_to_the_model": [one.device for one in others],
        **summary(names, scores.probability, truth, windows.slot, ts),
        "time_to_name": time_to_name(sessions, windows, changes, class_of_series, names),
        "verdicts": figures(days),
        "devices": by_device(days),
        "by_day": [
            {**one.row(), "prediction": names[prediction]}
            for one, prediction in zip(days, best.tolist(), strict=True)
        ],
    }


def _scored(scorer: Scorer, sessions: LabelledSessions) -> tuple[Windows, *tuple[np.ndarray, ...]]:
    """The windows at every session and their scores, without columns, attention and context: these
    would take most of the memory."""
    manifest = scorer.manifest
    windows = sessions.windows(Schedule(manifest.window, manifest.min_sessions))
    nothing = np.zeros((len(windows), 0), np.float32)
    if not len(windows):
        none = np.zeros((0, len(manifest.classes)), np.float32)
        known = np.zeros(0, np.float32)
        return replace(windows, columns={}), none, nothing, nothing, known, none, known
    scores = scorer(windows, sessions.table, sessions.text)
    kept = scores.known, scores.ratio, scores.telling
    return replace(windows, columns={}), scores.probability, nothing, nothing, *kept


def _scored_elsewhere(
    folder: Path, manifest: dict[str, Any], sessions: LabelledSessions
) -> tuple[Windows, *tuple[np.ndarray, ...]]:
    """The same in another process. Raises ModelError when it finds another model there."""
    scorer = Scorer(folder)
    if scorer.manifest.raw != manifest:
        raise ModelError(f"{folder}: the model on {os.uname().nodename} is another one than here")
    return _scored(scorer, sessions)


def time_to_name(
    sessions: LabelledSessions,
    windows: Windows,
    changes: Sequence[Change],
    class_of_series: np.ndarray,
    names: Sequence[str],
) -> dict[str, dict[str, float | None]]:
    """Sessions and hours from a host's first session to a worker's first name, and to the right
    one.

    Medians over the ``hosts`` of each device that have enough sessions for a window; None when most
    of them never get the name.
    """
    began = np.full(len(sessions.labels), np.inf)
    np.minimum.at(began, sessions.series, sessions.ts)
    waits: dict[str, dict[int, tuple[float, float]]] = {"name": {}, "right name": {}}
    for one in changes:
        device = one.decision.device
        if device == NO_DEVICE:
            continue
        hours = (one.ts - began[one.slot]) / 3600
        wait = float(windows.count[one.row]), float(hours)
        waits["name"].setdefault(one.slot, wait)
        if device == class_of_series[one.slot]:
            waits["right name"].setdefault(one.slot, wait)
    found: dict[str, dict[str, float | None]] = {}
    hosts = np.unique(windows.slot)
    for number in np.unique(class_of_series[hosts]).tolist():
        own = hosts[class_of_series[hosts] == number].tolist()
        row: dict[str, float | None] = {"hosts": len(own)}
        for what, of_host in waits.items():
            never = (np.inf, np.inf)
            middle = np.median([of_host.get(host, never) for host in own], axis=0).tolist()
            for unit, value in zip(("sessions", "hours"), middle, strict=True):
                row[f"{unit} to {what}"] = value if np.isfinite(value) else None
        found[names[number]] = row
    return found
