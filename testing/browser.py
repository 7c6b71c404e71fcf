"""The triage page in the system's Chromium."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


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
