"""The states of a host as numbers, in the order of :data:`nba_broker.records.verdicts.STATES`."""

from __future__ import annotations

from nba_broker.records.verdicts import STATES

LEARNING, IDENTIFIED, UNKNOWN, CHANGED, MISBEHAVING, IMPOSTOR, AMBIGUOUS = range(len(STATES))

ALARMING = (UNKNOWN, CHANGED, MISBEHAVING, IMPOSTOR)
"""States that an analyst is notified of."""

NO_DEVICE = -1
"""The number that stands for no device, where a device's number is stored."""

SEVERAL = -2
"""The number that stands for several devices, where what a window shows is stored."""
