"""What an inventory should have of a host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from nba_broker.records.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Host:
    """A host as an inventory has it.

    name: its host name, "" if unknown. manufacturer, model: never empty; ``known`` is whether the
    model is a device that a verdict named, or else only a kind. seen: the day of its latest
    session (UTC).
    """

    mac: str
    address: str
    name: str
    site: str
    manufacturer: str
    model: str
    known: bool
    state: str
    seen: date


def of(verdict: Verdict, site: str) -> Host:
    """The host of a verdict, at the site with that slug."""
    kind = verdict.category or verdict.hint.kind
    return Host(
        mac=verdict.mac,
        address=verdict.host,
        name=_printable(verdict.hostname, 64),
        site=site,
        manufacturer=_printable(verdict.hint.maker or verdict.vendor, 100) or "Unknown",
        model=_printable(verdict.device, 100) or f"Unknown {kind}".rstrip(),
        known=bool(_printable(verdict.device, 100)),
        state=verdict.state,
        seen=datetime.fromtimestamp(verdict.ts, UTC).date(),
    )


def _printable(text: str, longest: int) -> str:
    """A text that a host chose, as a field of so many characters takes it."""
    return "".join(char for char in text if char.isprintable())[:longest].strip()
