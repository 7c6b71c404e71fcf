"""A profile and its check as lines for people."""

from __future__ import annotations

from collections.abc import Sequence

from nba_broker.policy.check import Check
from nba_broker.policy.profile import Extent, Profile, Rule, number
from nba_broker.records.times import print_time

LISTED = 20
"""Lines of destinations without a rule; a scan has thousands."""


def of_profile(
    profile: Profile, learned: Check, repeats: int, listed: int | None = LISTED
) -> list[str]:
    """The rules, each with what it rests on, and what is without one: ``listed`` lines at most,
    None for all. learned: the profile's check of what it was learned from."""
    table = [("TO", "SERVICE", "SESSIONS", "DAYS", "HOSTS")]
    table += [(rule.place.text, rule.service.text, *_counts(rule.extent)) for rule in profile.rules]
    seen, left = learned.seen, learned.seen.sessions - learned.allowed
    unnamed = profile.unnamed()
    wide = [rule for rule in unnamed if rule.place.wider is None]
    lines = [
        *_aligned(table),
        "",
        f"Learned from {seen.text}, so incomplete: what the device does at other times is not in "
        "it.",
        f"{len(profile.rules)} rules allow {_share(learned.allowed, seen.sessions)} "
        "of these sessions.",
    ]
    if unnamed:
        lines.append(
            f"{len(unnamed)} rules ({_share(_sessions(unnamed), seen.sessions)} of the sessions) "
            f"go by address, because the name is not known; {len(wide)} of these "
            f"({_share(_sessions(wide), seen.sessions)}) by the network around it."
        )
    if left:
        lines.append(
            f"Left out: {number(left, 'session')} to what was used on fewer than {repeats} days "
            f"and by fewer than {repeats} hosts:"
        )
    return lines + _listed("LEFT OUT", learned, listed)


def of_check(check: Check, listed: int | None = LISTED) -> list[str]:
    """What the profile would have done on later days; ``listed`` as in :func:`of_profile`."""
    lines = [
        f"Check: {check.seen.text}, {_share(check.allowed, check.seen.sessions)} allowed, "
        f"{check.seen.sessions - check.allowed} blocked{':' if check.blocked else '.'}"
    ]
    return lines + _listed("BLOCKED", check, listed)


def _listed(title: str, check: Check, most: int | None) -> list[str]:
    """A table of what is without a rule, under an empty line; nothing if all has one."""
    if not check.blocked:
        return []
    table = [(title, "SERVICE", "SESSIONS", "DAYS", "HOSTS", "FIRST DAY")]
    table += [
        (one.place.text, one.service, *_counts(one.extent), print_time(one.since)[:10])
        for one in check.blocked[:most]
    ]
    more = len(check.blocked) - len(table) + 1
    return ["", *_aligned(table), *([f"and {more} more (--all lists them)"] if more else [])]


def _sessions(rules: Sequence[Rule]) -> int:
    return sum(rule.extent.sessions for rule in rules)


def _counts(extent: Extent) -> tuple[str, str, str]:
    return str(extent.sessions), str(extent.days), str(extent.hosts)


def _share(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.2%}"


def _aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
