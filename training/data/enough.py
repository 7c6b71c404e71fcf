"""Leaves out devices with too few sessions to train on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nba_broker.records.errors import ArchiveError
from training.data.labelled_sessions import LabelledSessions


def lacking(sessions: LabelledSessions, least: int) -> dict[str, int]:
    """The labelled devices without a host of ``least`` sessions, each with its largest number."""
    number = np.bincount(sessions.series, minlength=len(sessions.labels)).tolist()
    most: dict[str, int] = {}
    for label, own in zip(sessions.labels, number, strict=True):
        most[label.device] = max(most.get(label.device, 0), own)
    return {device: own for device, own in sorted(most.items()) if own < least}


def enough(
    sessions: LabelledSessions,
    least: int,
    say: Callable[[str], None],
    *,
    strict: bool = False,
) -> tuple[LabelledSessions, dict[str, int]]:
    """The sessions of devices with a host of ``least`` sessions, and the devices that are left out,
    each with the largest number of sessions of one of its hosts. ``say`` gets a line for each.

    Raises ArchiveError when fewer than two devices remain, or, with ``strict``, when any is left
    out.
    """
    left_out = lacking(sessions, least)
    devices = {label.device for label in sessions.labels}
    able = len(devices) - len(left_out)
    if able < 2:
        raise ArchiveError(
            f"a model needs two devices, each with a host of {least} sessions; of {len(devices)} "
            f"labelled devices {able or 'none'} has one"
        )
    if strict and left_out:
        raise ArchiveError(
            f"no host with {least} sessions of {', '.join(left_out)}: add sessions, remove the "
            "labels, or omit --strict"
        )
    for line in too_few(left_out, least):
        say(f"left out: {line}")
    stays = np.array([label.device not in left_out for label in sessions.labels], bool)
    return sessions.select(stays[sessions.series]), left_out


def too_few(few: Mapping[str, int], least: int) -> list[str]:
    """Devices with too few sessions, a line each."""
    return [f"{one} has no host with {least} sessions (the most: {few[one]})" for one in few]
