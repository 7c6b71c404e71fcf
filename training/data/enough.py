"""Devices with too few sessions to teach are left out, each with a line, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nba_broker.records.errors import ArchiveError
from training.data.dataset import LabelledSessions


def lacking(sessions: LabelledSessions, least: int) -> dict[str, int]:
    """The labelled devices of which no host has ``least`` sessions, each with the most it has."""
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
    """The sessions of devices of which some host has ``least`` ones; ``say`` gets a line for each
    other device that labels name.

    Beside them the devices that are left out, each with the most sessions that a host of it has.
    Raises ArchiveError where that leaves fewer than two devices, or with ``strict`` any out.
    """
    left_out = lacking(sessions, least)
    devices = {label.device for label in sessions.labels}
    able = len(devices) - len(left_out)
    if able < 2:
        raise ArchiveError(
            f"a model needs two devices to tell apart, each with a host of {least} sessions; of "
            f"{len(devices)} labelled ones {able or 'none'} has them"
        )
    if strict and left_out:
        raise ArchiveError(
            f"no host with {least} sessions of {', '.join(left_out)}: bring more of them, leave "
            "them out of the labels, or do without --strict"
        )
    for line in told(left_out, least):
        say(f"left out: {line}")
    stays = np.array([label.device not in left_out for label in sessions.labels], bool)
    return sessions.select(stays[sessions.series]), left_out


def told(few: Mapping[str, int], least: int) -> list[str]:
    """Devices with too few sessions, a line each."""
    return [f"{one}, as no host of it has {least} sessions (the most: {few[one]})" for one in few]
