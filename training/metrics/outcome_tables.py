"""The figures of host-days as lines of text: for a terminal and for a model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.metrics.outcomes import OUTCOMES

CONFIDENCES = (0.0, 0.9, 0.99)
"""Confidences from which on names are counted in a text; a JSON has all of them."""


def table(rows: Mapping[str, Mapping[str, Any]], what: str) -> list[str]:
    """Right, no name and wrong in each row; ``what``: the heading of the names."""
    width = max(map(len, [what, *rows]))
    lines = [
        f"| {what:{width}} | host-days |         right |       no name |         wrong |",
        f"| {'-' * width} | --------: | ------------: | ------------: | ------------: |",
    ]
    for name, row in rows.items():
        total = sum(row[kind] for kind in OUTCOMES)
        cells = [share(row[kind], total) for kind in OUTCOMES]
        lines.append(f"| {name:{width}} | {total:9d} | {' | '.join(cells)} |")
    return lines


def share(number: int, total: int) -> str:
    """A number with its share of a total, 13 characters."""
    return f"{number:4d} {f'({number / total:.1%})':>8}" if total else f"{number:4d}         "


def sentences(figures: Mapping[str, Any]) -> list[str]:
    """What else the figures say: wrong names, devices unknown to the model, and what a name's
    confidence is worth."""
    lines = []
    if figures["mistaken"]:
        pairs = ", ".join(f"{one} was {other} ({n})" for one, other, n in figures["mistaken"])
        lines.append(f"Wrong names: {pairs}.")
    if figures["of_unknown_devices"]:
        lines.append(
            f"{figures['of_unknown_devices']} host-days are of devices that the model does not "
            "know: no name is right for them."
        )
    return [*lines, *confidence(figures)]


def confidence(figures: Mapping[str, Any]) -> list[str]:
    """What the logged confidence of a name is worth, in two sentences; none without a name."""
    if not figures["risk_coverage"]:
        return []
    parts = []
    for least in CONFIDENCES:
        row = at(figures["risk_coverage"], least)
        which = f"with a confidence from {least:g} on" if least else "with any confidence"
        parts.append(
            f"{which} {row['coverage']:.1%}, {row['risk']:.1%} of these wrong"
            if row
            else f"{which} none"
        )
    return [
        f"Host-days with a name: {'; '.join(parts)} (area under risk by coverage "
        f"{figures['aurc']:.4f}).",
        f"Expected calibration error of the confidence: {figures['ece']:.3f}.",
    ]


def at(curve: Sequence[Mapping[str, float]], least: float) -> Mapping[str, float] | None:
    """The row of a risk-coverage curve for the names from this confidence on, None for none."""
    found = None
    for row in curve:
        if row["confidence"] >= least:
            found = row
    return found
