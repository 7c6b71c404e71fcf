"""Starts a Dask cluster on this machine, whose workers are processes of one thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module

from nba_broker.archive import cluster


@contextlib.contextmanager
def started(number: int, module: str) -> Iterator[tuple[str, list[int]]]:
    """The scheduler's address and the workers' process ids. The scheduler is in this process; the
    workers have imported a module."""
    from distributed import LocalCluster

    with LocalCluster(number, threads_per_worker=1, dashboard_address=":0") as local:
        with cluster.connected(local.scheduler_address) as each:
            assert each is not None
            list(each(_warm, [module] * 4 * number))
        yield local.scheduler_address, [nanny.pid for nanny in local.workers.values()]


def _warm(module: str) -> str:
    return import_module(module).__name__
