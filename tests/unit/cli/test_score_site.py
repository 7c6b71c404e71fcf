"""``nba-broker score`` writes and prints the events of the site, of every part of the archive."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from nba_broker.archive import site_log
from nba_broker.cli.main import main
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.names import Names
from nba_broker.records.sessions import Sessions
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.verdicts import Verdict
from tests.unit.helpers import ROOT

SAMPLE = str(ROOT / "models/sample")
BEGUN = SiteEvent(1767614490.0, "ntp", "begun", 1767614400.0, 7, 9, "gw", ("192.168.77.20",))
OVER = dataclasses.replace(BEGUN, ts=1767618000.0, state="over")


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that begins with the first session, and is over after the last."""
    process, finish = Pipeline.process, Pipeline.finish

    def begin(self: Pipeline, sessions: Sessions, names: Names) -> list[Verdict]:
        self.site_events.append(BEGUN)
        return process(self, sessions, names)

    def end(self: Pipeline) -> list[Verdict]:
        self.site_events.append(OVER)
        return finish(self)

    monkeypatch.setattr(Pipeline, "process", begin)
    monkeypatch.setattr(Pipeline, "finish", end)


@pytest.mark.usefixtures("outage")
def test_events_of_the_site_are_a_log_and_lines_under_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", SAMPLE, "--out", str(tmp_path)]) == 0
    assert site_log.read(tmp_path / "nba_site.log") == [BEGUN, OVER]
    said = "  NTP down (gw): 7 of 9 hosts from 2026-01-05 12:00:00 to 13:00:00\n"
    assert f"\n\nEvents of the whole site:\n{said}" in capsys.readouterr().out


@pytest.mark.usefixtures("outage")
def test_the_log_of_events_has_the_form_of_the_log_of_devices(tmp_path: Path) -> None:
    assert main(["score", SAMPLE, "--out", str(tmp_path), "--format", "json"]) == 0
    lines = (tmp_path / "nba_site.log").read_text().splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["begun", "over"]


def test_without_an_event_there_is_neither_log_nor_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", SAMPLE, "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.glob("*.log")} == {"nba_device.log"}
    assert "whole site" not in capsys.readouterr().out


@pytest.mark.usefixtures("outage")
def test_a_log_of_events_that_another_program_wrote_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nba_site.log").write_text("live")
    assert main(["score", SAMPLE, "--out", str(tmp_path)]) == 1
    assert "nba_site.log: exists, and was not written by nba-broker" in capsys.readouterr().err
    assert (tmp_path / "nba_site.log").read_text() == "live"
