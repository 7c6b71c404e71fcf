"""Everything an operator may set, with its default and unit; nba_broker.cli.config reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nba_broker.destinations.nat64 import Translation
from nba_broker.records.addresses import Network
from nba_broker.records.errors import ConfigError

MAX_PARTITIONS = 1000
"""A name on the wire has room for three digits, see docs/wire.md."""


@dataclass(frozen=True)
class Settings:
    """The settings of every command; the names are those of the file, flags and environment.

    Raises ConfigError if a value is out of range.
    """

    url: str = "ws://127.0.0.1:27758/v1/messages/json"
    """Zeek's WebSocket API, at NBA::listen_port; on loopback unless TLS is set up."""

    partition: int = 0
    """The partition that this worker serves, below NBA::partitions."""

    model: Path = Path()
    """A model folder, written by nba-train fit; the shipped model by default."""

    pools: tuple[Path, ...] = ()
    """ASN and country databases in MaxMind format; the embedded one by default."""

    overrides: Path | None = None
    """A CSV file ``cidr,name,pool`` that gives networks and names pools of the site's own; read
    again when it changes."""

    local: tuple[Network, ...] = ()
    """The site's own public networks: their addresses are hosts in an archive, and ``local`` as
    destinations."""

    lans: tuple[Network, ...] = ()
    """LANs that are not the /24 or /64 around their hosts."""

    nat64: tuple[Network, ...] = ()
    """NAT64 prefixes of the network (RFC 6052), beside 64:ff9b::/96: destinations in them count as
    the IPv4 addresses they contain."""

    annotations: Path | None = None
    """The CSV file of the analysts' annotations; read again whenever it changes."""

    ca: Path | None = None
    """Certificate authority that must have signed Zeek's server certificate, for wss://."""

    cert: Path | None = None
    """Client certificate for Zeek; needs ``key``."""

    key: Path | None = None
    """Private key of ``cert``."""

    state: Path | None = None
    """A folder for snapshots of the hosts' state; without one a restart forgets all hosts."""

    snapshot_interval: float = 60.0
    """Seconds between two snapshots: a crash loses the sessions of so many seconds at most."""

    metrics: str | None = None
    """``HOST:PORT`` where Prometheus reads metrics; none by default."""

    shadow: Path | None = None
    """A candidate model that scores the same windows and decides nothing; see docs/renewal.md."""

    reorder: float = 0.1
    """Seconds that a session waits for earlier sessions of other nodes: NBA::flush_interval."""

    reminder: float = 86_400.0
    """Seconds of event time after which an unchanged host is logged again; 0 for never."""

    max_hosts: int = 100_000
    """Hosts tracked at most; the longest idle are evicted first. A host takes 1,190 B, and 46 B per
    session of the window."""

    zeek: Path | None = None
    """The Zeek that reads captures: its prefix, its bin folder or its executable; the one on PATH
    by default."""

    netbox: str | None = None
    """The address of a NetBox, into which ``nba-broker netbox`` brings the hosts."""

    netbox_token: str | None = None
    """An API token of that NetBox; no flag, since every user can read other users' flags."""

    sites: Path | None = None
    """A CSV file ``cidr,site`` that says which site of NetBox a host is at."""

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ConfigError("cert and key go together: set both, or neither")
        if not 0 <= self.partition < MAX_PARTITIONS:
            raise ConfigError(f"partition must be from 0 to {MAX_PARTITIONS - 1}")
        if not 16 <= self.max_hosts <= 10_000_000:
            raise ConfigError("max_hosts must be from 16 to 10,000,000")
        if not (self.reorder >= 0 and self.reminder >= 0):
            raise ConfigError("reorder and reminder must be at least 0")
        if not self.snapshot_interval >= 1:
            raise ConfigError("snapshot_interval must be at least 1 second")
        try:
            Translation(self.nat64)
        except ValueError as error:
            raise ConfigError(f"nat64: {error}") from None
