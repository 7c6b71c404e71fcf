"""On real days that a model never saw, ``score`` names hosts as ``evaluate`` says it does."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("torch")

import nba_broker.cli.main
import training.cli.main
import training.model.fit
import training.model.settings
from nba_broker.archive import zeek_log
from nba_broker.records.verdicts import STATES

EARLY = ("2019-07-08", "2019-07-09", "2019-07-10")
LAST = ("2019-07-12", "2019-07-13")


def test_score_names_the_last_days_hosts_as_evaluate_does(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(training.model.settings.DEFAULT, window=32, epochs=2, per_class=1024)
    real = training.model.fit.fit
    monkeypatch.setattr(training.model.fit, "fit", lambda given, **more: real(given, quick, **more))
    early, last = ([str(data / "lsif" / day) for day in days] for days in (EARLY, LAST))
    labels = ["--labels", str(data / "lsif" / "labels.csv")]
    model, figures = str(tmp_path / "model"), tmp_path / "figures.json"
    assert (
        training.cli.main.main(["fit", *early, *labels, "--out", model, "--rolling-days", "0"]) == 0
    )
    words = ["evaluate", *last, *labels, "--model", model, "--json", str(figures)]
    assert training.cli.main.main(words) == 0
    assert nba_broker.cli.main.main(["score", *last, "--model", model, "--out", str(tmp_path)]) == 0

    log = list(zeek_log.read(tmp_path / "nba_device.log"))
    by_day = json.loads(figures.read_text())["by_day"]
    assert len(by_day) >= 7 * len(LAST)
    for row in by_day:
        end = datetime.fromisoformat(row["day"]).replace(tzinfo=UTC) + timedelta(days=1)
        said = [
            one for one in log if one["mac"] == row["host"] and float(one["ts"]) < end.timestamp()
        ][-1]
        assert (said.get("device") or said["state"]) == row["verdict"], row
    # A model of so few epochs does not tell the two confusable devices apart.
    named = [
        row
        for row in by_day
        if row["verdict"] not in STATES and not row["device"].startswith("tp-link")
    ]
    assert len(named) > len(by_day) / 2
    agreeing = [row for row in named if row["verdict"] == row["prediction"]]
    assert len(agreeing) >= 0.9 * len(named)
