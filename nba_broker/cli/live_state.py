"""Reads the state of a worker, from a snapshot that it writes when asked."""

from __future__ import annotations

import time
from pathlib import Path

from nba_broker.cli.build import build_pipeline
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import ConfigError
from nba_broker.worker import lock, snapshot, snapshot_file
from nba_broker.worker.settings import Settings

_LIMIT = 10.0  # seconds for a worker to write its snapshot; after that the last one is read


def read(settings: Settings) -> tuple[Pipeline, Path]:
    """A pipeline with the worker's hosts, and the snapshot's file.

    If the worker runs, and this user may signal it, it writes a new snapshot first. Raises
    ConfigError if there is no snapshot, SnapshotError if it cannot be read.
    """
    if settings.state is None:
        raise ConfigError("state: give the worker's state folder (--state DIR)")
    path = settings.state / snapshot_file.FILE
    before = _written(path)
    if lock.wake(settings.state):
        limit = time.monotonic() + _LIMIT
        while _written(path) == before and time.monotonic() < limit:
            time.sleep(0.05)
    if _written(path) is None:
        raise ConfigError(f"state: {path} does not exist; check that this is the worker's folder")
    pipeline = build_pipeline(settings, worker="")
    snapshot.restore(path, pipeline, only_shown=True)
    return pipeline, path


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
