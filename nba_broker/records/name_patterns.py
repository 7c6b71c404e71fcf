"""Patterns of DNS names, as analysts write them: ``fw.ring.com``, or ``*.ring.com`` for what is
below."""

from __future__ import annotations

from nba_broker.records.names import is_name

_ALL_BELOW = "*."


def pattern(text: str) -> str:
    """A pattern in the notation of the log: lower case, without a final dot. Raises ValueError for
    a text that is none."""
    lower = text.strip().lower().removesuffix(".")
    name = lower.removeprefix(_ALL_BELOW)
    if not lower.isascii():
        raise ValueError(f"name {text!r} is not ASCII; give it as DNS has it (xn--...)")
    if not is_name(name) or "*" in name or not all(name.split(".")):
        raise ValueError(f"name {text!r} is not a name, or *. and a name, such as *.ntp.org")
    return lower


def matches(pattern: str, name: str) -> bool:
    """Whether a name is the one of the pattern, or, with ``*.``, below it by one label or more."""
    if pattern.startswith(_ALL_BELOW):
        return name.endswith(pattern[1:]) and len(name) >= len(pattern)
    return bool(name) and name == pattern
