"""A baseline stays right for as long as a worker runs."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.baseline.host_baseline import BaselineSettings, HostBaseline, HostSessions
from nba_broker.records.ports import port_code
from nba_broker.records.times import HOUR

BEGIN = 400_000 * HOUR
HTTPS = port_code(443, "tcp")
TABLE = ["as:1", "as:2"]
CLOUD, ELSEWHERE = 0, 1


def push(baseline: HostBaseline, ts: np.ndarray, pool: np.ndarray) -> np.ndarray:
    dport = np.full(len(ts), HTTPS, np.int32)
    sessions = HostSessions(np.zeros(len(ts), np.int64), ts, pool.astype(np.int32), dport)
    return baseline.push(sessions, TABLE)[0]


def hourly(count: np.ndarray) -> np.ndarray:
    """Times of so many sessions in each hour from BEGIN on."""
    return np.concatenate(
        [BEGIN + hour * HOUR + np.arange(n) * HOUR / n for hour, n in enumerate(count)]
    )


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(np.exp(np.random.default_rng(1).normal(4.59, 0.3, 1440)), id="many"),
        pytest.param(np.exp(np.random.default_rng(2).normal(2.5, 0.6, 1440)), id="unsteady"),
        pytest.param(np.exp(np.random.default_rng(3).normal(0.7, 0.4, 1440)), id="few"),
        pytest.param(np.tile([50.0, 60.0], 720), id="in turn"),
    ],
)
def test_sixty_days_of_hourly_traffic_keep_the_baseline_right_to_one_percent(
    count: np.ndarray,
) -> None:
    count = np.maximum(np.round(count), 1).astype(int)
    baseline = HostBaseline()
    ts = np.append(hourly(count), BEGIN + len(count) * HOUR)  # which ends the last of them
    push(baseline, ts, np.zeros(len(ts)))
    log = np.log(count)
    weight = np.exp(-np.arange(len(count), 0, -1) / BaselineSettings().memory)
    mean = np.average(log, weights=weight)
    columns = {name: column[0] for name, column in baseline.columns.items()}
    place = columns["hours"].argmax()
    assert columns["hours"][place] == pytest.approx(weight.sum(), rel=0.01)
    assert columns["span"] == pytest.approx(weight.sum(), rel=0.01)
    assert columns["mean"][place] == pytest.approx(mean, rel=0.01)
    deviation = np.sqrt(np.average((log - mean) ** 2, weights=weight))
    assert np.sqrt(columns["variance"][place]) == pytest.approx(deviation, rel=0.01)


def test_what_a_host_begins_to_do_is_as_surprising_after_eight_years_as_after_six() -> None:
    usual = hourly(np.full(240, 3))
    beacon = BEGIN + np.arange(200, 240, 0.5) * HOUR + 1
    ts = np.append(usual, beacon)
    order = np.argsort(ts, kind="stable")
    pool = np.append(np.full(len(usual), CLOUD), np.full(len(beacon), ELSEWHERE))

    def after(years: float) -> np.ndarray:
        baseline = HostBaseline()
        push(baseline, ts[order][:500], pool[order][:500])
        baseline.columns["first_hour"][0] -= round(years * 365 * 24)
        return push(baseline, ts[order][500:], pool[order][500:])

    assert after(6).sum() > 20
    np.testing.assert_allclose(after(8), after(6), rtol=0.01)
