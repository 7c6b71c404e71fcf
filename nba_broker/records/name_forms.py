"""Forms of DNS names in which the names of several units, or of one unit on several days, agree."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[0-9]+")
# Serial numbers, hashes and UUIDs; "deadbeef" may be a word, so a digit is needed.
_HEX = re.compile(r"(?<![a-z0-9])(?=[a-f]*[0-9])[0-9a-f]{8,}(?![a-z0-9])")


def is_host_name(name: str) -> bool:
    """Whether a name has labels, two at least, and is no address."""
    _, dot, last = name.rpartition(".")
    return bool(dot and last) and not last.isdecimal() and ":" not in name


def without_numbers(text: str) -> str:
    """A text with every number in it, and every hexadecimal one of eight digits or more, as ``#``:
    ``#.pool.`` of ``2.pool.``."""
    return _NUMBER.sub("#", _HEX.sub("#", text))
