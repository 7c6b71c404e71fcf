"""What is counted at a strange site is what an analyst would meet there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nba_broker.records.verdicts import Verdict
from tools import day_one

DAY = 86_400.0
UNKNOWN = Verdict(
    ts=1.0,
    host="10.0.0.1",
    mac="",
    hostname="",
    vendor="",
    state="unknown",
    previous="learning",
    device="",
    category="",
    confidence=0.5,
    alternatives=(),
    sessions=9,
    since=1.0,
    first_seen=0.0,
    reason="change",
    evidence=(),
    uids=(),
    model="",
)


def test_unknown_hosts_count_by_the_days_of_their_summaries_and_others_one_by_one() -> None:
    verdicts = [
        UNKNOWN,
        replace(UNKNOWN, host="10.0.0.2", ts=2.0),
        replace(UNKNOWN, ts=2 * DAY),
        replace(UNKNOWN, ts=3 * DAY, reason="reminder"),
        replace(UNKNOWN, state="changed"),
        replace(UNKNOWN, state="changed", ts=DAY / 2),  # suppressed
        replace(UNKNOWN, state="misbehaving", reason="annotation"),
        replace(UNKNOWN, state="identified"),
    ]
    assert day_one.notices(verdicts) == ({"changed": 1}, 2)


def test_a_site_of_strangers_has_its_figures(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(__file__).parents[3] / "models" / "default"
    truth = str(data / "non_iot" / "labels.csv")
    argv = ["day_one", str(data / "non_iot"), "--model", str(model), "--truth", truth]
    monkeypatch.setattr("sys.argv", argv)
    assert day_one.main() == 0
    assert "2 hosts, 2 labelled" in capsys.readouterr().out
