"""Class likelihoods: how likely each class is to start a session, from counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.model.features import IntervalScale, Services, Vocabulary
from nba_broker.model.windows import NO_INTERVAL
from training.data.labelled_sessions import LabelledSessions

STEPS = 12
"""Steps of the scaled interval; one more is for the longest intervals."""

_PRIOR = 2.0  # sessions: weight of the intervals of all services of a class as a prior
_PLACES = 50.0  # pools among which a session to a pool new to its class is shared out


@dataclass(frozen=True, slots=True, eq=False)
class ClassLikelihoods:
    """Tables by pair of service and pool. Of their R rows, every service has one for all pools that
    no class used with it.

    row: int32 [S, P], the row of a pair. novelty: float32 [R], 0 for a pair that some class used,
    else 1, but less for services that often use a new pool, such as time servers. pair: float32
    [R, K], log probability of the pair given the class. timing: float32 [S, STEPS + 1, K], log
    probability of an interval's step given the class and the service.
    """

    row: np.ndarray
    novelty: np.ndarray
    pair: np.ndarray
    timing: np.ndarray


def class_likelihoods(
    sessions: LabelledSessions,
    truth: np.ndarray,
    classes: int,
    vocabulary: Vocabulary,
    services: Services,
    scale: IntervalScale,
) -> ClassLikelihoods:
    """The tables of K ``classes`` from sessions of class ``truth``, int64 [n].

    The probability that a class uses a new pair is Good and Turing's estimate: the share of its
    sessions whose pair occurs once (Good, "The population frequencies of species and the
    estimation of population parameters", 1953). Intervals are counted per class and service, with
    those of the class as a prior.
    """
    pool = vocabulary.ids(sessions.named_pool, sessions.table)
    service = services.ids(sessions.dport)
    pairs, number = np.unique(service * len(vocabulary) + pool, return_inverse=True)
    service_of_pair = pairs // len(vocabulary)
    row = np.tile(len(pairs) + np.arange(len(services))[:, None], (1, len(vocabulary)))
    row.reshape(-1)[pairs] = np.arange(len(pairs))

    met = np.zeros((classes, len(pairs)))
    np.add.at(met, (truth, number), 1)
    once = np.zeros((classes, len(services)))
    np.add.at(once.T, service_of_pair, (met == 1).T)
    with_service = np.zeros((classes, len(services)))
    np.add.at(with_service.T, service_of_pair, met.T)
    often_new = (once / np.maximum(with_service, 1)).max(0)
    novelty = np.concatenate([np.zeros(len(pairs)), 1 - often_new])

    total, new = met.sum(1), once.sum(1)
    elsewhere_share = (new + 0.5) / (total + 1)
    to_new = (once + 0.5 / len(services)) / (new + 0.5)[:, None]
    elsewhere = elsewhere_share[:, None] * to_new / _PLACES
    there = (1 - elsewhere_share)[:, None] * met / np.maximum(total, 1)[:, None]
    likely = np.hstack([np.where(met > 0, there, elsewhere[:, service_of_pair]), elsewhere])
    return ClassLikelihoods(
        row.astype(np.int32),
        novelty.astype(np.float32),
        np.log(likely).T.astype(np.float32),
        _timing(sessions, truth, classes, service, len(services), scale),
    )


def _timing(
    sessions: LabelledSessions,
    truth: np.ndarray,
    classes: int,
    service: np.ndarray,
    services: int,
    scale: IntervalScale,
) -> np.ndarray:
    order = np.argsort(sessions.series, kind="stable")
    series, ts = sessions.series[order], sessions.ts[order]
    interval = np.full(len(order), NO_INTERVAL, np.float64)
    interval[order[1:]] = np.where(series[1:] == series[:-1], np.diff(ts), NO_INTERVAL)
    step = step_of(scale(interval))
    timed = step < STEPS
    of_class = np.ones((classes, STEPS))
    np.add.at(of_class, (truth[timed], step[timed]), 1)
    of_class /= of_class.sum(1, keepdims=True)
    counts = np.zeros((classes, services, STEPS))
    np.add.at(counts, (truth[timed], service[timed], step[timed]), 1)
    counts += _PRIOR * of_class[:, None]
    timing = np.log(counts / counts.sum(2, keepdims=True))
    # The longest interval, such as before a host's first session, is no evidence: it has the mean
    # log probability.
    usual = np.zeros(classes)
    np.add.at(usual, truth[timed], timing[truth[timed], service[timed], step[timed]])
    usual /= np.maximum(np.bincount(truth[timed], minlength=classes), 1)
    silent = np.tile(usual[:, None, None], (1, services, 1))
    return np.concatenate([timing, silent], 2).transpose(1, 2, 0).astype(np.float32)


def step_of(scaled: np.ndarray) -> np.ndarray:
    """The steps int64, 0 to STEPS, of scaled intervals float32 of any shape."""
    step: np.ndarray = (scaled * np.float32(STEPS)).astype(np.int64)
    return step
