"""Runs work on the parts of an archive by the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import nba_broker
from nba_broker.archive.elsewhere import Each
from nba_broker.records.errors import ArchiveError, ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Tasks per thread of the workers: one runs and one waits, so that no thread is idle. A result stays
# in its worker's memory until it is fetched.
_PREFETCH = 2
_TIMEOUT = "5s"  # for the scheduler to reply
# Seconds until a task without a result is given to another worker, too, or so many times what the
# slowest task has taken so far. These are the backup tasks of J. Dean and S. Ghemawat, "MapReduce",
# 2004.
_PATIENCE = 120.0
_SLOWEST = 3.0


class Cluster:
    """The workers of a Dask scheduler, such as ``tcp://scheduler:8786``.

    The workers need this package in the same version, and the files under the same paths. Another
    worker repeats the task of a lost one, or of one that does not get on. Without any worker, tasks
    wait, and ``say`` gets a line. Raises ConfigError when the scheduler does not reply or a
    worker has another version.
    """

    def __init__(self, scheduler: str, say: Callable[[str], None] = print) -> None:
        # Takes a second to load, and few users have a cluster.
        from distributed import Client
        from distributed.comm import get_address_host_port

        self._waits = partial(say, f"waiting for a worker of {scheduler}")
        self._slowest = 0.0  # seconds
        try:
            get_address_host_port(scheduler)  # a client of an invalid address cannot be closed
            self._client = Client(scheduler, timeout=_TIMEOUT, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:  # a TypeError is TLS without settings
            raise ConfigError(f"--scheduler {scheduler}: {error or 'does not reply'}") from error
        try:
            if not self._client.nthreads():
                self._waits()
                self._client.wait_for_workers(1)
            self._require_same(scheduler)
        except BaseException:
            self.close()
            raise

    def _require_same(self, scheduler: str) -> None:
        try:
            versions = self._client.run(_version)
        except Exception as error:  # whatever unpickling raises where the package is missing
            raise ConfigError(
                f"--scheduler {scheduler}: a worker has no nba-broker {nba_broker.__version__} "
                f"({error})"
            ) from error
        for worker, version in versions.items():
            if version != nba_broker.__version__:
                raise ConfigError(
                    f"--scheduler {scheduler}: nba-broker is {nba_broker.__version__} here and "
                    f"{version} on {worker}: install the same"
                )

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``function`` of every item, in order, as the builtin does. Raises the function's errors,
        or ArchiveError when an item kills one worker after another, a worker has another version or
        the scheduler is lost."""
        from distributed import CancelledError, KilledWorker

        same = partial(_same, nba_broker.__version__, function)

        waiting: deque[tuple[float, Callable[[], Any]]] = deque()
        try:
            for item in items:
                # Not pure: a file of the same name may have changed since the last call.
                submit = partial(self._client.submit, same, item, pure=False)
                waiting.append((time.monotonic(), partial(self._result, submit, submit())))
                if len(waiting) >= _PREFETCH * max(sum(self._client.nthreads().values()), 1):
                    yield self._timed(*waiting.popleft())
            while waiting:
                yield self._timed(*waiting.popleft())
        except KilledWorker as error:
            raise ArchiveError(
                "the same part of the archive killed several workers, the last of them "
                f"{error.last_worker}; give them more memory"
            ) from error
        except (CancelledError, OSError, TimeoutError) as error:
            raise ArchiveError(f"the connection to the scheduler is lost ({error})") from error

    def _timed(self, since: float, result: Callable[[], Result]) -> Result:
        """A result, noting how long it took since its task was submitted."""
        found = result()
        self._slowest = max(self._slowest, time.monotonic() - since)
        return found

    def _result(self, submit: Callable[[], Any], task: Any) -> Any:
        """The result of a task; ``submit`` submits it once more."""
        from distributed import wait

        tasks, patience = [task], max(_PATIENCE, _SLOWEST * self._slowest)
        while True:
            try:
                with self._client.as_current():
                    done = wait(tasks, timeout=patience, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                if not self._client.nthreads():
                    self._waits()
                else:
                    tasks.append(submit())
                patience *= 2
            else:
                return done.pop().result()

    def close(self) -> None:
        """Disconnect from the scheduler and give up unfinished tasks."""
        self._client.close()


@contextlib.contextmanager
def connected(scheduler: str | None, say: Callable[[str], None] = print) -> Iterator[Each | None]:
    """The ``map`` of a scheduler's workers, or None for this process alone."""
    if scheduler is None:
        yield None
        return
    cluster = Cluster(scheduler, say)
    try:
        yield cluster.map
    finally:
        cluster.close()


class Workers:
    """The workers of a cluster as readers of files, by its ``map``."""

    def __init__(self, each: Each) -> None:
        self._each = each

    def read(
        self, function: Callable[[str | Path], Result], paths: Sequence[str | Path]
    ) -> Iterator[Result | None]:
        """As :meth:`nba_broker.archive.elsewhere.Elsewhere.read`, but all files are read by
        workers. Raises ArchiveError if a worker does not find one."""
        yield from self._each(partial(_read, function), list(map(_for_others, paths)))


def workers(each: Each | None) -> Workers | None:
    """The same; None if there is no cluster."""
    return None if each is None else Workers(each)


def _for_others(path: str | Path) -> Path:
    """A file's name for another process."""
    if str(path) == "-":
        raise ArchiveError("standard input cannot be read by another process: name a file")
    return Path(path).absolute()


def _read(function: Callable[[str | Path], Result], path: Path) -> Result:
    """Read a file on what may be another machine. Raises ArchiveError if it is not readable there:
    without the error its sessions would be missing silently."""
    if not os.access(path, os.R_OK):
        raise ArchiveError(
            f"{path}: not readable on {os.uname().nodename}: every worker needs the archive under "
            "the same path"
        )
    return function(path)


def _same(version: str, function: Callable[[Item], Result], item: Item) -> Result:
    """``function`` of an item, by a worker of this version: it may have come after the check."""
    if version != nba_broker.__version__:
        raise ArchiveError(
            f"nba-broker is {version} here and {nba_broker.__version__} on {os.uname().nodename}: "
            "install the same"
        )
    return function(item)


def _version() -> str:
    return nba_broker.__version__
