"""Reads the settings from a TOML file, then the environment, then the command line."""

from __future__ import annotations

import dataclasses
import ipaddress
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from nba_broker.records.errors import ConfigError
from nba_broker.worker.settings import Settings

_PREFIX = "NBA_"


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """The settings: defaults, then ``file``, then NBA_* variables that are not empty, then flags
    that are not None.

    Raises ConfigError, which names the setting and its source.
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
        name = variable.removeprefix(_PREFIX).lower()
        if variable.startswith(_PREFIX) and name in _FIELDS and value:
            values[name] = _parsed(name, value, variable)
    for name, value in flags.items():
        if value is not None and name in _FIELDS:
            values[name] = _parsed(name, value, f"--{name.replace('_', '-')}")
    if "model" not in values:
        values["model"] = shipped("default")
    if "pools" not in values:
        values["pools"] = (shipped("asn.mmdb.xz"),)
    return Settings(**values)


_FIELDS = {field.name: str(field.type) for field in dataclasses.fields(Settings)}


def _parsed(name: str, value: Any, where: str) -> Any:
    """A value from any of the three sources, converted to the type of its field."""
    if name not in _FIELDS:
        raise ConfigError(f"{where}: unknown setting {name!r}; use one of {', '.join(_FIELDS)}")
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
    """A file or folder of ``models/``, from an installed wheel or from the checkout.

    Raises ConfigError if it is missing.
    """
    installed = Path(str(resources.files("nba_broker"))) / "models" / name
    if installed.exists():
        return installed
    checkout = Path(__file__).resolve().parents[2] / "models" / name
    if checkout.exists():
        return checkout
    raise ConfigError(f"models/{name} is missing; reinstall nba-broker")
