"""Classes of a comparison: devices, groups of devices, categories, or IoT and non-IoT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nba_broker.records.errors import ConfigError
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label

NON_IOT = "non-iot"
"""The category of devices that are not IoT devices, in labels."""


def by_kind(labels: Sequence[Label], kind: str) -> dict[str, str]:
    """The class of each device: its category, or, for ``iot``, ``IoT`` or ``non-IoT``."""
    if kind == "category":
        return {one.device: one.category for one in labels}
    return {one.device: "non-IoT" if one.category == NON_IOT else "IoT" for one in labels}


def merged(labels: Sequence[Label], merges: Sequence[str]) -> dict[str, str]:
    """The class of each device in merges ``NAME=DEVICE,DEVICE...``.

    Raises ConfigError for another form, for a device without a label or in two merges, and for a
    name that is another device's.
    """
    devices = {one.device for one in labels}
    class_of: dict[str, str] = {}
    for merge in merges:
        name, _, members = (part.strip() for part in merge.partition("="))
        together = members.split(",")
        if not name or len(together) < 2:
            raise ConfigError(f"--merge {merge}: not NAME=DEVICE,DEVICE...")
        if unknown := [one for one in together if one not in devices or one in class_of]:
            raise ConfigError(
                f"--merge {merge}: no label of {', '.join(unknown)}, or merged already"
            )
        if name in devices.difference(together):
            raise ConfigError(f"--merge {merge}: there is another device {name}")
        class_of |= dict.fromkeys(together, name)
    return class_of


def renamed(sessions: LabelledSessions, class_of: Mapping[str, str]) -> LabelledSessions:
    """The same sessions, with the class as label for each device in ``class_of``."""
    return replace(
        sessions,
        labels=tuple(
            replace(one, device=name, category=name) if (name := class_of.get(one.device)) else one
            for one in sessions.labels
        ),
    )
