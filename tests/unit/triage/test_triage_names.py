"""Names of destinations on the triage page: shown, searched, filtered and ignored as text."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest

from nba_broker.verdicts import annotation_file
from tests.unit.triage.test_triage_app import BASE, client, form, opened, posted, shown
from tests.unit.triage.test_triage_store import verdict, written

HOSTILE = "=cmd|'/c_calc'!a1,<script>alert(1)</script>\"'>.example"
LONG = f"start.{'x' * 230}.end.example"


def named(number: int, name: str, text: str = "", **changes: Any) -> Any:
    told = f"1.0.0.7 443/tcp {text or name} (One, Inc.) sessions=3 weight=0.60 last=x"
    return verdict(number, evidence=(told,), evidence_name=(name,), **changes)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A host each that goes to a name, to no name, to a hostile one, and to a long one."""
    written(
        tmp_path / "nba_device.log",
        named(1, "fw.ring.com"),
        verdict(2),
        named(3, HOSTILE),
        named(4, LONG, f"...{LONG[-77:]}"),
    )
    return tmp_path


@pytest.mark.parametrize(
    ("query", "hosts"),
    [
        ("name=fw.ring.com", [1]),
        ("name=FW.Ring.com.", [1]),
        ("name=*.ring.com", [1]),
        ("name=*.fw.ring.com", []),
        ("name=ring.com", []),
        ("name=*.example", [3, 4]),
        ("name=*", []),
        ("q=fw.ring", [1]),
        ("q=start.xxx", [4]),
    ],
)
def test_hosts_are_found_by_the_names_that_they_go_to(
    logs: Path, query: str, hosts: list[int]
) -> None:
    assert shown(client(logs).get(f"/?{query}").text) == [f"10.0.0.{number}" for number in hosts]


def test_a_static_page_refuses_a_filter_that_is_no_name(logs: Path) -> None:
    answer = client(logs).get("/page.html?name=a+b")
    assert answer.status_code == 400
    assert "is not a name" in answer.text


def test_a_host_shows_the_name_its_network_and_a_lane_for_it(logs: Path) -> None:
    page = opened(client(logs), 1)
    assert "<strong>fw.ring.com</strong> as:1 One, Inc." in page
    assert ">fw.ring.com One, Inc.<title>fw.ring.com One, Inc.</title>" in page
    assert '<option value="*.ring.com">' in page
    assert ">as:1 One, Inc.<title>" in opened(client(logs), 2)


def test_a_long_name_is_shown_by_its_end(logs: Path) -> None:
    assert f"...{LONG[-77:]} (One, Inc.)" in client(logs).get("/").text


def test_a_hostile_name_stays_text(logs: Path) -> None:
    for page in (
        client(logs).get("/").text,
        client(logs).get("/page.html").text,
        opened(client(logs), 3),
    ):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ({"pool": "google"}, "no destination can be in the pool"),
        ({"name": "http://a.b"}, "give a name alone, such as a.b"),
        ({"name": "10.0.0.1"}, "is an address or network; give it as pool"),
    ],
)
def test_what_no_session_can_match_is_not_ignored(
    logs: Path, what: dict[str, str], complaint: str
) -> None:
    browser = client(logs)
    fields = form(opened(browser, 1), "ignore") | {"target": "any", "reason": "allowed"}
    answer = browser.post(
        "/annotate", data=fields | {"expires": ""} | what, headers={"origin": BASE}
    )
    assert answer.status_code == 400
    assert complaint in answer.text
    assert not (logs / "annotations.csv").exists()


def test_sessions_to_a_name_are_ignored_for_any_host(logs: Path) -> None:
    browser = client(logs)
    fields = form(opened(browser, 1), "ignore")
    fields |= {"target": "any", "name": "*.Ring.com", "reason": "allowed", "expires": ""}
    assert posted(browser, fields) == 303
    (row,) = annotation_file.read(logs / "annotations.csv")
    assert (row.host, row.action, row.name, row.pool) == ("", "ignore", "*.ring.com", "")
    assert "*.ring.com" in opened(browser, 1).split("<h2>Annotations</h2>")[1]
    assert "*.ring.com" not in opened(browser, 2).split("<h2>Annotations</h2>")[1]


@pytest.mark.parametrize("name", [HOSTILE, "xn--mnchen-3ya.de", "x" * 251 + ".de", "a\\x00\x1b"])
def test_hostile_names_in_hints_stay_text(tmp_path: Path, name: str) -> None:
    hints = ("camera? Wyze", f"hostname {name}")
    unknown = named(1, name, state="unknown", device="", category="", hints=hints)
    written(tmp_path / "nba_device.log", unknown)
    for page in (
        client(tmp_path).get("/").text,
        client(tmp_path).get("/page.html").text,
        opened(client(tmp_path), 1),
    ):
        assert "<script>alert" not in page
        assert (
            html.escape(f"hostname {name}").replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
            in page
        )
