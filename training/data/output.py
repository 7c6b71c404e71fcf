"""Where a command is to write: looked at before it begins, since training takes minutes."""

from __future__ import annotations

import os
from pathlib import Path

from nba_broker.archive import results
from nba_broker.records.errors import ConfigError


def require_new_file(path: Path) -> None:
    """Raise ConfigError unless a file can be written there, and none is there."""
    if os.path.lexists(path):
        raise ConfigError(f"{path} is there already: give another file by --out")
    results.require(path)


def require_new_folder(path: Path) -> None:
    """Raise ConfigError unless a model's folder can be made there, with those above it.

    What is there stays: a worker may use it, and would take over whatever lay there next.
    """
    if path.exists() and (path.is_mount() or path.samefile(".")):
        raise ConfigError(f"{path}: a folder that cannot be replaced; give one that is not there")
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise ConfigError(
            f"{path}: is there already; give another folder by --out, or delete it first (for a "
            "model in use: train to another folder and switch with nba-broker model install)"
        )
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise ConfigError(f"{path}: {above} is not a folder")
    _require_writable(above, path)


def _require_writable(place: Path, path: Path) -> None:
    if not os.access(place, os.W_OK):
        raise ConfigError(f"{path}: {place} cannot be written to")
