"""Judges each day, or several, with a model of the days before (rolling origin)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nba_broker.baseline.host_baseline import BaselineSettings
from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import DAY
from training.data.dataset import Origin
from training.data.public_counts import Pairs
from training.evaluation.alarms import judged, printed, rated
from training.evaluation.followed import Followed, between
from training.evaluation.origins import scorer_of


def rolling(
    followed: Followed,
    origin: Origin,
    thresholds: Sequence[float],
    *,
    every: float = DAY,
    public: Sequence[Pairs] = (),
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """False alarms and wrong changes in the judged parts, at each threshold of the host baseline.

    A new model is fitted at the beginning of the judged part and ``every`` so many seconds after
    it; ``public``: counts of devices of other networks. Raises ArchiveError when the sessions
    before are too few for a model.
    """
    begin, end = float(np.nanmin(followed.since)), float(np.nanmax(followed.until))
    found: dict[float, list[dict[str, Any]]] = {threshold: [] for threshold in thresholds}
    models = []
    for since in np.arange(begin, end, every).tolist():
        part = between(followed, since, since + every)
        when = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M}"
        training = followed.sessions.select(followed.sessions.ts < since)
        if not len(training):
            raise ArchiveError(f"no session before {when} to train on; begin later")
        before = replace(origin, until=since)
        scorer = scorer_of(training, before, followed.pools, public=public, seed=seed)
        models.append({"since": since, "model": scorer.manifest.id})
        for threshold, parts in found.items():
            parts.append(judged(part, scorer, BaselineSettings(threshold=threshold)))
        numbers = [f"{len(parts[-1]['notices'])} notices" for parts in found.values()]
        say(f"{when}: {', '.join(numbers)}")
    result: dict[str, Any] = {"models": models, "thresholds": {}}
    for threshold, parts in found.items():
        result["thresholds"][f"{threshold:g}"] = row = rated(parts)
        say(f"threshold {threshold:g}:")
        for line in printed(row):
            say(line)
    return result
