"""An evaluation asks the model folder once per session, from the ``min_sessions``-th on."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.errors import ArchiveError
from nba_broker.messages import port_code
from nba_broker.scorer import Scorer
from training.dataset import LabelledSessions
from training.evaluate import evaluate
from training.labels import Label

LABELS = (
    Label("10.0.0.1", "Lamp", "bulb"),
    Label("10.0.0.2", "Lens", "camera"),
    Label("10.0.0.3", "Stranger", "hub"),
)


def sessions(pools: list[int], series: list[int]) -> LabelledSessions:
    return LabelledSessions(
        np.arange(len(pools), dtype=np.float64),
        np.array(series),
        np.array(pools, np.int32),
        np.full(len(pools), port_code(443, "tcp"), np.int32),
        LABELS,
        ["as:1", "as:2", "as:3"],
    )


def test_every_session_from_min_sessions_on_is_one_decision(model_folder) -> None:
    figures = evaluate(Scorer(model_folder()), sessions([0] * 10 + [1] * 5, [0] * 10 + [1] * 5))
    assert figures["windows"] == 7 + 2
    assert figures["accuracy"] == figures["macro_f1"] == figures["host_day_accuracy"] == 1.0
    assert figures["classes"]["Lamp"]["support"] == 7


def test_a_host_that_behaves_like_another_device_is_an_error(model_folder) -> None:
    figures = evaluate(Scorer(model_folder()), sessions([0] * 12, [0] * 6 + [1] * 6))
    assert figures["accuracy"] == 0.5
    assert figures["confusion"]["Lens"] == {"Lamp": 3}


def test_a_device_that_is_no_class_of_the_model_is_named_and_wrong(model_folder) -> None:
    figures = evaluate(Scorer(model_folder()), sessions([2] * 5, [2] * 5))
    assert figures["unknown_to_the_model"] == ["Stranger"]
    assert figures["accuracy"] == 0.0


def test_too_few_sessions_for_any_decision_are_one_clear_error(model_folder) -> None:
    with pytest.raises(ArchiveError, match="the 4 sessions that the model needs"):
        evaluate(Scorer(model_folder()), sessions([0] * 3, [0] * 3))
