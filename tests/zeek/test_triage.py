"""A host that is named on the triage page, in a real browser, is called so by a running worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing.browser import browser, find_chromium, served
from testing.worker import running_worker
from testing.zeek import Standalone, replay, wait_until
from tests.zeek.helpers import identified, speed

pytestmark = [
    pytest.mark.usefixtures("zeek"),
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on PATH"),
]


def test_the_next_verdict_of_a_host_that_was_named_on_the_page_carries_the_name(
    sample_capture: Path, tmp_path: Path
) -> None:
    path = tmp_path / "annotations.csv"
    with (
        Standalone(tmp_path / "zeek", replay(sample_capture, speed(40))) as zeek,
        running_worker(
            zeek.url, "--state", str(tmp_path / "state"), "--annotations", str(path)
        ) as worker,
        served(zeek.logs, "--annotations", path) as address,
        browser() as chromium,
    ):
        wait_until(lambda: bool(identified(zeek)), 120)
        host = sorted(identified(zeek))[0]
        began = min(row["ts"] for row in zeek.rows("nba_device"))
        page = chromium.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{address}?q={host}")
        page.locator("a.row", has_text=host).first.click()
        page.fill("#label input[name=device]", "Hall_Camera")
        # The capture is of another day than this one: so is the time of its network.
        page.fill("#label input[name=at]", began)
        page.click("#label button")
        page.wait_for_selector("p.done")
        wait_until(lambda: any(r["reason"] == "annotation" for r in zeek.rows("nba_device")))
        page.reload()
        shown = page.locator(".title").text_content()
        worker.terminate()
        worker.wait(60)
        chromium.close()
        (line,) = [row for row in zeek.rows("nba_device") if row["reason"] == "annotation"]
    assert (line["host"], line["device"], line["state"]) == (host, "Hall_Camera", "identified")
    assert "Hall_Camera" in shown
    assert "not yet in the log" not in shown
