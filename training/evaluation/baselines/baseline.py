"""What a comparison's system is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.traffic import Traffic
from training.evaluation.instances import Instances, Stretches


@dataclass(frozen=True, slots=True)
class Settings:
    """What every system of a comparison shares.

    window: N of the paper's systems. min_sessions: from which session of a stretch on it is asked.
    epochs, per_epoch: of the networks, and windows drawn in each (the winner has its own). seed:
    same seed, same figures.
    """

    window: int = 20
    min_sessions: int = 8
    epochs: int = 10
    per_epoch: int = 16_384
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a system is given: traffic cut into stretches, and the class of each stretch.

    truth: int64 [S]. classes: K names.
    """

    traffic: Traffic
    stretches: Stretches
    truth: np.ndarray
    classes: tuple[str, ...]
    settings: Settings

    def truth_of(self, part: Instances) -> np.ndarray:
        """The class of each instance, int64 [B]."""
        truth: np.ndarray = self.truth[self.stretches.stretch[part.begin]]
        return truth


Annotation = tuple[np.ndarray, dict[str, Any]]
"""Probability [B, K], and what a report can show of the system."""

Cut = Callable[[Material, int], Instances]
"""All instances of the material, windows at the stride given, 0 for windows side by side."""


@dataclass(frozen=True, slots=True)
class System:
    """One rival. about: a line for readers. variant: chosen by validation, not read on the test.

    cut: its instances. answer: learns from the first instances, and answers the second.
    paper: whether it can be asked about windows dealt at random.
    """

    name: str
    about: str
    cut: Cut
    answer: Callable[[Material, Instances, Instances], Annotation]
    variant: bool = False
    paper: bool = True
