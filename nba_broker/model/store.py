"""The model that workers use as a link to one of its versions, so that a switch is one step.

``DIR`` is what ``--model`` names: a link into ``DIR.versions``, where every version that was ever
installed lies by its id. ``DIR.previous`` links to the version before.
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
    """What ``DIR`` is now, and what it was, None where there was nothing that can be read."""

    now: Manifest
    before: Manifest | None

    @property
    def gone(self) -> list[str]:
        """Devices that only the model before knew."""
        here = {one.device for one in self.now.classes}
        before = self.before.classes if self.before else ()
        return [one.device for one in before if one.device not in here]


def install(candidate: Path, into: Path) -> Switched:
    """Copy a model folder to the versions of ``into`` and let it be the one that is used.

    Raises ModelError, and leaves all as it was, when a worker could not take the candidate.
    """
    Scorer(candidate)
    with _locked(into):
        with tempfile.TemporaryDirectory(prefix=".new-", dir=_versions(into)) as name:
            copy = Path(name, "model")
            shutil.copytree(candidate, copy)
            now = Scorer(copy).manifest  # of the copy: what lies here is what was looked at
            before = _adopted(into)  # not before what can fail has not
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
    """Use the version before; again, and it is as it was. Raises ModelError, and leaves all as it
    was, when there is none that a worker could take."""
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
    """What was installed, the latest last, with ``current`` or ``previous`` or nothing.

    Raises ModelError where there is no model at all.
    """
    marks = {into.resolve(): "current", _target(_previous(into)): "previous"}
    folders = [path.parent for path in _versions(into).glob(f"*/{MANIFEST_FILE}")]
    folders.sort(key=lambda path: path.stat().st_mtime)
    # A plain folder, or a link of somebody else's, is no version and yet what workers use.
    if not folders or (into.exists() and into.resolve() not in map(Path.resolve, folders)):
        folders.append(into)
    return [(marks.get(path.resolve(), ""), Manifest.load(path)) for path in folders]


def _versions(into: Path) -> Path:
    return into.with_name(f"{into.name}.versions")


def _previous(into: Path) -> Path:
    return into.with_name(f"{into.name}.previous")


def _target(link: Path) -> Path | None:
    """The version that a link means, if there is one."""
    return link.resolve() if link.is_symlink() and link.exists() else None


def _readable(version: Path | None) -> Manifest | None:
    """What a version says of itself, None where this release cannot read it."""
    with contextlib.suppress(ModelError):
        return Manifest.load(version) if version else None
    return None


def _place(into: Path, manifest: Manifest) -> Path:
    """Where a version lies: by its id, with a number where another has that id."""
    number, target = 1, _versions(into) / manifest.id
    while target.exists() and Manifest.load(target).raw != manifest.raw:
        number += 1
        target = _versions(into) / f"{manifest.id}.{number}"
    return target


def _adopted(into: Path) -> Path | None:
    """The version that is used now; a plain folder becomes the first one."""
    if into.is_symlink() or not into.exists():
        return _target(into)
    target = _place(into, Manifest.load(into))
    if target.exists():
        raise ModelError(f"{into}: is a folder, and is among its own versions; remove one of them")
    into.rename(target)
    _link(into, target)
    return target.resolve()


def _link(link: Path, target: Path) -> None:
    """Let a link mean a version, in one step: whoever reads finds the old one or the new one."""
    with tempfile.TemporaryDirectory(prefix=f".{link.name}.", dir=link.parent) as name:
        fresh = Path(name, "link")
        fresh.symlink_to(Path(_relative(target, link)))
        os.replace(fresh, link)
    _sync(link.parent)


def _relative(target: Path, link: Path) -> str:
    return os.path.relpath(target.resolve(), link.parent.resolve())


@contextlib.contextmanager
def _locked(into: Path) -> Iterator[None]:
    """Nobody else switches meanwhile; what the file system refuses is a ModelError.

    A step that fails leaves no folder of versions where there was none.
    """
    try:
        _versions(into).mkdir(parents=True, exist_ok=True)
        folder = os.open(_versions(into), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            _versions(into).mkdir(exist_ok=True)  # who had the lock may have failed, and left none
            yield
        finally:
            with contextlib.suppress(OSError):
                _versions(into).rmdir()  # succeeds only while it is empty
            os.close(folder)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{getattr(error, 'filename', None) or into}: {reason}") from error


def _sync(path: Path) -> None:
    """A new name or content has to outlive a power cut."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
