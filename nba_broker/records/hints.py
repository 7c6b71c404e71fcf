"""Hints of what a host may be, and the facts that they are drawn from.

A hint takes no part in a verdict. :mod:`nba_broker.hosts.hints` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_REASONS = 6
"""Reasons of a hint at most, so that an analyst can read them at a glance."""

OUI = "OUI"
"""The fact that a reason is if it is the maker of the host's interface."""

_LONGEST = 80  # characters of a reason


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What is known of a host beside its sessions; what is not known is empty.

    vendor: the maker of its interface. hostname, vendor_class, params: of its DHCP requests (RFC
    2132, options 12, 60 and 55). names: the names that it asked for, each with its number of
    sessions. services: the types of services that it announces by mDNS, such as ``_hue._tcp``.
    descriptions: keys and values in their descriptions, ``md=BSB002``. ports: at which other hosts
    use it, ``9100/tcp``.
    """

    vendor: str = ""
    hostname: str = ""
    vendor_class: str = ""
    params: tuple[int, ...] = ()
    names: Mapping[str, int] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """A fact that a hint rests on: what kind of fact it is, and its value as the host gave it.
    ``share``: of the host's names, if it is one of these."""

    fact: str
    value: str
    share: float | None = None

    @property
    def text(self) -> str:
        """For an analyst to read: printable and short, whatever the host gave."""
        shown = f"{self.fact} {self.value}" if self.fact else self.value
        shown = "".join(char if char.isprintable() else "?" for char in shown[: _LONGEST + 1])
        if len(shown) > _LONGEST:
            shown = shown[: _LONGEST - 3] + "..."
        return shown if self.share is None else f"{shown} {100 * self.share:.0f} %"


@dataclass(frozen=True, slots=True)
class Hint:
    """What a host may be: its maker, its kind, its operating system, each "" where that is not
    clear; and the reasons."""

    maker: str = ""
    kind: str = ""
    system: str = ""
    reasons: tuple[Reason, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.maker or self.kind or self.system)

    @property
    def says_more(self) -> bool:
        """Whether it says more than the maker of the host's interface."""
        of_others = any(one.fact != OUI for one in self.reasons)
        return bool(self.kind or self.system or of_others)

    @property
    def guess(self) -> str:
        """The hint without its reasons, such as ``camera? Wyze``."""
        parts = (f"{self.kind}?" if self.kind else "", self.maker, self.system)
        return " ".join(part for part in parts if part)

    @property
    def text(self) -> str:
        """The guess with its reasons, such as ``camera? Wyze: OUI Wyze Labs Inc``."""
        return f"{self.guess}: {', '.join(one.text for one in self.reasons)}" if self else ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The guess and each reason, for an analyst to read; empty where there is no hint."""
        return (self.guess, *(one.text for one in self.reasons)) if self else ()


NO_HINT = Hint()
