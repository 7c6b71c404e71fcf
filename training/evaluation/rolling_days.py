"""Follows hosts with models of the time before (rolling origins), and counts their host-days by the
age of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nba_broker.archive.elsewhere import Each
from nba_broker.destinations.pools import Pools
from nba_broker.records.errors import ArchiveError
from nba_broker.records.times import DAY
from training.data.dataset import Origin
from training.data.labelled_sessions import LabelledSessions
from training.data.public_counts import Pairs
from training.evaluation.host_days import HostDay, by_device, figures, followed
from training.evaluation.origins import FEWEST, scorer_of, spread

AGES = (
    (1, "first day"),
    (7, "days 2 to 7"),
    (14, "days 8 to 14"),
    (np.inf, "from day 15 on"),
)
"""Ages of a model: up to which day, and their names. Day 1 is the UTC day of the origin."""


def rolling_days(
    sessions: LabelledSessions,
    origin: Origin,
    pools: Pools,
    origins: Sequence[np.ndarray],
    *,
    public: Sequence[Pairs] = (),
    seed: int = 0,
    each: Each = map,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The host-days of workers that start at each origin, float64 [series], with a model of the
    sessions before it, and follow all hosts to the end of the archive.

    public: counts of devices of other networks. ``each`` makes the windows of each fit, for example
    on a cluster. Raises ArchiveError when the
    sessions before an origin are too few for a model.
    """
    found: list[tuple[int, HostDay]] = []
    models = []
    for number, since in enumerate(origins, 1):
        when = _dates(since[np.unique(sessions.series)])
        before = sessions.ts < since[sessions.series]
        if not before.any():
            raise ArchiveError(f"no session before {when} to train on; begin later")
        training = sessions.select(before)
        part = replace(origin, until=float(training.ts[-1]))
        try:
            scorer = scorer_of(training, part, pools, public=public, seed=seed, each=each)
        except ArchiveError as error:
            raise ArchiveError(f"no model of the sessions before {when}: {error}") from error
        days = followed(sessions.select(~before), scorer)
        counted = figures(days)
        models.append(
            {
                "since": when,
                "model": scorer.manifest.id,
                "trained_on": len(training),
                "devices": len(scorer.manifest.classes),
            }
        )
        found += [(int(one.day - since[one.series] // DAY) + 1, one) for one in days]
        say(
            f"{number} of {len(origins)}, from {when} on: {counted['host_days']} host-days, "
            f"{counted['right']} right, {counted['no_name']} no name, {counted['wrong']} wrong"
        )
    devices = {one.device for one in sessions.classes()}
    judged = {one.label.device for _, one in found}
    return {"models": models, "not_followed": sorted(devices - judged), **_together(found)}


def _together(found: Sequence[tuple[int, HostDay]]) -> dict[str, Any]:
    """The figures of host-days with the model's age in days, from 1."""
    ages: dict[str, Any] = {}
    least = 1.0
    for most, name in AGES:
        if own := [one for age, one in found if least <= age <= most]:
            ages[name] = figures(own)
        least = most + 1
    days = [one for _, one in found]
    return {
        "ages": ages,
        "all": figures(days),
        "devices": by_device(days),
        "by_day": [{"age": age, **one.row()} for age, one in found],
    }


def _dates(since: np.ndarray) -> str:
    """The different origins of hosts, in order; those that are not divided have none."""
    times = np.unique(since[np.isfinite(since)])
    return ", ".join(f"{datetime.fromtimestamp(one, UTC):%Y-%m-%dT%H:%M}" for one in times.tolist())


def for_manifest(
    sessions: LabelledSessions,
    origin: Origin,
    pools: Pools,
    number: int,
    *,
    public: Sequence[Pairs] = (),
    seed: int = 0,
    each: Each = map,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The figures of ``number`` origins spread over the archive, without addresses; or the
    ``reason`` why there are none, as a part of a sentence."""
    if not number:
        return {"reason": "nba-train fit was told not to (--rolling-days 0)"}
    origins = spread(sessions, number)
    if not origins:
        return {"reason": f"no host was recorded on {FEWEST} days or more"}
    say(f"measuring on later days, from {len(origins)} days of the archive on")
    try:
        found = rolling_days(
            sessions, origin, pools, origins, public=public, seed=seed, each=each, say=say
        )
    except ArchiveError as error:
        return {"reason": str(error)}
    return {name: part for name, part in found.items() if name != "by_day"}
