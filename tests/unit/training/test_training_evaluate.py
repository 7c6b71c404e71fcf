"""An evaluation asks the model folder once per session, from the ``min_sessions``-th on."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ArchiveError
from nba_broker.records.ports import port_code
from training.data import labelled_sessions
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation.evaluate import evaluate
from training.model import card

LABELS = (
    Label("10.0.0.1", "Lamp", "bulb"),
    Label("10.0.0.2", "Lens", "camera"),
    Label("10.0.0.3", "Stranger", "hub"),
)


def sessions(pools: list[int], series: list[int], period: float = 1.0) -> LabelledSessions:
    return LabelledSessions(
        np.arange(len(pools)) * period,
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


def test_the_wait_for_a_name_is_that_of_the_workers_policy(model_folder) -> None:
    # The model is asked at a host's 4th session and every 2 after it; four in a row must agree.
    figures = evaluate(Scorer(model_folder()), sessions([0] * 12, [0] * 12, period=1800.0))
    assert figures["time_to_name"]["Lamp"] == {
        "hosts": 1,
        "sessions to name": 10,
        "hours to name": 4.5,
        "sessions to right name": 10,
        "hours to right name": 4.5,
    }


def test_a_wrong_name_is_no_right_one_and_an_unknown_device_gets_none(model_folder) -> None:
    figures = evaluate(Scorer(model_folder()), sessions([1] * 12 + [2] * 60, [0] * 12 + [2] * 60))
    wait = figures["time_to_name"]
    assert wait["Lamp"]["sessions to name"] == 10
    assert wait["Lamp"]["sessions to right name"] is None
    assert wait["Stranger"]["sessions to name"] is None
    assert [row["verdict"] for row in figures["by_day"]] == ["Lens", "unknown"]
    lines = card.table(figures)
    assert "-" in lines[-5]
    assert lines[-3] == (
        "At the end of each day, the worker's verdicts were right for 1 of 2 hosts, "
        "no name for 0, and wrong for 1: Lamp was Lens (1). "
        "The model does not know 1 of them: no name is right."
    )


def test_each_host_and_day_has_a_prediction_and_a_workers_verdict_at_its_end(model_folder) -> None:
    day = 86_400.0
    figures = evaluate(Scorer(model_folder()), sessions([0] * 16, [0] * 16, period=day / 5))
    assert [(row["day"], row["prediction"], row["verdict"]) for row in figures["by_day"]] == [
        ("1970-01-01", "Lamp", "learning"),
        ("1970-01-02", "Lamp", "Lamp"),
        ("1970-01-03", "Lamp", "Lamp"),
        ("1970-01-04", "Lamp", "Lamp"),
    ]


def test_too_few_sessions_for_any_decision_are_one_clear_error(model_folder) -> None:
    with pytest.raises(ArchiveError, match="the 4 sessions that the model needs"):
        evaluate(Scorer(model_folder()), sessions([0] * 3, [0] * 3))


def test_hosts_without_any_decision_change_nothing_for_the_others(
    model_folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(model_folder())
    together = evaluate(scorer, sessions([0] * 12 + [1] * 3, [0] * 12 + [1] * 3))
    monkeypatch.setattr(labelled_sessions, "_TOGETHER", 1)  # each host by itself
    assert evaluate(scorer, sessions([0] * 12 + [1] * 3, [0] * 12 + [1] * 3)) == together
