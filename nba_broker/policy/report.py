"""A profile and its check as lines for people."""

from __future__ import annotations

from collections.abc import Sequence

from nba_broker.policy.check import Check
from nba_broker.policy.profile import Extent, Profile, Rule
from nba_broker.records.times import print_time

_LISTED = 20
"""Lines of blocked destinations at most; a scan has thousands."""


def of_profile(profile: Profile, repeats: int) -> list[str]:
    """The rules, each with what it rests on, and what is without one."""
    table = [("TO", "SERVICE", "SESSIONS", "DAYS", "HOSTS")]
    table += [(rule.place.text, rule.service.text, *_counts(rule.extent)) for rule in profile.rules]
    seen, left = profile.seen, profile.left_out
    unnamed = profile.unnamed()
    wide = [rule for rule in unnamed if rule.place.wider is None]
    lines = [
        *_aligned(table),
        "",
        f"Learned from {seen.text}, so incomplete: what the device does at other times is not in "
        "it.",
        f"{len(profile.rules)} rules allow {_share(seen.sessions - left.sessions, seen.sessions)} "
        "of these sessions.",
    ]
    if unnamed:
        lines.append(
            f"{len(unnamed)} rules ({_share(_sessions(unnamed), seen.sessions)} of the sessions) "
            f"go by address, because the name is not known; {len(wide)} of these "
            f"({_share(_sessions(wide), seen.sessions)}) by the network around it."
        )
    if left.sessions:
        lines.append(
            f"Left out: {left.sessions} sessions to what was used on fewer than {repeats} days and "
            f"by fewer than {repeats} hosts."
        )
    return lines


def of_check(check: Check) -> list[str]:
    """What the profile would have done on later days."""
    lines = [
        f"Check: {check.seen.text}, {_share(check.allowed, check.seen.sessions)} allowed, "
        f"{check.seen.sessions - check.allowed} blocked{':' if check.blocked else '.'}"
    ]
    table = [("BLOCKED", "SERVICE", "SESSIONS", "DAYS", "HOSTS", "FIRST DAY")]
    table += [
        (one.place.text, one.service, *_counts(one.extent), print_time(one.since)[:10])
        for one in check.blocked[:_LISTED]
    ]
    if check.blocked:
        lines += ["", *_aligned(table)]
    if len(check.blocked) > _LISTED:
        lines.append(f"and {len(check.blocked) - _LISTED} more")
    return lines


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
