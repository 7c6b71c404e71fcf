"""Finds which Parquet files of a Delta Lake table count; warns about Iceberg tables."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import orjson

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\..*)?\.parquet")


class Tables:
    """The tables found in folders, and the files that they have removed."""

    def __init__(self) -> None:
        self._live: dict[Path, set[str]] = {}  # files that count, by folder of the table
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def met(self, folder: Path, folders: Collection[str]) -> set[str]:
        """Note a folder and its subfolders; returns the subfolders that hold no data."""
        aside = set()
        if "_delta_log" in folders:
            aside.add("_delta_log")
            try:
                self._live[folder] = _live(folder)
            except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
                self.errors.append(
                    f"{folder / '_delta_log'}: not understood ({error}), so files that the table "
                    "has removed are read, too; vacuum the table first"
                )
        if "metadata" in folders and any((folder / "metadata").glob("*.metadata.json")):
            aside.add("metadata")
            self.warnings.append(
                f"{folder}: files that this Iceberg table has removed are read, too; expire its "
                "snapshots first"
            )
        return aside

    def is_removed(self, file: Path) -> bool:
        """Whether a table has removed a file."""
        for folder, live in self._live.items():
            if folder in file.parents:
                return str(file.relative_to(folder)) not in live
        return False


def _live(folder: Path) -> set[str]:
    """The files of a Delta table that count, relative to its folder. Raises ValueError, KeyError,
    TypeError, AttributeError or OSError if its log is not understood."""
    log = folder / "_delta_log"
    names = sorted(os.listdir(log))
    commits = {int(match[1]): log / name for name in names if (match := _COMMIT.fullmatch(name))}
    checkpoints: dict[int, list[Path]] = {}
    for name in names:
        if match := _CHECKPOINT.fullmatch(name):
            checkpoints.setdefault(int(match[1]), []).append(log / name)
    first, live = 0, set[str]()
    if checkpoints:
        first = max(checkpoints)
        for path in checkpoints[first]:
            for action in _of_checkpoint(path):
                _apply(live, action)
        first += 1
    elif not commits:
        raise ValueError("it is empty")
    elif min(commits) > 0:
        raise ValueError("its beginning is missing")
    for version in range(first, max(commits, default=-1) + 1):
        if version not in commits:
            raise ValueError(f"version {version} is missing")
        for line in commits[version].read_bytes().splitlines():
            if line.strip():
                _apply(live, orjson.loads(line))
    return live


def _of_checkpoint(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet  # here, because few folders are tables

    table = pyarrow.parquet.ParquetFile(path)
    names = set(table.schema_arrow.names)
    if "sidecar" in names:
        raise ValueError("it has a checkpoint of version 2")
    yield from table.read([one for one in ("add", "metaData") if one in names]).to_pylist()


def _apply(live: set[str], action: dict[str, Any]) -> None:
    if add := action.get("add"):
        if add.get("deletionVector"):
            raise ValueError("it removes rows by deletion vectors")
        live.add(_path(add["path"]))
    if remove := action.get("remove"):
        live.discard(_path(remove["path"]))
    if metadata := action.get("metaData"):
        configuration = metadata.get("configuration") or {}
        if dict(configuration).get("delta.columnMapping.mode", "none") != "none":
            raise ValueError("it maps columns to other names")


def _path(written: str) -> str:
    """A file's path in the table, which the log writes as a URL."""
    path = unquote(written)
    if urlparse(path).scheme in ("file", "s3", "s3a", "abfss", "gs", "hdfs") or path[0] == "/":
        raise ValueError(f"it has a file outside its folder: {path}")
    return os.path.normpath(path)
