"""Columns of texts as an archive keeps them, so that a text is not looked at for every row."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np


class Coded(Sequence[str]):
    """Texts of which many are alike: ``codes``, integers [n], into ``texts``, objects [m]."""

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
    """Texts that are hardly ever looked at: ``content``, bytes "S" [n]."""

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
    """What ``ask`` says of texts, an array [n] for n of them, remembered by code.

    ``nothing`` is an answer that is not remembered: the next may be another one.
    """

    def __init__(self, ask: Callable[[Sequence[str]], np.ndarray], nothing: Any) -> None:
        self._ask, self._nothing = ask, nothing
        self.forget()

    def forget(self) -> None:
        """All texts have other answers from now on."""
        self._texts: weakref.ref[np.ndarray] | None = None  # they may be a whole archive's
        self._answers = np.full(0, self._nothing)
        self._known = np.zeros(0, bool)

    def __call__(self, column: Sequence[str]) -> np.ndarray:
        """The answers to a column; ``ask`` itself where it has no codes."""
        if not isinstance(column, Coded):
            return self._ask(column)
        codes, texts = column.codes, column.texts
        if self._texts is None or self._texts() is not texts:
            self._texts = weakref.ref(texts)
            self._answers = np.full(len(texts), self._nothing)
            self._known = np.zeros(len(texts), bool)
        missing = codes[~self._known[codes]]
        if len(missing):
            fresh = np.unique(missing)
            self._answers[fresh] = self._ask(texts[fresh].tolist())
            self._known[fresh] = self._answers[fresh] != self._nothing
        answers: np.ndarray = self._answers[codes]
        return answers
