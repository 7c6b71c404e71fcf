"""Figures of drift look at named hosts over the last day, and warn once a day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nba_broker.model.drift import Drift
from tests.unit.helpers import LAMP_CLOUD, host, pipeline, sessions

ModelFolder = Callable[..., Path]

HOUR = 3600.0
USUAL = {"never_seen_pools": 0.02, "known": 0.95, "confidence": 0.9}


def day(drift: Drift, number: int, *, never: int = 2, known: int = 95, sure: float = 90) -> None:
    for hour in range(24):
        ts = (24 * number + hour) * HOUR
        drift.sessions(ts, 100, never, 10.0)
        drift.scores(ts, 100, known, sure)


def test_the_figures_are_means_of_the_last_day() -> None:
    drift = Drift(USUAL)
    day(drift, 0, never=50)
    day(drift, 1)
    assert drift.figures() == pytest.approx(
        {"never_seen_pools": 0.02, "known": 0.95, "confidence": 0.9, "surprise": 0.1}
    )
    assert drift.warnings() == []


def test_too_little_gives_no_figure() -> None:
    drift = Drift(USUAL)
    drift.sessions(0.0, 100, 100, 10.0)
    assert drift.figures() == {}
    assert drift.warnings() == []


def test_drift_is_warned_of_once_a_day_with_what_to_do() -> None:
    drift = Drift(USUAL)
    day(drift, 0, never=20, known=70, sure=70)
    lines = drift.warnings()
    assert [line[:10] for line in lines] == ["drift: 20%", "drift: 70%", "drift: 70%"]
    assert all("(usual " in line and "nba-train refresh" in line for line in lines)
    assert drift.warnings() == []
    day(drift, 1, never=20)
    assert len(drift.warnings()) == 1


def test_what_a_manifest_does_not_say_is_taken_from_the_first_day() -> None:
    drift = Drift(None)
    day(drift, 0)
    drift.scores(24 * HOUR, 1, 1, 1.0)
    assert drift.warnings() == []
    day(drift, 2, known=50)
    assert [line[:10] for line in drift.warnings()] == ["drift: 50%"]


@pytest.mark.parametrize("usual", [{"known": "much"}, {"known": 7}, {"known": None, "more": 1}])
def test_a_manifest_that_says_nonsense_says_nothing(usual: dict[str, object]) -> None:
    assert Drift(usual).usual == {}


def test_a_clock_that_jumps_back_by_years_begins_anew() -> None:
    drift = Drift(USUAL)
    day(drift, 10_000)
    day(drift, 1, known=10)
    assert drift.figures()["known"] == pytest.approx(0.1)


def test_only_hosts_that_have_a_name_count(model_folder: ModelFolder) -> None:
    made = pipeline(model_folder(usual=USUAL))
    stranger = host(9, times=list(range(900)), dst="9.9.9.9")
    made.process(sessions(stranger))
    assert made.drift.figures() == {}
    for start in (1000, 2000):
        made.process(sessions(host(7, times=list(range(start, start + 800)), dst=LAMP_CLOUD)))
    assert made.drift.figures()["never_seen_pools"] == 0.0
    made.process(sessions(host(7, times=list(range(3000, 3800)), dst="9.9.9.9")))
    assert made.drift.figures()["never_seen_pools"] == 0.5
