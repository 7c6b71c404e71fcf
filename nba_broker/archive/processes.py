"""Applies a function to the files of an archive in other processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path
from typing import TypeVar

from nba_broker.archive.prefetch import prefetch
from nba_broker.records.errors import ArchiveError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Bytes of a file that a process reads as a whole. Packed ten to one, they are two million rows, and
# 120 MB in memory.
_LARGEST = 32 << 20


class Processes:
    """A number of processes, which end with this one, however it ends."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._others = multiprocessing.active_children()
        # A fork would copy the locks of other threads, such as pyarrow's, as they are.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(number, context, _begin)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``function`` of every item, in order, as the builtin does. As many results as there are
        processes wait to be taken, no more. Raises the function's errors, or ArchiveError if a
        process is killed."""
        try:
            yield from prefetch(
                lambda item: self._pool.submit(function, item).result(), items, self._number
            )
        except BrokenProcessPool:
            raise ArchiveError(
                "a process that reads the archive was killed; if memory is short, give fewer "
                "--processes"
            ) from None

    def read(
        self, function: Callable[[str | Path], Result], paths: Sequence[str | Path]
    ) -> Iterator[Result | None]:
        """As :meth:`nba_broker.archive.elsewhere.Elsewhere.read`. The caller reads a large file,
        which it does in parts, and one that other processes do not see."""
        alone = [_is_large(path) or not _is_everywhere(path) for path in paths]
        others = [path for path, here in zip(paths, alone, strict=True) if not here]
        results = self.map(function, others)
        for here in alone:
            yield None if here else next(results)

    def close(self) -> None:
        """End the processes, which have nothing to do."""
        self._pool.shutdown()

    def kill(self) -> None:
        """End the processes; what they do is lost."""
        for process in multiprocessing.active_children():
            if process not in self._others:
                process.terminate()
        self._pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def started(number: int) -> Iterator[Processes | None]:
    """This number of processes within the block; None for 1, as this process is one."""
    if number == 1:
        yield None
        return
    processes = Processes(number)
    try:
        yield processes
    except BaseException:
        processes.kill()
        raise
    processes.close()


def _is_everywhere(path: str | Path) -> bool:
    """Whether a name is that of the same file in every process."""
    return Path(path).is_file() and not str(path).startswith(("/dev/", "/proc/"))


def _is_large(path: str | Path) -> bool:
    return Path(path).is_file() and Path(path).stat().st_size > _LARGEST


def _begin() -> None:
    """Prepare a process: an interrupt is for the one that started it, with which it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
