"""Splits labelled sessions into training and test parts."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nba_broker.records.times import DAY, parse_time
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import LabelsError
from training.data.traffic import Traffic

PROTOCOLS = ("paper", "paper-overlap", "blocked", "temporal", "unit")
FOLDS = 5
TRAINING_SHARE = 0.6
"""Share of the archive's time, its first, that is the training part of ``temporal``."""
VALIDATION_SHARE = 0.25
"""Share of that part's time, its last, that chooses among variants."""

ALWAYS = -1
"""The fold of a segment that is in the training part of every fold."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Segments of sessions, and the fold of each.

    In fold k the segments of fold k are the test part and all others the training part. segment:
    int64 [n], the segment of each session, -1 for none. fold: int64 [S], or None when the samples
    of each baseline are dealt to the folds: then ``stride`` is that of windows, 0 for their length.
    cluster: int64 [n], sessions that the bootstrap draws together; ``cluster_name``: its kind.
    leaks: whether the parts share sessions.
    """

    segment: np.ndarray
    fold: np.ndarray | None
    folds: int
    cluster: np.ndarray
    cluster_name: str
    stride: int = 1
    leaks: bool = False

    def series(self, sessions: LabelledSessions) -> np.ndarray:
        """The series of each segment, int64 [S]."""
        series = np.zeros(int(self.segment.max(initial=-1)) + 1, np.int64)
        series[self.segment[self.segment >= 0]] = sessions.series[self.segment >= 0]
        return series


def split(sessions: LabelledSessions, protocol: str, groups: np.ndarray | None = None) -> Split:
    """The split of a protocol by its name.

    groups: int64 [n], sessions that no two parts may share, -1 for none (see :func:`read_groups`);
    they replace blocks of time. Raises LabelsError when the labels do not allow the protocol.
    """
    if protocol in ("paper", "paper-overlap"):
        return paper(sessions, overlap=protocol == "paper-overlap")
    if protocol == "blocked":
        return blocked(sessions, groups)
    if protocol == "unit":
        return unit(sessions, groups)
    return temporal(sessions)


def paper(sessions: LabelledSessions, *, overlap: bool) -> Split:
    """Samples are dealt at random; windows have a stride of their length, or, leaking, of 1."""
    return Split(
        segment=sessions.series,
        fold=None,
        folds=FOLDS,
        cluster=_days(sessions),
        cluster_name="day",
        stride=1 if overlap else 0,
        leaks=overlap,
    )


def blocked(sessions: LabelledSessions, groups: np.ndarray | None) -> Split:
    """Each host's time in FOLDS equal blocks one after the other, or its groups in turn."""
    block = _blocks(sessions, FOLDS) if groups is None else _dealt(sessions, groups, FOLDS)
    return _of_blocks(sessions, block, groups, FOLDS)


def temporal(sessions: LabelledSessions, *, validate: bool = False) -> Split:
    """The first part of the archive's time is the training part, the rest the test part.

    validate: the same inside the first part alone, so that a choice costs nothing later.
    """
    first, last = sessions.ts[0], sessions.ts[-1]
    cut = first + TRAINING_SHARE * (last - first)
    taking_part = np.ones(len(sessions), bool)
    if validate:
        taking_part = sessions.ts < cut
        cut = first + (1 - VALIDATION_SHARE) * (cut - first)
    segment, part = _numbered(
        np.stack([sessions.series, np.where(sessions.ts < cut, ALWAYS, 0)]), taking_part
    )
    return Split(segment, part[1], 1, _days(sessions), "day")


def unit(sessions: LabelledSessions, groups: np.ndarray | None) -> Split:
    """One unit of each model is the test part, the others are the training part; each fold tests
    another unit.

    A host without ``unit`` in its label is a unit of its own. A model with one unit only is cut
    into blocks (or groups) instead, so that it can be confused with the others, and they with it.
    Raises LabelsError when no model has two units.
    """
    of_device = units(sessions)
    folds = max(map(len, of_device.values()))
    if folds < 2:
        raise LabelsError(
            "unit: no device has sessions of two units; add the column unit to the labels"
        )
    block = _blocks(sessions, folds) if groups is None else _dealt(sessions, groups, folds)
    for number in np.unique(sessions.series).tolist():
        label = sessions.labels[number]
        own = of_device[label.device]
        if len(own) > 1:
            block[sessions.series == number] = own.index(label.unit or label.host)
    return _of_blocks(sessions, block, groups, folds)


def units(sessions: LabelledSessions) -> dict[str, list[str]]:
    """The units of each device that have sessions: by ``unit``, or by host without one."""
    found: dict[str, list[str]] = {}
    for number in np.unique(sessions.series).tolist():
        label = sessions.labels[number]
        own = found.setdefault(label.device, [])
        if (name := label.unit or label.host) not in own:
            own.append(name)
    return found


def leave_one_device_out(
    sessions: LabelledSessions,
) -> Iterator[tuple[str, LabelledSessions, LabelledSessions]]:
    """Each device in turn, with all its units: its name, the others' sessions, and its own."""
    for one in sessions.classes():
        out = np.array([label.device == one.device for label in sessions.labels])
        is_out = out[sessions.series]
        yield one.device, sessions.select(~is_out), sessions.select(is_out)


def read_groups(path: Path, traffic: Traffic) -> np.ndarray:
    """The group of each session, int64 [n], -1 for none, from a CSV ``log,setup,since,until``.

    Both times are inside. Raises LabelsError at a file that is no use.
    """
    ts = traffic.sessions.ts
    group = np.full(len(ts), -1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for number, row in enumerate(csv.DictReader(stream, strict=True)):
                logs = [k for k, name in enumerate(traffic.logs) if name == row["log"]]
                meant = np.isin(traffic.log, logs)
                meant &= ts >= parse_time(row["since"])
                group[meant & (ts <= parse_time(row["until"]))] = number
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise LabelsError(f"{path}: no groups (log,setup,since,until): {error!r}") from error
    return group


def _of_blocks(
    sessions: LabelledSessions, block: np.ndarray, groups: np.ndarray | None, folds: int
) -> Split:
    """A split by blocks; each group of a series is a segment of its own."""
    group = np.zeros(len(sessions), np.int64) if groups is None else groups
    segment, part = _numbered(np.stack([sessions.series, group, block]), group >= 0)
    if groups is None:
        return Split(segment, part[2], folds, _days(sessions), "day")
    return Split(segment, part[2], folds, groups, "group")


def _numbered(keys: np.ndarray, taking_part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of keys [k, n] numbered from 0, -1 for those not ``taking_part``, and the distinct
    columns."""
    segment = np.full(keys.shape[1], -1)
    distinct, number = np.unique(keys[:, taking_part], axis=1, return_inverse=True)
    segment[taking_part] = number.ravel()
    return segment, distinct


def _blocks(sessions: LabelledSessions, folds: int) -> np.ndarray:
    """The number of each session's part of its series' time, in ``folds`` equal parts, int64
    [n]."""
    block = np.zeros(len(sessions), np.int64)
    for number in np.unique(sessions.series):
        rows = sessions.series == number
        ts = sessions.ts[rows]
        span = max(float(ts[-1] - ts[0]), 1e-6)
        block[rows] = np.minimum((ts - ts[0]) / span * folds, folds - 1).astype(np.int64)
    return block


def _dealt(sessions: LabelledSessions, groups: np.ndarray, folds: int) -> np.ndarray:
    """Each series' groups dealt to the folds in turn, in the order of time, int64 [n]; a group of
    several series has the fold from the first of them."""
    fold: dict[int, int] = {}
    for number in np.unique(sessions.series):
        rows = np.flatnonzero((sessions.series == number) & (groups >= 0))
        own, first = np.unique(groups[rows], return_index=True)
        for turn, group in enumerate(own[np.argsort(first)].tolist()):
            fold.setdefault(group, turn % folds)
    block = np.zeros(len(sessions), np.int64)
    for group, turn in fold.items():
        block[groups == group] = turn
    return block


def _days(sessions: LabelledSessions) -> np.ndarray:
    return (sessions.ts // DAY).astype(np.int64)
