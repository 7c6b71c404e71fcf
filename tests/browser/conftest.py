"""Skips the tests in a real browser where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from testing.browser import browser, find_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The system's Chromium, for its module only: an open one holds the thread's event loop."""
    if find_chromium() is None:
        pytest.skip("no Chromium on PATH")
    with browser() as launched:
        yield launched
