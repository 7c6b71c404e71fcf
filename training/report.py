"""A comparison's figures as a table of text and as one page that needs no network."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

_TEMPLATE = "report.html.j2"
PUBLISHED = {"nba-dst-interval": 0.9967}
"""Accuracies that the paper's Table 4 gives, on its own testbed, as far as they are known here."""

_DAY = 86_400


def table(result: dict[str, Any]) -> list[str]:
    """What a terminal shows: one line per system, Markdown that is readable as it is."""
    width = max(len(name) for name in result["systems"])
    lines = []
    for column in ("validation", "test"):
        tables = {name: one[column] for name, one in result["systems"].items() if one[column]}
        if not tables:
            continue
        leaks = ", LEAKING: parts share sessions" if result["leaks"] else ""
        lines += [
            "",
            f"{result['protocol']}, {column}{leaks}",
            "",
            f"| {'system':{width}} | macro-F1 | 95 % interval | accuracy | balanced | answered "
            "|   ECE | own macro-F1 | own balanced | once macro-F1 | once right |",
            f"| {'-' * width} | -------: | :-----------: | -------: | -------: | -------: "
            "| ----: | -----------: | -----------: | ------------: | ---------: |",
        ]
        for name, one in tables.items():
            asked, own, once = one["asked"], one["own"], one["once"]
            figures = ["       -", "      -      ", "       -", "       -", "       -", "    -"]
            if asked["decisions"]:
                natural = asked["natural"]
                low, high = natural["macro_f1_interval"]
                error = asked["ece"]
                figures = [
                    f"{natural['macro_f1']:8.4f}",
                    f"{low:.3f} - {high:.3f}",
                    f"{natural['accuracy']:8.4f}",
                    f"{asked['balanced']['accuracy']:8.4f}",
                    f"{asked['answered']:8.3f}",
                    "    -" if error is None else f"{error:5.3f}",
                ]
            if own["decisions"]:
                figures += [
                    f"{own['natural']['macro_f1']:12.4f}",
                    f"{own['balanced']['accuracy']:12.4f}",
                    f"{once['natural']['macro_f1']:13.4f}",
                    f"{once['natural']['accuracy']:10.4f}",
                ]
            lines.append(f"| {name:{width}} | {' | '.join(figures)} |")
    return lines


def render(result: dict[str, Any]) -> str:
    """One HTML page of all figures, with its styles, pictures and the little script it needs."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["day"] = lambda day: datetime.fromtimestamp(day * _DAY, UTC).date()
    environment.filters["percent"] = lambda share: f"{share * 100:.2f}"
    environment.filters["seconds"] = _seconds
    return environment.get_template(_TEMPLATE).render(
        result=result,
        published=PUBLISHED,
        shown=[
            {"name": name, "column": column, **one, "figures": one[column]}
            for name, one in result["systems"].items()
            for column in ("test" if one["test"] else "validation",)
        ],
        pictures=_pictures(result),
    )


def _pictures(result: dict[str, Any]) -> dict[str, Any]:
    """Embedding and examples of the last system that has both, rivals before variants."""
    having = [
        (not one["variant"], number, name, shown)
        for number, (name, one) in enumerate(result["systems"].items())
        if "embedding" in (shown := (one["test"] or one["validation"])["shown"])
    ]
    if not having:
        return {"of": "", "examples": [], "embedding": "null"}
    _, _, name, shown = max(having, key=lambda one: one[:2])
    return {
        "of": name,
        "examples": shown["examples"],
        # Only "</" could end the script element that holds it.
        "embedding": json.dumps(shown["embedding"]).replace("</", "<\\/"),
    }


def _seconds(value: float) -> str:
    """A time as people write it: ``57 ms``, ``5 min``."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e3:.3g} ms" if value >= 0 else "first"
