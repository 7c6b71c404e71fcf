"""Writes results as a whole or not at all, and never over files that nba-broker did not write."""

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
"""The file beside logs that records which of them nba-broker wrote: name, size and time."""

UNFINISHED = ".nba-"
"""The prefix of the folder in which a run writes until it is done."""

_HEAD = 4096  # bytes of a file within which it says which command wrote it


@contextlib.contextmanager
def folder(out: Path, names: Collection[str] = ()) -> Iterator[Path]:
    """A temporary folder for logs, which are moved to ``out`` when the block ends without error.

    names: the logs that may be written; without names, any ``*.log`` may be. They replace those of
    an earlier run, which go also where this run writes none; without names, all of its logs go.
    Logs of two runs side by side would look like one result. Raises ConfigError at the start if
    ``out`` has such a log that no earlier run wrote, or that has changed since.
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
                _refuse_foreign(out, names)  # Zeek may have started to write here
                _take_over(out, Path(name), names)
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # works only if it is empty
                out.rmdir()


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"{path}: is a file; give a folder with --out DIR") from None
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(
            f"{path}: not writable ({why}); give another folder with --out DIR"
        ) from error


def _refuse_foreign(out: Path, names: Collection[str]) -> None:
    if _is_zeeks(out):
        raise ConfigError(f"{out}: zeekctl runs Zeek in it; give another folder with --out DIR")
    ours = _written(out)
    there = [path.name for path in out.glob("*.log")]
    foreign = sorted(name for name in there if name not in ours and name in (names or there))
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ConfigError(
            f"{out / foreign[0]}{more}: exists, and was not written by nba-broker or has changed "
            "since; give another folder with --out DIR"
        )


def _is_zeeks(out: Path) -> bool:
    """Whether zeekctl runs a Zeek node in a folder. Its start files show that; its logs do not,
    because they are missing for a moment at each rotation."""
    return (out / ".pid").is_file() and (out / ".cmdline").is_file()


def _written(out: Path) -> dict[str, list[int]]:
    """The logs in ``out`` that nba-broker wrote and that have not changed since."""
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
    """A file's size and time of change; None for a link, which may point anywhere."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return None if path.is_symlink() else [status.st_size, status.st_mtime_ns]


def _take_over(out: Path, folder: Path, names: Collection[str]) -> None:
    kept = _written(out)
    fresh = sorted(folder.glob("*.log"))
    replaced = kept.keys() & set(names) if names else set(kept)
    for name in replaced:
        del kept[name]
    for name in replaced - {path.name for path in fresh}:
        (out / name).unlink()
    for path in fresh:
        path.replace(out / path.name)
        kept[path.name] = _mark(out / path.name) or []
    write(out / RECORD, json.dumps(kept, indent=1) + "\n")


def require_apart(folder: Path, flag: str, model: Path, of_model: str = "--model") -> None:
    """Raise ConfigError if ``folder``, which ``flag`` names for files to be written, is a model's
    folder or in it: the model would be copied with those files."""
    here, model = folder.resolve(), model.resolve()
    if here == model or model in here.parents:
        raise ConfigError(f"{flag} {folder}: is in the folder of {of_model}; give another folder")


def require(path: Path, made_by: str | None = None) -> None:
    """Raise ConfigError unless ``path`` can be written; it may also be a pipe or device.

    made_by: the command that must have written an existing file, unless it is empty.
    """
    try:
        _require(path)
        if made_by is not None and path.is_file():
            _require_made(path, made_by)
    except OSError as error:  # a folder above may not be searchable
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
        raise ConfigError(f"{path}: exists, and was not written by {made_by}; give another file")


def page_mark(made_by: str) -> str:
    """The element in a page's head that names the command which wrote it."""
    return f'<meta name="generator" content="{made_by}">'


def _json(made_by: str) -> bytes:
    return json.dumps({"made_by": made_by}, indent=1).rstrip("}\n").encode()


def write_json(path: Path, made_by: str, values: dict[str, Any]) -> None:
    """Write values as JSON, after the name of the command that made them; as :func:`write`."""
    text = json.dumps({"made_by": made_by, **values}, indent=1, ensure_ascii=False)
    write(path, text + "\n")


def write(path: Path, text: str) -> None:
    """Write a file in UTF-8 as a whole, or leave everything as it was; a pipe is written directly.

    Text that UTF-8 cannot encode, such as odd bytes of a file's name, is escaped. Raises
    ConfigError.
    """
    content = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = Path(os.path.realpath(path))  # a link stays a link
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
