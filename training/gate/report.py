"""The report of the gate: for the manifest, for a page and for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from training.gate.checks import Check


def report(
    checks: Sequence[Check],
    figures: dict[str, Any] | None,
    *,
    accepted: Collection[str],
    **more: Any,
) -> dict[str, Any]:
    """The content of JSON and page; ``passed`` when every check passed or was accepted.

    figures: those of the later days, or None when a check of the labels refused before training.
    """
    passed = all(one.passed or one.name in accepted for one in checks)
    return {
        "passed": passed and figures is not None,
        "checks": [asdict(one) | {"accepted": one.name in accepted} for one in checks],
        "later_days": figures,
        **more,
    }


def refused(result: dict[str, Any]) -> str:
    """One line with the reasons why a candidate did not pass."""
    reasons = [
        f"{one['name']}: {one['reason']}"
        for one in result["checks"]
        if not (one["passed"] or one["accepted"])
    ]
    return f"refused; {'; '.join(reasons)}"


def table(result: dict[str, Any]) -> list[str]:
    """The report as lines for a person."""
    lines = []
    for one in result["checks"]:
        verdict = "passed" if one["passed"] else "accepted" if one["accepted"] else "REFUSED"
        lines.append(f"{verdict:8} {one['name']:9} {one['reason']}")
    figures = result["later_days"]
    if figures is None:
        return [*lines, "", "no model was trained"]
    width = max(len("device"), *map(len, figures["classes"]))
    lines += [
        "",
        f"Later days, from {result['cut']} on: {figures['moments']} predicted sessions",
        "",
        f"| {'device':{width}} | F1 running | candidate | 95 % of the difference | right name "
        "| before | sessions |",
        f"| {'-' * width} | ---------: | --------: | ---------------------: | ---------: "
        "| -----: | -------: |",
    ]
    for name, one in figures["classes"].items():
        low, high = one["difference"]
        before, now = one["named"]
        lines.append(
            f"| {name:{width}} | {one['running']:10.3f} | {one['candidate']:9.3f} "
            f"| {low:+11.3f} to {high:+.3f} | {now:10.0%} | {before:6.0%} | {one['support']:8d} |"
        )
    for name, share in figures["new_classes"].items():
        lines.append(f"new: {name} has its right name for {share:.0%} of the time")
    return lines
