"""The figures of a comparison as tables of text."""

from __future__ import annotations

from typing import Any

from training.metrics.outcomes import OUTCOMES

PUBLISHED = {"nba-dst-interval": 0.9967}
"""Known accuracies of the paper's Table 4, on its own testbed."""

_LEAST_COVERAGE = 0.5


def table(result: dict[str, Any]) -> list[str]:
    """The table for a terminal: a line per baseline and one per class, in readable Markdown."""
    lines: list[str] = []
    for column in ("validation", "test"):
        if baselines := {
            name: one[column] for name, one in result["baselines"].items() if one[column]
        }:
            leaks = ", LEAKING: parts share sessions" if result["leaks"] else ""
            lines += ["", f"{result['protocol']}, {column}{leaks}", "", *_baselines(baselines)]
    if decided := [one for one in shown(result) if one["table"]["decisions"]]:
        lines += ["", *_classes(result, decided)]
    if result["left_out"]:
        lines += ["", f"Too few sessions to train: {', '.join(result['left_out'])}."]
    if result["caveat"]:
        lines += ["", f"Caveat: {result['caveat']}."]
    return lines


def _baselines(baselines: dict[str, dict[str, Any]]) -> list[str]:
    width = max(map(len, baselines))
    lines = [
        f"| {'baseline':{width}} | Table 4 | macro-F1 | 95 % interval | accuracy | balanced "
        "| coverage |   ECE | own macro-F1 | own worst F1 | own balanced "
        "| once macro-F1 | once right | day right | no name |  wrong |",
        f"| {'-' * width} | ------: | -------: | :-----------: | -------: | -------: | -------: "
        "| ----: | -----------: | -----------: | -----------: | ------------: | ---------: "
        "| --------: | ------: | -----: |",
    ]
    for name, one in baselines.items():
        common, own, once = one["common"], one["own"], one["once"]
        paper = f"{PUBLISHED[name]:7.4f}" if name in PUBLISHED else "      -"
        figures = [paper, "       -", "      -      ", "       -", "       -", "       -", "    -"]
        if common["decisions"]:
            natural = common["natural"]
            low, high = natural["macro_f1_interval"]
            error = common["ece"]
            figures[1:] = [
                f"{natural['macro_f1']:8.4f}",
                f"{low:.3f} - {high:.3f}",
                f"{natural['accuracy']:8.4f}",
                f"{common['balanced']['accuracy']:8.4f}",
                f"{common['coverage']:8.3f}",
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
        if one["own"]["decisions"]:
            figures += _host_days(one["host_days"])
        lines.append(f"| {name:{width}} | {' | '.join(figures)} |")
    return lines


def _host_days(one: dict[str, Any] | None) -> list[str]:
    """The shares of host-days that are right, without a name, and wrong."""
    if one is None or not one["host_days"]:
        return ["        -", "      -", "     -"]
    right, no_name, wrong = (one[what] / one["host_days"] for what in OUTCOMES)
    return [f"{right:9.1%}", f"{no_name:7.1%}", f"{wrong:6.1%}"]


def _classes(result: dict[str, Any], chosen: list[dict[str, Any]]) -> list[str]:
    """Figures of each class for the last baseline of the test part, and its F1 for the others.

    They are of the own samples of all when one of the baselines is shown by these.
    """
    column = "test" if any(one["column"] == "test" for one in chosen) else "validation"
    here = [one for one in chosen if one["column"] == column]
    basis = "own" if any(one["basis"] == "own" for one in here) else "common"
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
        if means:
            text = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
            lines += ["", f"Mean F1 of the classes with several units: {text}"]
    return lines


def _f1(classes: dict[str, Any], name: str) -> str:
    """The F1 of a class, - when a baseline has no sample of it."""
    return f"{classes[name]['f1']:.3f}" if name in classes else "-"


def shown(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Each baseline with the figures to show, and the table of these.

    ``basis`` is ``common``, but ``own`` in the paper's protocols, which deal out windows, and for a
    baseline with a low coverage.
    """
    found = []
    for name, one in result["baselines"].items():
        column = "test" if one["test"] else "validation"
        figures = one[column]
        common = figures["common"]
        enough = common["decisions"] and common["coverage"] >= _LEAST_COVERAGE
        basis = "common" if enough and not result["protocol"].startswith("paper") else "own"
        part = {"name": name, "column": column, "figures": figures}
        found.append({**one, **part, "basis": basis, "table": figures[basis]})
    return found
