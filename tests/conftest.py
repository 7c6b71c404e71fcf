"""What all tests share: the real traffic, where it is there, and a line for what was skipped."""

from __future__ import annotations

import functools
import lzma
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

# A loaded machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real traffic, from NBA_DATA or beside the checkout."""
    folder = Path(os.environ.get("NBA_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "README.md").exists():
        pytest.skip("no real traffic here (set NBA_DATA)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def unpacked_once() -> Iterator[None]:
    """The embedded IP database, which nearly every command reads, is unpacked once a process."""
    unpack = functools.lru_cache(maxsize=1)(lzma.decompress)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nba_broker.destinations.databases.lzma", SimpleNamespace(decompress=unpack))
        yield


LONGEST = {
    "test_btest.py",
    "test_clocks.py",
    "test_first_day.py",
    "test_later_day.py",
    "test_operations.py",
    "test_partitions.py",
    "test_site_events.py",
    "test_training_ablate.py",
    "test_training_agreement.py",
    "test_training_cluster.py",
    "test_training_compare.py",
    "test_training_prototypes.py",
    "test_worker.py",
    "test_zeekctl.py",
    "test_zkg.py",
}
"""Files that begin first, so that no process is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For --no-loadscope-reorder: pytest-xdist would begin with the files of the most tests."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One visible line for each reason instead of silent skips."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, number in Counter(report.longrepr[2] for report in skipped).items():
        terminalreporter.write_line(f"{reason} ({number})")
