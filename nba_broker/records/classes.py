"""What a host can be: a device with its category."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Class:
    """One thing a host can be: a device with the category it belongs to."""

    device: str
    category: str
