"""The rules of the decision: which device scored windows show, and which state follows.

Plain functions of the hosts' columns (see :mod:`nba_broker.verdicts.host_states`) and of windows;
they write nothing. Devices are numbers: below K the model's classes, from K on those that analysts
added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nba_broker.records.grouping import by_slot, changes
from nba_broker.records.slots import Columns
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.states import (
    CHANGED,
    IDENTIFIED,
    IMPOSTOR,
    LEARNING,
    MISBEHAVING,
    NO_DEVICE,
    UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class ScoredWindows:
    """B windows in time order with their scores.

    slot: the host, int64 [B]. index: the place of the deciding session in the step, int64 [B]. ts:
    that session's time, float64 [B]. probability float32 [B, K], known float32 [B]: the model's
    scores. similarity: to D devices that analysts named, float32 [B, D], 0 where it is too low;
    devices: their numbers, int16 [D]; both None if there are no prototypes. muted: whether an
    annotation suppresses notices based on this window, bool [B], or None if none is muted.
    """

    slot: np.ndarray
    index: np.ndarray
    ts: np.ndarray
    probability: np.ndarray
    known: np.ndarray
    similarity: np.ndarray | None = None
    devices: np.ndarray | None = None
    muted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def none(cls) -> ScoredWindows:
        """No windows."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, np.zeros(0), np.zeros((0, 0), np.float32), np.zeros(0))

    def part(self, rows: np.ndarray) -> ScoredWindows:
        """The windows of these rows, int64 [n] or bool [B]."""
        return ScoredWindows(
            slot=self.slot[rows],
            index=self.index[rows],
            ts=self.ts[rows],
            probability=self.probability[rows],
            known=self.known[rows],
            similarity=None if self.similarity is None else self.similarity[rows],
            devices=self.devices,
            muted=None if self.muted is None else self.muted[rows],
        )


@dataclass(frozen=True, slots=True)
class SmoothedWindows:
    """n windows, grouped by host and in time order, averaged with the host's earlier ones.

    row: the window's row in its :class:`ScoredWindows`, int64 [n]. count: the number of the host's
    windows until this one, int64 [n]. probability float32 [n, K] and known float32 [n] are
    smoothed.
    """

    row: np.ndarray
    slot: np.ndarray
    ts: np.ndarray
    count: np.ndarray
    probability: np.ndarray
    known: np.ndarray

    def __len__(self) -> int:
        return len(self.slot)

    def part(self, rows: np.ndarray) -> SmoothedWindows:
        """The windows of these rows, bool [n]."""
        return SmoothedWindows(
            row=self.row[rows],
            slot=self.slot[rows],
            ts=self.ts[rows],
            count=self.count[rows],
            probability=self.probability[rows],
            known=self.known[rows],
        )


@dataclass(frozen=True, slots=True)
class Appearance:
    """The devices that n windows show.

    candidate: the device, int16 [n], or NO_DEVICE. windows: for how many windows in a row, int64
    [n]. since: from which time on, float64 [n].
    """

    candidate: np.ndarray
    windows: np.ndarray
    since: np.ndarray


@dataclass(frozen=True, slots=True)
class Transitions:
    """The changes that n windows cause in their hosts, each bool [n].

    turns: the state becomes ``state`` int8 [n], and the device ``device`` int16 [n]. recovers: it
    turns because a ``misbehaving`` host had no alarm for long. unmutes: the time for which an
    analyst ignores the host is over. due: the host is logged as a reminder. settles: the candidate
    of a labelled host becomes its lookalike.
    """

    turns: np.ndarray
    recovers: np.ndarray
    unmutes: np.ndarray
    due: np.ndarray
    settles: np.ndarray
    state: np.ndarray
    device: np.ndarray

    @property
    def acts(self) -> np.ndarray:
        """Which windows change anything, bool [n]."""
        acts: np.ndarray = self.turns | self.unmutes | self.due | self.settles
        return acts


def hosts(slot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each host's windows start and stop, int64 [hosts] each; ``slot`` is grouped by host."""
    start = np.flatnonzero(changes(slot))
    return start, np.append(start[1:], len(slot))


def smooth(columns: Columns, settings: DecisionSettings, windows: ScoredWindows) -> SmoothedWindows:
    """Windows averaged with the same host's windows before them, also of earlier steps: an
    exponential moving average, and the plain mean of a host's first windows."""
    row = by_slot(windows.slot)
    slot = windows.slot[row]
    start, stop = hosts(slot)
    size = stop - start
    count = columns["windows"][slot] + np.arange(len(slot)) - np.repeat(start, size) + 1
    classes = windows.probability.shape[1]
    least = np.full(classes + 1, settings.weight, np.float32)
    least[-1] = settings.known_weight
    weight = np.maximum((1 / count).astype(np.float32)[:, None], least)
    share = weight * np.column_stack([windows.probability[row], windows.known[row]])
    kept = 1 - weight
    smoothed = np.empty_like(share)
    # Round r takes each host's r-th window, the hosts with the most windows first.
    start = start[np.argsort(-size, kind="stable")]
    number = len(size) - np.searchsorted(np.sort(size), np.arange(size.max()), side="right")
    before = np.column_stack([columns["probability"][slot[start]], columns["known"][slot[start]]])
    for turn, some in enumerate(number.tolist()):
        at = start[:some] + turn
        smoothed[at] = before = kept[at] * before[:some] + share[at]
    return SmoothedWindows(row, slot, windows.ts[row], count, smoothed[:, :-1], smoothed[:, -1])


def appearance(
    columns: Columns,
    settings: DecisionSettings,
    windows: SmoothedWindows,
    start: np.ndarray,
    similar: np.ndarray,
) -> Appearance:
    """The device that each window shows, and for how long.

    start: each host's first window, int64 [hosts]. similar: the device of an analyst that each
    window is similar to, int16 [n], or NO_DEVICE. It overrules the model, which cannot know a
    device that it was not trained on.
    """
    slot, row = windows.slot, np.arange(len(windows))
    classes = windows.probability.shape[1]
    device, best = columns["device"][slot], windows.probability.argmax(1)
    keeps = (device >= 0) & (device < classes)
    keeps &= windows.probability[row, np.where(keeps, device, 0)] >= settings.keep_name
    candidate = np.where(keeps, device, NO_DEVICE)
    candidate = np.where(windows.probability[row, best] >= settings.identified, best, candidate)
    has_name = (candidate != NO_DEVICE) & (candidate == device)
    least = settings.known - np.where(has_name, settings.known_margin, 0)
    candidate = np.where(windows.known >= least, candidate, NO_DEVICE)
    candidate = np.where(similar == NO_DEVICE, candidate, similar).astype(np.int16)

    before = np.append(NO_DEVICE, candidate[:-1])
    before[start] = columns["candidate"][slot[start]]
    same = (windows.count > 1) & (candidate == before)
    began = ~same
    began[start] = True
    began = np.maximum.accumulate(np.where(began, row, 0))
    earlier = np.where(same, columns["candidate_windows"][slot], 0)[began]
    since = np.where(same, columns["candidate_since"][slot], windows.ts)[began]
    return Appearance(candidate, earlier + row - began + 1, since)


def transitions(
    columns: Columns, settings: DecisionSettings, windows: SmoothedWindows, looks: Appearance
) -> Transitions:
    """The changes that each window would cause if no earlier window of the step caused any."""
    slot, ts = windows.slot, windows.ts
    state, device, label = (columns[name][slot] for name in ("state", "device", "label"))
    labelled, misbehaving = label != NO_DEVICE, state == MISBEHAVING
    candidate, settles = _claimed(columns, settings, windows, looks)

    name = columns["last_name"][slot]
    renames = (name != NO_DEVICE) & (name != candidate)
    renames &= ts - columns["named_since"][slot] >= settings.established
    familiar = windows.known >= settings.known
    first = np.where(familiar, settings.slow_windows, settings.unfamiliar_windows)
    first[candidate != NO_DEVICE] = settings.first_windows
    slow = np.where(labelled, _is_plausible(columns, settings, windows), renames)
    later = np.where(slow, settings.slow_windows, settings.change_windows)
    needed = np.where(state == LEARNING, first, later)
    turns = (state == LEARNING) | (candidate != device)
    turns &= looks.windows >= needed
    turns &= ~(renames | slow) | (ts - looks.since >= settings.persistence)
    turns &= ~labelled | (candidate == label) | (windows.count >= settings.windows_before_impostor)

    new_state = np.where(renames, CHANGED, IDENTIFIED)
    new_state[labelled] = np.where(candidate == label, IDENTIFIED, IMPOSTOR)[labelled]
    new_state[candidate == NO_DEVICE] = UNKNOWN

    recovers = misbehaving & (ts - columns["alarmed_at"][slot] >= settings.recovery)
    turns &= ~misbehaving | (new_state == CHANGED) | (new_state == IMPOSTOR)
    recovers &= ~turns
    new_state[recovers] = columns["underlying"][slot][recovers]
    candidate[recovers] = device[recovers]
    turns |= recovers

    ignored_until = columns["ignored_until"][slot]
    unmutes = (ignored_until > 0) & (ts >= ignored_until)
    due = (settings.reminder > 0) & (ts - columns["logged_at"][slot] >= settings.reminder)
    return Transitions(turns, recovers, unmutes, due, settles, new_state, candidate)


def _claimed(
    columns: Columns, settings: DecisionSettings, windows: SmoothedWindows, looks: Appearance
) -> tuple[np.ndarray, np.ndarray]:
    """The device that each window shows, int16 [n], with labels taken into account; and whether the
    candidate becomes the host's lookalike, bool [n].

    A host whose label the model does not know may still resemble one class: the class that it
    settles on in the first ``established`` seconds, or in its first ``slow_windows`` windows.
    """
    slot, candidate = windows.slot, looks.candidate
    classes = windows.probability.shape[1]
    state, device, label = (columns[name][slot] for name in ("state", "device", "label"))
    misbehaving, lookalike = state == MISBEHAVING, columns["lookalike"][slot]
    may_settle = (label >= classes) & (device == label)
    new = (windows.count < settings.slow_windows) & (lookalike == NO_DEVICE)
    may_settle &= new | (windows.ts - columns["named_since"][slot] < settings.established)
    may_settle &= candidate < classes
    named = candidate != NO_DEVICE
    settles = may_settle & named & (candidate != lookalike) & ~misbehaving
    settles &= looks.windows >= settings.change_windows
    claimed = np.where(named & (may_settle | (candidate == lookalike)), label, candidate)
    # Windows that show no device contradict no label, and do not change a misbehaving host.
    holds = ((label != NO_DEVICE) | misbehaving) & (claimed == NO_DEVICE)
    return np.where(holds, device, claimed), settles


def _is_plausible(
    columns: Columns, settings: DecisionSettings, windows: SmoothedWindows
) -> np.ndarray:
    """Whether each window's host may still be the device of its label, bool [n]."""
    classes = windows.probability.shape[1]
    label = columns["label"][windows.slot]
    plausible: np.ndarray = (label != NO_DEVICE) & (label == columns["device"][windows.slot])
    rows = np.flatnonzero(plausible)  # only few hosts have a label
    kind = label[rows]
    kind = np.where(kind < classes, kind, columns["lookalike"][windows.slot[rows]])
    known = (kind >= 0) & (kind < classes)
    probability = windows.probability[rows, np.where(known, kind, 0)]
    plausible[rows] = known & (probability >= settings.plausible)
    return plausible


def similar_device(
    similarity: np.ndarray, devices: np.ndarray, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The device that each of B windows is similar to, int16 [B], and the similarity, float32 [B].

    similarity: of the windows to D devices, float32 [B, D], 0 where it is too low. devices: their
    numbers, int16 [D]. own: the present device of each window's host, int16 [B]. The result is
    NO_DEVICE for a window that is similar to no device, or to several without ``own`` among them.
    """
    if not len(devices):
        nothing = np.full(len(similarity), NO_DEVICE, np.int16)
        return nothing, np.zeros(len(similarity), np.float32)
    similar = similarity > 0
    if own is not None:
        mine = similar & (devices == own[:, None])
        similar = np.where(mine.any(1)[:, None], mine, similar)
    one = similar.sum(1) == 1
    place = similar.argmax(1)
    how = similarity[np.arange(len(similarity)), place]
    return np.where(one, devices[place], NO_DEVICE).astype(np.int16), np.where(one, how, 0)
