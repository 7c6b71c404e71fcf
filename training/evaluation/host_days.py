"""Host-days: what a worker's log says of each labelled host at the end of each UTC day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.model.scorer import Scorer
from nba_broker.records.times import DAY
from nba_broker.verdicts.states import NO_DEVICE
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation.followed import stream_of
from training.evaluation.verdicts import Change, latest, of_stream, verdict
from training.metrics.curves import area_of_risk, calibration_error, reliability, risk_coverage
from training.metrics.outcomes import OUTCOMES, outcome

REMINDER = 86_400.0
"""Seconds after which a worker logs an unchanged host again, with its present confidence. This is
the worker's default."""


@dataclass(frozen=True, slots=True)
class HostDay:
    """The latest line about a labelled host at the end of a UTC day on which it had sessions.

    series: the host. day: since the epoch. known: whether the model has the label's device as a
    class. verdict: the name in the line, or the state without one. confidence: that of the name;
    None without one.
    """

    series: int
    label: Label
    day: int
    known: bool
    verdict: str
    confidence: float | None

    @property
    def outcome(self) -> str:
        """``right``, ``no_name`` or ``wrong``."""
        named = self.confidence is not None
        return outcome(self.label.device, self.verdict, named=named, known=self.known)

    def row(self) -> dict[str, Any]:
        """As an evaluation's JSON holds it."""
        return {
            "host": self.label.host,
            "device": self.label.device,
            "day": datetime.fromtimestamp(self.day * DAY, UTC).strftime("%Y-%m-%d"),
            "verdict": self.verdict,
            "confidence": self.confidence,
        }


def followed(sessions: LabelledSessions, scorer: Scorer) -> list[HostDay]:
    """The host-days of a worker that starts anew with this model at the first session."""
    if not len(sessions):
        return []
    changes = of_stream(stream_of(sessions), scorer, BaselineSettings(), REMINDER)
    days = np.stack([sessions.series, (sessions.ts // DAY).astype(np.int64)])
    series, day = np.unique(days, axis=1)
    names = [one.device for one in scorer.manifest.classes]
    return host_days(changes, names, sessions.labels, series, day)


def host_days(
    changes: Iterable[Change],
    names: Sequence[str],
    labels: Sequence[Label],
    series: np.ndarray,
    day: np.ndarray,
    known: Collection[str] | None = None,
) -> list[HostDay]:
    """The host-days of these series and days since the epoch, int64 [D] each.

    changes: with reminders, in order; their slots are series. names: the model's classes; ``known``
    are those that it was trained on, all of them by default.
    """
    known = names if known is None else known
    lines = latest(changes, series, (day + 1) * DAY)
    return [
        HostDay(
            series=number,
            label=labels[number],
            day=when,
            known=labels[number].device in known,
            verdict=verdict(line, names),
            confidence=None if line is None or line.device == NO_DEVICE else line.confidence,
        )
        for number, when, line in zip(series.tolist(), day.tolist(), lines, strict=True)
    ]


def figures(days: Sequence[HostDay]) -> dict[str, Any]:
    """All figures of host-days as a JSON holds them; see docs/model.md."""
    counted = Counter(one.outcome for one in days)
    mistaken = Counter((one.label.device, one.verdict) for one in days if one.outcome == "wrong")
    named = [one for one in days if one.confidence is not None]
    confidence = np.array([one.confidence for one in named], np.float64)
    wrong = np.array([one.outcome == "wrong" for one in named], bool)
    curve = risk_coverage(confidence, wrong, len(days))
    bins = reliability(confidence, ~wrong)
    return {
        "host_days": len(days),
        "of_unknown_devices": sum(not one.known for one in days),
        "right": counted["right"],
        "no_name": counted["no_name"],
        "wrong": counted["wrong"],
        "mistaken": [[*pair, number] for pair, number in mistaken.most_common()],
        "risk_coverage": curve,
        "aurc": area_of_risk(curve),
        "reliability": bins,
        "ece": calibration_error(bins),
    }


def by_device(days: Sequence[HostDay]) -> dict[str, dict[str, int]]:
    """How many host-days of each device are right, without a name, and wrong."""
    counted: dict[str, Counter[str]] = {}
    for one in days:
        counted.setdefault(one.label.device, Counter())[one.outcome] += 1
    return {
        device: {what: counted[device][what] for what in OUTCOMES} for device in sorted(counted)
    }
