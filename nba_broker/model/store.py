"""Keeps the versions of a model, with a link to the one in use, so that a switch is one step.

``DIR``, the value of ``--model``, is a link into ``DIR.versions``, which has a folder for each
installed version, by its id. ``DIR.previous`` is a link to the version before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nba_broker.model.manifest import MANIFEST_FILE, Manifest
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import ModelError


@dataclass(frozen=True, slots=True)
class Switched:
    """The manifest of ``DIR`` now, and the one before, None if there was no readable one."""

    now: Manifest
    before: Manifest | None

    @property
    def gone(self) -> list[str]:
        """The devices that only the former model knows."""
        here = {one.device for one in self.now.classes}
        before = self.before.classes if self.before else ()
        return [one.device for one in before if one.device not in here]


def install(candidate: Path, into: Path) -> Switched:
    """Copy a model folder to the versions of ``into`` and switch to it.

    Raises ModelError, and changes nothing, if a worker could not use the candidate.
    """
    Scorer(candidate)
    with _locked(into):
        with tempfile.TemporaryDirectory(prefix=".new-", dir=_versions(into)) as name:
            copy = Path(name, "model")
            shutil.copytree(candidate, copy)
            now = Scorer(copy).manifest  # the copy is checked, not the original
            before = _adopted(into)  # after the checks that may fail
            target = _place(into, now)
            if not target.exists():
                for path in (*copy.iterdir(), copy):
                    _sync(path)
                copy.rename(target)
        if before is not None and before.name != target.name:
            _link(_previous(into), before)
        _link(into, target)
    return Switched(now, _readable(before))


def rollback(into: Path) -> Switched:
    """Switch to the version before; a second rollback undoes the first.

    Raises ModelError, and changes nothing, if there is no version that a worker could use.
    """
    if _target(_previous(into)) is None:
        raise ModelError(f"{into}: there is no version before this one to go back to")
    with _locked(into):
        target = _previous(into).resolve(strict=True)
        now = Scorer(target).manifest
        before = _adopted(into)
        if before is not None:
            _link(_previous(into), before)
        _link(into, target)
    return Switched(now, _readable(before))


def versions(into: Path) -> list[tuple[str, Manifest]]:
    """The installed versions, the latest last, each with ``current``, ``previous`` or "".

    Raises ModelError if there is no model at all.
    """
    marks = {into.resolve(): "current", _target(_previous(into)): "previous"}
    folders = [path.parent for path in _versions(into).glob(f"*/{MANIFEST_FILE}")]
    folders.sort(key=lambda path: path.stat().st_mtime)
    # Workers may also use a plain folder, or a link to another place, which is no version.
    if not folders or (into.exists() and into.resolve() not in map(Path.resolve, folders)):
        folders.append(into)
    return [(marks.get(path.resolve(), ""), Manifest.load(path)) for path in folders]


def _versions(into: Path) -> Path:
    return into.with_name(f"{into.name}.versions")


def _previous(into: Path) -> Path:
    return into.with_name(f"{into.name}.previous")


def _target(link: Path) -> Path | None:
    """The version to which a link points, None if there is none."""
    return link.resolve() if link.is_symlink() and link.exists() else None


def _readable(version: Path | None) -> Manifest | None:
    """The manifest of a version, None if this release cannot read it."""
    with contextlib.suppress(ModelError):
        return Manifest.load(version) if version else None
    return None


def _place(into: Path, manifest: Manifest) -> Path:
    """The folder of a version: its id, with a number if another version has that id."""
    number, target = 1, _versions(into) / manifest.id
    while target.exists() and Manifest.load(target).raw != manifest.raw:
        number += 1
        target = _versions(into) / f"{manifest.id}.{number}"
    return target


def _adopted(into: Path) -> Path | None:
    """The version in use; a plain folder becomes the first version."""
    if into.is_symlink() or not into.exists():
        return _target(into)
    target = _place(into, Manifest.load(into))
    if target.exists():
        raise ModelError(f"{into}: is a folder, and is among its own versions; remove one of them")
    into.rename(target)
    _link(into, target)
    return target.resolve()


def _link(link: Path, target: Path) -> None:
    """Point a link to a version in one step: a reader finds either the old or the new one."""
    with tempfile.TemporaryDirectory(prefix=f".{link.name}.", dir=link.parent) as name:
        new = Path(name, "link")
        new.symlink_to(Path(_relative(target, link)))
        os.replace(new, link)
    _sync(link.parent)


def _relative(target: Path, link: Path) -> str:
    return os.path.relpath(target.resolve(), link.parent.resolve())


@contextlib.contextmanager
def _locked(into: Path) -> Iterator[None]:
    """Keep other processes from switching; errors of the file system become ModelErrors.

    If a step fails, a folder of versions that did not exist before is removed.
    """
    try:
        _versions(into).mkdir(parents=True, exist_ok=True)
        folder = os.open(_versions(into), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            _versions(into).mkdir(exist_ok=True)  # the last holder of the lock may have removed it
            yield
        finally:
            with contextlib.suppress(OSError):
                _versions(into).rmdir()  # succeeds only while it is empty
            os.close(folder)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{getattr(error, 'filename', None) or into}: {reason}") from error


def _sync(path: Path) -> None:
    """Write a file or folder to disk, so that it survives a power cut."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
