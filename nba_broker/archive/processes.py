"""Applies a function to the files of an archive in other processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing import connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, cast

from nba_broker.archive.prefetch import prefetch
from nba_broker.records.errors import ArchiveError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Bytes of a file that a process reads as a whole. Packed ten to one, they are two million rows, and
# 120 MB in memory.
_LARGEST = 32 << 20


class Processes:
    """A number of processes, which end with this one, however it ends.

    Not a ProcessPoolExecutor: before Python 3.12 that may wait forever for a task that it was given
    while one of its processes was killed.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._idle: SimpleQueue[connection.Connection] = SimpleQueue()
        # A fork would copy the locks of other threads, such as pyarrow's, as they are.
        context = multiprocessing.get_context("spawn")
        self._processes = []
        for _ in range(number):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there,), daemon=True)
            process.start()
            there.close()
            self._processes.append(process)
            self._idle.put(here)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``function`` of every item, in order, as the builtin does. As many results as there are
        processes wait to be taken, no more. Raises the function's errors, or ArchiveError if a
        process is killed."""
        return prefetch(partial(self._ask, function), items, self._number)

    def _ask(self, function: Callable[[Item], Result], item: Item) -> Result:
        process = self._idle.get()
        try:
            process.send((function, item))
            error, result = process.recv()
        except (EOFError, OSError):
            raise ArchiveError(
                "a process that reads the archive was killed; if memory is short, give fewer "
                "--processes"
            ) from None
        finally:
            self._idle.put(process)
        if error is not None:
            raise error
        return cast("Result", result)

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

    def kill(self) -> None:
        """End the processes; what they do is lost."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


@contextlib.contextmanager
def started(number: int) -> Iterator[Processes | None]:
    """This number of processes within the block; None for 1, as this process is one."""
    if number == 1:
        yield None
        return
    processes = Processes(number)
    try:
        yield processes
    finally:
        processes.kill()


def _is_everywhere(path: str | Path) -> bool:
    """Whether a name is that of the same file in every process."""
    return Path(path).is_file() and not str(path).startswith(("/dev/", "/proc/"))


def _is_large(path: str | Path) -> bool:
    return Path(path).is_file() and Path(path).stat().st_size > _LARGEST


def _work(asked: connection.Connection) -> None:
    """Apply functions to items until this process is ended."""
    # An interrupt is for the process that started this one, with which it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        function, item = asked.recv()
        try:
            answer: tuple[Exception | None, Any] = None, function(item)
        except Exception as error:
            error.add_note(traceback.format_exc())  # it says where, and does not travel itself
            answer = error, None
        asked.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
