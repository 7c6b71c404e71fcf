"""Sessions and leases, the records that the pipeline takes, and their segments and sites."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat

import numpy as np


def segment_name(site: str = "", vlan: str = "") -> str:
    """A segment's name, ``site/vlan``. The same address in two segments is two hosts. ``vlan`` is
    the VLAN's number, or ``outer.inner`` if frames carry two (IEEE 802.1ad)."""
    return f"{site}/{vlan}" if site or vlan else ""


def segment_parts(segment: str) -> tuple[str, str]:
    """The inverse of :func:`segment_name`: site and VLAN, each "" if there is none."""
    site, _, vlan = segment.rpartition("/")
    return site, vlan


_ROLE = re.compile(
    r"(?:(.*?)[-_.@])??(?:worker|logger|manager|proxy|standalone|zeek|bro|archiver|agent|controller)"
    r"(?:[-_.@0-9].*)?",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1024)  # every batch has the same few nodes
def site_of(node: str) -> str:
    """The site of a cluster's node, from its name: ``berlin-worker-3`` is at berlin, ``branch-7``
    is at branch-7. The name ``worker-1-2`` has only a role, and its site is ""."""
    role = _ROLE.fullmatch(node)
    return (role[1] or "") if role else node


@dataclass(slots=True)
class Sessions:
    """A batch of session starts as parallel columns, all of the same length n.

    ts: float64 [n], seconds since the epoch. host, dst: addresses as Zeek prints them.
    mac: lower case with colons, "" where unknown. dport: int32 [n], see :func:`port_code`.
    segment: the part of the network in which an address is unique, see :func:`segment_name`, ""
    where unknown; None if all are unknown. log: index into the archive's file names,
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


NO_SESSIONS = Sessions(np.zeros(0), [], [], [], [], np.zeros(0, np.int32))
"""An empty batch."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A DHCP server's grant of an address: from ``ts`` on, ``ip`` belongs to ``mac``, in
    ``segment`` if that is known. ``vendor_class``, ``params``: options 60 and 55 of the client (RFC
    2132), empty where unknown."""

    ts: float
    ip: str
    mac: str
    hostname: str
    segment: str = ""
    vendor_class: str = ""
    params: tuple[int, ...] = ()


def concatenate(parts: list[Sessions]) -> Sessions:
    """Several batches as one, in the given order."""
    if len(parts) == 1:
        return parts[0]
    return Sessions(
        np.concatenate([part.ts for part in parts]) if parts else np.zeros(0),
        list(chain.from_iterable(part.host for part in parts)),
        list(chain.from_iterable(part.uid for part in parts)),
        list(chain.from_iterable(part.mac for part in parts)),
        list(chain.from_iterable(part.dst for part in parts)),
        np.concatenate([part.dport for part in parts]) if parts else np.zeros(0, np.int32),
        joined_segments([part.segment for part in parts], map(len, parts)),
    )


def joined_segments(
    columns: Sequence[Sequence[str] | None], rows: Iterable[int]
) -> list[str] | None:
    """The segments of several batches, with so many rows, as one column; None if all are None."""
    if all(column is None for column in columns):
        return None
    return list(
        chain.from_iterable(
            repeat("", number) if column is None else column
            for column, number in zip(columns, rows, strict=True)
        )
    )


def order(sessions: Sessions) -> np.ndarray:
    """Places int64 [n] that sort by (ts, host, segment, dst, dport, uid), so that every replay has
    the same order; an unknown segment comes last, as in an archive."""
    places = np.argsort(sessions.ts, kind="stable")
    when = sessions.ts[places]
    same = when[1:] == when[:-1]
    if same.any():
        # Few times are equal; only their sessions are sorted by the other columns.
        several = np.append(same, False) | np.append(False, same)
        rows = places[several].tolist()
        segments = (
            repeat("") if sessions.segment is None else map(sessions.segment.__getitem__, rows)
        )
        keys = zip(
            when[several].tolist(),
            map(sessions.host.__getitem__, rows),
            ((not segment, segment) for segment in segments),
            map(sessions.dst.__getitem__, rows),
            sessions.dport[places[several]].tolist(),
            map(sessions.uid.__getitem__, rows),
            range(len(rows)),
            strict=False,  # without segments, repeat() does not end
        )
        places[several] = [rows[key[-1]] for key in sorted(keys)]
    return places


def take(sessions: Sessions, places: np.ndarray) -> Sessions:
    """The sessions at these places, in this order."""
    rows = places.tolist()
    return Sessions(
        sessions.ts[places],
        list(map(sessions.host.__getitem__, rows)),
        list(map(sessions.uid.__getitem__, rows)),
        list(map(sessions.mac.__getitem__, rows)),
        list(map(sessions.dst.__getitem__, rows)),
        sessions.dport[places],
        None if sessions.segment is None else list(map(sessions.segment.__getitem__, rows)),
    )


def part_of(sessions: Sessions, start: int, stop: int) -> Sessions:
    """The sessions from ``start`` up to ``stop``; the same object when that is all of them."""
    if start == 0 and stop >= len(sessions):
        return sessions
    return Sessions(
        sessions.ts[start:stop],
        sessions.host[start:stop],
        sessions.uid[start:stop],
        sessions.mac[start:stop],
        sessions.dst[start:stop],
        sessions.dport[start:stop],
        None if sessions.segment is None else sessions.segment[start:stop],
        None if sessions.log is None else sessions.log[start:stop],
    )
