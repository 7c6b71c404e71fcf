"""The evidence of verdicts, read back from its text: which sessions, and how much each counted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nba_broker.records.times import parse_time
from nba_broker.records.verdicts import Verdict

_WHERE = r"(?P<address>[0-9a-fA-F.:]+) (?P<port>\d+/\w+) (?P<pool>.+?)(?: \((?P<org>.*)\))?"
_ATTENTION = re.compile(
    rf"{_WHERE} sessions=(?P<sessions>\d+) weight=(?P<weight>\d+(?:\.\d+)?) last=(?P<when>\S+)"
)
_SURPRISE = re.compile(rf"{_WHERE} at (?P<when>\S+) surprise=(?P<weight>\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Session:
    """A destination that spoke for a verdict.

    ``weight`` is the share of the model's attention, 0 to 1, or the surprise in nats; ``ts`` the
    last session's time; ``sessions`` their number.
    """

    kind: Literal["attention", "surprise"]
    ts: float
    address: str
    port: str
    pool: str
    organisation: str
    weight: float
    sessions: int


def session(text: str) -> Session | None:
    """A piece of evidence as the session that it names; None if it names none."""
    kind: Literal["attention", "surprise"] = "attention"
    found = _ATTENTION.fullmatch(text)
    if found is None:
        kind, found = "surprise", _SURPRISE.fullmatch(text)
    if found is None:
        return None
    try:
        ts = parse_time(found["when"])
    except (ValueError, OverflowError):
        return None
    return Session(
        kind,
        ts,
        found["address"],
        found["port"],
        found["pool"],
        found["org"] or "",
        float(found["weight"]),
        int(found["sessions"]) if kind == "attention" else 1,
    )


def sessions(verdicts: Iterable[Verdict]) -> list[Session]:
    """The sessions that the evidence of these verdicts names, each once, in the order of time."""
    found = {session(text) for verdict in verdicts for text in verdict.evidence}
    return sorted(filter(None, found), key=lambda one: (one.ts, one.address, one.port))


def likenesses(alternatives: Iterable[str]) -> list[tuple[str, float]]:
    """Runners-up, ``name=0.12``, as names with probabilities; what is none of that is left out."""
    found = []
    for text in alternatives:
        name, _, share = text.rpartition("=")
        try:
            probability = float(share)
        except ValueError:
            continue
        if name and 0 <= probability <= 1:
            found.append((name, probability))
    return found
