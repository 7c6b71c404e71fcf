"""Prototypes: profiles of hosts that an analyst named, by which similar hosts are recognised.

Profiles are compared (see :mod:`nba_broker.verdicts.similarity`), not the model's context vectors:
a model that was not trained on a device need not map its units to similar vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nba_broker.model.windows import Windows
from nba_broker.verdicts import similarity
from nba_broker.verdicts.similarity import Profiles

SIMILAR = 0.95
"""Similarity from which two hosts are units of one device: the lowest, in steps of 0.01, at which
none of the windows of IoT Sentinel, LSIF, the PCs and FIT without its cameras is taken for one of
another maker's device. It does not separate similar devices of one maker."""

MOST = 512
"""Prototypes at most, because every window is compared with each; later ones are not added."""


@dataclass(frozen=True, slots=True)
class Prototype:
    """The profile of a host over ``sessions`` sessions; ``device`` is the number of its device."""

    slot: int
    device: int
    sessions: int
    profile: Profiles


class Prototypes:
    """At most one prototype for each host that an analyst named."""

    def __init__(self) -> None:
        self._of: dict[int, Prototype] = {}
        self._profiles = _joined([])
        self._column = np.zeros(0, np.int64)  # by prototype: place of its device in ``devices``
        self.devices = np.zeros(0, np.int16)
        """The numbers of the devices that have a prototype, int16 [D]."""

    def __len__(self) -> int:
        return len(self._of)

    def __iter__(self) -> Iterator[Prototype]:
        return iter(self._of.values())

    def learn(self, slot: int, device: int, window: Windows, table: Sequence[str]) -> bool:
        """Add the profile of a host's window as a prototype of ``device``; pools are indices into
        ``table``. Returns False if there is no room."""
        sessions = int((window.pool >= 0).sum())
        return self.add(Prototype(slot, device, sessions, similarity.of_windows(window, table)))

    def add(self, prototype: Prototype) -> bool:
        """Add a prototype, or replace the host's former one; returns False if there is no room."""
        if prototype.slot not in self._of and len(self._of) >= MOST:
            return False
        self._of[prototype.slot] = prototype
        self._index()
        return True

    def forget(self, slots: np.ndarray) -> None:
        """Remove the prototypes of these hosts, int64 [n]."""
        gone = [slot for slot in slots.tolist() if self._of.pop(slot, None) is not None]
        if gone:
            self._index()

    def renumber(self, number: np.ndarray) -> None:
        """Give devices new numbers: ``number`` int16 [devices], by the old number."""
        for slot, one in self._of.items():
            self._of[slot] = replace(one, device=int(number[one.device]))
        self._index()

    def similarity(self, windows: Windows, table: Sequence[str]) -> np.ndarray:
        """The similarity of B windows to each of ``devices``, float32 [B, D]: that to the most
        similar prototype of the device, 0 below SIMILAR."""
        each = similarity.similarity(similarity.of_windows(windows, table), self._profiles).astype(
            np.float32
        )
        each[each < SIMILAR] = 0
        found = np.zeros((len(windows), len(self.devices)), np.float32)
        for number, column in enumerate(self._column.tolist()):
            found[:, column] = np.maximum(found[:, column], each[:, number])
        return found

    def _index(self) -> None:
        prototypes = list(self)
        self._profiles = _joined([one.profile for one in prototypes])
        devices = np.array([one.device for one in prototypes], np.int16)
        self.devices, self._column = np.unique(devices, return_inverse=True)


def _joined(parts: Sequence[Profiles]) -> Profiles:
    """The hosts of all parts together, numbered from 0."""
    size = np.array([len(part.feature) for part in parts], np.int64)
    return Profiles(
        slot=np.arange(len(parts)),
        start=np.append(0, size.cumsum()),
        feature=np.concatenate([np.zeros(0, np.int64), *(part.feature for part in parts)]),
        root=np.concatenate([np.zeros(0), *(part.root for part in parts)]),
    )
