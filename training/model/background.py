"""Makes the background that classes are compared with, and the ratios of windows to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from nba_broker.archive.elsewhere import Each
from nba_broker.model.background import Background, LikelihoodRatios, background_of
from nba_broker.model.windows import Schedule, Windows
from nba_broker.records.errors import ArchiveError
from nba_broker.records.ports import service_codes
from training.data.labelled_sessions import LabelledSessions
from training.data.public_counts import Key, Pairs, by_class
from training.model.background_names import name_shares, pairs_only


def background(
    sessions: LabelledSessions, truth: np.ndarray, classes: int, others: Sequence[Pairs] = ()
) -> Background:
    """The background of all classes and of ``others``, which are devices of any kind; truth: the
    class of each session, int64 [n].

    Raises ArchiveError when no session tells devices apart.
    """
    own = by_class(sessions, truth, classes)
    try:
        return background_of_counts([*own, *others], own)
    except ValueError as error:
        raise ArchiveError(f"no background to compare classes with: {error}") from error


def background_of_counts(devices: Sequence[Pairs], classes: Sequence[Pairs]) -> Background:
    """See nba_broker.model.background.background_of; with what names add."""
    made = background_of(map(pairs_only, devices), [pairs_only(one) for one in classes])
    return replace(made, names=name_shares(made, devices, classes))


def without_own(first: Background, hosts: Sequence[Pairs]) -> list[Pairs]:
    """The hosts that look like no class of a first background: the unlabelled hosts of an archive
    may be of a class.

    A host looks like a class when its ratio is nearer to the class's own than to 0, which is that
    of hosts in general.
    """
    ratios = LikelihoodRatios(first)
    usual = typical(first)
    return [one for one in hosts if (ratio_of(ratios, one) < usual / 2).all()]


def typical(given: Background) -> np.ndarray:
    """The mean ratio of each class's own sessions that tell, nats, float64 [K]; infinite for a
    class without one. Names take no part: where the DNS is not seen, a class has to do without."""
    ratios = LikelihoodRatios(replace(given, names=None))
    keys = [
        (given.services[service], given.pools[pool])
        for service, pool in zip(given.service.tolist(), given.pool.tolist(), strict=True)
    ]
    found = np.full(len(given.classes), np.inf)
    for number, shares in enumerate(given.classes):
        own = {(*key, ""): share for key, share in zip(keys, shares.tolist(), strict=True) if share}
        if own:
            found[number] = ratio_of(ratios, own)[number]
    return found


def ratio_of(ratios: LikelihoodRatios, pairs: Mapping[Key, float]) -> np.ndarray:
    """The mean ratio of a device's sessions that tell, for each class, nats, float64 [K]."""
    # A service is one of its ports.
    dport = np.array([service_codes(service).stop - 1 for service, _, _ in pairs])
    table, names = [pool for _, pool, _ in pairs], [name for *_, name in pairs]
    each = ratios.of_pairs(dport, table, names)
    weight = np.array(list(pairs.values()), np.float64)
    found: np.ndarray = weight @ each / weight.sum()
    return found


def ratios(
    sessions: LabelledSessions, given: Background, schedule: Schedule, each: Each = map
) -> tuple[Windows, np.ndarray, np.ndarray]:
    """The windows due, without their columns, their ratio for each class, float32 [B, K], and the
    number of their sessions that tell, float32 [B]; see LikelihoodRatios."""
    windows, *found = sessions.apart(partial(_ratios, given=given, schedule=schedule), each)
    ratio, telling = found
    return windows, ratio, telling


def _ratios(
    sessions: LabelledSessions, *, given: Background, schedule: Schedule
) -> tuple[Windows, *tuple[np.ndarray, ...]]:
    windows = sessions.windows(schedule)
    columns = (windows.pool, windows.dport, sessions.table, windows.name, sessions.text)
    found = LikelihoodRatios(given)(*columns)
    return replace(windows, columns={}), *found
