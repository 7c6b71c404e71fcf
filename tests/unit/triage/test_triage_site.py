"""The triage page shows the events of the whole site: at its top and in each host's timeline."""

from __future__ import annotations

import dataclasses
import gzip
import html
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive import site_log
from nba_broker.cli import main
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.site_spans import spans
from nba_broker.triage import timeline
from nba_broker.triage.site import RECENT, Site
from tests.unit.triage.test_triage_app import SCRIPT, client, opened
from tests.unit.triage.test_triage_store import forbid, verdict, written

BEGUN = SiteEvent(1290.0, "internet", "begun", 1200.0, 7, 9, "", ("10.0.0.1", "10.0.0.2"))
OVER = dataclasses.replace(BEGUN, ts=1800.0, state="over")
TEXT = "Internet down: 7 of 9 hosts from 1970-01-01 00:20:00 to 00:30:00"
LASTS = "Internet down: 7 of 9 hosts since 1970-01-01 00:20:00"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A host's log from 900 to 2000, beside which there may be one of the site."""
    written(tmp_path / "nba_device.log", verdict(1), verdict(1, ts=2000.0, reason="reminder"))
    return tmp_path


def added(folder: Path, *events: SiteEvent, name: str = "nba_site.log", form: Any = "tsv") -> Path:
    site_log.write(folder / name, events, form)
    return folder / name


def test_the_events_of_the_site_are_at_the_top_of_every_page(logs: Path) -> None:
    added(logs, BEGUN, OVER)
    for page in (client(logs).get("/").text, opened(client(logs), 1)):
        assert html.unescape(page).count(f'title="10.0.0.1, 10.0.0.2">{TEXT}</p>') == 1


def test_without_events_no_page_speaks_of_them(logs: Path) -> None:
    for page in (client(logs).get("/").text, opened(client(logs), 1)):
        assert "whole site" not in page


def test_the_end_of_an_event_is_shown_once_the_log_has_it(logs: Path) -> None:
    browser = client(logs)
    path = added(logs, BEGUN)
    assert f'class="warn" title="10.0.0.1, 10.0.0.2">{LASTS}' in browser.get("/").text
    with path.open("ab") as log:
        other = added(logs, OVER, name="other.log")
        log.writelines(x for x in other.read_bytes().splitlines(True) if not x.startswith(b"#"))
    page = browser.get("/").text
    assert TEXT in page
    assert LASTS not in page


def test_a_rotated_log_and_one_in_json_show_nothing_twice(logs: Path) -> None:
    path = added(logs, BEGUN, OVER)
    rotated = logs / "2026-01-05" / "nba_site.00:00:00-01:00:00.log.gz"
    rotated.parent.mkdir()
    rotated.write_bytes(gzip.compress(path.read_bytes()))
    added(logs, BEGUN, OVER, name="nba_site_json.log", form="json")
    assert client(logs).get("/").text.count(TEXT) == 1


def test_events_of_more_than_a_week_ago_are_not_at_the_top_unless_they_last(logs: Path) -> None:
    added(logs, BEGUN, OVER, dataclasses.replace(BEGUN, kind="ntp"))
    later = OVER.ts + RECENT + 1
    written(logs / "nba_device.2.log", verdict(1, ts=later, reason="reminder"))
    page = client(logs).get("/").text
    assert "Internet down" not in page
    assert "NTP down: 7 of 9 hosts since" in page


def test_of_many_events_the_latest_are_at_the_top_and_the_others_are_counted(logs: Path) -> None:
    many = [
        dataclasses.replace(BEGUN, since=1200.0 + n, where=f"as:{n}", kind="probe")
        for n in range(1, 9)
    ]
    added(logs, *many)
    page = client(logs).get("/").text
    assert re.findall(r"\(as:(\d)\)", page) == ["8", "7", "6", "5", "4"]
    assert "3 earlier events" in page


def test_the_time_of_an_event_is_shaded_in_a_hosts_timeline(logs: Path) -> None:
    added(logs, BEGUN, OVER)
    page = opened(client(logs), 1)
    (shade,) = re.findall(r'<rect class="site" x="([\d.]+)" y="30" width="([\d.]+)"[^>]*>'
                          rf"<title>{re.escape(TEXT)}</title>", page)  # fmt: skip
    # From 900 to 2000 the timeline is 764 pixels wide.
    assert [float(one) for one in shade] == pytest.approx(
        [220 + 764 * 300 / 1100, 764 * 600 / 1100], abs=0.2
    )
    assert "event of the whole site</p>" in page


@given(
    st.lists(st.tuples(st.floats(1, 4e9), st.floats(0, 1e7), st.booleans()), max_size=9),
    st.floats(1, 4e9),
)
def test_every_shade_lies_within_the_timeline(
    times: list[tuple[float, float, bool]], first: float
) -> None:
    events = []
    for since, length, ends in times:
        begun = dataclasses.replace(BEGUN, since=since, ts=since)
        ended = dataclasses.replace(begun, ts=since + length, state="over")
        events += [begun, ended] if ends else [begun]
    line = verdict(1, ts=first, first_seen=first)
    picture = timeline.lay_out([line], [], first + 3600, spans(events))
    assert len(picture.shades) <= len(times)
    for shade in picture.shades:
        assert shade.x >= timeline.LEFT
        assert shade.x + shade.width <= timeline.WIDTH


def test_what_a_log_of_events_holds_is_text(logs: Path) -> None:
    added(logs, dataclasses.replace(BEGUN, where=SCRIPT, examples=("<b>host",)))
    for page in (client(logs).get("/").text, opened(client(logs), 1)):
        assert "<script>alert" not in page
        assert "<b>host" not in page


@pytest.mark.parametrize("content", ["what is this\n", '{"ts": 1, "kind": "weather"}\n{\n'])
def test_a_log_of_events_that_is_none_hinders_nothing(content: str, logs: Path) -> None:
    (logs / "nba_site.log").write_text(content)
    page = client(logs).get("/").text
    assert "10.0.0.1" in page
    assert "Events of the whole site" not in page


def test_a_log_of_events_that_cannot_be_read_is_told(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = added(logs, BEGUN)
    forbid(monkeypatch, path)
    assert f"{path}: permission denied" in client(logs).get("/").text
    assert main.main(["triage", str(logs), "--html", str(logs / "page.html")]) == 1
    assert f"nba-broker: {path}: permission denied" in capsys.readouterr().err


def test_a_static_page_has_the_events(logs: Path) -> None:
    added(logs, BEGUN, OVER)
    assert main.main(["triage", str(logs), "--html", str(logs / "page.html")]) == 0
    page = (logs / "page.html").read_text()
    assert TEXT in page
    assert 'class="site"' in page


def test_a_folder_without_events_has_none(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.poll()
    assert (site.spans, site.recent(0.0), site.errors) == ([], ([], 0), [])
