"""One worker for each state folder, and a way for others to find it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from nba_broker.records.errors import ConfigError

FILE = "worker.lock"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody else works with this folder meanwhile; raises ConfigError when somebody does,
    and when nothing can be written there."""
    with (folder / FILE).open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ConfigError(
                f"state: worker {file.read().strip()} works with {folder}; give each its own"
            ) from None
        try:
            file.truncate(0)
            # Not buffered, as closing the file would try again.
            os.write(file.fileno(), f"{os.getpid()}\n".encode())
        except OSError as error:
            raise ConfigError(
                f"state: cannot write to {folder} ({error.strerror}); make room there"
            ) from error
        yield
        # The lock goes with the file's end; what it says is worth nothing without it.


def holder(folder: Path) -> str:
    """The process id of the worker that works with the folder, "" if there is none."""
    with contextlib.suppress(OSError, ValueError), (folder / FILE).open(encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip()
    return ""


def wake(folder: Path) -> bool:
    """Ask the worker that holds the folder to write its snapshot now; False if there is none that
    this user may ask."""
    try:
        os.kill(int(holder(folder)), signal.SIGUSR1)
    except (OSError, ValueError):  # a ValueError: nobody holds it
        return False
    return True
