"""The triage page in a real browser: how long until an analyst sees something."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import verdicts
from benchmarks.offline import Figure

_PAINTED = """() => new Promise(done => {
    const painted = () => {
        const [entry] = performance.getEntriesByName("first-contentful-paint");
        entry ? done(entry.startTime) : setTimeout(painted, 5);
    };
    painted();
})"""


def find_chromium() -> str | None:
    """The system's Chromium, None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """The system's Chromium without a window, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox does not work for root.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=find_chromium(), args=flags)


@contextlib.contextmanager
def served(logs: Path, *arguments: str | Path) -> Iterator[str]:
    """``nba-broker triage`` over a folder of logs; its address, as soon as it says so."""
    command = [sys.executable, "-m", "nba_broker.cli.main", "triage", str(logs)]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"http://\S+", line):
                yield found[0]
                return
        raise RuntimeError(said)
    finally:
        process.terminate()
        process.communicate(timeout=20)


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
        with served(folder, "--answers", folder / "annotations.csv") as address:
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
