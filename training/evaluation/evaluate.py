"""What a model folder is worth on labelled sessions, asked through the runtime's own code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nba_broker.archive.conn_log import Each
from nba_broker.model.manifest import Manifest
from nba_broker.model.scorer import Scorer, Scores
from nba_broker.model.windows import Schedule, Windows
from nba_broker.records.errors import ArchiveError, ModelError
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decide import decide
from nba_broker.verdicts.decision import Decider, Decision
from nba_broker.verdicts.decision_rules import ScoredWindows
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.states import LEARNING, NO_DEVICE
from training.data.dataset import LabelledSessions
from training.model.metrics import host_days, summary

_DAY = 86_400.0


def evaluate(
    scorer: Scorer, sessions: LabelledSessions, each: Each | None = None
) -> dict[str, Any]:
    """Figures of the model's first choice at every session from the ``min_sessions``-th on, and of
    what a worker would have made of these hosts.

    Every host's sequence starts empty at its first session here. ``each`` makes the windows and
    asks the model elsewhere, with the same figures. Raises ArchiveError when no host has
    enough sessions for a decision.
    """
    manifest = scorer.manifest
    known = [one.device for one in manifest.classes]
    others = [one for one in sessions.classes() if one.device not in known]
    asked = partial(_asked, scorer)
    if each is not None:
        asked = partial(_asked_elsewhere, scorer.folder.absolute(), manifest.raw)
    windows, *answers = sessions.apart(asked, each or map)
    if not len(windows):
        raise ArchiveError(
            f"no labelled host has the {manifest.min_sessions} sessions that the model needs"
        )
    class_of_series = sessions.class_of_series([*manifest.classes, *others])
    truth = class_of_series[windows.slot]
    scores = Scores(*answers)
    names = [*known, *(one.device for one in others)]
    ts = sessions.ts[windows.index]
    decisions = verdicts(manifest, windows, ts, scores)
    return {
        "model": manifest.id,
        "unknown_to_the_model": [one.device for one in others],
        **summary(names, scores.probability, truth, windows.slot, ts),
        "time_to_name": time_to_name(sessions, windows, decisions, class_of_series, names),
        "by_day": _by_day(sessions, windows, scores, decisions, names),
    }


def _asked(scorer: Scorer, sessions: LabelledSessions) -> tuple[Windows, *tuple[np.ndarray, ...]]:
    """The windows at every session and the scores in their order, without what nobody needs of
    either here: it would take most of the memory."""
    manifest = scorer.manifest
    windows = sessions.windows(Schedule(manifest.window, manifest.min_sessions))
    nothing = np.zeros((len(windows), 0), np.float32)
    if not len(windows):
        none = np.zeros((0, len(manifest.classes)), np.float32), np.zeros(0, np.float32)
        return replace(windows, columns={}), none[0], nothing, nothing, none[1]
    scores = scorer(windows, sessions.table)
    return replace(windows, columns={}), scores.probability, nothing, nothing, scores.known


def _asked_elsewhere(
    folder: Path, manifest: dict[str, Any], sessions: LabelledSessions
) -> tuple[Windows, *tuple[np.ndarray, ...]]:
    """The same in another process, which has to find the same model; raises ModelError."""
    scorer = Scorer(folder)
    if scorer.manifest.raw != manifest:
        raise ModelError(f"{folder}: not the same model on {os.uname().nodename} as where it began")
    return _asked(scorer, sessions)


def verdicts(
    manifest: Manifest, windows: Windows, ts: np.ndarray, scores: Scores
) -> list[Decision]:
    """What a worker's policy says of B windows, one at every session, with their scores.

    A worker is asked when its schedule says: the windows between its own take no part. Each
    decision's ``window`` is a row of ``windows``.
    """
    asked = np.flatnonzero(manifest.schedule.due(windows.count))
    decider = Decider(len(manifest.classes), DecisionSettings.of_model(manifest))
    decider.slots.reserve(int(windows.slot.max(initial=-1)) + 1)
    decisions = decide(
        decider,
        ScoredWindows(
            windows.slot[asked],
            asked,
            ts[asked],
            scores.probability[asked],
            scores.known[asked],
        ),
    )
    return [replace(one, window=int(asked[one.window])) for one in decisions]


def time_to_name(
    sessions: LabelledSessions,
    windows: Windows,
    decisions: Sequence[Decision],
    class_of_series: np.ndarray,
    names: Sequence[str],
) -> dict[str, dict[str, float | None]]:
    """How long each device's hosts wait for a worker's first name, and for the right one.

    Sessions and hours from a host's first session on: medians over the ``hosts`` of the device
    (those with enough sessions for a window), None where most never get there.
    """
    began = np.full(len(sessions.labels), np.inf)
    np.minimum.at(began, sessions.series, sessions.ts)
    waits: dict[str, dict[int, tuple[float, float]]] = {"name": {}, "right name": {}}
    for one in decisions:
        if one.device == NO_DEVICE:
            continue
        hours = (sessions.ts[windows.index[one.window]] - began[one.slot]) / 3600
        wait = float(windows.count[one.window]), float(hours)
        waits["name"].setdefault(one.slot, wait)
        if one.device == class_of_series[one.slot]:
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


def _by_day(
    sessions: LabelledSessions,
    windows: Windows,
    scores: Scores,
    decisions: Sequence[Decision],
    names: Sequence[str],
) -> list[dict[str, str]]:
    """Each host on each UTC day: the class that the mean of the day's probabilities says, and what
    a worker calls the host at its end, a class or a state without one."""
    ts = sessions.ts[windows.index]
    first, best = host_days(scores.probability, windows.slot, ts)
    said: dict[int, list[tuple[float, str]]] = {}
    for one in decisions:
        name = names[one.device] if one.device != NO_DEVICE else STATES[one.state]
        said.setdefault(one.slot, []).append((float(ts[one.window]), name))
    rows = []
    for row, answer in zip(first.tolist(), best.tolist(), strict=True):
        number = int(windows.slot[row])
        label, day = sessions.labels[number], ts[row] // _DAY
        verdict = STATES[LEARNING]
        for when, name in said.get(number, ()):
            if when < (day + 1) * _DAY:
                verdict = name
        rows.append(
            {
                "host": label.host,
                "device": label.device,
                "day": datetime.fromtimestamp(day * _DAY, UTC).strftime("%Y-%m-%d"),
                "answer": names[answer],
                "verdict": verdict,
            }
        )
    return rows
