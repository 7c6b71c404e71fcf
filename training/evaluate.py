"""What a model folder is worth on labelled sessions, asked through the runtime's scorer."""

from __future__ import annotations

from typing import Any

from nba_broker.errors import ArchiveError
from nba_broker.scorer import Scorer
from training.dataset import LabelledSessions
from training.metrics import summary


def evaluate(scorer: Scorer, sessions: LabelledSessions) -> dict[str, Any]:
    """Figures of the model's first choice at every session from the ``min_sessions``-th on.

    Every host's sequence starts empty at its first session here. Raises ArchiveError when no
    host has enough sessions for a decision.
    """
    manifest = scorer.manifest
    known = [one.device for one in manifest.classes]
    others = [one for one in sessions.classes() if one.device not in known]
    windows = sessions.windows(manifest.window, manifest.min_sessions)
    if not len(windows):
        raise ArchiveError(
            f"no labelled host has the {manifest.min_sessions} sessions that the model needs"
        )
    truth = sessions.class_of_series([*manifest.classes, *others])[windows.slot]
    scores = scorer(windows, sessions.table)
    names = [*known, *(one.device for one in others)]
    return {
        "model": manifest.id,
        "unknown_to_the_model": [one.device for one in others],
        **summary(names, scores.probability, truth, windows.slot, sessions.ts[windows.index]),
    }
