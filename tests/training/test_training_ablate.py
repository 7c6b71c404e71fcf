"""Variants of the recipe are fitted alike and asked alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from nba_broker.model.scorer import Scorer
from tests.training.quick import QUICK, sessions
from tests.training.test_training_refresh import lamps
from tests.unit.pipeline.test_names_in_decision import NAMED, STRANGE
from training.evaluation.ablate import ablate, ablate_decision, variants


def test_intervals_are_missed_where_they_alone_tell_devices_apart() -> None:
    lines: list[str] = []
    settings = replace(QUICK, epochs=2)
    figures = ablate(sessions(1.0, 60.0, number=200), [0, 1], settings, say=lines.append)
    assert list(figures) == list(variants(settings))
    assert all(list(one["seeds"]) == [0, 1] for one in figures.values())
    whole, blind = (figures[name]["seeds"][0]["macro_f1"] for name in ("the recipe", "alone, pool"))
    assert whole > 0.95 > blind
    assert len(lines) == 2 + len(figures)


def test_a_decision_without_names_takes_a_stranger_in_the_cloud_of_a_class_for_it(
    model_folder: Callable[..., Path],
) -> None:
    scorer = Scorer(model_folder(background=NAMED))
    stranger = lamps("Stranger", number=60)
    named = replace(stranger, name=np.ones(60, np.int32), names=["", STRANGE])
    found = ablate_decision(named, scorer, say=lambda line: None)
    assert found["as it is"]["wrong"] == 0
    assert found["without names"]["wrong"] == 1
