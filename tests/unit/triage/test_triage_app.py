"""The triage page: what it shows, what it lets whom change, and that logs stay text."""

from __future__ import annotations

import gzip
import html
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from nba_broker.cli import main
from nba_broker.records.evidence import Attended, Surprising
from nba_broker.records.verdicts import STATES
from nba_broker.triage import app, evidence, timeline
from nba_broker.triage.filters import Filters
from nba_broker.triage.view import SHOWN_STATES, Views
from nba_broker.verdicts import annotation_file
from nba_broker.verdicts.annotation_file import Annotation
from testing import verdicts
from tests.unit.triage.test_triage_store import MAC, forbid, verdict, written

BASE = "http://127.0.0.1:27780"
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
ALARM: dict[str, Any] = {
    "evidence_dst": ("2.0.0.7",),
    "evidence_port": (23,),
    "evidence_proto": ("tcp",),
    "evidence_pool": ("as:2",),
    "evidence_org": ("Two",),
    "evidence_ts": (1860.0,),
    "evidence_sessions": (),
    "evidence_weight": (),
    "evidence_surprise": (9.5,),
}
TAGS = {"script", "img", "iframe", "object", "b"}


def client(folder: Path, *, listen: str = "127.0.0.1", base: str = BASE) -> TestClient:
    views = Views(folder, folder / "annotations.csv")
    return TestClient(app.make(views, listen), base_url=base, follow_redirects=False)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Five hosts, one in each state that needs attention and one that is well."""
    alarm = ("sessions unlike this host: 9 since 1970-01-01T00:30:00Z surprise=20.1",
             "2.0.0.7 23/tcp as:2 (Two) at 1970-01-01T00:31:00Z surprise=9.5")  # fmt: skip
    written(
        tmp_path / "nba_device.log",
        verdict(1),
        verdict(2, ts=2000.0, state="unknown", device="", category="", since=2000.0),
        verdict(3, ts=2000.0, state="misbehaving", since=1900.0, evidence=alarm, **ALARM),
        verdict(4, ts=2000.0, state="impostor", vendor="Other Inc."),
        verdict(5, ts=2000.0, state="changed", device="Lamp", category="bulb"),
    )
    return tmp_path


def shown(page: str) -> list[str]:
    """The addresses of the hosts of a list, in order."""
    return re.findall(r'<a class="row"[^>]*>([^<]*)</a>', page)


def form(page: str, action: str) -> dict[str, str]:
    """The hidden fields of a host's form."""
    (found,) = re.findall(rf'<form method="post"[^>]* id="{action}">(.*?)</form>', page, re.S)
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', found)
    return {name: html.unescape(value) for name, value in fields}


def opened(browser: TestClient, number: int = 2) -> str:
    response = browser.get("/host", params={"id": MAC.format(number)})
    assert response.status_code == 200
    return response.text


def posted(browser: TestClient, fields: dict[str, str], **headers: str) -> int:
    sent = browser.post("/annotate", data=fields, headers={"origin": BASE} | headers)
    return sent.status_code


def test_a_page_shows_every_state_once_in_its_order(logs: Path) -> None:
    assert sorted(SHOWN_STATES) == sorted(STATES)
    page = client(logs).get("/").text
    assert re.findall(r'href="/\?[^"]*state=(\w+)[^"]*"', page)[: len(SHOWN_STATES)] == [
        *SHOWN_STATES
    ]


def test_hints_stand_beside_the_verdict_and_are_searched(tmp_path: Path) -> None:
    texts = ("camera? Wyze", "*.wyze.com 71 %", "OUI Wyze Labs")
    unknown = verdict(2, state="unknown", device="", hints=texts, hint_kind="camera")
    written(tmp_path / "nba_device.log", verdict(1), unknown)
    browser = client(tmp_path)
    assert "hint: camera? Wyze" in browser.get("/").text
    assert shown(browser.get("/?q=wyze.com").text) == ["10.0.0.2"]
    page = browser.get(f"/host?id={MAC.format(2)}").text
    assert all(text in page for text in texts)
    assert "<dt>Hints</dt>" not in browser.get(f"/host?id={MAC.format(1)}").text


def test_an_alarm_keeps_the_hints_of_the_lines_before_it(tmp_path: Path) -> None:
    texts = ("camera? Wyze", "*.wyze.com 71 %")
    known = {"device": "", "ts": 3000.0}
    before = verdict(2, state="unknown", hints=texts, hint_kind="camera", **known)
    alarm = verdict(2, **ALARM | known | {"ts": 3600.0, "hints": ("Wyze",), "hint_maker": "Wyze"})
    written(tmp_path / "nba_device.log", before, alarm)
    browser = client(tmp_path)
    assert "hint: camera? Wyze" in browser.get("/").text
    assert texts[1] in browser.get(f"/host?id={MAC.format(2)}").text
    assert shown(browser.get("/?q=camera?").text) == ["10.0.0.2"]


def test_hosts_that_need_attention_come_first_the_most_urgent_before_others(logs: Path) -> None:
    page = client(logs).get("/").text
    assert shown(page) == ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.2", "10.0.0.1"]
    assert page.index("Needs attention</th>") < page.index("10.0.0.3")
    assert page.index("10.0.0.2") < page.index("Inventory</th>") < page.index(">10.0.0.1<")


@pytest.mark.parametrize(
    ("query", "hosts"),
    [
        ("state=unknown", [2]),
        ("state=unknown&state=changed", [5, 2]),
        ("device=Lamp", [5]),
        ("category=camera", [3, 4, 1]),
        ("vendor=Other+Inc.", [4]),
        ("q=HOST-3", [3]),
        ("q=2.0.0.7", [3]),
        ("q=02:00:00:00:00:05", [5]),
        ("q=0200.0000.0005", [5]),
        ("q=020000000005", [5]),
        ("q=::FFFF:10.0.0.4", [4]),
        ("since=1m", [2]),
        ("since=1970-01-01T00:33:20Z", [2]),
        ("view=attention", [3, 4, 5, 2]),
        ("view=inventory", [1]),
        ("q=nothing+like+that", []),
        ("state=asleep&page=x&view=none&page=-1", [3, 4, 5, 2, 1]),
    ],
)
def test_filters_live_in_the_address(logs: Path, query: str, hosts: list[int]) -> None:
    page = client(logs).get(f"/?{query}").text
    assert shown(page) == [f"10.0.0.{number}" for number in hosts]


def test_a_time_that_is_none_is_said_and_filters_nothing(logs: Path) -> None:
    page = client(logs).get("/?since=soon").text
    assert len(shown(page)) == 5
    assert "is neither a date" in page


@given(
    st.builds(
        Filters,
        state=st.sets(st.sampled_from(["unknown", "changed"])).map(
            lambda s: tuple(sorted(s, reverse=True))
        ),
        device=st.text(max_size=9).map(str.strip),
        text=st.text(max_size=9).map(str.strip),
        since=st.text(max_size=9).map(str.strip),
        view=st.sampled_from(["all", "attention"]),
        page=st.integers(1, 99),
    )
)
def test_filters_come_back_from_their_own_address(filters: Filters) -> None:
    query = [(name, v) for name, vs in parse_qs(filters.query()).items() for v in vs]
    again = Filters.parse(query)
    assert again.query() == filters.query()


def test_long_lists_have_pages(tmp_path: Path) -> None:
    written(tmp_path / "nba_device.log", *(verdict(number) for number in range(1, 121)))
    browser = client(tmp_path)
    pages = [browser.get(f"/?page={number}").text for number in (1, 2, 3)]
    assert [len(shown(page)) for page in pages] == [50, 50, 20]
    assert [host for page in pages for host in shown(page)] == [
        f"10.0.0.{number}" for number in range(1, 121)
    ]
    assert 'rel="next" href="/?page=3"' in pages[1]
    assert shown(browser.get("/?page=9999").text) == shown(pages[2])


def test_a_host_has_identity_history_timeline_classes_and_uids(logs: Path) -> None:
    page = opened(client(logs), 3)
    for text in (MAC.format(3), "Maker Inc.", "host-3", "10.0.0.3", "Lamp", "C1", "as:2 Two"):
        assert text in page
    assert page.count('class="surprise"') == 2  # a mark and the legend's


def test_the_proposed_command_finds_the_uids_in_all_conn_logs_from_anywhere(tmp_path: Path) -> None:
    logs = tmp_path / "Zeek's logs"
    written(logs / "nba_device.log", verdict(1))
    (logs / "2026-01-01").mkdir()
    spool = tmp_path / "spool"
    spool.mkdir()
    (logs / "current").symlink_to(spool)
    rotated = logs / "2026-01-01" / "conn.00:00:00-01:00:00.log.gz"
    rotated.write_bytes(gzip.compress(b"1\tC1\n2\tC3\n"))
    (spool / "conn.log").write_text("3\tC2\n")
    (command,) = re.findall(r'<code class="line">([^<]*)</code>', opened(client(logs), 1))
    done = subprocess.run(html.unescape(command), shell=True, cwd="/", capture_output=True)
    assert sorted(done.stdout.splitlines()) == [b"1\tC1", b"3\tC2"]
    assert done.stderr == b""


def test_a_host_is_asked_for_by_its_mac_in_any_notation_or_by_its_address(logs: Path) -> None:
    browser = client(logs)
    for text in ("02-00-00-00-00-03", MAC.format(3).upper(), "10.0.0.3"):
        response = browser.get("/host", params={"id": text})
        assert response.status_code == 200
        assert form(response.text, "label")["id"] == MAC.format(3)
        assert shown(browser.get("/page.html", params={"id": text}).text) == ["10.0.0.3"]


def test_a_host_leads_to_the_one_before_and_after_in_the_list(logs: Path) -> None:
    browser = client(logs)
    page = browser.get(f"/host?id={MAC.format(4)}&view=attention").text
    assert re.findall(r'rel="(prev|next)" href="/host\?id=([^&]*)&', page) == [
        ("prev", MAC.format(3)),
        ("next", MAC.format(5)),
    ]


def test_what_is_not_there_is_not_found(logs: Path) -> None:
    browser = client(logs)
    for path in ("/host?id=none", "/host", "/none", "/static/../app.py", "/static/%2e%2e/app.py",
                 "/static/..%2fview.py", "/static//etc/passwd"):  # fmt: skip
        assert browser.get(path).status_code == 404, path


def test_what_was_not_read_is_said(logs: Path) -> None:
    (logs / "nba_device.1.log").write_text("what is this\n")
    (logs / "annotations.csv").write_text("what is this\n")
    page = client(logs).get("/").text
    assert "nba_device.1.log: not a Zeek log" in page
    assert "annotations.csv:1: the first line is" in page
    assert len(shown(page)) == 5


def test_a_log_that_cannot_be_read_is_said_on_the_page(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, logs / "nba_device.log")
    page = client(logs).get("/").text
    assert f"{logs}/nba_device.log: permission denied" in page
    assert "No verdict could be read" in page


def test_a_static_page_of_logs_that_cannot_all_be_read_is_written_and_is_a_failure(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = logs / "page.html"
    rotated = written(logs / "2026-01-01" / "nba_device.log", verdict(6))
    for wrong, hosts in (((rotated,), 5), ((logs / "nba_device.log", rotated.parent), 0)):
        with monkeypatch.context() as patch:
            forbid(patch, *wrong)
            assert main.main(["triage", str(logs), "--html", str(page)]) == 1
        said = capsys.readouterr().err.splitlines()
        assert [line.split(": ")[:3] for line in said] == [
            ["nba-broker", str(path), "permission denied; run nba-broker triage as a user who may "
             "read it"]
            for path in sorted(wrong)
        ]  # fmt: skip
        assert len(shown(page.read_text())) == hosts
        assert all(str(path) in page.read_text() for path in wrong)


def test_a_folder_of_logs_that_has_gone_is_said_and_its_hosts_are_shown(tmp_path: Path) -> None:
    written(tmp_path / "logs" / "nba_device.log", verdict(1))
    browser = TestClient(app.make(Views(tmp_path / "logs", None), "127.0.0.1"), base_url=BASE)
    assert "the page shows what was read before" not in browser.get("/").text
    (tmp_path / "logs").rename(tmp_path / "away")
    page = browser.get("/").text
    assert "the page shows what was read before" in page
    assert shown(page) == ["10.0.0.1"]


class Tags(HTMLParser):
    """The tags and attributes that a browser would find."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def hostile(folder: Path) -> Path:
    """A host all of whose texts are markup."""
    where = (
        f"1.0.0.7 443/tcp as:1{SCRIPT} ({SCRIPT}) sessions=3 weight=0.60 last=1970-01-01T00:16:00Z"
    )
    written(
        folder / "nba_device.log",
        verdict(1, state="unknown", **dict.fromkeys(
            ("host", "mac", "hostname", "vendor", "previous", "device", "category", "model",
             "worker"), SCRIPT), alternatives=(f"{SCRIPT}=0.5",), evidence=(where, SCRIPT),
            uids=(SCRIPT, "C1$(reboot)"), evidence_pool=(f"as:1{SCRIPT}",), evidence_org=(SCRIPT,),
            alternative_device=(SCRIPT,)),
        verdict(3, device="", hints=(SCRIPT, SCRIPT), hint_kind=SCRIPT, hint_maker=SCRIPT),
        verdict(2, hostname=SCRIPT),
    )  # fmt: skip
    row = Annotation(1.0, MAC.format(2), "label", SCRIPT, SCRIPT, reason=SCRIPT)
    annotation_file.append(folder / "annotations.csv", row)
    return folder


def test_markup_in_logs_and_annotations_stays_text_on_every_page(tmp_path: Path) -> None:
    browser = client(hostile(tmp_path))
    key = SCRIPT.lower()
    pages = {
        path: browser.get(path, params=params).text
        for path, params in (
            ("/", {}),
            ("/?", {"q": SCRIPT, "device": SCRIPT, "since": SCRIPT, "vendor": SCRIPT}),
            ("/host", {"id": key, "q": SCRIPT}),
            ("/host?", {"id": MAC.format(2), "done": SCRIPT}),
            ("/page.html", {}),
            ("/page.html?", {"id": key}),
        )
    }
    for path, page in pages.items():
        assert "alert(1)" in page, path
        found = Tags(page)
        scripts = 0 if path.startswith("/page") else 1  # the page's own
        assert found.tags.count("script") == scripts, path
        assert not {"img", "iframe", "object", "embed"} & set(found.tags), path
        assert not {name for name in found.attributes if name.startswith("on")}, path
        assert "style" not in found.attributes, path
    # Markup and shell in a uid is no command to copy; there is none left, so no line either.
    assert '<code class="line">' not in pages["/host"]


def test_markup_in_a_form_comes_back_as_text(logs: Path) -> None:
    browser = client(logs)
    fields = form(opened(browser), "label") | {"device": SCRIPT, "at": SCRIPT, "target": "mac"}
    response = browser.post("/annotate", data=fields, headers={"origin": BASE})
    assert response.status_code == 400
    assert Tags(response.text).tags.count("script") == 1
    assert html.escape(SCRIPT, quote=False)[:20] in response.text


def test_every_response_forbids_scripts_and_styles_that_are_not_the_pages_own(logs: Path) -> None:
    browser = client(logs)
    for path in ("/", "/none", "/static/keys.js", "/pulse"):
        policy = browser.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


def test_a_name_is_exactly_one_row_that_a_worker_reads(logs: Path) -> None:
    browser = client(logs)
    fields = form(opened(browser), "label") | {
        "target": "mac",
        "device": "Hall_Camera",
        "category": "camera",
        "reason": "seen, it",
        "at": "2026-01-01",
        "query": "state=unknown",
    }
    response = browser.post("/annotate", data=fields, headers={"origin": BASE})
    assert response.status_code == 303
    where = urlsplit(response.headers["location"])
    assert parse_qs(where.query) == {
        "id": [MAC.format(2)],
        "done": ["label"],
        "state": ["unknown"],
    }
    assert annotation_file.read(logs / "annotations.csv") == (
        Annotation(
            1767225600.0, MAC.format(2), "label", "Hall_Camera", "camera", reason="seen, it"
        ),
    )
    page = browser.get(response.headers["location"]).text
    assert "named Hall_Camera, not yet in the log" in page


def test_a_confirmation_is_of_what_the_analyst_saw(logs: Path) -> None:
    browser = client(logs)
    fields = form(opened(browser, 5), "confirm") | {"target": "address", "reason": "moved"}
    with (logs / "nba_device.2.log").open("w"):
        written(logs / "nba_device.2.log", verdict(5, ts=3000.0, state="misbehaving"))
    assert posted(browser, fields) == 400
    assert not (logs / "annotations.csv").exists()
    fields = form(opened(browser, 5), "confirm") | {"target": "address", "reason": "moved"}
    assert posted(browser, fields) == 303
    (row,) = annotation_file.read(logs / "annotations.csv")
    assert (row.host, row.action, row.reason) == ("10.0.0.5", "confirm", "moved")


@pytest.mark.parametrize(
    "at", ["1970-01-01T00:33:19Z", "2000-01-01", "2020-09-13T12:26:40Z", "2099-01-01"]
)
def test_a_confirmation_is_after_the_verdict_and_not_in_the_future(tmp_path: Path, at: str) -> None:
    written(tmp_path / "nba_device.log", verdict(1, ts=1.6e9, state="changed"))
    browser = client(tmp_path)
    fields = form(opened(browser, 1), "confirm") | {"target": "mac", "at": at}
    response = browser.post("/annotate", data=fields, headers={"origin": BASE})
    assert response.status_code == 400
    assert "From must be 2020-09-13T12:26:41Z or later" in response.text
    assert posted(browser, fields | {"at": "2020-09-13T12:26:41Z"}) == 303


def test_a_name_that_is_there_already_in_another_spelling_is_refused(
    logs: Path, tmp_path: Path
) -> None:
    browser = client(logs)
    fields = form(opened(browser), "label") | {"target": "mac", "device": "LAMP"}
    response = browser.post("/annotate", data=fields, headers={"origin": BASE})
    assert response.status_code == 400
    assert "there is already a device Lamp" in response.text
    assert posted(browser, fields | {"device": "Lamp"}) == 303


def test_a_confirmation_of_a_sensor_whose_clock_is_ahead_holds_after_its_verdict(
    tmp_path: Path,
) -> None:
    ahead = time.time() + 20
    written(tmp_path / "nba_device.log", verdict(1, ts=ahead, state="changed"))
    browser = client(tmp_path)
    assert posted(browser, form(opened(browser, 1), "confirm") | {"target": "mac"}) == 303
    (annotation,) = annotation_file.read(tmp_path / "annotations.csv")
    assert ahead < annotation.at <= ahead + 1


@pytest.mark.parametrize("action", ["label", "confirm", "ignore"])
def test_an_annotation_of_an_archive_has_its_time_and_takes_effect_when_it_is_scored_again(
    tmp_path: Path, action: str
) -> None:
    written(tmp_path / "nba_device.log", verdict(1, ts=1.6e9 + 0.25, state="changed"))
    browser = client(tmp_path)
    page = opened(browser, 1)
    preset = re.findall(r'<input name="at"[^>]* value="([^"]*)"', page)
    assert preset == ["2020-09-13T12:26:41Z"] * 3
    given = {"label": {"device": "Lens"}, "ignore": {"reason": "guest"}}.get(action, {})
    fields = form(page, action) | {"target": "mac", "at": preset[0]} | given
    response = browser.post("/annotate", data=fields, headers={"origin": BASE})
    assert response.status_code == 303
    assert [row.at for row in annotation_file.read(tmp_path / "annotations.csv")] == [1.6e9 + 1]
    page = browser.get(response.headers["location"]).text
    assert "score the archive again" in page
    assert "A worker" not in page


@pytest.mark.parametrize("log", ["nba_device", "nba_stats"])
def test_while_either_log_grows_an_annotation_has_the_time_of_now_and_a_worker_applies_it(
    tmp_path: Path, log: str
) -> None:
    now = time.time()
    written(tmp_path / "nba_device.log", verdict(1, ts=now if log == "nba_device" else 1.6e9))
    if log == "nba_stats":
        verdicts.stats_log(tmp_path, now)
    browser = client(tmp_path)
    assert re.findall(r'<input name="at"[^>]* value="([^"]*)"', opened(browser, 1)) == [""] * 3
    page = browser.get(f"/host?id={MAC.format(1)}&done=label").text
    assert "A worker that uses this file applies it within two seconds; the next" in page


def test_a_host_or_a_pool_is_ignored_with_reason_and_expiry(logs: Path) -> None:
    browser = client(logs)
    hidden = form(opened(browser), "ignore")
    assert posted(browser, hidden | {"target": "mac"}) == 400  # no reason
    assert posted(browser, hidden | {"target": "any", "reason": "all"}) == 400  # every host
    host = {"target": "mac", "reason": "guest", "expires": "2027-01-01", "at": "2026-01-01"}
    assert posted(browser, hidden | host) == 303
    pool = {"target": "any", "pool": "as:1", "reason": "cdn", "expires": "", "at": "2026-01-02"}
    assert posted(browser, hidden | pool) == 303
    assert annotation_file.read(logs / "annotations.csv") == (
        Annotation(1767225600.0, MAC.format(2), "ignore", reason="guest", expires=1798761600.0),
        Annotation(1767312000.0, "", "ignore", pool="as:1", reason="cdn"),
    )
    page = browser.get("/?view=attention").text
    assert "10.0.0.2" not in shown(page)
    assert "ignored until" in browser.get("/?view=inventory").text


def test_an_ignored_host_is_back_when_that_has_expired(logs: Path) -> None:
    row = Annotation(1500.0, MAC.format(2), "ignore", reason="guest", expires=1900.0)
    annotation_file.append(logs / "annotations.csv", row)
    assert "10.0.0.2" in shown(client(logs).get("/?view=attention").text)


@pytest.mark.parametrize("name", ["10.0.0.0/8", "10.0.0.9", "02:00:00:00:00:09"])
def test_a_host_with_the_name_of_another_causes_no_annotation_of_the_other(
    tmp_path: Path, name: str
) -> None:
    written(tmp_path / "nba_device.log", verdict(2, hostname=name))
    browser = client(tmp_path)
    fields = form(opened(browser), "ignore") | {"target": "hostname", "reason": "r"}
    assert posted(browser, fields) == 400
    assert not (tmp_path / "annotations.csv").exists()


def test_an_annotation_that_is_not_valid_is_explained_and_not_written(logs: Path) -> None:
    browser = client(logs)
    hidden = form(opened(browser), "label")
    for wrong in ({"device": ""}, {"device": "x" * 300}, {"device": "a\nb"},
                  {"device": "a", "at": "soon"}, {"device": "a", "target": "network"},
                  {"device": "a", "action": "allow"}):  # fmt: skip
        assert posted(browser, hidden | {"target": "mac"} | wrong) == 400, wrong
    assert not (logs / "annotations.csv").exists()


def test_without_an_annotations_file_nothing_can_be_annotated(logs: Path) -> None:
    views = Views(logs, None)
    browser = TestClient(app.make(views, "127.0.0.1"), base_url=BASE, follow_redirects=False)
    page = opened(browser)
    assert "<form" not in page
    assert "--annotations F.csv" in page
    token = form(opened(client(logs)), "label")
    assert posted(browser, token) == 403


def test_a_change_needs_the_token_that_this_page_gave_to_this_browser(logs: Path) -> None:
    browser, other = client(logs), client(logs)
    fields = form(opened(browser), "label") | {"target": "mac", "device": "Lens"}
    theirs = form(opened(other), "label")["token"]
    assert posted(browser, fields | {"token": ""}) == 403
    assert posted(browser, fields | {"token": theirs}) == 403
    assert posted(browser, {k: v for k, v in fields.items() if k != "token"}) == 403
    browser.cookies.clear()
    assert posted(browser, fields) == 403
    assert not (logs / "annotations.csv").exists()


def test_the_cookie_stays_from_other_sites_and_from_scripts(logs: Path) -> None:
    cookie = client(logs).get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": BASE, "sec-fetch-site": "cross-site"},
        {"origin": BASE, "sec-fetch-site": "same-site"},
    ],
)
def test_a_change_comes_from_this_page_alone(logs: Path, headers: dict[str, str]) -> None:
    browser = client(logs)
    fields = form(opened(browser), "label") | {"target": "mac", "device": "Lens"}
    assert posted(browser, fields, **headers) == 403
    sent = browser.post("/annotate", data=fields)  # neither header
    assert sent.status_code == 403
    assert not (logs / "annotations.csv").exists()


@pytest.mark.parametrize(
    ("listen", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:27780", 200),
        ("127.0.0.1", "localhost:9999", 200),  # a tunnel's near end
        ("127.0.0.1", "[::1]:27780", 200),
        ("127.0.0.1", "evil.example", 421),
        ("127.0.0.1", "evil.example:27780", 421),
        ("127.0.0.1", "127.0.0.1.evil.example", 421),
        ("127.0.0.1", "localhost@evil.example", 421),
        ("127.0.0.1", "192.168.1.7:27780", 421),
        ("127.0.0.1", "", 421),
        ("127.0.0.1", "[", 421),
        ("sensor.lan", "sensor.lan:27780", 200),
        ("sensor.lan", "evil.example", 421),
        ("0.0.0.0", "192.168.1.7:27780", 200),
        ("0.0.0.0", "evil.example", 421),
    ],
)
def test_a_name_that_somebody_made_up_reads_nothing(
    logs: Path, listen: str, host: str, status: int
) -> None:
    assert client(logs, listen=listen).get("/", headers={"host": host}).status_code == status


def test_only_what_is_needed_can_be_asked_for(logs: Path) -> None:
    browser = client(logs)
    fields = form(opened(browser), "label") | {"target": "mac", "device": "Lens"}
    assert browser.put("/annotate", data=fields, headers={"origin": BASE}).status_code == 405
    assert browser.get("/annotate").status_code == 405
    assert posted(browser, fields | {"reason": "x" * 20_000}) == 413
    assert posted(browser, fields | {str(number): "" for number in range(40)}) == 413


def test_a_static_page_needs_nothing_else_and_changes_nothing(logs: Path, tmp_path: Path) -> None:
    page = tmp_path / "ticket.html"
    assert main.main(["triage", str(logs), "--html", str(page)]) == 0
    text = page.read_text()
    found = Tags(text)
    assert len(shown(text)) == 5
    assert not {"script", "form", "button"} & set(found.tags)
    assert 'rel="stylesheet"' not in text
    assert not re.search(r'(?:href|src)="(?!#|data:,")', text)
    targets = set(re.findall(r'class="row" href="#(\w+)"', text))
    assert targets == {f"h{number}" for number in range(1, 6)}
    assert targets <= set(re.findall(r'id="(\w+)"', text))
    assert main.main(["triage", str(logs), "--html", str(page), "--filter", "state=unknown"]) == 0
    assert shown(page.read_text()) == ["10.0.0.2"]


def test_a_static_page_takes_the_place_of_no_other_file(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "labels.csv"
    other.write_text("host,device\n10.0.0.1,Lamp\n")
    assert main.main(["triage", str(logs), "--html", str(other)]) == 1
    assert "labels.csv: exists, and was not written by nba-broker" in capsys.readouterr().err
    assert other.read_text() == "host,device\n10.0.0.1,Lamp\n"


def test_the_hosts_that_a_static_page_shows_are_counted(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["triage", str(logs), "--html", str(tmp_path / "page.html"), "--filter"]
    for query, number in (("?category=camera&page=9", 3), ("device=&state=", 5), ("q=no+such", 0)):
        assert main.main([*command, query]) == 0
        assert capsys.readouterr().out.startswith(f"{number} of 5 hosts in ")
        assert len(shown((tmp_path / "page.html").read_text())) == number


@pytest.mark.parametrize(
    "query", ["state=bogus", "bogus=1", "since=soon", "view=none", "camera", "id=10.0.0.2"]
)
def test_a_filter_that_means_nothing_makes_no_page_of_all_hosts(
    logs: Path, tmp_path: Path, query: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main.main(["triage", str(logs), "--html", str(page), "--filter", query]) == 1
    error = capsys.readouterr().err
    assert "--filter: " in error
    assert error.count("\n") == 1
    assert not page.exists()
    if "=" in query and "id=" not in query:
        assert client(logs).get("/page.html?state=").status_code == 200
        response = client(logs).get(f"/page.html?{query}")
        assert response.status_code == 400
        assert "10.0.0" not in response.text


def test_a_folder_without_verdicts_makes_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["triage", str(tmp_path), "--html", str(tmp_path / "page.html")]) == 1
    assert "give the folder with nba_device.log" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_a_static_page_is_saved_under_a_name(logs: Path) -> None:
    response = client(logs).get(f"/page.html?id={MAC.format(2)}")
    assert response.headers["content-disposition"].startswith('attachment; filename="nba-triage-')
    assert shown(response.text) == ["10.0.0.2"]
    response = client(logs).get("/page.html?id=10.9.9.9")
    assert (response.status_code, "no such host" in response.text) == (404, True)


def test_wrong_use_is_one_clear_line(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["triage", str(tmp_path / "none")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
    for wrong, said in (
        (["--listen", "27784"], "'27784' is not HOST:PORT, e.g. 127.0.0.1:27784"),
        (["--listen", ":27784"], "':27784' is not HOST:PORT"),
        (["--listen", "[]:27784"], "is not HOST:PORT"),
        (["--listen", "localhost:"], "is not HOST:PORT"),
        (["--listen", "localhost:http"], "is not HOST:PORT"),
        (["--listen", "localhost:99999"], "cannot listen"),
        (["--filter", "state=unknown"], "only for --html"),
        (["--annotations", str(tmp_path / "none" / "a.csv")], f"no folder {tmp_path}/none"),
    ):
        assert main.main(["triage", str(logs), *wrong]) == 1
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


WITHOUT_A_SERVER = (
    "import sys; sys.modules['starlette'] = sys.modules['uvicorn'] = None\n"
    "from nba_broker.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


def test_without_the_extra_it_says_what_to_install() -> None:
    words = [sys.executable, "-c", WITHOUT_A_SERVER, "triage", "."]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(
        r"nba-broker: triage needs \S+: install the extra with .*pip install .*\[triage\]'\n",
        done.stderr,
    )


def test_a_page_in_a_file_needs_no_web_server(logs: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", WITHOUT_A_SERVER, "triage", logs, "--html", tmp_path / "t.html"]
    assert subprocess.run(words, check=False).returncode == 0
    assert shown((tmp_path / "t.html").read_text())


def test_nothing_else_of_the_runtime_loads_it() -> None:
    program = (
        "import sys, nba_broker.cli.main, nba_broker.worker.worker\n"
        "web = ('starlette', 'uvicorn', 'jinja2')\n"
        "sys.exit(any(m.split('.')[0] in web or m.startswith('nba_broker.triage')"
        " for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_text_of_a_destination_is_shown_as_its_columns_have_it() -> None:
    row = verdict(1, evidence=("1.0.0.7 443/tcp as:1 (One, Inc.) sessions=3", "of 3 sessions"))
    (_, found), (text, none) = evidence.pieces(row)
    assert found == Attended("1.0.0.7", 443, "tcp", "as:1", "One, Inc.", 960.0, "", 3, 0.6)
    assert (text, none) == ("of 3 sessions", None)
    (found,) = evidence.destinations([verdict(1, **ALARM), verdict(1, **ALARM, ts=3000.0)])
    assert found == Surprising("2.0.0.7", 23, "tcp", "as:2", "Two", 1860.0, "", 9.5)


OLD = dict.fromkeys(
    [name for name, _ in verdict().items() if name.startswith(("evidence_", "alternative_"))], ()
)


def test_of_a_log_without_columns_of_evidence_the_text_is_shown_and_no_picture(
    tmp_path: Path,
) -> None:
    written(tmp_path / "nba_device.log", verdict(1, **OLD))
    page = opened(client(tmp_path), 1)
    assert verdict(1).evidence[0] in html.unescape(page)
    assert "Lamp=0.05" in page
    assert page.count("No destinations are drawn") == 1
    assert page.count('class="attention"') == 1  # the legend's
    assert page.count('class="band ') == 1


def test_of_a_new_host_no_column_is_said_to_be_missing(tmp_path: Path) -> None:
    new = verdict(1, **OLD, state="learning", reason="new", evidence=("a verdict needs 19 more",))
    written(tmp_path / "nba_device.log", new)
    assert "No destinations are drawn" not in opened(client(tmp_path), 1)


def test_columns_of_evidence_that_do_not_fit_together_are_shown_as_far_as_they_do() -> None:
    for changes in ({"evidence_org": ()}, {"evidence_ts": (0.0,)}, {"evidence_port": ()},
                    {"evidence_weight": ()}, {"evidence_dst": ("a", "b")}):  # fmt: skip
        row = verdict(1, **changes)
        assert len(evidence.destinations([row])) == ("evidence_org" in changes or
                                                     "evidence_dst" in changes)  # fmt: skip
        assert [text for text, _ in evidence.pieces(row)] == list(row.evidence)


@given(st.lists(st.tuples(st.floats(0, 4e9), st.floats(0, 4e9)), min_size=1, max_size=9))
def test_everything_of_a_timeline_lies_within_it(times: list[tuple[float, float]]) -> None:
    lines = sorted(
        (verdict(1, ts=ts, first_seen=min(ts, 900.0), state="unknown") for ts, _ in times),
        key=lambda line: line.ts,
    )
    sessions = [
        Surprising("1.2.3.4", 5, "tcp", f"as:{number}", "", when, "", 1e9)
        for number, (_, when) in enumerate(sorted(times, key=lambda pair: pair[1]))
    ]
    picture = timeline.lay_out(lines, sessions, 0.0)
    for x in [mark.x for mark in picture.marks] + [x for x, _ in picture.ticks]:
        assert timeline.LEFT <= x <= timeline.WIDTH
    assert all(0 < mark.y < picture.height for mark in picture.marks)
    assert len(picture.ticks) < 40


def test_a_timeline_over_the_turn_of_a_year_says_of_which_year_a_day_is() -> None:
    lines = [verdict(1, ts=1.767e9, first_seen=1.767e9, state="unknown")]  # 2025-12-29
    for until, form in ((1.76714e9, r"\d\d-\d\d \d\d:00"), (1.7678e9, r"202[56]-\d\d-\d\d")):
        ticks = [text for _, text in timeline.lay_out(lines, [], until).ticks]
        assert ticks
        assert all(re.fullmatch(form, text) for text in ticks)
