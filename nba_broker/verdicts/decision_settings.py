"""The numbers of the decision, each with its unit, its meaning and how it was chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.model.manifest import Manifest


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """When a host gets a name, loses it, and is logged.

    A *probability* is a class's smoothed probability, 0 to 1. A *familiarity* is the model's
    smoothed ``known``, without a unit: 1 is the distance from the threshold to a usual window.
    *Windows* are scored windows of one host in a row; *seconds* are event time. "LSIF" means that
    the value was chosen on LSIF's days up to 2019-07-09, by hand: no command reproduces it.
    """

    identified: float = 0.7
    """Probability from which a class is a host's name. The model's manifest sets it;
    ``nba-train fit`` calibrates it."""

    known: float = -np.inf
    """Familiarity from which a window counts as that of a known device. The model's manifest sets
    it; ``nba-train fit`` calibrates it."""

    keep_name: float = 0.3
    """Probability down to which a host keeps its class while no other class reaches
    ``identified``. Confusable devices then flip less (LSIF)."""

    plausible: float = 0.1
    """Probability from which a labelled host may still be the device of its label, so that an
    ``impostor`` takes ``slow_windows``. Chosen so that right labels of confusable devices on LSIF
    raise no ``impostor``."""

    known_margin: float = 0.5
    """Familiarity below ``known`` at which a host loses the class it has. On known devices' later
    LSIF days names were lost and taken back without it; swapped devices still lose their name
    within 100 sessions."""

    weight: float = 0.1
    """Share of the newest window in the probability; the first windows are averaged. 0.1 looks back
    over about 20 windows, because confusable devices differ only on average (LSIF)."""

    known_weight: float = 0.15
    """Share of the newest window in the familiarity. 0.15 looks back over about 13 windows, because
    an out-of-distribution host must be found early (LSIF)."""

    first_windows: int = 2
    """Windows that must show the same class before a ``learning`` host is ``identified``. One
    window alone must not name a host."""

    unfamiliar_windows: int = 3
    """Unfamiliar windows before a ``learning`` host is ``unknown`` (LSIF)."""

    change_windows: int = 6
    """Windows that must show something else before a host's name changes (LSIF)."""

    slow_windows: int = 24
    """Windows before a decision that must not be hasty: before a ``learning`` host that is
    familiar, but reaches no class, is ``unknown``; before an established name is lost or changes;
    and before a label that is still plausible is contradicted. Confusable devices are told apart
    only in the long run (LSIF), and an attack must not take a name before the host's baseline
    reports it."""

    windows_before_impostor: int = 15
    """Windows that a host must have had before it can contradict its label. With the shipped
    schedule 15 reach the first full window."""

    established: float = 86_400.0
    """Seconds for which a host must have had a name before another name is a change; before that it
    is a correction. One day shows a device's daily routine; not tuned."""

    persistence: float = 3600.0
    """Seconds for which the windows of such a host must have shown another device. Without it, a
    scan or a flood took a known host's name within seconds; the host's baseline judges bursts, by
    the hour."""

    recovery: float = 86_400.0
    """Seconds without an alarm after which a host is no longer ``misbehaving``. One day; not
    tuned."""

    reminder: float = 86_400.0
    """Seconds after which a host whose state is unchanged is logged again; 0 for never."""

    @classmethod
    def of_model(cls, manifest: Manifest, reminder: float = 0.0) -> DecisionSettings:
        """A worker's settings with this model."""
        return cls(identified=manifest.identified, known=manifest.known, reminder=reminder)
