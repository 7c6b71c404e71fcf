"""Finds the files of one Zeek log below a folder, current and rotated, and reads what is new."""

from __future__ import annotations

import io
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nba_broker.archive import results, zeek_log
from nba_broker.archive.zeek_log import Header
from nba_broker.records.errors import ArchiveError

_LISTED = 20  # errors that are listed one by one
_BLOCK = 16 << 20
_TAIL = 512 << 10
_TAIL_ROWS = 5000
# A log's name with what rotation, logrotate, collectors and compression add to it.
_NAME = (
    r"(?:[\w.+:-]*[._-])?{log}(?:[._-].*)?\.(?:log|json|ndjson|jsonl)"
    r"(?:[._-](?!part|tmp|sw[op]).*)?"
)
_UNSETTLED = 2.0  # seconds in which a folder may change again without another mtime


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was found; ``key`` is its device and inode, which a new name does not change."""

    path: Path
    key: tuple[int, int]
    size: int
    changed: int  # nanoseconds since the epoch


@dataclass(slots=True)
class _Folder:
    """The contents of a folder when it was last listed."""

    changed: int
    looked: float
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Place:
    """How far a file has been read, and the header that applies there."""

    size: int
    changed: int
    offset: int = 0
    header: Header | None = None


class Finder:
    """Finds a log's files by name in a tree of any size.

    A folder is listed again only after it has changed, because an archive may have a hundred
    thousand files of other logs.
    """

    def __init__(self, top: Path, log: str) -> None:
        self._top = top
        self._name = re.compile(_NAME.format(log=log))
        self._folders: dict[str, _Folder] = {}
        self.errors: dict[Path, str] = {}
        """Why a folder or its contents could not be read at the last attempt."""

    def files(self) -> list[File]:
        """All files, the last changed first; a file with two names is one."""
        found: dict[tuple[int, int], File] = {}
        self.errors = {}
        waiting, seen = [str(self._top)], set()
        while waiting:
            path = waiting.pop()
            try:
                status = os.stat(path)
                key = (status.st_dev, status.st_ino)
                if key in seen:  # links are followed, as zeekctl's logs/current is one
                    continue
                seen.add(key)
                folder = self._listed(path, status.st_mtime_ns)
            except OSError as error:
                self.errors[Path(path)] = why(error)
                continue
            waiting += folder.folders
            for name in folder.files:
                try:
                    status = os.stat(name)
                except FileNotFoundError:  # rotated meanwhile
                    continue
                except OSError as error:
                    self.errors[Path(name)] = why(error)
                    continue
                key = (status.st_dev, status.st_ino)
                found[key] = File(Path(name), key, status.st_size, status.st_mtime_ns)
        return sorted(found.values(), key=lambda file: (-file.changed, str(file.path)))

    def _listed(self, path: str, changed: int) -> _Folder:
        known = self._folders.get(path)
        if known and known.changed == changed and known.looked - changed / 1e9 > _UNSETTLED:
            return known
        folder = _Folder(changed, time.time())
        with os.scandir(path) as entries:
            for entry in entries:
                # lost+found belongs to the file system; the other is of an unfinished run.
                if entry.name == "lost+found" or entry.name.startswith(results.UNFINISHED):
                    continue
                if _may_be_folder(entry):
                    folder.folders.append(entry.path)
                elif self._name.fullmatch(entry.name):
                    folder.files.append(entry.path)
        self._folders[path] = folder
        return folder


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to a forbidden folder, as logs/current can be: reported later
        return True


def why(error: ArchiveError | OSError) -> str:
    """Why reading failed, with the remedy if there is one."""
    if isinstance(error, PermissionError):
        return "permission denied; run nba-broker triage as a user who may read it"
    return str(getattr(error, "strerror", None) or error)


def described(errors: Mapping[Path, str]) -> list[str]:
    """Errors by path as texts; of many, some and their number."""
    texts = [f"{path}: {text}" for path, text in sorted(errors.items())]
    more = len(texts) - _LISTED
    return texts[:_LISTED] + ([f"{more} more files"] if more > 0 else [])


class Follower:
    """Reads from a log's files what it has not read before."""

    def __init__(self, top: Path, log: str) -> None:
        self._finder = Finder(top, log)
        self._places: dict[tuple[int, int], _Place] = {}
        self._errors: dict[Path, str] = {}
        self.found = 0
        """Number of files."""

    @property
    def errors(self) -> dict[Path, str]:
        """Why a file or folder could not be read completely."""
        return self._finder.errors | self._errors

    def news(self) -> list[File]:
        """Files with something new, the last changed first."""
        files = self._finder.files()
        self.found = len(files)
        there = {file.key for file in files}
        for key in self._places.keys() - there:
            del self._places[key]
        paths = {file.path for file in files}
        self._errors = {path: text for path, text in self._errors.items() if path in paths}
        return [file for file in files if self._changed(file)]

    def read(self, file: File) -> Iterator[tuple[Header, bytes]]:
        """New rows in blocks of whole lines, each with its header. An incomplete last line is left
        for later. If reading fails, ``errors`` says why."""
        place = self._places.get(file.key)
        if place is None or file.size < place.offset:
            place = _Place(file.size, file.changed)
        place.size, place.changed = file.size, file.changed
        self._places[file.key] = place
        self._errors.pop(file.path, None)
        try:
            if zeek_log.is_whole(file.path):
                for _, stream in zeek_log.streams(file.path):
                    yield from zeek_log.segments(stream)
            else:
                yield from self._more(file.path, place)
        except (ArchiveError, OSError) as error:
            self._errors[file.path] = why(error)
            if isinstance(error, OSError):
                place.changed = 0  # try again: new permissions do not change the file

    def skip(self, file: File) -> None:
        """Treat the present content of a file as read."""
        self._places[file.key] = _Place(file.size, file.changed, file.size)

    def _changed(self, file: File) -> bool:
        place = self._places.get(file.key)
        return place is None or (place.size, place.changed) != (file.size, file.changed)

    def _more(self, path: Path, place: _Place) -> Iterator[tuple[Header, bytes]]:
        with path.open("rb") as stream:
            while True:
                stream.seek(place.offset)
                block = stream.read(_BLOCK)
                end = block.rfind(b"\n") + 1
                if not end:
                    return
                place.offset += end
                if place.header is not None and not place.header.fields:
                    yield place.header, block[:end]  # JSON, whatever its first line is
                    continue
                for header, body in zeek_log.segments(io.BytesIO(block[:end]), place.header):
                    place.header = header
                    yield header, body


def tail(file: File) -> list[dict[str, Any]]:
    """The last rows of a log; an uncompressed one is not read as a whole. Raises ArchiveError or
    OSError."""
    if zeek_log.is_whole(file.path):
        return list(deque(zeek_log.rows(file.path), _TAIL_ROWS))
    with file.path.open("rb") as stream:
        block = stream.read(_TAIL)
        head = b"".join(line for line in block.splitlines(True) if line.startswith(b"#"))
        if file.size > _TAIL:
            stream.seek(-_TAIL, os.SEEK_END)
            block = head + stream.read(_TAIL).partition(b"\n")[2]
    block = block[: block.rfind(b"\n") + 1]
    if not block:
        return []
    parts = zeek_log.segments(io.BytesIO(block))
    return [row for header, body in parts for row in zeek_log.parse(header, body)]
