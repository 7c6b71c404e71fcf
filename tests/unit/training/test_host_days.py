"""Host-days count by the log's latest line, and a confidence is held against what came true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.model.scorer import Scorer
from nba_broker.records.ports import port_code
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation.host_days import HostDay, by_device, figures, followed
from training.metrics import outcome_tables
from training.metrics.curves import area_of_risk, risk_coverage

DAY = 86_400.0
LABELS = (
    Label("10.0.0.1", "Lamp", "bulb"),
    Label("10.0.0.2", "Lens", "camera"),
    Label("10.0.0.3", "Fridge", "appliance"),
)


def sessions(pools: list[int], days: int = 3) -> LabelledSessions:
    """A host for each pool of the voting model, with a session every two hours."""
    ts = np.repeat(np.arange(0, days * DAY, 7200.0), len(pools))
    series = np.arange(len(ts)) % len(pools)
    return LabelledSessions(
        ts,
        series,
        np.array(pools, np.int32)[series],
        np.full(len(ts), port_code(443, "tcp"), np.int32),
        LABELS,
        ["as:1", "as:2", "as:3"],
    )


def host_day(device: str, verdict: str, confidence: float | None, known: bool = True) -> HostDay:
    return HostDay(0, Label("10.0.0.1", device, "thing"), 0, known, verdict, confidence)


def test_every_host_counts_once_a_day_by_its_latest_line(
    model_folder: Callable[..., Path],
) -> None:
    days = followed(sessions([0, 0, 2]), Scorer(model_folder()))
    assert len(days) == 9
    assert [one.outcome for one in days] == ["right"] * 3 + ["wrong"] * 3 + ["right"] * 3
    assert [one.known for one in days] == [True] * 6 + [False] * 3
    found = figures(days)
    assert (found["right"], found["no_name"], found["wrong"]) == (6, 0, 3)
    assert found["of_unknown_devices"] == 3
    assert found["mistaken"] == [["Lens", "Lamp", 3]]
    assert by_device(days)["Lens"] == {"right": 0, "no_name": 0, "wrong": 3}


def test_the_confidence_is_that_of_the_latest_reminder_and_not_of_the_first_line(
    model_folder: Callable[..., Path],
) -> None:
    """The lamp also talks to nobody's network; each window with fewer such sessions is surer."""
    whole = sessions([0], days=4)
    odd = (np.arange(len(whole.ts)) % 2 == 0) & (whole.ts < 1.5 * DAY)
    whole.pool[odd] = 2
    days = followed(whole, Scorer(model_folder()))
    confidence = [one.confidence for one in days]
    assert all(one is not None for one in confidence)
    assert confidence[0] < confidence[-1]  # type: ignore[operator]


def test_a_host_without_a_line_has_no_name(model_folder: Callable[..., Path]) -> None:
    few = sessions([0, 1])
    few = few.select(few.ts < 3 * 7200.0)
    days = followed(few, Scorer(model_folder()))
    assert [(one.verdict, one.outcome) for one in days] == [("learning", "no_name")] * 2
    assert followed(few.select(few.ts < 0), Scorer(model_folder())) == []


def test_the_calibration_error_is_the_distance_from_what_came_true() -> None:
    days = [host_day("Lamp", "Lamp", 0.9)] * 9 + [host_day("Lens", "Lamp", 0.9)]
    assert figures(days)["ece"] == pytest.approx(0.0)
    assert figures([*days, *[host_day("Lens", "Lamp", 0.9)] * 10])["ece"] == pytest.approx(0.45)
    assert figures([host_day("Lamp", "unknown", None)])["ece"] is None
    assert figures([host_day("Lamp", "unknown", None)])["aurc"] is None


def test_fewer_names_are_surer_ones() -> None:
    days = [
        host_day("Lamp", "Lamp", 0.99),
        host_day("Lamp", "Lamp", 0.99),
        host_day("Lens", "Lamp", 0.8),
        host_day("Lens", "unknown", None),
    ]
    found = figures(days)
    assert found["risk_coverage"] == [
        {"confidence": 0.99, "coverage": 0.5, "risk": 0.0},
        {"confidence": 0.8, "coverage": 0.75, "risk": pytest.approx(1 / 3)},
    ]
    assert found["aurc"] == pytest.approx(1 / 9)
    text = "\n".join(outcome_tables.sentences(found))
    assert "Wrong names: Lens was Lamp (1)." in text
    assert "with any confidence 75.0%, 33.3% of these wrong" in text
    assert "with a confidence from 0.9 on 50.0%, 0.0% of these wrong" in text


def test_without_any_name_nothing_is_said_of_its_confidence() -> None:
    found = figures([host_day("Fridge", "unknown", None, known=False)])
    assert outcome_tables.sentences(found) == [
        "1 host-days are of devices that the model does not know: no name is right for them."
    ]
    assert outcome_tables.sentences(figures([])) == []
    lines = outcome_tables.table({"none": figures([])}, "archive")
    assert len({len(line) for line in lines}) == 1


ANSWERS = st.lists(st.tuples(st.sampled_from([0.5, 0.7, 0.9, 1.0]), st.booleans()), max_size=30)


@given(ANSWERS, st.integers(0, 10))
def test_coverage_grows_to_all_answers_and_the_area_is_their_mean_risk(
    answers: list[tuple[float, bool]], without: int
) -> None:
    confidence = np.array([one for one, _ in answers])
    wrong = np.array([bad for _, bad in answers], bool)
    cases = len(answers) + without
    rows = risk_coverage(confidence, wrong, cases)
    coverage = [one["coverage"] for one in rows]
    assert coverage == sorted(coverage)
    if not answers:
        assert rows == []
        assert area_of_risk(rows) is None
        return
    assert coverage[-1] == pytest.approx(len(answers) / cases)
    assert rows[-1]["risk"] == pytest.approx(wrong.mean())
    risks = [wrong[confidence >= one].mean() for one in confidence]
    assert area_of_risk(rows) == pytest.approx(np.mean(risks))
