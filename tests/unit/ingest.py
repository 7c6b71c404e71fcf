"""As much of OpenSearch's ingest pipelines as those in packaging/opensearch need."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]

NOW = "2026-01-06T00:00:00.000Z"


def run(pipeline: dict[str, Any], document: Document) -> Document:
    """What becomes of a document; a processor that fails hands over to ``on_failure``."""
    document = json.loads(json.dumps(document))
    try:
        for processor in pipeline["processors"]:
            _process(processor, document, {"timestamp": NOW})
    except (KeyError, TypeError, ValueError) as error:
        ingest = {"timestamp": NOW, "on_failure_message": f"{error!r}"}
        for processor in pipeline["on_failure"]:
            _process(processor, document, ingest)
    return document


def leaves(document: Document, prefix: str = "") -> dict[str, Any]:
    """A document's values by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            flat |= leaves(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def get(document: Document, path: str) -> Any:
    """The value at a dotted name, None where there is none."""
    at: Any = document
    for part in path.split("."):
        at = at.get(part) if isinstance(at, dict) else None
    return at


def _set(document: Document, path: str, value: Any) -> None:
    *above, last = path.split(".")
    for part in above:
        document = document.setdefault(part, {})
    document[last] = value


def _remove(document: Document, path: str) -> None:
    above, _, last = path.rpartition(".")
    del (get(document, above) if above else document)[last]


def _process(processor: dict[str, Any], document: Document, ingest: Document) -> None:
    [(kind, settings)] = processor.items()
    if not _holds(settings.get("if", "true"), document):
        return
    field = settings["field"]
    value = get(document, field)
    if value is None and kind not in ("set", "append"):
        if settings.get("ignore_missing"):
            return
        raise KeyError(field)
    target = settings.get("target_field", field)
    if kind == "json":
        _set(document, target, json.loads(value))
    elif kind == "rename":
        if get(document, target) is not None:
            raise ValueError(f"{target} is there")
        _remove(document, field)
        _set(document, target, value)
    elif kind == "remove":
        _remove(document, field)
    elif kind == "set":
        if value is None or settings.get("override", True):
            _set(document, field, _filled(settings["value"], document, ingest))
    elif kind == "append":
        _set(document, field, [*(value or []), *_filled(settings["value"], document, ingest)])
    elif kind == "date":
        _set(document, target, _date(value, settings["formats"]))
    elif kind == "gsub":
        _set(document, target, re.sub(settings["pattern"], settings["replacement"], value))
    elif kind == "uppercase":
        _set(document, target, value.upper())
    elif kind == "foreach":
        _set(document, field, [_each(settings["processor"], document, ingest, v) for v in value])
    else:
        raise NotImplementedError(kind)


def _each(processor: dict[str, Any], document: Document, ingest: Document, value: Any) -> Any:
    """One element of an array, which the processor may change."""
    document["_ingest"] = ingest | {"_value": value}
    _process(processor, document, document["_ingest"])
    return document.pop("_ingest")["_value"]


def _filled(value: Any, document: Document, ingest: Document) -> Any:
    """Mustache in texts, and in lists of them."""
    if isinstance(value, list):
        return [_filled(item, document, ingest) for item in value]
    whole = document | {"_ingest": ingest}

    def text(found: re.Match[str]) -> str:
        inner = get(whole, found[1])
        return "" if inner is None else str(inner)

    return re.sub(r"\{\{\{(.+?)\}\}\}", text, value)


def _date(value: Any, formats: list[str]) -> str:
    """UNIX and ISO8601, to milliseconds."""
    try:
        assert "UNIX" in formats
        moment = datetime.fromtimestamp(float(value), UTC)
    except ValueError:
        assert "ISO8601" in formats
        moment = datetime.fromisoformat(value)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _holds(condition: str, document: Document) -> bool:
    """Painless: fields of ctx, compared with texts and null, joined by && and ||."""
    for painless, python in (("&&", " and "), ("||", " or "), ("null", "None"), ("true", "True")):
        condition = condition.replace(painless, python)
    condition = re.sub(r"\bctx((?:\??\.\w+)+)", r"field('\1')", condition)

    def field(path: str) -> Any:
        at: Any = document
        for safe, part in re.findall(r"(\??)\.(\w+)", path):
            if at is None and not safe:
                raise TypeError(f"{path}: a null has no {part}")
            at = None if at is None else at.get(part)
        return at

    return bool(eval(condition, {"__builtins__": {}}, {"field": field}))
