"""Checks single values of Zeek's JSON, which may hold anything, and converts them.

A value that breaks the contract of docs/wire.md raises TypeError, ValueError or OSError.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from nba_broker.records.addresses import canonical
from nba_broker.records.announcements import is_announcement
from nba_broker.records.names import is_name
from nba_broker.records.ports import port_code
from nba_broker.records.times import END_OF_TIME

MAX_TEXT = 256
"""Bytes of a string; the Zeek side checks the same limit."""

_FAR = END_OF_TIME + 86_400.0

Argument = tuple[str, Any]
"""An argument of an event: its type, and its value as JSON has it."""


def brief(value: Any) -> str:
    """A value as a log line may print it. Only texts are printed: a value that is nested a thousand
    deep cannot be converted to text."""
    return value[:MAX_TEXT] if isinstance(value, str) else f"({type(value).__name__})"


T = TypeVar("T")


class _Checked(dict[str, T]):
    """Remembers values that passed a check, since the same few arrive again and again."""

    def __init__(self, check: Callable[[str], T], size: int = 262_144) -> None:
        super().__init__()
        self._check = check
        self._size = size

    def __missing__(self, value: str) -> T:
        if not isinstance(value, str):
            raise TypeError(f"{type(value).__name__} is not a string")
        checked = self._check(value)
        if len(self) >= self._size:
            self.clear()
        self[value] = checked
        return checked


def _check_mac(mac: str) -> str:
    if mac and not _MAC.fullmatch(mac):
        raise ValueError(f"{mac!r} is not a MAC")
    return mac.lower()


def _check_port(port: str) -> int:
    match = _PORT.fullmatch(port)
    if not match or int(match[1]) > 65_535:
        raise ValueError(f"{port!r} is not a port")
    return port_code(int(match[1]), match[2])


def _check_name(name: str) -> str:
    name = name.lower().removesuffix(".")
    if not is_name(name):
        raise ValueError(f"{name!r} is not a name")
    return name


def _check_announcement(what: str) -> str:
    if not is_announcement(what):
        raise ValueError(f"{what[:MAX_TEXT]!r} is not a service or a description")
    return what


def _check_vlan(vlan: str) -> str:
    if vlan and not _VLAN.fullmatch(vlan):
        raise ValueError(f"{vlan!r} is not a VLAN")
    return vlan


_VLAN = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4})?")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_PORT = re.compile(r"([0-9]{1,5})/(tcp|udp|icmp|unknown|\?)")

address = _Checked(lambda text: canonical(text)[0]).__getitem__
"""An address in its canonical text."""
mac = _Checked(_check_mac).__getitem__
"""A MAC in lower case, "" for none."""
port = _Checked(_check_port).__getitem__
"""The code of a port such as ``443/tcp``, see nba_broker.records.ports."""
vlan = _Checked(_check_vlan).__getitem__
"""A VLAN such as ``20`` or ``100.20``, "" for none."""
dns_name = _Checked(_check_name).__getitem__
"""A name as in nba_broker.records.names."""
announcement = _Checked(_check_announcement).__getitem__
"""What a host announces, as in nba_broker.records.announcements."""
packed = _Checked(lambda text: canonical(text)[1]).__getitem__
"""An address in 16 bytes."""


def column(argument: Argument) -> list[Any]:
    """The values of a vector, each with its type."""
    kind, values = argument
    if kind != "vector" or not isinstance(values, list):
        raise TypeError(f"{brief(kind)} is not a vector")
    return values


def text(argument: Argument) -> str:
    """A string of at most MAX_TEXT bytes."""
    kind, value = argument
    if kind != "string" or not isinstance(value, str) or len(value.encode()) > MAX_TEXT:
        raise ValueError("not a short string")
    return value


def count(argument: Argument) -> int:
    """A count."""
    kind, value = argument
    if kind != "count" or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError("not a count")
    return value


def time(argument: Argument) -> float:
    """A time in seconds since the epoch."""
    _, value = argument
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a time")
    if not (math.isfinite(value) and 0 <= value < _FAR):
        raise ValueError("a time is out of range")
    return float(value)
