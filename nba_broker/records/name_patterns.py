"""Patterns of DNS names, as operators and analysts write them: ``fw.ring.com``, or ``*.ring.com``
for what is below."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from nba_broker.records.name_forms import is_host_name
from nba_broker.records.names import is_name

_ALL_BELOW = "*."
_IN_URL = re.compile(r"(?:[^/]*://)?(?:[^/@]*@)?([^/:?#]*)")


def pattern(text: str, for_addresses: str) -> str:
    """A pattern in the notation of the log: lower case, without a final dot. Raises ValueError for
    a text that is none. for_addresses: where to give an address instead."""
    lower = text.strip().lower().removesuffix(".")
    name = lower.removeprefix(_ALL_BELOW)
    if not lower.isascii():
        raise ValueError(f"name {text!r} is not ASCII; give it as DNS has it (xn--...)")
    if _is_network(lower):
        raise ValueError(f"name {text!r} is an address or network; give it as {for_addresses}")
    if "/" in lower or ":" in lower:
        found = _IN_URL.match(lower)
        such = f", such as {found[1]}" if found and is_host_name(found[1]) else ""
        raise ValueError(f"name {text!r} is a URL, or has a port or path; give a name alone{such}")
    if not is_name(name) or "*" in name or not all(name.split(".")):
        raise ValueError(f"name {text!r} is not a name, or *. and a name, such as *.ntp.org")
    return lower


def matches(pattern: str, name: str) -> bool:
    """Whether a name is the one of the pattern, or, with ``*.``, below it by one label or more."""
    if pattern.startswith(_ALL_BELOW):
        return name.endswith(pattern[1:]) and len(name) >= len(pattern)
    return bool(name) and name == pattern


def patterns_of(name: str) -> Iterator[str]:
    """All patterns that match a name, the most specific first: the name, then what is below each of
    its domains."""
    yield name
    at = name.find(".", 1)
    while at > 0:
        yield "*" + name[at:]
        at = name.find(".", at + 1)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
