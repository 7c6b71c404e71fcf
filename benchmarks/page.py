"""The triage page in a real browser: how long until an analyst sees something."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.offline import Figure
from testing import verdicts
from testing.browser import browser, served

_PAINTED = """() => new Promise(done => {
    const painted = () => {
        const [entry] = performance.getEntriesByName("first-contentful-paint");
        entry ? done(entry.startTime) : setTimeout(painted, 5);
    };
    painted();
})"""


def first_screen(hosts: int = 5000, lines: int = 100_000) -> Iterator[Figure]:
    """From the start of the command, and from the browser's request, to the first paint with the
    hosts on it; the request comes while the server has not read the log yet."""
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        folder = Path(name)
        verdicts.device_log_of(folder, hosts, lines)
        verdicts.stats_log(folder, time.time())
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(300_000)
        began = time.monotonic()
        with served(folder, "--annotations", folder / "annotations.csv") as address:
            page.goto(address)
            painted = page.evaluate(_PAINTED)
            assert page.locator("a.row").count() == 50
            yield "triage.start_to_screen", time.monotonic() - began, "s"
            yield "triage.first_screen", painted / 1000, "s"
            for figure, path in (
                ("triage.next_screen", ""),
                ("triage.filter", "?state=unknown&q=camera"),
                ("triage.host", page.locator("a.row").first.get_attribute("href").lstrip("/")),
            ):
                page.goto(address + path)
                yield figure, page.evaluate(_PAINTED) / 1000, "s"
        chromium.close()
