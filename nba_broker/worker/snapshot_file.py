"""The file of a snapshot: replaced as a whole, checksummed, and set aside where it is of no use."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from nba_broker.records.errors import ConfigError, SnapshotError

FILE = "hosts.snapshot"

_DIGEST = hashlib.sha256().digest_size


def path_in(folder: Path) -> Path:
    """The path of the snapshot in a state folder, which is created. Raises ConfigError if the
    folder is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"state: cannot write to {folder} ({error.strerror}); give the worker's user a folder"
        ) from error
    return folder / FILE


def write(path: Path, content: Iterable[bytes]) -> None:
    """Replace the whole file, or leave it unchanged; raises OSError."""
    part = path.with_name(f"{path.name}.part")
    digest = hashlib.sha256()
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for block in content:
            digest.update(block)
            file.write(block)
        file.write(digest.digest())
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # so that the new name survives a power cut
    finally:
        os.close(folder)


def write_text(path: Path, name: str, text: str) -> None:
    """Replace the text file of this name beside the snapshot; raises OSError."""
    part = path.with_name(f"{name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path.with_name(name))


def set_aside(path: Path) -> Path:
    """Rename a snapshot that cannot be used; returns its new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.bad-{number}")).exists():
        number += 1
    os.replace(path, aside)
    return aside


def verified(path: Path, file: BinaryIO) -> int:
    """The number of bytes before the digest. Raises SnapshotError unless the digest is right."""
    end = os.fstat(file.fileno()).st_size - _DIGEST
    digest = hashlib.sha256()
    left = end
    while left > 0 and (block := file.read(min(left, 1 << 20))):
        digest.update(block)
        left -= len(block)
    if end <= 0 or file.read() != digest.digest():
        raise SnapshotError(f"{path}: damaged or cut short (its SHA-256 does not fit)")
    file.seek(0)
    return end
