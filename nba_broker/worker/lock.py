"""Reserves a state folder for one worker, and lets other commands find that worker."""

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
    """Reserve the folder; raises ConfigError if another worker uses it or it cannot be written."""
    with (folder / FILE).open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ConfigError(
                f"state: worker {file.read().strip()} uses {folder}; give each worker its own "
                "folder"
            ) from None
        try:
            file.truncate(0)
            # Not buffered: closing the file would try to write again.
            os.write(file.fileno(), f"{os.getpid()}\n".encode())
        except OSError as error:
            raise ConfigError(
                f"state: cannot write to {folder} ({error.strerror}); make room there"
            ) from error
        yield
        # Closing the file releases the lock; without it the process id in the file means nothing.


def holder(folder: Path) -> str:
    """The process id of the worker that uses the folder; "" if there is none."""
    with contextlib.suppress(OSError, ValueError), (folder / FILE).open(encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip()
    return ""


def wake(folder: Path) -> bool:
    """Ask the worker that uses the folder to write its snapshot now.

    Returns False if there is no such worker, or this user may not signal it.
    """
    try:
        os.kill(int(holder(folder)), signal.SIGUSR1)
    except (OSError, ValueError):  # a ValueError: no worker uses it
        return False
    return True
