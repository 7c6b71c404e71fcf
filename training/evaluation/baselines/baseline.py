"""A baseline of a comparison, and its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.traffic import Traffic
from training.evaluation.samples import Samples, Segments


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that all baselines of a comparison share.

    window: N of the paper's systems. min_sessions: the session of a segment from which on it is
    predicted. epochs: of the networks. per_epoch: windows drawn in each. The shipped recipe has its
    own window, epochs and per_epoch. seed: same seed, same figures.
    """

    window: int = 20
    min_sessions: int = 8
    epochs: int = 10
    per_epoch: int = 16_384
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Input of a baseline: traffic cut into segments, and the class of each segment.

    truth: int64 [S]. classes: K names.
    """

    traffic: Traffic
    segments: Segments
    truth: np.ndarray
    classes: tuple[str, ...]
    settings: Settings

    def truth_of(self, part: Samples) -> np.ndarray:
        """The class of each sample, int64 [B]."""
        truth: np.ndarray = self.truth[self.segments.segment[part.begin]]
        return truth


Prediction = tuple[np.ndarray, dict[str, Any]]
"""Probability [B, K], and content for a report."""

Cut = Callable[[Material, int], Samples]
"""All samples of the material; windows have the given stride, 0 for their length."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """One baseline. about: a line for readers. variant: compared on the validation part alone.

    cut: its samples. predict: trains on the first samples, and predicts the second.
    paper: whether it can be tested on windows that are dealt at random.
    """

    name: str
    about: str
    cut: Cut
    predict: Callable[[Material, Samples, Samples], Prediction]
    variant: bool = False
    paper: bool = True
