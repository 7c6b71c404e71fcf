"""Results that are computed before they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from nba_broker.archive.prefetch import prefetch


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("number", [0, 1, 3, 50])
def test_results_come_in_the_order_of_the_things(threads: int, number: int) -> None:
    assert list(prefetch(lambda n: n * n, range(number), threads)) == [n * n for n in range(number)]


def test_only_the_next_few_are_computed() -> None:
    taken: list[int] = []

    def things() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    results = prefetch(lambda n: n, things(), 2)
    for number in range(10):
        assert next(results) == number
        assert len(taken) == number + 3


def test_two_are_computed_at_once() -> None:
    """The barrier lets nobody through alone."""
    barrier = threading.Barrier(2, timeout=30)
    assert len(list(prefetch(lambda _: barrier.wait(), range(4), 2))) == 4


def test_an_error_comes_after_the_results_before_it() -> None:
    def things() -> Iterator[int]:
        yield from (4, 2)
        raise OSError("gone")

    results = prefetch(lambda n: n, things(), 3)
    assert [next(results), next(results)] == [4, 2]
    with pytest.raises(OSError, match="gone"):
        next(results)

    results = prefetch(lambda n: 8 // n, [4, 0, 2], 3)
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []
