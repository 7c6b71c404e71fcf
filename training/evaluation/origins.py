"""Rolling origins: the times that divide an archive, and the model of what lies before one."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import training.model.fit as fitting
from nba_broker.archive.elsewhere import Each
from nba_broker.destinations.pools import Pools
from nba_broker.model.scorer import Scorer
from nba_broker.records.times import DAY
from training.data.dataset import Origin
from training.data.enough import enough
from training.data.labelled_sessions import LabelledSessions
from training.data.public_counts import Pairs
from training.data.recordings import recordings
from training.model.export import write
from training.model.settings import DEFAULT

FEWEST = 3
"""Days of a recording that can be divided: a model needs more than one, and one must remain."""

SHARES = (0.4, 0.8)
"""The first and the last origin, as shares of a recording's days."""


def scorer_of(
    sessions: LabelledSessions,
    origin: Origin,
    pools: Pools,
    *,
    public: Sequence[Pairs] = (),
    seed: int = 0,
    each: Each = map,
) -> Scorer:
    """The model that ``nba-train fit`` makes of these sessions, without the archive's unlabelled
    hosts, whose counts are of all days; ``public``: counts of devices of other networks. Raises
    ArchiveError when they are too few for one."""
    kept, _ = enough(sessions, DEFAULT.min_sessions, _silent)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "rolling"
        fitted = fitting.fit(kept, public=public, seed=seed, say=_silent, each=each)
        write(model, fitted, kept, origin, pools)
        return Scorer(model)


def regular(sessions: LabelledSessions, first: float, every: float) -> list[np.ndarray]:
    """The same origin for all hosts, from ``first`` on and ``every`` so many seconds after it:
    each float64 [series]."""
    times = np.arange(first, sessions.ts[-1], every)
    return [np.full(len(sessions.labels), when) for when in times.tolist()]


def spread(sessions: LabelledSessions, number: int) -> list[np.ndarray]:
    """``number`` origins between SHARES of each recording's days with sessions, at 0:00 UTC: each
    float64 [series], infinity for hosts of a recording with fewer than FEWEST days.

    Hosts that were recorded at other times have other origins, so that a mixture of data sets is
    divided in each of them. Empty when no recording has enough days.
    """
    begin = np.full(len(sessions.labels), np.inf)
    np.minimum.at(begin, sessions.series, sessions.ts)
    shares = np.linspace(*SHARES, number) if number > 1 else np.array([np.mean(SHARES)])
    found = np.full((number, len(sessions.labels)), np.inf)
    for first, last, _ in recordings(sessions):
        own = (begin >= first) & (begin <= last)
        days = np.unique(sessions.ts[own[sessions.series]] // DAY)
        if len(days) >= FEWEST:
            place = np.maximum((shares * len(days)).astype(np.int64), 1)
            found[:, own] = days[place, None] * DAY
    different = np.unique(found, axis=0)
    return [one for one in different if np.isfinite(one).any()]


def _silent(line: str) -> None:
    """Say nothing: there are as many fits as origins."""
