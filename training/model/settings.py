"""The settings of a fit: window, network, calibration and training."""

from __future__ import annotations

from dataclasses import dataclass, field

from nba_broker.model.features import IntervalScale
from nba_broker.model.windows import Schedule
from training.model.network import FEATURES


@dataclass(frozen=True, slots=True)
class Settings:
    """What was found best on later days inside a training part.

    window, min_sessions, stride, early_stride, scale: as in the manifest. features: what the
    network sees of a session. hidden: size of the LSTM's state. stacked: sessions in one of its
    steps, which saves time (Sak et al., "Fast and Accurate Recurrent Neural Network Acoustic Models
    for Speech Recognition", 2015).
    held_out: share of each host's sessions, its last, by which the first model is calibrated.
    likelihood_weights: candidates for the weight of the class likelihoods beside the network.
    kept: share of the held-out windows of known hosts that the thresholds let pass for known.
    epochs: of ``per_class`` windows of each class. The learning rate falls to 0 over all of them.
    That is better than to keep the epoch with the best loss on held-out sessions: they are too few.
    shortened: share of windows that are cut to a random length.
    pool_dropout: chance of each pool in a window to be replaced by "never seen". threads: fixed,
    because sums depend on their number; more threads do not help with matrices as small as these.
    """

    window: int = 64
    min_sessions: int = 8
    stride: int = 8
    early_stride: int = 4
    scale: IntervalScale = field(default_factory=IntervalScale)
    features: tuple[str, ...] = FEATURES
    hidden: int = 24
    stacked: int = 2
    held_out: float = 0.15
    likelihood_weights: tuple[float, ...] = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)
    kept: float = 0.99
    epochs: int = 16
    per_class: int = 4096
    batch: int = 256
    learning_rate: float = 3e-3
    shortened: float = 0.3
    pool_dropout: float = 0.02
    threads: int = 1

    @property
    def schedule(self) -> Schedule:
        """The sessions of a host at which a worker scores it."""
        return Schedule(self.window, self.min_sessions, self.stride, self.early_stride)


DEFAULT = Settings()
