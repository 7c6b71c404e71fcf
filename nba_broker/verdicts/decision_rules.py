"""The rules of the decision: which device scored windows show, and which state follows.

Plain functions of the hosts' columns (see :mod:`nba_broker.verdicts.host_states`) and of windows;
they write nothing. Devices are numbers: below K the model's classes, from K on those that analysts
added.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from nba_broker.model.scorer import Scores
from nba_broker.model.windows import Windows
from nba_broker.records.grouping import by_slot, changes
from nba_broker.records.slots import Columns
from nba_broker.verdicts.decision_settings import DecisionSettings
from nba_broker.verdicts.states import (
    AMBIGUOUS,
    CHANGED,
    IDENTIFIED,
    IMPOSTOR,
    LEARNING,
    MISBEHAVING,
    NO_DEVICE,
    NOTHING_YET,
    SEVERAL,
    UNKNOWN,
)

AGAINST = float(np.log(2))
"""A window is against a class when its sessions are on average twice as likely for hosts in general
as for the class, in nats."""


@dataclass(frozen=True, slots=True)
class ScoredWindows:
    """B windows in time order with their scores.

    slot: the host, int64 [B]. index: the place of the deciding session in the step, int64 [B]. ts:
    that session's time, float64 [B]. probability float32 [B, K], known float32 [B], ratio float32
    [B, K], telling float32 [B]: the model's scores. similarity: to D devices that analysts named,
    float32 [B, D], 0 where it is too low; devices: their numbers, int16 [D]; both None if there are
    no prototypes. muted: whether an annotation suppresses notices based on this window, bool [B],
    or None if none is muted.
    """

    slot: np.ndarray
    index: np.ndarray
    ts: np.ndarray
    probability: np.ndarray
    known: np.ndarray
    ratio: np.ndarray
    telling: np.ndarray
    similarity: np.ndarray | None = None
    devices: np.ndarray | None = None
    muted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def of(
        cls, windows: Windows, ts: np.ndarray, scores: Scores, **others: np.ndarray | None
    ) -> ScoredWindows:
        """These windows with their scores; ts: as above, float64 [B]."""
        return cls(
            windows.slot,
            windows.index,
            ts,
            scores.probability,
            scores.known,
            scores.ratio,
            scores.telling,
            **others,
        )

    @classmethod
    def none(cls) -> ScoredWindows:
        """No windows."""
        nothing, scores = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
        return cls(nothing, nothing, np.zeros(0), scores, np.zeros(0), scores, np.zeros(0))

    def part(self, rows: np.ndarray) -> ScoredWindows:
        """The windows of these rows, int64 [n] or bool [B]."""
        return ScoredWindows(
            slot=self.slot[rows],
            index=self.index[rows],
            ts=self.ts[rows],
            probability=self.probability[rows],
            known=self.known[rows],
            ratio=self.ratio[rows],
            telling=self.telling[rows],
            similarity=None if self.similarity is None else self.similarity[rows],
            devices=self.devices,
            muted=None if self.muted is None else self.muted[rows],
        )


@dataclass(frozen=True, slots=True)
class SmoothedWindows:
    """n windows, grouped by host and in time order, averaged with the host's earlier ones.

    row: the window's row in its :class:`ScoredWindows`, int64 [n]. count: the number of the host's
    windows until this one, int64 [n]. probability: smoothed, float32 [n, K]. known float32 [n],
    ratio float32 [n, K] and telling float32 [n] are the window's own.
    """

    row: np.ndarray
    slot: np.ndarray
    ts: np.ndarray
    count: np.ndarray
    probability: np.ndarray
    known: np.ndarray
    ratio: np.ndarray
    telling: np.ndarray

    def __len__(self) -> int:
        return len(self.slot)

    def part(self, rows: np.ndarray) -> SmoothedWindows:
        """The windows of these rows, bool [n]."""
        return SmoothedWindows(*(getattr(self, one.name)[rows] for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Appearance:
    """The devices that n windows show.

    candidate: the device, int16 [n], NO_DEVICE, SEVERAL or NOTHING_YET. windows: for how many in a
    row, int64 [n]. since: from which time on, float64 [n]. against, against_since: likewise for how
    many windows they have shown anything else than the host's present device.
    """

    candidate: np.ndarray
    windows: np.ndarray
    since: np.ndarray
    against: np.ndarray
    against_since: np.ndarray


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
    weight = np.maximum((1 / count).astype(np.float32), np.float32(settings.weight))[:, None]
    share = weight * windows.probability[row]
    kept = 1 - weight
    smoothed = np.empty_like(share)
    # Round r takes each host's r-th window, the hosts with the most windows first.
    start = start[np.argsort(-size, kind="stable")]
    number = len(size) - np.searchsorted(np.sort(size), np.arange(size.max()), side="right")
    before = columns["probability"][slot[start]]
    for turn, some in enumerate(number.tolist()):
        at = start[:some] + turn
        smoothed[at] = before = kept[at] * before[:some] + share[at]
    return SmoothedWindows(
        row,
        slot,
        windows.ts[row],
        count,
        smoothed,
        windows.known[row],
        windows.ratio[row],
        windows.telling[row],
    )


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
    slot = windows.slot
    candidate = _shown(columns, settings, windows, similar)
    before = np.append(NO_DEVICE, candidate[:-1])
    before[start] = columns["candidate"][slot[start]]
    same = (windows.count > 1) & (candidate == before)
    run = _runs(same, start, columns["candidate_windows"][slot])
    since = np.where(same, columns["candidate_since"][slot], windows.ts)[_first(same, start)]

    other = candidate != _standing(columns["state"][slot], columns["device"][slot])
    earlier = np.append(False, other[:-1])
    earlier[start] = columns["against_windows"][slot[start]] > 0
    still = other & earlier
    against = np.where(other, _runs(still, start, columns["against_windows"][slot]), 0)
    against_since = np.where(still, columns["against_since"][slot], windows.ts)
    return Appearance(candidate, run, since, against, against_since[_first(still, start)])


def _first(goes_on: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The first window, of these, of the run that each window is in, int64 [n]; ``goes_on``:
    whether it goes on with the run of the window before it, bool [n]."""
    begins = ~goes_on
    begins[start] = True
    first: np.ndarray = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))
    return first


def _runs(goes_on: np.ndarray, start: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """The number of windows of each window's run until it, int64 [n]; ``earlier``: of the run
    before the host's first one of these, int32 [n]."""
    first = _first(goes_on, start)
    number: np.ndarray = np.where(goes_on, earlier, 0)[first] + np.arange(len(first)) - first + 1
    return number


def _standing(state: np.ndarray, device: np.ndarray) -> np.ndarray:
    """What windows show that change nothing, int16 [n]."""
    return np.where(state == AMBIGUOUS, SEVERAL, device).astype(np.int16)


def _shown(
    columns: Columns, settings: DecisionSettings, windows: SmoothedWindows, similar: np.ndarray
) -> np.ndarray:
    """What each window shows, int16 [n], of a host that has or had a certain device.

    A window supports the most probable class if its sessions are about as typical of the class as
    that class's own, and if they are enough to tell. It shows SEVERAL if other classes are
    possible: not much less probable, and without the window against them. Absence of evidence keeps
    a name; a window is against it only if its sessions are likelier for hosts in general, see
    AGAINST. A named host whose windows support another class without being against its name may be
    either.
    """
    slot, row = windows.slot, np.arange(len(windows))
    state, device = columns["state"][slot], columns["device"][slot]
    classes = windows.probability.shape[1]
    best = windows.probability.argmax(1)
    enough = settings.enough(classes) / np.maximum(windows.telling, 1)
    supported = windows.known >= settings.thresholds.known
    supported &= windows.ratio[row, best] >= np.maximum(settings.support[best], enough)
    limit = -np.maximum(AGAINST, enough)
    possible = settings.are_possible(windows.probability) & (windows.ratio > limit[:, None])
    shown = np.where(possible.sum(1) == 1, best, SEVERAL)
    shown = np.where(supported, shown, NO_DEVICE)

    reference, label = _reference(columns, slot, classes), columns["label"][slot]
    has_one, labelled = reference != NO_DEVICE, label != NO_DEVICE
    not_against = has_one & (windows.ratio[row, np.where(has_one, reference, 0)] > limit)
    contested = not_against & ~labelled & (shown >= 0) & (shown != reference)
    ambiguous = state == AMBIGUOUS
    shown = np.where(not_against & ~ambiguous, np.where(labelled, label, device), shown)
    # An ambiguous host stays so until its windows show one device, or are against all.
    silent = (shown == NO_DEVICE) & (windows.ratio[row, best] > limit)
    shown = np.where(contested | (ambiguous & silent), SEVERAL, shown)
    silent &= (state == LEARNING) & (windows.known >= settings.thresholds.known)
    shown = np.where(silent, NOTHING_YET, shown)
    return np.where(similar == NO_DEVICE, shown, similar).astype(np.int16)


def _reference(columns: Columns, slot: np.ndarray, classes: int) -> np.ndarray:
    """The class that windows of these hosts may be against, int16 [n], or NO_DEVICE: that of the
    label, or the class that the labelled host resembles; else the host's name, or the one that an
    ambiguous host had."""
    label = columns["label"][slot]
    claimed = np.where(label < classes, label, columns["lookalike"][slot])
    name = np.where(
        columns["state"][slot] == AMBIGUOUS, columns["last_name"][slot], columns["device"][slot]
    )
    reference = np.where(label == NO_DEVICE, name, claimed)
    found: np.ndarray = np.where(reference < classes, reference, NO_DEVICE)
    return found


def transitions(
    columns: Columns, settings: DecisionSettings, windows: SmoothedWindows, looks: Appearance
) -> Transitions:
    """The changes that each window would cause if no earlier window of the step caused any."""
    slot, ts = windows.slot, windows.ts
    state, device, label = (columns[name][slot] for name in ("state", "device", "label"))
    labelled, misbehaving = label != NO_DEVICE, state == MISBEHAVING
    candidate, settles = _claimed(columns, settings, windows, looks)

    name = columns["last_name"][slot]
    established = (name != NO_DEVICE) & (ts - columns["named_since"][slot] >= settings.established)
    ambiguous = state == AMBIGUOUS
    # A name that no analyst gave is lost after enough windows against it, whatever they show.
    named = (device != NO_DEVICE) & (state != LEARNING)
    loses = named & ~labelled
    # Smoothed windows show a new device later than they are against the old one, so they have
    # twice the time to agree on one.
    agree = (candidate == SEVERAL) | (candidate >= 0) & (looks.windows >= settings.windows_for)
    waits = loses & ~agree & (looks.against < 2 * settings.windows_against)
    candidate = np.where(loses & ~agree & (candidate != device), NO_DEVICE, candidate)
    run = np.where(loses, looks.against, looks.windows)
    quick = ~named & ~ambiguous & (candidate != SEVERAL)
    turns = (state == LEARNING) & (candidate != NOTHING_YET)
    turns |= (state != LEARNING) & (candidate != _standing(state, device))
    turns &= ~waits & (run >= np.where(quick, settings.windows_for, settings.windows_against))
    # A host whose windows do not agree, or say nothing, is not learning for ever.
    undecided = (state == LEARNING) & (windows.count >= 2 * settings.windows_against) & ~turns
    candidate[undecided & (candidate != SEVERAL)] = NO_DEVICE
    turns |= undecided
    lasts = ts - np.where(loses, looks.against_since, looks.since)
    needed = np.where(named & (established | labelled), settings.persistence, 0)
    needed[ambiguous & (name != NO_DEVICE)] = settings.established
    turns &= lasts >= needed

    renames = ~ambiguous & established & (candidate != name)
    renames &= candidate != columns["former_name"][slot]
    new_state = np.where(renames, CHANGED, IDENTIFIED)
    new_state[labelled] = np.where(candidate == label, IDENTIFIED, IMPOSTOR)[labelled]
    new_state[candidate == NO_DEVICE] = UNKNOWN
    new_state[candidate == SEVERAL] = AMBIGUOUS

    recovers = misbehaving & (ts - columns["alarmed_at"][slot] >= settings.recovery)
    turns &= ~misbehaving | (new_state == CHANGED) | (new_state == IMPOSTOR)
    recovers &= ~turns
    new_state[recovers] = columns["underlying"][slot][recovers]
    candidate[recovers] = device[recovers]
    turns |= recovers

    ignored_until = columns["ignored_until"][slot]
    unmutes = (ignored_until > 0) & (ts >= ignored_until)
    due = (settings.reminder > 0) & (ts - columns["logged_at"][slot] >= settings.reminder)
    candidate = np.maximum(candidate, NO_DEVICE)
    return Transitions(turns, recovers, unmutes, due, settles, new_state, candidate)


def _claimed(
    columns: Columns, settings: DecisionSettings, windows: SmoothedWindows, looks: Appearance
) -> tuple[np.ndarray, np.ndarray]:
    """The device that each window shows, int16 [n], with labels taken into account; and whether the
    candidate becomes the host's lookalike, bool [n].

    A host whose label the model does not know may still resemble one class: the class that it
    settles on in the first ``established`` seconds, or in its first ``windows_against`` windows.
    """
    slot, candidate = windows.slot, looks.candidate
    classes = windows.probability.shape[1]
    state, device, label = (columns[name][slot] for name in ("state", "device", "label"))
    misbehaving, lookalike = state == MISBEHAVING, columns["lookalike"][slot]
    may_settle = (label >= classes) & (device == label)
    new = (windows.count < settings.windows_against) & (lookalike == NO_DEVICE)
    may_settle &= new | (windows.ts - columns["named_since"][slot] < settings.established)
    may_settle &= candidate < classes
    named = candidate >= 0
    settles = may_settle & named & (candidate != lookalike) & ~misbehaving
    settles &= looks.windows >= settings.windows_for
    claimed = np.where(named & (may_settle | (candidate == lookalike)), label, candidate)
    # Windows that show no device contradict no label, and do not change a misbehaving host.
    holds = ((label != NO_DEVICE) | misbehaving) & (claimed < 0)
    return np.where(holds, device, claimed), settles


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
