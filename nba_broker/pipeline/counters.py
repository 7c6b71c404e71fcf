"""What a pipeline counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Counts since the start; they only grow."""

    sessions: int = 0
    scored: int = 0
    verdicts: int = 0
    evicted: int = 0
    answers: int = 0
