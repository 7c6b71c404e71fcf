"""A value for each name of a destination, found once and remembered by the name's number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nba_broker.destinations.names import whoever_asked

_REMEMBERED = (1 << 18) - 1  # names: one for each remainder of their numbers, by these bits


class NameValues:
    """Values of ``dtype`` that ``value_of`` finds for names; that of no name, "", is 0."""

    def __init__(self, value_of: Callable[[str], int], dtype: type[Any]) -> None:
        self._value_of, self._dtype = value_of, dtype
        self._text: Callable[[int], str] | None = None

    def of(self, name: np.ndarray, text: Callable[[int], str]) -> np.ndarray:
        """The values of names, [n], by their numbers, int32 [n], of which ``text`` gives the names,
        "" for none; the same function always gives the same."""
        if text != self._text:
            self._text = text
            # Zeros that are never written take no memory.
            self._name = np.zeros(_REMEMBERED + 1, np.int32)
            self._value = np.zeros(_REMEMBERED + 1, self._dtype)
        name = whoever_asked(name)
        place = name & _REMEMBERED
        unknown = self._name[place] != name
        if unknown.any():
            new = np.unique(name[unknown])
            self._name[new & _REMEMBERED] = new
            self._value[new & _REMEMBERED] = [self._value_of(text(one)) for one in new.tolist()]
        found: np.ndarray = self._value[place]
        # Two names of the same remainder.
        for at in np.flatnonzero(self._name[place] != name).tolist():
            found[at] = self._value_of(text(int(name[at])))
        return found
