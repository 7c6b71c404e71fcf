"""What speaks for a verdict, as data; each piece makes the text that a log line has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from nba_broker.records.times import print_time

_NAMED = 8  # addresses in a text: more would make it too long


class Evidence(Protocol):
    """A piece of evidence."""

    @property
    def text(self) -> str:
        """For an analyst to read."""
        ...


@dataclass(frozen=True, slots=True)
class Destination:
    """Where sessions of the host went: ``port`` is a number, ``transport`` its name as Zeek prints
    it, ``organisation`` that of a public pool, "" where none is known.

    ``ts`` is the time of the last of these sessions in seconds since the epoch, ``uid`` the one to
    look at in conn.log.
    """

    address: str
    port: int
    transport: str
    pool: str
    organisation: str
    ts: float
    uid: str

    @property
    def place(self) -> str:
        """The destination alone; the text of the evidence begins with it."""
        return place(self.address, self.port, self.transport, self.pool, self.organisation)


def place(address: str, port: int, transport: str, pool: str, organisation: str) -> str:
    """A destination as text: ``52.0.0.1 443/tcp as:16509 (Amazon.com, Inc.)``."""
    return f"{address} {port}/{transport} {pool}{f' ({organisation})' if organisation else ''}"


@dataclass(frozen=True, slots=True)
class Attended(Destination):
    """A destination that the model looked at: ``weight`` is the share of its attention that all
    ``sessions`` to there in the window have together, 0 to 1."""

    sessions: int
    weight: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return (
            f"{self.place} sessions={self.sessions} weight={self.weight:.2f} "
            f"last={print_time(self.ts)}"
        )


@dataclass(frozen=True, slots=True)
class Surprising(Destination):
    """The destination of one session that is unlike the host; ``surprise`` in nats."""

    surprise: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"{self.place} at {_whole(self.ts)} surprise={self.surprise:.1f}"


@dataclass(frozen=True, slots=True)
class WindowExtent:
    """The window that the model looked at has so many sessions, the first one at ``since``."""

    sessions: int
    since: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"of {self.sessions} sessions since {print_time(self.since)}"


@dataclass(frozen=True, slots=True)
class AlarmSum:
    """An alarm's sessions, their number and their ``surprise`` in nats, all since ``since``."""

    sessions: int
    since: float
    surprise: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return (
            f"sessions unlike this host: {self.sessions} since {_whole(self.since)} "
            f"surprise={self.surprise:.1f}"
        )


@dataclass(frozen=True, slots=True)
class MissingSessions:
    """How many sessions a host at least lacks for its first verdict."""

    sessions: int

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"a verdict needs {self.sessions} more sessions or more"


@dataclass(frozen=True, slots=True)
class NamedByAnalyst:
    """An analyst gave the host another name than the model."""

    device: str

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"an analyst named it {self.device}"


@dataclass(frozen=True, slots=True)
class SimilarHost:
    """The host is similar to another one, which an analyst named; ``mac`` is "" where unknown,
    ``similarity`` from 0 to 1."""

    address: str
    mac: str
    similarity: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        mac = f" ({self.mac})" if self.mac else ""
        return f"like {self.address}{mac}, which an analyst named: {self.similarity:.2f}"


@dataclass(frozen=True, slots=True)
class AnnotationApplied:
    """An annotation, with its action, its time (0 for always) and the analyst's reason, if any."""

    action: str
    at: float
    reason: str

    @property
    def text(self) -> str:
        """For an analyst to read."""
        when = print_time(self.at)
        text = f"{self.action}{f' of {when}' if when else ''}"
        return f"{text}: {self.reason}" if self.reason else text


@dataclass(frozen=True, slots=True)
class AcceptedDevice:
    """The host may go on behaving like this device without being an impostor."""

    device: str

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"may go on looking like {self.device}"


@dataclass(frozen=True, slots=True)
class SharedMac:
    """Addresses that take turns behind one MAC within ``span`` seconds: it is a router's."""

    addresses: tuple[str, ...]
    span: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        addresses = ", ".join(self.addresses[:_NAMED])
        return f"router: {addresses} in turn behind this MAC within {self.span / 60:.0f} minutes"


@dataclass(frozen=True, slots=True)
class HostsApart:
    """The hosts behind a router's MAC are hosts of their own from here on."""

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return "its hosts are told apart by lease or address from here on"


@dataclass(frozen=True, slots=True)
class SharedAddress:
    """Two MACs take turns with one address within ``span`` seconds: they are one host's."""

    mac: str
    other: str
    address: str
    span: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return (
            f"bond: {self.mac} and {self.other} in turn with {self.address} within "
            f"{self.span / 3600:.0f} hours"
        )


@dataclass(frozen=True, slots=True)
class OneHost:
    """Two MACs are one host, known by this one, from here on."""

    mac: str

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"both are one host, {self.mac}, from here on"


def _whole(ts: float) -> str:
    """A time without its fraction of a second."""
    return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%dT%H:%M:%SZ}"


def uids(evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    """The sessions of conn.log that the evidence names, in its order."""
    return tuple(one.uid for one in evidence if isinstance(one, Destination) and one.uid)
