"""The triage page in a real browser: look, filter, open, name, and nothing of a log is run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nba_broker.verdicts import annotation_file
from testing import verdicts
from testing.browser import served
from tests.unit.triage.test_triage_app import SCRIPT, hostile
from tests.unit.triage.test_triage_store import MAC, verdict, written

PATIENCE = 120_000  # milliseconds; a busy machine is no failure


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A page of 300 hosts, with its folder."""
    folder = tmp_path_factory.mktemp("logs")
    verdicts.device_log_of(folder, hosts=300, lines=3000)
    with served(folder, "--annotations", folder / "annotations.csv") as address:
        yield address, folder


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A window; what its console complains of fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    yield opened
    context.close()
    assert not complaints


def test_an_analyst_filters_opens_a_host_and_names_it(page: Any, site: tuple[str, Path]) -> None:
    address, folder = site
    page.goto(address)
    assert page.locator("a.row").count() == 50
    page.locator(".stateset a.unknown").click()
    page.wait_for_url("**/?state=unknown")
    page.fill("#q", "camera")
    page.press("#q", "Enter")
    page.wait_for_url("**q=camera**")
    states = set(page.locator("table.hosts tbody .state").all_text_contents())
    assert states == {"unknown"}
    first = page.locator("a.row").first
    host = first.text_content()
    first.click()
    page.wait_for_selector("h1")
    mac = page.locator(".identity dd").first.text_content()
    page.fill("#label input[name=device]", "Hall_Camera_7")
    page.fill("#label input[name=reason]", "walked there")
    page.click("#label button")
    page.wait_for_selector("p.done")
    assert "state=unknown" in page.url
    (row,) = annotation_file.read(folder / "annotations.csv")
    assert (row.host, row.action, row.device) == (mac, "label", "Hall_Camera_7")
    assert row.reason == "walked there"
    page.click("a[rel=up]")
    page.wait_for_selector("a.row")
    line = page.locator("table.hosts tr", has_text=host)
    assert "named Hall_Camera_7, not yet in the log" in line.first.text_content()


def test_everything_can_be_done_with_the_keyboard(page: Any, site: tuple[str, Path]) -> None:
    page.goto(site[0])
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("Escape")
    for key in "jjk":
        page.keyboard.press(key)
    second = page.locator("a.row").first.text_content()
    assert page.evaluate("document.activeElement.textContent") == second
    page.keyboard.press("j")
    chosen = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.wait_for_selector("#label")
    assert chosen in page.locator("h1").text_content()
    before = page.url
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != before)
    assert chosen not in page.locator("h1").text_content()
    for key, form in (("n", "label"), ("c", "confirm"), ("i", "ignore")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.form.getAttribute('id')") == form
        page.keyboard.type("jku/")  # text by now, and no command
        page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.wait_for_selector("a.row")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_window_is_too_narrow_and_dark_is_dark(
    chromium: Any, site: tuple[str, Path], scheme: str, width: int
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    for path in ("", f"host?id={MAC.format(2)}"):
        opened.goto(site[0] + path)
        wide = opened.evaluate("document.documentElement.scrollWidth > innerWidth")
        colour = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        darkness = sum(map(int, colour[4:-1].split(","))) < 3 * 128
        assert (wide, darkness) == (False, scheme == "dark"), path
    context.close()


def test_a_name_of_any_length_makes_no_page_wider(page: Any, tmp_path: Path) -> None:
    long = "x" * 5000
    texts = ("hostname", "vendor", "previous", "device", "category", "model", "worker")
    lines = verdict(1, state="changed", evidence=(long,), alternatives=(f"{long}=0.05",),
                    **dict.fromkeys(texts, long))  # fmt: skip
    written(tmp_path / "nba_device.log", lines)
    with served(tmp_path, "--annotations", tmp_path / "annotations.csv") as address:
        for path in ("", f"host?id={MAC.format(1)}"):
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert page.locator("table.history").evaluate("table => table.scrollWidth") < 2000


def test_markup_in_names_is_shown_as_the_text_that_it_is(page: Any, tmp_path: Path) -> None:
    hostile(tmp_path)
    with served(tmp_path, "--annotations", tmp_path / "annotations.csv") as address:
        page.goto(address)
        # A host whose name is markup, and one all of whose texts are; the third one's hints are.
        names = page.locator("table.hosts td:nth-child(2)").all_text_contents()
        assert sum(SCRIPT in name for name in names) == 2
        page.locator("a.row", has_text="10.0.0.2").click()
        page.wait_for_selector("#label")
        assert SCRIPT in page.locator("h1").text_content()
        page.fill("#confirm input[name=reason]", SCRIPT)
        page.click("#confirm button")
        page.wait_for_selector("p.done")
        assert page.locator("td", has_text=SCRIPT).count() > 0
        page.goto(address)
        page.locator("a.row", has_text="script").click()
        page.wait_for_selector("svg.timeline")
        assert SCRIPT in page.locator(".evidence").text_content()
        assert page.locator("img").count() == 0
        assert page.evaluate("document.scripts.length") == 1


def test_a_static_page_opens_from_a_file_without_a_server(
    page: Any, site: tuple[str, Path], tmp_path: Path
) -> None:
    page.goto(site[0] + "?view=attention")
    with page.expect_download() as found:
        page.click("a.save")
    saved = tmp_path / "page.html"
    found.value.save_as(saved)
    page.goto(saved.as_uri())
    assert page.locator("a.row").count() > 0
    assert page.locator("svg.timeline").first.is_visible()
    assert page.evaluate("document.scripts.length") == 0
    # Its style is its own, under a policy that allows no other.
    assert page.evaluate("getComputedStyle(document.querySelector('table.hosts')).tableLayout") == (
        "fixed"
    )
