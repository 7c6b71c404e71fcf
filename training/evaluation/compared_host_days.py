"""The host-days of a baseline: its probabilities, decided by the worker's own code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nba_broker.model.manifest import Thresholds
from nba_broker.model.windows import Schedule
from nba_broker.records.times import DAY
from nba_broker.verdicts.decision_settings import DecisionSettings
from training.evaluation import samples
from training.evaluation.baselines.baseline import Material
from training.evaluation.host_days import REMINDER, HostDay, figures, host_days
from training.evaluation.protocols import Split
from training.evaluation.samples import Samples
from training.evaluation.verdicts import Scored, decide, decider_with
from training.model.background import background, ratios
from training.model.calibrate import LIKELY
from training.model.settings import DEFAULT


def compared(
    material: Material, split: Split, every: Samples, probability: np.ndarray
) -> dict[str, Any] | None:
    """The figures of the host-days in the test parts, by the probability [B, K] of every sample;
    None where samples are dealt at random, so that no host can be followed.

    Each segment is a new host. It is decided at the sessions at which a worker with the shipped
    recipe scores, with a background of the training part and the same thresholds for all
    baselines. A sample counts once.
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
    schedule = Schedule(
        DEFAULT.window, material.settings.min_sessions, DEFAULT.stride, DEFAULT.early_stride
    )
    due = position[schedule.due(position - segments.start[position] + 1)]
    place = samples.latest(every, segments, due)
    new = place >= 0
    new[1:] &= place[1:] != place[:-1]
    # Ratios come in time order, for every session that is due.
    order = np.argsort(segments.row[due], kind="stable")
    due, place, new = due[order], place[order], new[order]
    ratio, telling = _compared_with_all(material, fold, number, schedule)
    due, place = due[new], place[new]
    scored = Scored(
        row=place,
        index=segments.row[due],
        slot=segments.segment[due],
        ts=segments.ts[due],
        probability=probability[place].astype(np.float32),
        known=np.ones(len(due), np.float32),  # baselines have no measure of familiarity
        ratio=ratio[new],
        telling=telling[new],
    )
    classes = len(material.classes)
    settings = DecisionSettings(_thresholds(classes), reminder=REMINDER)
    decider = decider_with(settings, classes, len(material.truth))
    pairs = np.stack([segments.segment[position], (segments.ts[position] // DAY).astype(np.int64)])
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


def _thresholds(classes: int) -> Thresholds:
    """The same for all baselines: a class is possible if it is half as likely as the likeliest one,
    and supported if the sessions are likelier for it than for hosts in general."""
    return Thresholds(
        known=-np.inf,
        support=(0.0,) * classes,
        possible=(LIKELY,) * classes,
        exponent=1.0,
        error_rate=1 - DEFAULT.kept,
    )


def _compared_with_all(
    material: Material, fold: np.ndarray, number: int, schedule: Schedule
) -> tuple[np.ndarray, np.ndarray]:
    """The ratios of the windows due in a fold to a background of the training part, in time order:
    float32 [B, K], and the number of their sessions that tell, float32 [B]."""
    segments, sessions = material.segments, material.traffic.sessions
    segment = np.full(len(sessions), -1)
    segment[segments.row] = segments.segment
    truth = np.where(segment >= 0, material.truth[segment], -1)
    in_test = np.zeros(len(sessions), bool)
    in_test[segments.row] = fold == number
    train = (segment >= 0) & ~in_test
    compared = background(sessions.select(train), truth[train], len(material.classes))
    test = replace(sessions.select(in_test), series=segment[in_test])
    _, ratio, telling = ratios(test, compared, schedule)
    return ratio, telling
