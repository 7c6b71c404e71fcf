"""One growable store for the state of all hosts; a slot is a host's number in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

_LEAST = 64  # slots of a store that is not empty, at least


class Column(NamedTuple):
    """A column's definition: its type, the value of an empty slot, and the shape of one host's
    values."""

    dtype: DTypeLike
    fill: float = 0
    shape: tuple[int, ...] = ()

    def empty(self, slots: int) -> np.ndarray:
        """The column [slots, *shape] of empty slots."""
        size = (slots, *self.shape)
        # Zeros that are never written take no memory, so that unused slots cost nothing.
        return (
            np.zeros(size, self.dtype) if self.fill == 0 else np.full(size, self.fill, self.dtype)
        )


class Columns(dict[str, np.ndarray]):
    """The columns of one stage by name; the first axis is the slot. Growth replaces the arrays, so
    look each one up by its name every time."""

    def __init__(self, columns: Mapping[str, Column], slots: int) -> None:
        super().__init__({name: column.empty(slots) for name, column in columns.items()})
        self._columns = dict(columns)

    @property
    def layout(self) -> np.dtype:
        """One host's values as a record."""
        return np.dtype([(name, array.dtype, array.shape[1:]) for name, array in self.items()])

    def records(self, slots: np.ndarray) -> np.ndarray:
        """The values of these hosts, records of :attr:`layout` [n]."""
        records = np.empty(len(slots), self.layout)
        for name, array in self.items():
            records[name] = array[slots]
        return records

    def restore(self, slots: np.ndarray, records: np.ndarray) -> None:
        """Set the values of these hosts to records of :attr:`layout` [n]."""
        for name, array in self.items():
            array[slots] = records[name]

    def redefine(self, name: str, column: Column) -> np.ndarray:
        """Give a column another type or shape, with empty slots; returns the former array."""
        before = self[name]
        self._columns[name], self[name] = column, column.empty(len(before))
        return before

    def grow(self, slots: int) -> None:
        """Make room for this many slots; called by :class:`Slots`."""
        for name, before in self.items():
            array = self._columns[name].empty(slots)
            array[: len(before)] = before
            self[name] = array

    def reset(self, slots: np.ndarray) -> None:
        """Empty these slots, int64 [n]."""
        for name, array in self.items():
            array[slots] = self._columns[name].empty(1)[0]


class Slots:
    """The columns of all stages, which grow together."""

    def __init__(self) -> None:
        self.capacity = 0
        """The number of slots that there is room for."""
        self._stages: dict[str, Columns] = {}

    def add(self, stage: str, columns: Mapping[str, Column]) -> Columns:
        """Add the columns of a stage, which only that stage writes. Raises ValueError if the stage
        has columns already."""
        if stage in self._stages:
            raise ValueError(f"the stage {stage} has its columns already")
        self._stages[stage] = Columns(columns, self.capacity)
        return self._stages[stage]

    def reserve(self, slots: int) -> None:
        """Make room for slot numbers below ``slots``, doubling so that growth stays cheap."""
        if slots > self.capacity:
            self.capacity = max(slots, 2 * self.capacity, _LEAST)
            for columns in self._stages.values():
                columns.grow(self.capacity)

    def reset(self, slots: np.ndarray) -> None:
        """Empty these slots, int64 [n], in all stages; they may get new hosts."""
        for columns in self._stages.values():
            columns.reset(slots)
