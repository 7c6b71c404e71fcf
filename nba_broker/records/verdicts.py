"""What is thought of a host, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

STATES = ("learning", "identified", "unknown", "changed", "misbehaving", "impostor")

REASONS = ("new", "change", "reminder", "answer")


@dataclass(frozen=True, slots=True)
class Alarm:
    """A host did what it never does.

    ``index``: the deciding session's place in the step that it came with; ``evidence`` and
    ``uids`` as in :class:`Verdict`.
    """

    index: int
    evidence: tuple[str, ...]
    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownHosts:
    """What kinds of hosts are unknown at ``ts``: ``hosts`` is their number, ``kinds`` a text for
    each group of those that behave alike, the largest first; at most 16."""

    ts: float
    hosts: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of a host; the fields are the columns of nba_device.log in their order.

    ``ts`` is the deciding session's time, ``since`` when this state began; all times are seconds
    since the epoch. ``previous`` is what the host was before: a device's name, else a state's.
    ``evidence`` is meant for an analyst, ``uids`` for a pivot into conn.log. ``vlan`` and ``site``
    are the parts of the segment that ``host`` is unique in, see :func:`segment_parts`.
    """

    ts: float
    host: str
    mac: str
    hostname: str
    vendor: str
    state: str
    previous: str
    device: str
    category: str
    confidence: float
    alternatives: tuple[str, ...]
    sessions: int
    since: float
    first_seen: float
    reason: str
    evidence: tuple[str, ...]
    uids: tuple[str, ...]
    model: str
    worker: str = field(default="")
    vlan: str = field(default="")
    site: str = field(default="")

    def items(self) -> Iterator[tuple[str, object]]:
        """Column names with their values, in the order of the log and of the event."""
        return ((f.name, getattr(self, f.name)) for f in fields(self))
