"""The settings of the runtime, from a TOML file, then the environment, then the command line."""

from __future__ import annotations

import dataclasses
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from nba_broker.destinations.nat64 import Translation
from nba_broker.records.addresses import Network
from nba_broker.records.errors import ConfigError

MAX_PARTITIONS = 1000
"""As many as names on the wire have room for, see docs/wire.md."""

ENVIRONMENT_PREFIX = "NBA_"


@dataclass(frozen=True)
class Config:
    """Everything an operator may set; the names are those of the file, flags and environment."""

    url: str = "ws://127.0.0.1:27758/v1/messages/json"
    """Zeek's WebSocket API: where NBA::listen_port listens, loopback unless TLS is set up."""

    partition: int = 0
    """Whose sessions this worker takes, where NBA::partitions says that several share the hosts."""

    model: Path = Path()
    """A folder that nba-train wrote; the shipped model by default."""

    pools: tuple[Path, ...] = ()
    """MaxMind-format ASN and country databases; the embedded one by default."""

    overrides: Path | None = None
    """A CSV file ``cidr,pool`` that names destinations of the site's own."""

    local: tuple[Network, ...] = ()
    """The site's own public networks: hosts in an archive, ``local`` as destinations."""

    lans: tuple[Network, ...] = ()
    """LANs that are not the /24 or /64 around their hosts."""

    nat64: tuple[Network, ...] = ()
    """NAT64 prefixes of the network's own (RFC 6052), beside 64:ff9b::/96: destinations in them are
    the IPv4 addresses within."""

    answers: Path | None = None
    """The CSV file with the analysts' answers; taken over whenever it changes."""

    ca: Path | None = None
    """Certificate authority that Zeek's server certificate is checked against, for wss://."""

    cert: Path | None = None
    """Client certificate shown to Zeek, with ``key``."""

    key: Path | None = None

    state: Path | None = None
    """A folder for snapshots of the hosts' state; without one a restart knows nothing."""

    snapshot_interval: float = 60.0
    """Seconds between two snapshots: what a crash costs at most, beside what came meanwhile."""

    metrics: str | None = None
    """Where to answer Prometheus, as ``HOST:PORT``; nowhere by default."""

    shadow: Path | None = None
    """A model folder that is asked beside the model, and has no say; see docs/renewal.md."""

    reorder: float = 0.1
    """Seconds that a session waits for earlier ones of other nodes; a sensor's flush interval."""

    reminder: float = 86_400.0
    """Seconds of event time after which an unchanged host is logged again; 0 for never."""

    max_hosts: int = 100_000
    """Hosts tracked at most, 46 B per session of the window and 1,190 B each; the longest idle
    leave first."""

    zeek: Path | None = None
    """The Zeek that reads captures, its executable or its prefix; that on PATH by default."""

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ConfigError("cert and key go together: set both or none")
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


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """Defaults, then ``file``, then NBA_* variables, then flags that are not None.

    Raises ConfigError naming the setting and where it came from.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            with file.open("rb") as stream:
                document = tomllib.load(stream)
        except (OSError, ValueError, RecursionError) as error:  # not TOML, or not even UTF-8
            raise ConfigError(f"{file}: {error}") from error
        values |= {name: _parsed(name, value, str(file)) for name, value in document.items()}
    for variable, value in environment.items():
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if variable.startswith(ENVIRONMENT_PREFIX) and name in _FIELDS:
            values[name] = _parsed(name, value, variable)
    for name, value in flags.items():
        if value is not None and name in _FIELDS:
            values[name] = _parsed(name, value, f"--{name.replace('_', '-')}")
    if "model" not in values:
        values["model"] = shipped("default")
    if "pools" not in values:
        values["pools"] = (shipped("asn.mmdb.xz"),)
    return Config(**values)


_FIELDS = {field.name: str(field.type) for field in dataclasses.fields(Config)}


def _parsed(name: str, value: Any, where: str) -> Any:
    """A value of any of the three sources as its field's type."""
    if name not in _FIELDS:
        raise ConfigError(f"{where}: unknown setting {name!r}; known are {', '.join(_FIELDS)}")
    kind = _FIELDS[name]
    try:
        if kind.startswith("tuple"):
            if isinstance(value, str):
                value = [part.strip() for part in value.split(",") if part.strip()]
            return tuple(_PARSERS[kind](part) for part in value)
        return _PARSERS[kind](value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {name} = {value!r} is not usable ({error})") from error


_PARSERS: dict[str, Any] = {
    "str": str,
    "str | None": str,
    "int": int,
    "float": float,
    "Path": Path,
    "Path | None": Path,
    "tuple[Path, ...]": Path,
    "tuple[Network, ...]": ipaddress.ip_network,
}


def shipped(name: str) -> Path:
    """A file or folder of ``models/``: package data of an installed wheel, or the checkout's."""
    installed = Path(str(resources.files("nba_broker"))) / "models" / name
    if installed.exists():
        return installed
    checkout = Path(__file__).resolve().parents[2] / "models" / name
    if checkout.exists():
        return checkout
    raise ConfigError(f"models/{name} is missing here; install nba-broker again")
