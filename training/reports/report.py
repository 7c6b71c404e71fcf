"""A comparison's figures as tables of text and as one page that needs no network."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

PUBLISHED = {"nba-dst-interval": 0.9967}
"""Accuracies that the paper's Table 4 gives, on its own testbed, as far as they are known here."""

_DAY = 86_400
_LEAST_ANSWERED = 0.5


def table(result: dict[str, Any]) -> list[str]:
    """What a terminal shows: a line per system and one per class, Markdown readable as it is."""
    lines: list[str] = []
    for column in ("validation", "test"):
        if systems := {name: one[column] for name, one in result["systems"].items() if one[column]}:
            leaks = ", LEAKING: parts share sessions" if result["leaks"] else ""
            lines += ["", f"{result['protocol']}, {column}{leaks}", "", *_systems(systems)]
    if decided := [one for one in _shown(result) if one["table"]["decisions"]]:
        lines += ["", *_classes(result, decided)]
    if result["left_out"]:
        lines += ["", f"Too little to learn from for {', '.join(result['left_out'])}."]
    if result["caveat"]:
        lines += ["", f"Caveat: {result['caveat']}."]
    return lines


def _systems(systems: dict[str, dict[str, Any]]) -> list[str]:
    width = max(map(len, systems))
    lines = [
        f"| {'system':{width}} | Table 4 | macro-F1 | 95 % interval | accuracy | balanced "
        "| answered |   ECE | own macro-F1 | own worst F1 | own balanced "
        "| once macro-F1 | once right |",
        f"| {'-' * width} | ------: | -------: | :-----------: | -------: | -------: | -------: "
        "| ----: | -----------: | -----------: | -----------: | ------------: | ---------: |",
    ]
    for name, one in systems.items():
        asked, own, once = one["asked"], one["own"], one["once"]
        paper = f"{PUBLISHED[name]:7.4f}" if name in PUBLISHED else "      -"
        figures = [paper, "       -", "      -      ", "       -", "       -", "       -", "    -"]
        if asked["decisions"]:
            natural = asked["natural"]
            low, high = natural["macro_f1_interval"]
            error = asked["ece"]
            figures[1:] = [
                f"{natural['macro_f1']:8.4f}",
                f"{low:.3f} - {high:.3f}",
                f"{natural['accuracy']:8.4f}",
                f"{asked['balanced']['accuracy']:8.4f}",
                f"{asked['answered']:8.3f}",
                "    -" if error is None else f"{error:5.3f}",
            ]
        if own["decisions"]:
            worst = min(row["f1"] for row in own["natural"]["classes"].values())
            figures += [
                f"{own['natural']['macro_f1']:12.4f}",
                f"{worst:12.4f}",
                f"{own['balanced']['accuracy']:12.4f}",
                f"{once['natural']['macro_f1']:13.4f}",
                f"{once['natural']['accuracy']:10.4f}",
            ]
        lines.append(f"| {name:{width}} | {' | '.join(figures)} |")
    return lines


def _classes(result: dict[str, Any], shown: list[dict[str, Any]]) -> list[str]:
    """Each class as the last system of the test part tells it, and its F1 by the others there.

    Of the own instances of all where one of them is judged by these.
    """
    column = "test" if any(one["column"] == "test" for one in shown) else "validation"
    here = [one for one in shown if one["column"] == column]
    basis = "own" if any(one["basis"] == "own" for one in here) else "asked"
    rows = {
        one["name"]: one["figures"][basis]["natural"]["classes"]
        for one in here
        if one["figures"][basis]["decisions"]
    }
    *others, last = rows
    own = rows[last]
    width = max(map(len, result["classes"]))
    sizes = {name: max(len(name), 5) for name in others}
    head = [f"{'class':{width}}", "units", "decisions", "precision", "recall", "   F1"]
    lines = [
        f"Per class, {column}, {basis}; precision, recall and F1 are those of {last}, "
        "then the others' F1:",
        "",
        f"| {' | '.join([*head, '95 % interval', *(f'{one:>5}' for one in others)])} |",
        f"| {'-' * width} | ----: | --------: | --------: | -----: | ----: | :-----------: |"
        + "".join(f" {'-' * (size - 1)}: |" for size in sizes.values()),
    ]
    for name, one in own.items():
        low, high = one["f1_interval"]
        lines.append(
            f"| {name:{width}} | {result['units'][name]:5d} | {one['support']:9d} "
            f"| {one['precision']:9.3f} | {one['recall']:6.3f} | {one['f1']:5.3f} "
            f"| {low:.3f} - {high:.3f} |"
            + "".join(f" {_f1(rows[other], name):>{size}} |" for other, size in sizes.items())
        )
    if result["protocol"] == "unit":
        several = [name for name in own if result["units"][name] > 1]
        means = {
            name: sum(f1) / len(f1)
            for name, row in rows.items()
            if (f1 := [row[device]["f1"] for device in several if device in row])
        }
        lines += (
            []
            if not means
            else [
                "",
                "Mean F1 of the classes with several units: "
                + ", ".join(f"{name} {mean:.3f}" for name, mean in means.items()),
            ]
        )
    return lines


def _f1(classes: dict[str, Any], name: str) -> str:
    """The F1 of a class, - where a system has no instance of it."""
    return f"{classes[name]['f1']:.3f}" if name in classes else "-"


def _shown(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Each system with the part of its figures to be looked at, and the table of these.

    ``basis`` is ``asked``, but ``own`` where the paper's protocol asks about windows, and where a
    system answered too little to be judged by it.
    """
    shown = []
    for name, one in result["systems"].items():
        column = "test" if one["test"] else "validation"
        figures = one[column]
        asked = figures["asked"]
        enough = asked["decisions"] and asked["answered"] >= _LEAST_ANSWERED
        basis = "asked" if enough and not result["protocol"].startswith("paper") else "own"
        part = {"name": name, "column": column, "figures": figures}
        shown.append({**one, **part, "basis": basis, "table": figures[basis]})
    return shown


def render(result: dict[str, Any], unknown: dict[str, Any] | None = None) -> str:
    """One HTML page of all figures, with its styles, pictures and the little script it needs.

    unknown: figures of :func:`training.evaluation.unknowns.unknowns`, to be shown beside.
    """
    paper = result["protocol"].startswith("paper")
    return _page(
        "report.html.j2",
        made_by="nba-train compare",
        result=result,
        unknown=unknown,
        published=PUBLISHED,
        shown=_shown(result),
        basis="Of each system's own instances."
        if paper
        else "Of what was asked, or of the own instances where less than half was answered.",
        pictures=_pictures(result),
    )


def render_unknowns(unknown: dict[str, Any]) -> str:
    """The HTML page of devices left out in turn."""
    return _page("strangers.html.j2", made_by="nba-train unknowns", unknown=unknown)


def render_refresh(result: dict[str, Any]) -> str:
    """The HTML page of a gate (training.gate.refresh)."""
    return _page("refresh.html.j2", made_by="nba-train refresh", result=result)


def _page(template: str, **content: Any) -> str:
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
    return environment.get_template(template).render(**content)


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
