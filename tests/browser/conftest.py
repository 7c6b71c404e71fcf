"""Skips the tests in a real browser where there is none, and says so once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.page import browser, find_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The system's Chromium, for its module only: an open one holds the thread's event loop."""
    if find_chromium() is None:
        pytest.skip("no Chromium here")
    with browser() as launched:
        yield launched


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One visible line instead of a silent skip."""
    if find_chromium() is None:
        terminalreporter.write_line(
            "No chromium on PATH: the tests of the triage page in a real browser were skipped."
        )
