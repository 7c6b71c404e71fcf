"""Verdicts about hosts, as data and as rows of nba_device.log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

from nba_broker.records.evidence import (
    Attended,
    Destination,
    Evidence,
    RegularDestination,
    SimilarHost,
    Surprising,
)
from nba_broker.records.hints import NO_HINT, Hint

STATES = (
    "learning",
    "identified",
    "unknown",
    "changed",
    "misbehaving",
    "impostor",
    "ambiguous",
)

REASONS = ("new", "change", "reminder", "annotation", "missing")

_DIGITS = 4  # of a share, a probability or a surprise: more would be noise


@dataclass(frozen=True, slots=True)
class HostGroup:
    """Similar unknown hosts: their number, the addresses of some, the maker of their interfaces, ""
    where unknown, where most of their sessions go, and what most of them may be, "" where that is
    not clear."""

    hosts: int
    addresses: tuple[str, ...]
    vendor: str
    mostly: str
    guess: str = ""

    @property
    def text(self) -> str:
        """For an operator to read."""
        more = ", ..." if self.hosts > len(self.addresses) else ""
        vendor = f" by {self.vendor}" if self.vendor else ""
        addresses = ", ".join(self.addresses)
        guess = f" [{self.guess}]" if self.guess else ""
        return f"{self.hosts} ({addresses}{more}){vendor}{guess}, mostly {self.mostly}"


@dataclass(frozen=True, slots=True)
class UnknownHosts:
    """The unknown hosts at ``ts``: ``hosts`` is their number, ``groups`` are groups of similar
    hosts, the largest first.

    ``other_hosts`` are in ``other_groups`` smaller groups, and ``idle`` hosts were not compared.
    """

    ts: float
    hosts: int
    groups: tuple[HostGroup, ...]
    other_hosts: int = 0
    other_groups: int = 0
    idle: int = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """A text for each group, and one for the other hosts, if any."""
        others = []
        if self.other_hosts:
            others.append(f"{self.other_hosts} of {self.other_groups} other kinds")
        if self.idle:
            others.append(f"{self.idle} idle for longer, which were not compared")
        texts = [group.text for group in self.groups]
        return (*texts, *([", ".join(others)] if others else []))


class SessionCount(NamedTuple):
    """How many sessions a host has had so far, and what identifies the host in its lines."""

    sessions: int
    host: str
    mac: str
    vlan: str
    site: str
    first_seen: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another device, with its probability; possible: whether the evidence does not rule it out."""

    device: str
    probability: float
    possible: bool = False

    @property
    def text(self) -> str:
        """For an analyst to read; a star marks a possible device."""
        return f"{self.device}={self.probability:.2f}{'*' if self.possible else ''}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state and device of a host, with the evidence.

    ``ts`` is the deciding session's time, ``since`` when this state began; all times are seconds
    since the epoch. ``previous`` is the device before, or else the state before.
    ``evidence`` has destinations of one kind, :class:`Attended` or :class:`Surprising`; ``uids``
    are for a pivot into conn.log. ``vlan`` and ``site`` are the parts of the segment in which
    ``host`` is unique, see :func:`segment_parts`. ``hint``: what a host without a device may be.
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
    alternatives: tuple[Alternative, ...]
    sessions: int
    since: float
    first_seen: float
    reason: str
    evidence: tuple[Evidence, ...]
    uids: tuple[str, ...]
    model: str
    worker: str = ""
    vlan: str = ""
    site: str = ""
    hint: Hint = NO_HINT

    def row(self) -> Row:
        """This verdict as a row of the log."""
        attended = tuple(one for one in self.evidence if isinstance(one, Attended))
        surprising = tuple(one for one in self.evidence if isinstance(one, Surprising))
        regular = tuple(
            one for one in self.evidence if isinstance(one, RegularDestination) and one.address
        )
        found: tuple[Destination, ...] = attended or surprising or regular
        similar = [one.address for one in self.evidence if isinstance(one, SimilarHost)]
        return Row(
            ts=self.ts,
            host=self.host,
            mac=self.mac,
            hostname=self.hostname,
            vendor=self.vendor,
            state=self.state,
            previous=self.previous,
            device=self.device,
            category=self.category,
            confidence=self.confidence,
            alternatives=tuple(one.text for one in self.alternatives),
            sessions=self.sessions,
            since=self.since,
            first_seen=self.first_seen,
            reason=self.reason,
            evidence=tuple(one.text for one in self.evidence),
            uids=self.uids,
            model=self.model,
            worker=self.worker,
            vlan=self.vlan,
            site=self.site,
            evidence_dst=tuple(one.address for one in found),
            evidence_port=tuple(one.port for one in found),
            evidence_proto=tuple(one.transport for one in found),
            evidence_pool=tuple(one.pool for one in found),
            evidence_org=tuple(one.organisation for one in found),
            evidence_ts=tuple(one.ts for one in found),
            evidence_sessions=tuple(one.sessions for one in attended),
            evidence_weight=tuple(round(one.weight, _DIGITS) for one in attended),
            evidence_surprise=tuple(round(one.surprise, _DIGITS) for one in surprising),
            alternative_device=tuple(one.device for one in self.alternatives),
            alternative_confidence=tuple(
                round(one.probability, _DIGITS) for one in self.alternatives
            ),
            similar_host=similar[0] if similar else "",
            evidence_name=(
                tuple(one.name for one in found) if any(one.name for one in found) else ()
            ),
            hints=self.hint.texts,
            hint_maker=self.hint.maker,
            hint_kind=self.hint.kind,
            alternative_possible=tuple(one.possible for one in self.alternatives),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A verdict as it is written: the columns of nba_device.log and the arguments of
    ``NBA::verdict``, in their order. Unset columns are empty.

    The columns ``evidence_*`` have an entry for each destination in the evidence, or none where
    they do not apply; ``alternative_*`` one for each alternative.
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
    worker: str = ""
    vlan: str = ""
    site: str = ""
    evidence_dst: tuple[str, ...] = ()
    evidence_port: tuple[int, ...] = ()
    evidence_proto: tuple[str, ...] = ()
    evidence_pool: tuple[str, ...] = ()
    evidence_org: tuple[str, ...] = ()
    evidence_ts: tuple[float, ...] = ()
    evidence_sessions: tuple[int, ...] = ()
    evidence_weight: tuple[float, ...] = ()
    evidence_surprise: tuple[float, ...] = ()
    alternative_device: tuple[str, ...] = ()
    alternative_confidence: tuple[float, ...] = ()
    similar_host: str = ""
    evidence_name: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    hint_maker: str = ""
    hint_kind: str = ""
    alternative_possible: tuple[bool, ...] = ()

    def destinations(self) -> list[Destination]:
        """The destinations in the evidence that have an address, a time, and a weight or surprise
        in the columns; without uids."""
        # Zeek's TSV prints a vector of one empty text as an empty vector.
        organisations = self.evidence_org or ("",) * len(self.evidence_dst)
        names = self.evidence_name or ("",) * len(self.evidence_dst)
        common = zip(
            self.evidence_dst,
            self.evidence_port,
            self.evidence_proto,
            self.evidence_pool,
            organisations,
            names,
            self.evidence_ts,
            strict=False,
        )
        if self.evidence_surprise:
            found: list[Destination] = [
                Surprising(host, port, proto, pool, org, ts, "", surprise, name=name)
                for (host, port, proto, pool, org, name, ts), surprise in zip(
                    common, self.evidence_surprise, strict=False
                )
            ]
        else:
            found = [
                Attended(host, port, proto, pool, org, ts, "", sessions, weight, name=name)
                for (host, port, proto, pool, org, name, ts), sessions, weight in zip(
                    common, self.evidence_sessions, self.evidence_weight, strict=False
                )
            ]
        return [one for one in found if one.ts > 0]

    def items(self) -> Iterator[tuple[str, object]]:
        """Column names with their values, in order."""
        return ((f.name, getattr(self, f.name)) for f in fields(self))
