"""Windows with their class, as the network takes them: made, drawn and augmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from torch import Tensor

from nba_broker.archive.elsewhere import Each
from nba_broker.model.features import FIRST_ID, NEVER_SEEN, PADDING, Services, Vocabulary
from nba_broker.model.windows import NO_INTERVAL, Schedule
from nba_broker.records.classes import Class
from training.data.labelled_sessions import LabelledSessions, inputs
from training.model.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """B windows as the model takes them, with their class.

    pool, service: int64 [B, N]. interval: float32 [B, N]. truth: class, series: host, both int64
    [B]. ts: of the window's last session, float64 [B].
    """

    pool: np.ndarray
    interval: np.ndarray
    service: np.ndarray
    truth: np.ndarray
    series: np.ndarray
    ts: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    def select(self, rows: np.ndarray) -> Examples:
        """The windows with these numbers, int64 [b]."""
        return Examples(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})

    def inputs(self, rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Some of the windows, in the order of features.INPUTS."""
        return self.pool[rows], self.interval[rows], self.service[rows]


def examples(
    sessions: LabelledSessions,
    classes: Sequence[Class],
    vocabulary: Vocabulary,
    services: Services,
    settings: Settings,
    schedule: Schedule | None = None,
    each: Each = map,
) -> Examples:
    """The windows due by ``schedule`` of hosts of ``classes``; without it, one at every session."""
    made = partial(
        inputs,
        schedule=schedule or Schedule(settings.window, settings.min_sessions),
        pools=vocabulary.names,
        services=services.names,
        scale=settings.scale,
    )
    class_of_series = sessions.class_of_series(classes)
    # No series shares a session with another, so windows of the others need not be made.
    known = sessions.select(class_of_series[sessions.series] >= 0)
    windows, *arrays = known.apart(made, each)
    pool, interval, service = arrays
    return Examples(
        pool=pool,
        interval=interval,
        service=service,
        truth=class_of_series[windows.slot],
        series=windows.slot,
        ts=known.ts[windows.index],
    )


def balanced(part: Examples) -> np.ndarray:
    """Each window's chance to be drawn, float64 [B]: classes have equal shares, and so have the
    hosts of a class."""
    hosts, place, windows = np.unique(part.series, return_inverse=True, return_counts=True)
    class_of_host = np.zeros(len(hosts), np.int64)
    class_of_host[place] = part.truth
    hosts_of_class = np.bincount(class_of_host)
    classes = np.count_nonzero(hosts_of_class)
    chance: np.ndarray = 1 / (classes * hosts_of_class[part.truth] * windows[place])
    return chance


def augment(
    pool: np.ndarray,
    interval: np.ndarray,
    service: np.ndarray,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copies of [B, N] inputs: some cut short, as those of a new host, some with unknown pools."""
    size, length = pool.shape
    pool, interval, service = pool.copy(), interval.copy(), service.copy()
    kept = np.where(
        rng.random(size) < settings.shortened,
        rng.integers(settings.min_sessions, length + 1, size),
        length,
    )
    place = np.arange(length)
    start = (length - kept)[:, None]
    before = place < start
    pool[before], interval[before], service[before] = PADDING, 0, PADDING
    # The remaining window begins as the first one of a host: without an interval.
    interval[(place == start) & (pool != PADDING)] = settings.scale(np.array(NO_INTERVAL))
    # All sessions to a dropped pool change, as those to a pool that training never met.
    dropped = rng.random((size, int(pool.max()) + 1)) < settings.pool_dropout
    pool[(pool >= FIRST_ID) & np.take_along_axis(dropped, pool, 1)] = NEVER_SEEN
    return pool, interval, service


def tensors(inputs: Sequence[np.ndarray], device: str | torch.device) -> list[Tensor]:
    """The same numbers on the device of the model."""
    return [torch.from_numpy(one).to(device) for one in inputs]
