"""Tables of Parquet files whose own log says which files count: Delta Lake; and Iceberg's, which is
not read."""

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
    """The tables met on the way through folders, and which files they have removed."""

    def __init__(self) -> None:
        self._live: dict[Path, set[str]] = {}  # by folder of a table: files that count
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def met(self, folder: Path, folders: Collection[str]) -> set[str]:
        """A folder with these below; returns those that hold no data."""
        aside = set()
        if "_delta_log" in folders:
            aside.add("_delta_log")
            try:
                self._live[folder] = _live(folder)
            except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
                self.errors.append(
                    f"{folder / '_delta_log'}: not understood ({error}): files that the table has "
                    "removed are read, too; vacuum it first"
                )
        if "metadata" in folders and any((folder / "metadata").glob("*.metadata.json")):
            aside.add("metadata")
            self.warnings.append(
                f"{folder}: files that an Iceberg table has removed cannot be told, and are read, "
                "too; expire its snapshots first"
            )
        return aside

    def is_removed(self, file: Path) -> bool:
        """Whether a table has no such file any more."""
        for folder, live in self._live.items():
            if folder in file.parents:
                return str(file.relative_to(folder)) not in live
        return False


def _live(folder: Path) -> set[str]:
    """The files of a Delta table that count, relative to it; raises ValueError, and what reading
    anything else does."""
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
    import pyarrow.parquet  # few folders are tables

    table = pyarrow.parquet.ParquetFile(path)
    names = set(table.schema_arrow.names)
    if "sidecar" in names:
        raise ValueError("a checkpoint of version 2")
    yield from table.read([one for one in ("add", "metaData") if one in names]).to_pylist()


def _apply(live: set[str], action: dict[str, Any]) -> None:
    if add := action.get("add"):
        if add.get("deletionVector"):
            raise ValueError("rows were removed without their files, by deletion vectors")
        live.add(_path(add["path"]))
    if remove := action.get("remove"):
        live.discard(_path(remove["path"]))
    if metadata := action.get("metaData"):
        configuration = metadata.get("configuration") or {}
        if dict(configuration).get("delta.columnMapping.mode", "none") != "none":
            raise ValueError("its files call columns by other names")


def _path(written: str) -> str:
    """A file's path in the table, which is written as a URL is."""
    path = unquote(written)
    if urlparse(path).scheme in ("file", "s3", "s3a", "abfss", "gs", "hdfs") or path[0] == "/":
        raise ValueError(f"a file elsewhere: {path}")
    return os.path.normpath(path)
