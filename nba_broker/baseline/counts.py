"""How improbable a number of sessions in an hour is: by the share of hours with any, and by the
distribution of their number's logarithm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# The prior for the logarithm of the number of sessions: it weighs as much as two hours with two
# sessions each.
_PRIOR_HOURS, _PRIOR_MEAN, _PRIOR_VARIANCE = 2.0, 0.7, 0.4

_LEAST_DEVIATION = 0.15  # of the logarithm: even a timer is off by one now and then


class Predicted(NamedTuple):
    """A normal distribution of log(sessions in an hour): mean and standard deviation, both float64
    of the same shape."""

    mean: np.ndarray
    deviation: np.ndarray


def surprise_of(share: np.ndarray) -> np.ndarray:
    """-log(share) in nats, float64 of any shape: the surprise of what happens in this share of
    hours; infinite for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(np.minimum(share.astype(float), 1.0)))


def predict(hours: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> Predicted:
    """The predictive distribution of log(sessions) of the next hour with any, after ``hours`` with
    this mean and variance; without any, it is the prior's. All are float64 of the same shape.

    The update is the conjugate one of a normal distribution with unknown mean and variance; the
    prediction's Student distribution is taken for a normal one.
    """
    weight = hours + _PRIOR_HOURS
    between = hours * _PRIOR_HOURS / weight * (mean - _PRIOR_MEAN) ** 2
    variance = (hours * variance + _PRIOR_HOURS * _PRIOR_VARIANCE + between) / weight
    mean = (hours * mean + _PRIOR_HOURS * _PRIOR_MEAN) / weight
    return Predicted(mean, np.sqrt(variance * (1 + 1 / weight) + _LEAST_DEVIATION**2))


def added_surprise(
    presence: np.ndarray,
    before: np.ndarray,
    predicted: Predicted,
    *,
    cap: np.ndarray | float,
    tolerance: float,
) -> np.ndarray:
    """What one more session adds to the surprise of an hour, in nats, float64 [n].

    The surprise of an hour is ``presence + z^2 / 2 - tolerance``, at least 0, where z is how many
    standard deviations log(sessions) exceeds the mean.

    presence: nats of an hour with any session, infinite where there never was one, which the result
    is then, too. before: sessions in the hour up to now, int64 [n]. cap: the most nats that the
    number of sessions adds.
    """
    mean, deviation = predicted

    def surprise(number: np.ndarray) -> np.ndarray:
        z = (np.log(np.maximum(number, 1)) - mean) / deviation
        volume = np.minimum(np.maximum(z, 0) ** 2 / 2, cap)
        return np.where(number > 0, np.maximum(finite + volume - tolerance, 0), 0)

    known = np.isfinite(presence)
    finite = np.where(known, presence, 0)
    return np.where(known, surprise(before + 1) - surprise(before), np.inf)
