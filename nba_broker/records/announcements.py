"""What hosts announce of themselves by mDNS (RFC 6762, 6763): types of services, and models."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_TEXT = 128
"""Characters of an announcement at most: the models in public lists have less than 64."""

GROUPS = frozenset({"224.0.0.251", "ff02::fb"})
"""Where hosts announce. The sender of such a packet is the one who speaks."""

PORT = 5353
"""The port from which and to which they do so, with UDP."""

MODEL_KEYS = ("md", "ty", "model")
"""Keys of models in descriptions (HomeKit: md; printers: ty)."""

_KEYS = (*MODEL_KEYS, "vendor", "manufacturer", "ci")  # ci: HomeKit's category of an accessory
_SERVICE = re.compile(r"(?:.*\.)?(_[a-z0-9_-]+\._(?:tcp|udp))\.local\.?", re.IGNORECASE)
_DESCRIPTION = re.compile(rf"({'|'.join(_KEYS)})=(.+)", re.IGNORECASE)
_PLAIN = re.compile(r"[\x20-\x7e]+")
_TYPE = re.compile(r"_[a-z0-9_-]+\._(tcp|udp)")


@dataclass(frozen=True, slots=True)
class Announcement:
    """At ``ts`` the host at ``host``, in ``segment`` if that is known, announced ``what``: the type
    of a service, such as ``_hue._tcp``, or of its description a key and a value, ``md=BSB002``."""

    ts: float
    host: str
    what: str
    segment: str = ""


def is_service(what: str) -> bool:
    """Whether what is announced is the type of a service, not of a description."""
    return what.startswith("_")


def is_announcement(text: str) -> bool:
    """Whether a text may be what an :class:`Announcement` announces: printable ASCII, not too long,
    and of either form."""
    if len(text) > MOST_TEXT or not _PLAIN.fullmatch(text):
        return False
    return bool(_TYPE.fullmatch(text)) if is_service(text) else description(text) == text


def service(name: str) -> str:
    """The type of the service that a name is of, such as ``_hue._tcp`` for
    ``Bridge._hue._tcp.local``; "" where it is of none."""
    found = _SERVICE.fullmatch(name)
    return _usable(found[1].lower()) if found else ""


def description(text: str) -> str:
    """A key and a value of a description, the key in lower case; "" if the key does not say of
    which maker, model or kind the host is."""
    found = _DESCRIPTION.fullmatch(text)
    return _usable(f"{found[1].lower()}={found[2]}") if found else ""


def _usable(text: str) -> str:
    return text if len(text) <= MOST_TEXT and _PLAIN.fullmatch(text) else ""
