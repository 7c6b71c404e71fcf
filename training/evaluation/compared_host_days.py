"""The host-days of a baseline: its probabilities, decided by the worker's own code."""

from __future__ import annotations

from typing import Any

import numpy as np

from nba_broker.model.windows import Schedule
from nba_broker.verdicts.decision_settings import DecisionSettings
from training.evaluation import samples
from training.evaluation.baselines.baseline import Material
from training.evaluation.host_days import REMINDER, HostDay, figures, host_days
from training.evaluation.protocols import Split
from training.evaluation.samples import Samples
from training.evaluation.verdicts import Scored, decide, decider_with
from training.model.settings import DEFAULT

_DAY = 86_400.0


def compared(
    material: Material, split: Split, every: Samples, probability: np.ndarray
) -> dict[str, Any] | None:
    """The figures of the host-days in the test parts, by the probability [B, K] of every sample;
    None where samples are dealt at random, so that no host can be followed.

    Each segment is a new host. It is decided at the sessions at which a worker with the shipped
    recipe scores, with the default settings, the same for all baselines. A sample counts once.
    """
    if split.fold is None:
        return None
    days = [
        one
        for number in range(split.folds)
        for one in _of_fold(material, split, every, probability, number)
    ]
    return figures(days)


def _of_fold(
    material: Material, split: Split, every: Samples, probability: np.ndarray, number: int
) -> list[HostDay]:
    """The host-days of the segments of one fold."""
    assert split.fold is not None
    segments, sessions = material.segments, material.traffic.sessions
    fold = split.fold[segments.segment]
    position = np.flatnonzero(fold == number)
    if not len(position):
        return []
    least = material.settings.min_sessions
    schedule = Schedule(DEFAULT.window, least, DEFAULT.stride, DEFAULT.early_stride)
    due = position[schedule.due(position - segments.start[position] + 1)]
    place = samples.latest(every, segments, due)
    new = place >= 0
    new[1:] &= place[1:] != place[:-1]
    due, place = due[new], place[new]
    order = np.argsort(segments.row[due], kind="stable")
    due, place = due[order], place[order]
    scored = Scored(
        row=place,
        index=segments.row[due],
        slot=segments.segment[due],
        ts=segments.ts[due],
        probability=probability[place].astype(np.float32),
        known=np.ones(len(due), np.float32),  # baselines have no measure of familiarity
    )
    settings = DecisionSettings(reminder=REMINDER)
    decider = decider_with(settings, len(material.classes), len(material.truth))
    pairs = np.stack([segments.segment[position], (segments.ts[position] // _DAY).astype(np.int64)])
    segment, day = np.unique(pairs, axis=1)
    trained = np.unique(material.truth[segments.segment[fold != number]])
    return host_days(
        decide(decider, scored),
        material.classes,
        [sessions.labels[series] for series in split.series(sessions).tolist()],
        segment,
        day,
        {material.classes[one] for one in trained.tolist()},
    )
