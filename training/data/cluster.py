"""Where the parts of an archive are worked on: in this process, or by a Dask cluster's workers."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import nba_broker
from nba_broker.archive.conn_log import Each
from nba_broker.records.errors import ArchiveError, ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Per thread of the workers: one that is worked on and one that waits, so that no worker has to.
# What is done lies in its worker's memory until it is asked for.
_AHEAD = 2
_PATIENCE = "5s"  # for a scheduler to answer


class Cluster:
    """The workers of a Dask scheduler, such as ``tcp://scheduler:8786``.

    They need this package in the same version, and files under the same paths. A task whose worker
    is lost is done again by another; while there is none, it waits, and says so where there is none
    to begin with. Raises ConfigError when the scheduler does not answer or a worker is of another
    version.
    """

    def __init__(self, scheduler: str, say: Callable[[str], None] = print) -> None:
        # Takes a second to load, and few have a cluster.
        from distributed import Client
        from distributed.comm import get_address_host_port

        try:
            get_address_host_port(scheduler)  # a client of what is no address cannot be closed
            self._client = Client(scheduler, timeout=_PATIENCE, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:  # a TypeError is TLS without settings
            raise ConfigError(f"--scheduler {scheduler}: {error or 'does not answer'}") from error
        try:
            if not self._client.nthreads():
                say(f"waits for a worker of {scheduler}")
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
        """``function`` of every item, in their order, as the builtin; errors are its own, or an
        ArchiveError when workers keep dying of an item or the scheduler is lost."""
        from distributed import CancelledError, KilledWorker

        waiting: deque[Any] = deque()
        try:
            for item in items:
                # Not pure: a file of the same name may have changed since the last time.
                waiting.append(self._client.submit(function, item, pure=False))
                if len(waiting) >= _AHEAD * max(sum(self._client.nthreads().values()), 1):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except KilledWorker as error:
            raise ArchiveError(
                "one worker after another was lost at the same part, the last of them "
                f"{error.last_worker}: do they have enough memory?"
            ) from error
        except (CancelledError, OSError, TimeoutError) as error:
            raise ArchiveError(f"the connection to the scheduler is lost ({error})") from error

    def close(self) -> None:
        """Leave the scheduler; what is not done is not done any more."""
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


def _version() -> str:
    return nba_broker.__version__
