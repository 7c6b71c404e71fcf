"""The sessions of labelled hosts as columns, and the windows that the runtime makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nba_broker.archive.elsewhere import Each
from nba_broker.destinations.names import whoever_asked
from nba_broker.model import features
from nba_broker.model.features import IntervalScale, Services, Vocabulary
from nba_broker.model.windows import HostWindows, Schedule, Windows
from nba_broker.records.classes import Class
from training.data.labels import Label

_TOGETHER = 16_384  # sessions: their windows at every session take 13 MB


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSessions:
    """The sessions of labelled hosts in time order, as parallel columns.

    ts: float64 [n], seconds since the epoch. series: int64 [n] into ``labels``: one series of
    sessions per row of labels, and one more for each further segment of the network in which a
    host has the row's address. pool: of the address, int32 [n] into ``table``. dport: int32 [n],
    see nba_broker.records.ports.port_code. name: of the destination, int32 [n] into ``names``, of
    which the first is "" for none, with the bit of nba_broker.destinations.names.asked_itself; by
    default no session has one. of_name: the pools that overrides give to ``names``, int32 into
    ``table``, negative for none; by default there are none of names.
    """

    ts: np.ndarray
    series: np.ndarray
    pool: np.ndarray
    dport: np.ndarray
    labels: tuple[Label, ...]
    table: list[str]
    name: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    names: list[str] = field(default_factory=lambda: [""])
    of_name: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        if not len(self.name):
            object.__setattr__(self, "name", np.zeros(len(self.ts), np.int32))
        if len(self.name) != len(self.ts):
            raise ValueError(f"{len(self.name)} names of {len(self.ts)} sessions")

    def __len__(self) -> int:
        return len(self.ts)

    def select(self, keep: np.ndarray) -> LabelledSessions:
        """The sessions where ``keep``, bool [n], is true."""
        return replace(
            self,
            ts=self.ts[keep],
            series=self.series[keep],
            pool=self.pool[keep],
            dport=self.dport[keep],
            name=self.name[keep],
        )

    @property
    def named_pool(self) -> np.ndarray:
        """The pools with those of names in place of the address's, int32 [n]: what models see."""
        return named_pools(self.pool, self.name, self.of_name)

    def text(self, number: int) -> str:
        """The name of a destination by its number."""
        return self.names[whoever_asked(np.array(number))]

    def episodes(self, length: int) -> LabelledSessions:
        """The same sessions in series of ``length`` sessions, each as of a new host."""
        order = np.argsort(self.series, kind="stable")
        series = self.series[order]
        place = np.arange(len(order)) - np.searchsorted(series, series)
        began = np.flatnonzero(place % length == 0)
        episode = np.empty(len(order), np.int64)
        episode[order] = np.repeat(np.arange(len(began)), np.diff(np.append(began, len(order))))
        labels = tuple(self.labels[number] for number in series[began])
        return replace(self, series=episode, labels=labels)

    def classes(self) -> tuple[Class, ...]:
        """The classes of these sessions' hosts, ordered by device."""
        present = {self.labels[number] for number in np.unique(self.series)}
        return tuple(
            Class(*pair) for pair in sorted({(one.device, one.category) for one in present})
        )

    def class_of_series(self, classes: Sequence[Class]) -> np.ndarray:
        """Index into ``classes`` of each label, int64; -1 for a device that is not among them."""
        number = {one.device: place for place, one in enumerate(classes)}
        return np.array([number.get(label.device, -1) for label in self.labels], np.int64)

    def windows(self, schedule: Schedule) -> Windows:
        """The windows due as in the runtime; ``slot`` is the series, ``index`` the session.

        The windows of every series start empty, so windows of disjoint selections share no session.
        """
        host_windows = HostWindows(schedule, evidence=False)
        columns = {"pool": self.named_pool, "dport": self.dport, "name": self.name}
        return host_windows.push(self.series, self.ts, **columns)

    def apart(
        self,
        function: Callable[[LabelledSessions], tuple[Windows, *tuple[np.ndarray, ...]]],
        each: Each = map,
    ) -> tuple[Windows, *tuple[np.ndarray, ...]]:
        """Windows, and arrays [B, ...] beside them, that ``function`` makes of some series at a
        time.

        ``each`` calls the function, always with the same series together, so that the result does
        not depend on where it runs. The function gets no ``labels``: there may be as many as
        windows. The windows have the order of :meth:`windows`.
        """
        groups = self._groups()
        nameless = replace(self, labels=())
        found = list(each(function, (nameless.select(rows) for rows in groups)))
        parts = [part for part, *_ in found]
        index = np.concatenate([rows[part.index] for rows, part in zip(groups, parts, strict=True)])
        order = np.argsort(index)
        places = np.split(np.argsort(order), np.cumsum([len(part) for part in parts])[:-1])

        def whole(columns: Iterable[np.ndarray]) -> np.ndarray:
            found = list(columns)
            ordered = np.empty((len(order), *found[0].shape[1:]), found[0].dtype)
            for place, column in zip(places, found, strict=True):
                ordered[place] = column  # once: a window takes a kilobyte
            return ordered

        windows = Windows(
            whole(part.slot for part in parts),
            index[order],
            whole(part.count for part in parts),
            {name: whole(part.columns[name] for part in parts) for name in parts[0].columns},
        )
        return windows, *map(whole, zip(*(arrays for _, *arrays in found), strict=True))

    def _groups(self) -> list[np.ndarray]:
        """Sessions of the same few series, or of a long one; each int64, ascending."""
        sizes = np.bincount(self.series)
        group = ((np.cumsum(sizes) - sizes) // _TOGETHER)[self.series]
        order = np.argsort(group, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def named_pools(pool: np.ndarray, name: np.ndarray, of_name: np.ndarray) -> np.ndarray:
    """See :attr:`LabelledSessions.named_pool`."""
    if not len(of_name):
        return pool
    found = of_name[whoever_asked(name)]
    return np.where(found < 0, pool, found)


def inputs(
    sessions: LabelledSessions,
    *,
    schedule: Schedule,
    pools: Sequence[str],
    services: Sequence[str],
    scale: IntervalScale,
) -> tuple[Windows, *tuple[np.ndarray, ...]]:
    """The windows due, without their columns, and a model's inputs for them in these vocabularies
    (features.inputs)."""
    windows = sessions.windows(schedule)
    arrays = features.inputs(
        windows, sessions.table, Vocabulary(list(pools)), scale, Services(services)
    )
    return replace(windows, columns={}), *arrays
