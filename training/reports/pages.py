"""Pages of figures in HTML, each in one file that needs no network."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from training.reports.tables import PUBLISHED, shown

_DAY = 86_400


def render(result: dict[str, Any], unknown: dict[str, Any] | None = None) -> str:
    """The HTML page of a comparison, with all figures, styles, pictures and its script.

    unknown: figures of :func:`training.evaluation.unknowns.unknowns` to add.
    """
    paper = result["protocol"].startswith("paper")
    return _page(
        "comparison.html.j2",
        made_by="nba-train compare",
        result=result,
        unknown=unknown,
        published=PUBLISHED,
        shown=shown(result),
        basis="Figures of each baseline's own samples."
        if paper
        else "Figures of the common decisions, or of the own samples when the "
        "coverage is below a half.",
        pictures=_pictures(result),
    )


def render_unknowns(unknown: dict[str, Any]) -> str:
    """The HTML page of devices left out in turn."""
    return _page("unknowns_page.html.j2", made_by="nba-train unknowns", unknown=unknown)


def render_refresh(result: dict[str, Any]) -> str:
    """The HTML page of a gate (training.gate.report)."""
    return _page("refresh.html.j2", made_by="nba-train refresh", result=result)


def render_stress(result: dict[str, Any]) -> str:
    """The HTML page of a model under disturbances (training.evaluation.stress)."""
    return _page("stress.html.j2", made_by="nba-train stress", result=result)


def render_evaluation(result: dict[str, Any]) -> str:
    """The HTML page of an evaluation: of a model, or of models of rolling origins."""
    rolling = "ages" in result
    return _page(
        "evaluation.html.j2",
        made_by="nba-train evaluate",
        result=result,
        rolling=rolling,
        all=result["all"] if rolling else result["verdicts"],
        rows={**result["ages"], "all": result["all"]} if rolling else {"all": result["verdicts"]},
        devices=result["devices"],
    )


def render_elsewhere(result: dict[str, Any]) -> str:
    """The HTML page of a model that was asked about other archives."""
    return _page(
        "elsewhere.html.j2",
        made_by="nba-train elsewhere",
        result=result,
        rows={**result["archives"], "all": result["all"]},
    )


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
    """Embedding and examples of the last baseline that has both; variants come last."""
    having = [
        (not one["variant"], number, name, content)
        for number, (name, one) in enumerate(result["baselines"].items())
        if "embedding" in (content := (one["test"] or one["validation"])["shown"])
    ]
    if not having:
        return {"of": "", "examples": [], "embedding": "null"}
    _, _, name, content = max(having, key=lambda one: one[:2])
    return {
        "of": name,
        "examples": content["examples"],
        # Only "</" could end the script element around it.
        "embedding": json.dumps(content["embedding"]).replace("</", "<\\/"),
    }


def _seconds(value: float) -> str:
    """A time for readers: ``57 ms``, ``5 min``."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e3:.3g} ms" if value >= 0 else "first"
