"""The evidence for a verdict as data; each piece makes its text in the log line."""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

from nba_broker.records.times import print_time

_NAMED = 8  # addresses in a text at most, to keep it short
_NAME = 80  # characters of a name in a text, which has 256 in all


class Evidence(Protocol):
    """A piece of evidence, a dataclass of texts and numbers."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def text(self) -> str:
        """For an analyst to read."""
        ...


@dataclass(frozen=True, slots=True)
class Destination:
    """The destination of sessions of the host. ``transport`` is its name as Zeek prints it,
    ``organisation`` that of a public pool, and ``name`` the one by which the host knew the address;
    "" where none is known.

    ``ts`` is the time of the last of these sessions in seconds since the epoch. ``uid`` is that of
    the most important one, for a look into conn.log.
    """

    address: str
    port: int
    transport: str
    pool: str
    organisation: str
    ts: float
    uid: str
    name: str = field(default="", kw_only=True)

    @property
    def place(self) -> str:
        """The destination as text; the text of the evidence begins with it."""
        return f"{self.address} {self.port}/{self.transport} {self.known_as}"

    @property
    def known_as(self) -> str:
        """The name with the network behind it, ``fw.ring.com (Amazon.com, Inc.)``, or the pool,
        ``as:16509 (Amazon.com, Inc.)``."""
        return known_as(self.name, self.pool, self.organisation)


def known_as(name: str, pool: str, organisation: str) -> str:
    """What a destination is called in a text, see :attr:`Destination.known_as`."""
    behind = organisation or (pool if name else "")
    return f"{brief_name(name) or pool}{f' ({behind})' if behind else ''}"


def brief_name(name: str) -> str:
    """A name in a text: its end, which says who owns it, where it is longer than a text needs."""
    return name if len(name) <= _NAME else f"...{name[-_NAME + 3 :]}"


@dataclass(frozen=True, slots=True)
class Attended(Destination):
    """A destination with attention of the model: ``weight`` is the share of the attention of all
    ``sessions`` in the window to this destination, 0 to 1."""

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
    """The destination of one session that is unusual for the host; ``surprise`` in nats."""

    surprise: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"{self.place} at {_whole(self.ts)} surprise={self.surprise:.1f}"


@dataclass(frozen=True, slots=True)
class RegularDestination(Destination):
    """A destination of the host that is missing, or ``back``; ``daily``: its usual number of
    sessions in 24 hours of the host. ``ts`` is the last hour with such a session before it was
    missing. ``address`` is one of the pool, "" where none is known."""

    daily: float
    back: bool

    @property
    def text(self) -> str:
        """For an analyst to read."""
        what = "back" if self.back else "missing"
        place = self.place.removeprefix(" ")
        return f"{what}: {place} last={print_time(self.ts)} usual={self.daily:.1f} a day"


@dataclass(frozen=True, slots=True)
class NamedDestinations:
    """The names to which most of a host's last sessions with a name went, most first."""

    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"goes to {', '.join(map(brief_name, self.names))}"


@dataclass(frozen=True, slots=True)
class WindowExtent:
    """The extent of the scored window: its number of sessions, the first one at ``since``."""

    sessions: int
    since: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"of {self.sessions} sessions since {print_time(self.since)}"


@dataclass(frozen=True, slots=True)
class AlarmSum:
    """The number of an alarm's sessions and the sum of their ``surprise`` in nats, since
    ``since``."""

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
    """The least number of sessions that a host lacks for its first verdict."""

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
        return f"similar to {self.address}{mac}, which an analyst named: {self.similarity:.2f}"


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
    """The host may still behave as this device without being an impostor."""

    device: str

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"may still behave as {self.device}"


@dataclass(frozen=True, slots=True)
class SharedMac:
    """Addresses that alternate behind one MAC within ``span`` seconds: the MAC is a router's."""

    addresses: tuple[str, ...]
    span: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        addresses = ", ".join(self.addresses[:_NAMED])
        return f"router: {addresses} alternate behind this MAC within {self.span / 60:.0f} minutes"


@dataclass(frozen=True, slots=True)
class HostsApart:
    """The hosts behind a router's MAC count as separate hosts from now on."""

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return "its hosts are distinguished by lease or address from now on"


@dataclass(frozen=True, slots=True)
class SharedAddress:
    """Two MACs that alternate with one address within ``span`` seconds: they are of one host."""

    mac: str
    other: str
    address: str
    span: float

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return (
            f"bond: {self.mac} and {self.other} alternate with {self.address} within "
            f"{self.span / 3600:.0f} hours"
        )


@dataclass(frozen=True, slots=True)
class OneHost:
    """Two MACs are one host from now on, with this MAC as its key."""

    mac: str

    @property
    def text(self) -> str:
        """For an analyst to read."""
        return f"both are one host, {self.mac}, from now on"


def _whole(ts: float) -> str:
    """A time without its fraction of a second."""
    return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%dT%H:%M:%SZ}"


def uids(evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
    """The sessions of conn.log that the evidence names, in its order."""
    return tuple(one.uid for one in evidence if isinstance(one, Destination) and one.uid)
