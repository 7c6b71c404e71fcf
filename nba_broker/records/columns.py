"""Columns of text that store each distinct text once, so that work is done once per text."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np


class Coded(Sequence[str]):
    """Texts of which many are equal: ``codes``, integers [n], index ``texts``, objects [m]."""

    def __init__(self, codes: np.ndarray, texts: np.ndarray) -> None:
        self.codes, self.texts = codes, texts

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Coded: ...
    def __getitem__(self, at: int | slice) -> str | Coded:
        if isinstance(at, slice):
            return Coded(self.codes[at], self.texts)
        text: str = self.texts[self.codes[at]]
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts[self.codes].tolist())


class Ascii(Sequence[str]):
    """Texts in ASCII that are rarely read: ``content``, bytes "S" [n]."""

    def __init__(self, content: np.ndarray) -> None:
        self.content = content

    def __len__(self) -> int:
        return len(self.content)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Ascii: ...
    def __getitem__(self, at: int | slice) -> str | Ascii:
        if isinstance(at, slice):
            return Ascii(self.content[at])
        return str(self.content[at], "ascii")

    def __iter__(self) -> Iterator[str]:
        return iter(self.content.astype("U").tolist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.content, dtype)


class Memo:
    """Caches, by code, the results of ``function``, which returns an array [n] for n texts.

    A result equal to ``nothing`` is not cached: the next call may give another one.
    """

    def __init__(self, function: Callable[[Sequence[str]], np.ndarray], nothing: Any) -> None:
        self._function, self._nothing = function, nothing
        self.forget()

    def forget(self) -> None:
        """Drop the cache: the results of all texts may have changed."""
        self._texts: weakref.ref[np.ndarray] | None = None  # weak: a whole archive may hold them
        self._results = np.full(0, self._nothing)
        self._known = np.zeros(0, bool)

    def __call__(self, column: Sequence[str]) -> np.ndarray:
        """The results for a column, array [n]; a column without codes is not
        cached."""
        if not isinstance(column, Coded):
            return self._function(column)
        codes, texts = column.codes, column.texts
        if self._texts is None or self._texts() is not texts:
            self._texts = weakref.ref(texts)
            self._results = np.full(len(texts), self._nothing)
            self._known = np.zeros(len(texts), bool)
        missing = codes[~self._known[codes]]
        if len(missing):
            new = np.unique(missing)
            self._results[new] = self._function(texts[new].tolist())
            self._known[new] = self._results[new] != self._nothing
        results: np.ndarray = self._results[codes]
        return results
