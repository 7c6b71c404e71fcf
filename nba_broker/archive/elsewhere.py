"""What reads the files of an archive outside this process: other processes, or other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")

Each = Callable[..., Iterable[Any]]
"""Applies a function to things and gives the results in order: ``map``, or a cluster's."""


class Elsewhere(Protocol):
    """Something that reads files outside this process."""

    def read(
        self, function: Callable[[str | Path], Result], paths: Sequence[str | Path]
    ) -> Iterator[Result | None]:
        """What ``function`` makes of each file, in order; None for a file that this process has to
        read itself. A bounded number of results wait to be taken."""


def read(
    elsewhere: Elsewhere | None,
    function: Callable[[str | Path], Result],
    paths: Sequence[str | Path],
) -> Iterator[Result | None]:
    """The same of what may be nothing, which reads no file."""
    return repeat(None, len(paths)) if elsewhere is None else elsewhere.read(function, paths)
