"""Variants of the recipe are fitted alike and asked alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from tests.training.quick import QUICK, sessions
from training.evaluation.ablate import ablate, variants


def test_intervals_are_missed_where_they_alone_tell_devices_apart() -> None:
    lines: list[str] = []
    settings = replace(QUICK, epochs=2)
    figures = ablate(sessions(1.0, 60.0, number=300), [0, 1], settings, say=lines.append)
    assert list(figures) == list(variants(settings))
    assert all(list(one["seeds"]) == [0, 1] for one in figures.values())
    whole, blind = (figures[name]["seeds"][0]["macro_f1"] for name in ("the recipe", "alone, pool"))
    assert whole > 0.95 > blind
    assert len(lines) == 2 + len(figures)
