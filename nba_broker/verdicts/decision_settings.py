"""The numbers of the decision, each with its unit, its meaning and how it was chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.model.manifest import Manifest, Thresholds

WEIGHT = 0.1
"""Share of the newest window in the smoothed probability; it looks back over about 20 windows,
because confusable devices differ only on average."""


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """When a host gets a name, loses it, and is logged.

    *Windows* are scored windows of one host in a row; *seconds* are event time. The model's
    manifest sets ``thresholds``, for a stated error rate; ``nba-train fit`` chooses them. The
    others are round numbers: half and twice of each give the same verdicts on LSIF's days before
    2019-07-06 (``nba-train ablate --decision``).
    """

    thresholds: Thresholds
    """What a window must reach to support a class."""

    weight: float = WEIGHT
    """Share of the newest window in the probability; the first windows are averaged."""

    windows_for: int = 4
    """Windows that must support the same class before it is a host's name; or none, before a new
    host is ``unknown``."""

    windows_against: int = 8
    """Windows that must contradict a name before the host gets another, or support several devices
    before it is ``ambiguous``; a host whose windows support nothing else keeps its name twice as
    long."""

    established: float = 86_400.0
    """Seconds for which a host must have had a name before another name is a change; before that it
    is a correction. One day shows a device's daily routine."""

    persistence: float = 3600.0
    """Seconds for which windows must have contradicted such a name. Without it, a scan or a flood
    takes a known host's name within seconds; the host's baseline judges bursts, by the hour."""

    recovery: float = 86_400.0
    """Seconds without an alarm after which a host is no longer ``misbehaving``. One day."""

    reminder: float = 86_400.0
    """Seconds after which a host whose state is unchanged is logged again; 0 for never."""

    @classmethod
    def of_model(cls, manifest: Manifest, reminder: float = 0.0) -> DecisionSettings:
        """A worker's settings with this model."""
        return cls(manifest.thresholds, reminder=reminder)

    @property
    def support(self) -> np.ndarray:
        """The mean log likelihood ratio from which a window supports each class, float32 [K]."""
        return np.array(self.thresholds.support, np.float32)

    def are_possible(self, probability: np.ndarray) -> np.ndarray:
        """Which classes the smoothed probabilities, float32 [..., K], do not rule out, bool
        [..., K]: at least the most probable one. None without a window, where all probabilities are
        0, or if they are of another model, as those of a snapshot that is only shown."""
        possible = np.array(self.thresholds.possible, np.float32)
        if probability.shape[-1] != len(possible):
            return np.zeros(probability.shape, bool)
        best = probability.max(-1, keepdims=True, initial=0)
        found: np.ndarray = (probability >= possible * best) & (best > 0)
        return found

    def enough(self, classes: int) -> float:
        """The sum of log likelihood ratios, in nats, by which a window's sessions must differ from
        what hosts in general do to be for or against one of ``classes`` classes.

        It is Wald's bound, log(classes / error rate): of hosts in general no larger share reaches
        it with any class (Wald, "Sequential Tests of Statistical Hypotheses", 1945), if sessions
        are independent.
        """
        return float(np.log(classes / self.thresholds.error_rate))

    def calibrated(self, probability: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of smoothed ones, float32 [K] each."""
        powers = np.power(probability.astype(np.float64), self.thresholds.exponent)
        found: np.ndarray = (powers / max(float(powers.sum()), 1e-30)).astype(np.float32)
        return found
