"""The classes that a host can have: a device with its category."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Class:
    """A device with its category."""

    device: str
    category: str
