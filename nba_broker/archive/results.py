"""Results among somebody's files: written as a whole, and never over what others wrote."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from nba_broker.records.errors import ConfigError

RECORD = ".nba-broker.json"
"""Beside logs that a command of ours wrote: their names, each with its size and time of change."""

UNFINISHED = ".nba-"
"""How the folder is called in which a run writes until it is done."""

_HEAD = 4096  # bytes of a file in which it says who made it


@contextlib.contextmanager
def folder(out: Path, names: Collection[str] = ()) -> Iterator[Path]:
    """A folder to write logs in, which come to ``out`` once the block ends without an error.

    ``names`` are the logs that will be written; without any, all ``*.log`` may be. They replace
    those of an earlier run, and of those all go where no names are given: logs of two runs side by
    side would look like one result. Raises ConfigError, before anything is done, where ``out`` has
    such a log that no earlier run wrote, or that has changed since.
    """
    with _refused(out):
        is_new = not out.exists()
        out.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(out, names)
        work = tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=out)
    try:
        with work as name:
            yield Path(name)
            with _refused(out):
                _refuse_foreign(out, names)  # Zeek may have begun to write here meanwhile
                _take_over(out, Path(name), names)
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # only while nothing is in it
                out.rmdir()


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"{path}: a file is there; give a folder with --out DIR") from None
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"{path}: cannot write there ({why}); give --out DIR") from error


def _refuse_foreign(out: Path, names: Collection[str]) -> None:
    if _is_zeeks(out):
        raise ConfigError(f"{out}: zeekctl runs Zeek there; give another folder with --out DIR")
    ours = _written(out)
    there = [path.name for path in out.glob("*.log")]
    foreign = sorted(name for name in there if name not in ours and name in (names or there))
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ConfigError(
            f"{out / foreign[0]}{more}: there already, and not written by nba-broker or changed "
            "since; give another folder with --out DIR"
        )


def _is_zeeks(out: Path) -> bool:
    """Whether zeekctl runs a node of Zeek there: what it is started by lies beside its logs, of
    which some are missing for a moment whenever they are rotated."""
    return (out / ".pid").is_file() and (out / ".cmdline").is_file()


def _written(out: Path) -> dict[str, list[int]]:
    """The logs in ``out`` that are as a command of ours left them."""
    try:
        record = json.loads((out / RECORD).read_text("utf-8"))
        return {
            name: mark
            for name, mark in record.items()
            if name == Path(name).name and mark and _mark(out / name) == mark
        }
    except (OSError, ValueError, AttributeError):
        return {}


def _mark(path: Path) -> list[int] | None:
    """What tells a file's content from any other; None for a link, which may mean any file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return None if path.is_symlink() else [status.st_size, status.st_mtime_ns]


def _take_over(out: Path, folder: Path, names: Collection[str]) -> None:
    kept = _written(out)
    fresh = sorted(folder.glob("*.log"))
    if not names:
        for name in kept.keys() - {path.name for path in fresh}:
            (out / name).unlink()
        kept = {}
    for path in fresh:
        path.replace(out / path.name)
        kept[path.name] = _mark(out / path.name) or []
    write(out / RECORD, json.dumps(kept, indent=1) + "\n")


def require(path: Path, made_by: str | None = None) -> None:
    """Raise ConfigError unless a file can be written there, or to what is no file, as a pipe.

    ``made_by``: a file that is there and not empty has to be of this command.
    """
    try:
        _require(path)
        if made_by is not None and path.is_file():
            _require_made(path, made_by)
    except OSError as error:  # a folder above that may not even be looked into
        raise ConfigError(f"{path}: {error.strerror or error}") from None


def _require(path: Path) -> None:
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder, not a file")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}")
    places = {Path(os.path.realpath(path)).parent} if path.is_file() else set()
    for place in (path if path.exists() else path.parent, *places):
        if not os.access(place, os.W_OK):
            raise ConfigError(f"{path}: {place} cannot be written to")


def _require_made(path: Path, made_by: str) -> None:
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if head and not (page_mark(made_by).encode() in head or head.startswith(_json(made_by))):
        raise ConfigError(f"{path}: there already, and not written by {made_by}; give another file")


def page_mark(made_by: str) -> str:
    """What a page has in its head, to be known by."""
    return f'<meta name="generator" content="{made_by}">'


def _json(made_by: str) -> bytes:
    return json.dumps({"made_by": made_by}, indent=1).rstrip("}\n").encode()


def write_json(path: Path, made_by: str, values: dict[str, Any]) -> None:
    """Write values, and before them which command made them; as :func:`write`."""
    text = json.dumps({"made_by": made_by, **values}, indent=1, ensure_ascii=False)
    write(path, text + "\n")


def write(path: Path, text: str) -> None:
    """Write a file in UTF-8 as a whole, or leave all as it was; what is no file is written to.

    What UTF-8 cannot hold, as odd bytes in the name of a file, is escaped. Raises ConfigError.
    """
    content = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = Path(os.path.realpath(path))  # a link stays one
        fresh = target.with_name(f"{UNFINISHED}{os.getpid()}")
        try:
            fresh.write_bytes(content)
            if target.exists():
                shutil.copymode(target, fresh)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
