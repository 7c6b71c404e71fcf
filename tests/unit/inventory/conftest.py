"""A worker's state folder with two hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba_broker.cli import config
from nba_broker.cli.build import build_pipeline
from nba_broker.worker import snapshot, snapshot_file
from tests.unit.helpers import LAMP_CLOUD, host, sessions


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """What a worker with the shipped model has left behind: 192.168.1.7 and 192.168.1.9."""
    made = build_pipeline(config.load(None, {}, {}), worker="w")
    made.process(sessions(host(7, times=list(range(100, 120)), dst=LAMP_CLOUD)))
    made.process(sessions([(120.0, "192.168.1.9", "", LAMP_CLOUD)]))
    snapshot_file.write(tmp_path / "hosts.snapshot", snapshot.parts(made, {}))
    return tmp_path
