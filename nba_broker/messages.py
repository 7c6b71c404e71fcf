"""The data that travels between the parts: sessions and leases in, verdicts out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache

import numpy as np

PROTOCOLS = ("unknown", "tcp", "udp", "icmp")
"""Transport names by code, as Zeek writes them behind a port's slash."""

PROTOCOL_CODES = {name: code for code, name in enumerate(PROTOCOLS)} | {
    "?": 0,
    "unknown_transport": 0,
}

END_OF_TIME = 4_102_444_800.0
"""The year 2100, in seconds since the epoch: no session starts later, and Zeek's side takes no such
time."""

STATES = ("learning", "identified", "unknown", "changed", "misbehaving", "impostor")
REASONS = ("new", "change", "reminder", "answer")


def port_code(port: int, protocol: str) -> int:
    """A port and its transport as one number, ``port + 65536 * code``; unknown is 0."""
    return port + 65536 * PROTOCOL_CODES.get(protocol, 0)


def port_name(code: int) -> str:
    """The inverse of :func:`port_code`, as Zeek prints it: ``443/tcp``."""
    return f"{code & 0xFFFF}/{PROTOCOLS[code >> 16]}"


def segment_name(site: str = "", vlan: str = "") -> str:
    """A segment's name, ``site/vlan``: the same address in two of them is two hosts. ``vlan`` is
    the VLAN's number, or ``outer.inner`` where frames carry two (IEEE 802.1ad)."""
    return f"{site}/{vlan}" if site or vlan else ""


def segment_parts(segment: str) -> tuple[str, str]:
    """The inverse of :func:`segment_name`: site and VLAN, "" each where there is none."""
    site, _, vlan = segment.rpartition("/")
    return site, vlan


_ROLE = re.compile(
    r"(?:(.*?)[-_.@])??(?:worker|logger|manager|proxy|standalone|zeek|bro|archiver|agent|controller)"
    r"(?:[-_.@0-9].*)?",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1024)  # the same few for every batch
def site_of(node: str) -> str:
    """The site that a cluster's node is at, as far as its name tells: ``berlin-worker-3`` is at
    berlin, ``branch-7`` at branch-7, and ``worker-1-2`` says only what it does there."""
    role = _ROLE.fullmatch(node)
    return (role[1] or "") if role else node


@dataclass(slots=True)
class Sessions:
    """A batch of session starts as parallel columns, all of the same length n.

    ts: float64 [n], seconds since the epoch. host, dst: addresses as Zeek prints them.
    mac: lower case with colons, "" where unknown. dport: int32 [n], see :func:`port_code`.
    segment: the part of the network that an address is unique in, "" where nothing tells one, see
    :func:`segment_name`; None where that holds for all. log: index into the archive's file names,
    int32 [n]; only archives have it.
    """

    ts: np.ndarray
    host: Sequence[str]
    uid: Sequence[str]
    mac: Sequence[str]
    dst: Sequence[str]
    dport: np.ndarray
    segment: Sequence[str] | None = None
    log: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, slots=True)
class Lease:
    """An address lent by DHCP: from ``ts`` on, ``ip`` belongs to ``mac``; in that ``segment``, if
    the log told one."""

    ts: float
    ip: str
    mac: str
    hostname: str
    segment: str = ""


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
