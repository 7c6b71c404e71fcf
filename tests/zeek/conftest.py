"""Skips the tests that need a real Zeek where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zeek.zeek_process import zeek_path


@pytest.fixture(scope="session")
def zeek() -> Path:
    """The zeek executable."""
    path = zeek_path()
    if path is None:
        pytest.skip("no Zeek on PATH, in /usr/local/zeek or /opt/zeek (or set NBA_ZEEK)")
    return path
