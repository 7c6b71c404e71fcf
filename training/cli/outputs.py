"""The files that a command is to write: checked before it begins, since training takes minutes."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from nba_broker.archive import results
from nba_broker.records.errors import ConfigError
from training.model import card


def require(arguments: argparse.Namespace) -> None:
    """Raise NBAError unless the command can write all its files."""
    files = [path for name in ("json", "html") if (path := getattr(arguments, name, None))]
    for path in files:
        results.require(path, _made_by(arguments))
    if len({path.resolve() for path in files}) < len(files) and not files[0].is_char_device():
        raise ConfigError(f"--json and --html are the same file, {files[0]}; give two")
    if getattr(arguments, "card", None) is not None:
        results.require(arguments.card)
        card.require(arguments.card)
    if arguments.name == "labels":
        require_new_file(arguments.out)
    elif "out" in arguments:
        if getattr(arguments, "model", None) is not None:
            results.require_apart(arguments.out, "--out", arguments.model)
        require_new_folder(arguments.out)


def write_json(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    """Write the figures of a command to its ``--json``."""
    results.write_json(arguments.json, _made_by(arguments), result)


def _made_by(arguments: argparse.Namespace) -> str:
    return f"nba-train {arguments.name}"


def require_new_file(path: Path) -> None:
    """Raise ConfigError unless the file does not exist and can be written."""
    if os.path.lexists(path):
        raise ConfigError(f"{path} exists already; give another file with --out")
    results.require(path)


def require_new_folder(path: Path) -> None:
    """Raise ConfigError unless a model's folder can be made at the path, with its parents.

    An existing folder stays: a worker may use it, and would take over the next model in it.
    """
    if path.exists() and (path.is_mount() or path.samefile(".")):
        raise ConfigError(f"{path}: this folder cannot be replaced; give a new one with --out")
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise ConfigError(
            f"{path}: exists already; give another folder with --out, or delete it first (for a "
            "model in use: train to another folder and switch with nba-broker model install)"
        )
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise ConfigError(f"{path}: {above} is not a folder")
    if not os.access(above, os.W_OK):
        raise ConfigError(f"{path}: {above} cannot be written to")
