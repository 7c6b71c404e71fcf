"""Addresses together with the network segment in which they are unique: ``address%segment``.

RFC 4007 writes scoped addresses so. A segment is a site and a VLAN, see
:func:`nba_broker.records.sessions.segment_name`. An address without a segment stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nba_broker.records.sessions import segment_parts


def zoned(address: str, segment: str) -> str:
    """``address%segment``, or the address alone if the segment is ""."""
    return f"{address}%{segment}" if segment else address


def zoned_all(addresses: Sequence[str], segments: Sequence[str] | None) -> list[str]:
    """The same for columns; ``segments`` None means that no address has one."""
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
    """Whether an address, with or without its segment, is an IPv4 address."""
    return "." in zone[:4]  # the segment may contain dots, too


def segment_of(zone: str) -> str:
    """The segment, or ""."""
    return zone.partition("%")[2]


def may_be_one(segment: str, other: str) -> bool:
    """Whether two names may be of the same segment: a missing site or VLAN matches any."""
    pairs = zip(segment_parts(segment), segment_parts(other), strict=True)
    return all(not one or not another or one == another for one, another in pairs)


def described(address: str, segment: str) -> str:
    """An address for an analyst: ``10.0.0.7 in VLAN 20 at site Hamburg``."""
    site, vlan = segment_parts(segment)
    return f"{address}{f' in VLAN {vlan}' if vlan else ''}{f' at site {site}' if site else ''}"


class Hosts:
    """Distinguishes the hosts that a log names by address. All lines of one host have the same time
    of the first session; some of them may lack the segment."""

    def __init__(self) -> None:
        self._zones: defaultdict[tuple[str, float], list[str]] = defaultdict(list)

    def of(self, address: str, segment: str, first_seen: float) -> str:
        """The name of the host of a line, its address with its segment."""
        known = self._zones[address, first_seen]
        for zone in known:
            if may_be_one(segment_of(zone), segment):
                return zone
        known.append(zoned(address, segment))
        return known[-1]
