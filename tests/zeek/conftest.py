"""Skips the tests that need a real Zeek where there is none, and says so once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zeek.zeek_process import zeek_path


@pytest.fixture(scope="session")
def zeek() -> Path:
    """The zeek executable."""
    path = zeek_path()
    if path is None:
        pytest.skip("no Zeek here")
    return path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One visible line instead of a silent skip."""
    if zeek_path() is None:
        terminalreporter.write_line(
            "No Zeek on PATH, in /usr/local/zeek or /opt/zeek: "
            "the tests against a real Zeek were skipped."
        )
