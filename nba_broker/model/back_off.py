"""How much a device's own counts weigh against what it would do elsewhere, and against what hosts
in general do."""

from __future__ import annotations

PAIR, BACK_OFF = 0.9, 0.09
"""Weights of a device's own pairs or names, and of what it would do elsewhere: its services at new
pools of the same kind, and new services at its pools. The rest is for what it never did. The first
two are those of Jelinek and Mercer's interpolation; not tuned."""

NEVER = 1 - PAIR - BACK_OFF
"""The weight of what it never did, and of other names in its domains: siblings share a domain. With
0.03 and 0.09, windows of LSIF's Chime doorbell passed for the Ring doorbell before 2019-07-06."""

PLACES = 50.0
"""Pools of a kind, services, and names in a domain among which the back-off is shared out; not
tuned."""

WEIGHT = 20.0
"""Sessions that the background weighs in a class's own shares, so that a class of few sessions does
not contradict what it has not yet done; 5 and 100 gave the same verdicts on LSIF's later days."""
