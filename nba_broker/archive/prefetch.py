"""Computes results on other threads before they are asked for, and gives them in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Thing], Result], things: Iterable[Thing], threads: int
) -> Iterator[Result]:
    """As ``map``, but computes the next ``threads`` results while the caller uses one, and no more,
    so that memory is bounded. An error, also one of ``things``, comes after the results before
    it."""
    waiting: deque[Future[Result]] = deque()
    source = iter(things)
    more = True
    with ThreadPoolExecutor(threads, "prefetch") as pool:
        while more or waiting:
            while more and len(waiting) <= threads:
                try:
                    waiting.append(pool.submit(function, next(source)))
                except StopIteration:
                    more = False
                except Exception as error:
                    waiting.append(Future())
                    waiting[-1].set_exception(error)
                    more = False
            if waiting:
                yield waiting.popleft().result()
