"""A comparison's figures as a table of text and as one page that needs no network."""

from __future__ import annotations

from typing import Any


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
            "|   ECE | own macro-F1 | own balanced acc. | once |",
            f"| {'-' * width} | -------: | :-----------: | -------: | -------: | -------: "
            "| ----: | -----------: | ----------------: | ---: |",
        ]
        for name, one in tables.items():
            asked, own, once = one["asked"], one["own"], one["once"]
            if asked["decisions"]:
                natural = asked["natural"]
                low, high = natural["macro_f1_interval"]
                error = asked["ece"]
                figures = (
                    f"{natural['macro_f1']:8.4f} | {low:.3f} - {high:.3f} | "
                    f"{natural['accuracy']:8.4f} | {asked['balanced']['accuracy']:8.4f} | "
                    f"{asked['answered']:8.3f} | {'    -' if error is None else f'{error:5.3f}'}"
                )
            else:
                figures = "       - |       -       |        - |        - |        - |     -"
            if own["decisions"]:
                figures += (
                    f" | {own['natural']['macro_f1']:12.4f} | {own['balanced']['accuracy']:17.4f}"
                    f" | {once['natural']['accuracy']:.3f}"
                )
            lines.append(f"| {name:{width}} | {figures} |")
    return lines
