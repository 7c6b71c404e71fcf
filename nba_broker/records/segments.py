"""Addresses with the segment of the network that each is unique in, written ``address%segment``.

The form is RFC 4007's for scoped addresses; a segment is a site and a VLAN, see
:func:`nba_broker.records.sessions.segment_name`. Without a segment, nothing is added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nba_broker.records.sessions import segment_parts


def zoned(address: str, segment: str) -> str:
    """An address in its segment."""
    return f"{address}%{segment}" if segment else address


def zoned_all(addresses: Sequence[str], segments: Sequence[str] | None) -> list[str]:
    """Many addresses, each in its segment."""
    if segments is None:
        return list(addresses)
    return [
        f"{address}%{segment}" if segment else address
        for address, segment in zip(addresses, segments, strict=True)
    ]


def bare(zone: str) -> str:
    """The address without its segment."""
    return zone.partition("%")[0] if "%" in zone else zone


def is_ipv4(zone: str) -> bool:
    """Whether an address, with or without its segment, is one of IPv4."""
    return "." in zone[:4]  # a segment may hold anything


def segment_of(zone: str) -> str:
    """The segment, "" where there is none."""
    return zone.partition("%")[2]


def may_be_one(segment: str, other: str) -> bool:
    """Whether two names may mean one segment: what a sensor does not tell contradicts nothing."""
    pairs = zip(segment_parts(segment), segment_parts(other), strict=True)
    return all(not one or not another or one == another for one, another in pairs)


def described(address: str, segment: str) -> str:
    """An address as an analyst reads it: ``10.0.0.7 in VLAN 20 at site Hamburg``."""
    site, vlan = segment_parts(segment)
    return f"{address}{f' in VLAN {vlan}' if vlan else ''}{f' at site {site}' if site else ''}"


class Hosts:
    """Tells apart the hosts that a log knows by their addresses: one host's lines have the same
    first session, though not every line need tell its segment."""

    def __init__(self) -> None:
        self._zones: defaultdict[tuple[str, float], list[str]] = defaultdict(list)

    def of(self, address: str, segment: str, first_seen: float) -> str:
        """The name of the host of a line."""
        known = self._zones[address, first_seen]
        for zone in known:
            if may_be_one(segment_of(zone), segment):
                return zone
        known.append(zoned(address, segment))
        return known[-1]
