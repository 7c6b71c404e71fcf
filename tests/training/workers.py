"""Kills workers of a Dask cluster while they work."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from typing import Any

from distributed import Client

from nba_broker.archive.elsewhere import Each


def killing(each: Each, scheduler: str, after: int, killed: list[int]) -> Each:
    """As ``each``, but a worker is killed when so many items have been handed out: some are done,
    and not yet asked for, some are not."""

    def kill(items: Iterable[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == after:
                killed.append(_kill_one(scheduler))
            yield item

    return lambda function, items: each(function, kill(items))


def _kill_one(scheduler: str) -> int:
    with Client(scheduler, set_as_default=False) as client:
        pid = min(client.run(os.getpid).values())
    os.kill(pid, signal.SIGKILL)
    return int(pid)
