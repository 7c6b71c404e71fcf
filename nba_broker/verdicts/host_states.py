"""The state of every host: its name, its label, and what the next decision needs.

:class:`HostStates` reads it; :class:`nba_broker.verdicts.decision.Decider` changes it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nba_broker.records.slots import Column, Slots
from nba_broker.records.verdicts import STATES
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.states import (
    CHANGED,
    IDENTIFIED,
    IMPOSTOR,
    LEARNING,
    NO_DEVICE,
    SEVERAL,
    UNKNOWN,
)

DEVICES = ("device", "was_device", "last_name", "former_name", "candidate", "label", "lookalike")
"""Columns that hold a device's number, or NO_DEVICE; ``candidate`` may also be SEVERAL."""

_TIMES = (
    "named_since",
    "candidate_since",
    "against_since",
    "since",
    "logged_at",
    "alarmed_at",
)

_STATE = Column(np.int8)
_DEVICE = Column(np.int16, NO_DEVICE)
_NUMBER = Column(np.int32)
_TIME = Column(np.float64)


def _columns(classes: int) -> dict[str, Column]:
    """The columns of a host's state."""
    return {
        "state": _STATE,
        "device": _DEVICE,
        "was_state": _STATE,
        "was_device": _DEVICE,
        "underlying": _STATE,  # the state that a misbehaving host goes back to
        "last_name": _DEVICE,  # the last device that it had as name
        "former_name": _DEVICE,  # the one before that
        "named_since": _TIME,
        "label": _DEVICE,  # what an analyst named it
        "label_at": _TIME,  # the ``at`` of that annotation
        "lookalike": _DEVICE,  # the class that it may resemble without contradicting its label
        "confirmed_at": _TIME,  # the ``at`` of the latest confirmation
        "ignored_until": _TIME,  # 0 for a host that is not ignored
        "candidate": _DEVICE,  # the device that its latest window shows
        "candidate_windows": _NUMBER,  # for how many windows in a row
        "candidate_since": _TIME,
        "against_windows": _NUMBER,  # how many windows in a row show another device than it has
        "against_since": _TIME,
        "windows": _NUMBER,  # how many were scored
        "since": _TIME,  # when its state began
        "logged_at": _TIME,
        "alarmed_at": _TIME,  # its latest alarm
        "probability": _probability(classes),  # smoothed
        "similarity": Column(np.float32),  # to the device that an analyst named, when last found
    }


def _probability(classes: int) -> Column:
    return Column(np.float32, shape=(classes,))


class HostState(NamedTuple):
    """The state of one host, as far as annotations need it; a time is 0 if there is none.

    candidate: the device that its latest window shows. lookalike: the class that it may resemble
    without contradicting its label.
    """

    state: int
    device: int
    candidate: int
    label: int
    label_at: float
    lookalike: int
    confirmed_at: float
    ignored_until: float


class HostStates:
    """The state of every host slot, in columns.

    classes: the number K of the model's classes. Devices are numbers: below K the classes, from K
    on those that analysts added.
    """

    def __init__(
        self, classes: int, settings: DecisionSettings, slots: Slots | None = None
    ) -> None:
        self.settings = settings
        self.slots = Slots() if slots is None else slots
        self.columns = self.slots.add("decision", _columns(classes))
        self._classes = classes

    def use(
        self, classes: int, settings: DecisionSettings, number: np.ndarray, last: np.ndarray
    ) -> None:
        """Switch to another model, with ``classes`` classes.

        number: each device's new number, int16 [devices], NO_DEVICE for one that is gone; last:
        the time of each host's latest session, float64 [slots]. A host whose device is still known
        keeps its name and state until the new model's windows show another device for long enough;
        other hosts are ``learning`` again, without a line. For ``established`` seconds another name
        is a correction, not a change.
        """
        columns = self.columns
        # NO_DEVICE stays what it is; SEVERAL becomes NO_DEVICE.
        number = np.append(number, [NO_DEVICE, NO_DEVICE]).astype(np.int16)
        had = columns["device"] != NO_DEVICE
        for name in DEVICES:
            columns[name][:] = number[columns[name]]
        columns["candidate"][:] = NO_DEVICE
        before = columns.redefine("probability", _probability(classes))
        scored = np.flatnonzero(before.any(1))
        for old in range(self._classes):
            if 0 <= number[old] < classes:
                columns["probability"][scored, number[old]] = before[scored, old]
        # The former model's scores have no weight beside the new one's first window.
        for name in ("windows", "candidate_windows", "against_windows"):
            columns[name][scored] = 0
        named = np.flatnonzero(columns["last_name"] != NO_DEVICE)
        columns["named_since"][named] = np.maximum(columns["named_since"][named], last[named])

        lost = np.flatnonzero(had & (columns["device"] == NO_DEVICE))
        for states, instead in ((columns["state"], LEARNING), (columns["underlying"], UNKNOWN)):
            impostor = lost[states[lost] == IMPOSTOR]
            states[impostor] = IDENTIFIED
            columns["device"][impostor] = columns["label"][impostor]
            gone = lost[np.isin(states[lost], (IDENTIFIED, CHANGED))]
            gone = gone[columns["device"][gone] == NO_DEVICE]
            states[gone] = instead
        columns["since"][lost] = last[lost]
        self.settings, self._classes = settings, classes

    @staticmethod
    def check(records: np.ndarray) -> None:
        """Raise ValueError unless the values of these records of columns, [n], are valid."""
        states = np.stack([records[name] for name in ("state", "was_state", "underlying")])
        devices = np.stack([records[name] for name in DEVICES])
        shares = (records["similarity"], records["probability"])
        if not (
            ((states >= 0) & (states < len(STATES))).all()
            and (devices >= SEVERAL).all()
            and all(np.isfinite(records[name]).all() for name in ("since", "logged_at"))
            and (records["ignored_until"] >= 0).all()
            and all(((share >= 0) & (share <= 1.001)).all() for share in shares)
        ):
            raise ValueError("a host's state is out of range")

    def look_back(self, slots: np.ndarray, limit: float, now: float) -> None:
        """A clock was set back: times of these hosts, int64 [n], later than ``limit`` become
        ``now``."""
        for name in _TIMES:
            times = self.columns[name][slots]
            self.columns[name][slots] = np.where(times > limit, now, times)

    def state_of(self, slots: np.ndarray) -> np.ndarray:
        """The state of each host, int8 [n]."""
        state: np.ndarray = self.columns["state"][slots]
        return state

    def device_of(self, slots: np.ndarray) -> np.ndarray:
        """The device of each host, int16 [n], or NO_DEVICE."""
        device: np.ndarray = self.columns["device"][slots]
        return device

    def label_of(self, slots: np.ndarray) -> np.ndarray:
        """The device that an analyst named each host, int16 [n], or NO_DEVICE."""
        label: np.ndarray = self.columns["label"][slots]
        return label

    def is_named(self, slots: np.ndarray) -> np.ndarray:
        """Whether each host has ever had a device as name, bool [n]."""
        named: np.ndarray = self.columns["last_name"][slots] != NO_DEVICE
        return named

    def is_labelled(self, slots: np.ndarray) -> np.ndarray:
        """Whether an analyst named each host, bool [n]."""
        labelled: np.ndarray = self.label_of(slots) != NO_DEVICE
        return labelled

    def class_of(self, slots: np.ndarray) -> np.ndarray:
        """The class that each host counts as, int16 [n], or NO_DEVICE. For a device that analysts
        added, it is the class that the host may resemble, or else the one that its windows show."""
        columns = self.columns
        kind = self.device_of(slots)
        added = np.flatnonzero(kind >= self._classes)
        if len(added):
            some = slots[added]
            shown, lookalike = columns["candidate"][some], columns["lookalike"][some]
            shown = np.where((shown >= 0) & (shown < self._classes), shown, NO_DEVICE)
            resembles = (lookalike >= 0) & (lookalike < self._classes)
            resembles &= columns["against_windows"][some] == 0
            kind[added] = np.where(resembles, lookalike, shown)
        return kind

    def unknown(self, now: float) -> np.ndarray:
        """The hosts that are ``unknown`` and not ignored at ``now``, int64 [n]."""
        columns = self.columns
        return np.flatnonzero((columns["state"] == UNKNOWN) & (columns["ignored_until"] <= now))

    def labelled(self) -> np.ndarray:
        """The hosts that an analyst named, int64 [n]."""
        return np.flatnonzero(self.columns["label"] != NO_DEVICE)

    def ignored(self) -> np.ndarray:
        """The hosts that are ignored, int64 [n]. This includes hosts that had no window since their
        time ended."""
        return np.flatnonzero(self.columns["ignored_until"] > 0)

    def recognisable(self, device: int) -> np.ndarray:
        """The hosts that may get the name ``device`` by similarity, int64 [n]: those without a
        label that are ``identified`` as another device, or ``unknown``."""
        columns = self.columns
        state = columns["state"]
        open_ = (state == UNKNOWN) | (state == IDENTIFIED)
        open_ &= (columns["label"] == NO_DEVICE) & (columns["device"] != device)
        return np.flatnonzero(open_)

    def is_example(self, slot: int) -> bool:
        """Whether a labelled host is an example of its device: it is ``identified``, and the model
        neither names the device by itself nor calls the host another device."""
        host = self.host(slot)
        no_other = host.candidate in (NO_DEVICE, host.lookalike)
        return host.state == IDENTIFIED and (host.label >= self._classes or no_other)

    def host(self, slot: int) -> HostState:
        """The state of one host."""
        return HostState._make(self.columns[name][slot].item() for name in HostState._fields)
