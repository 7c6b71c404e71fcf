"""Rows in JSON, in whatever layout: a line each, an array, printed over several lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*(")?|[{}]', re.DOTALL)
_DAMAGED = b"?"  # a line for an object that is none
_LONGEST = 16 << 20  # bytes of one object; whatever opens a longer one is damaged


def rows(body: bytes) -> Iterator[dict[str, Any] | None]:
    """The objects of a block of lines, None for each line that is none."""
    for line in body.split(b"\n"):
        if line and not line.isspace():
            yield row(line)


def row(line: bytes) -> dict[str, Any] | None:
    """The object that a line is, None where it is none."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = _tolerant(line)
    return found if isinstance(found, dict) else None


def _tolerant(line: bytes) -> Any:
    """What others write as JSON although it is none: NaN, numbers beyond all measure, half
    surrogate pairs, text that is not UTF-8."""
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def is_by_lines(head: bytes) -> bool:
    """Whether JSON that begins so has an object in each line, as far as the first one tells."""
    line, end, _ = head.lstrip().partition(b"\n")
    return bool(end) and next(rows(line), None) is not None


def by_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The objects in a stream, whatever stands between them, as blocks with a line each."""
    rest = b""
    for block in blocks:
        lines, rest = _objects(rest + block)
        if len(rest) > _LONGEST:
            lines, rest = [*lines, _DAMAGED], b""
        if lines:
            yield b"".join(line.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n" for line in lines)
    if rest.strip(b" \t\r\n[],"):
        yield _DAMAGED + b"\n"


def _objects(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole objects, and what is left from where an unfinished one begins."""
    found = []
    depth = start = end = 0
    for token in _TOKEN.finditer(data):
        what = token[0]
        if what == b"{":
            at = token.start()
            if depth and data[at - 1 : at] == b"\n":  # what was begun before never ended
                found.append(_DAMAGED)
                depth = 0
            if depth == 0:
                start = at
            depth += 1
        elif what == b"}":
            depth -= depth > 0
            if depth == 0 and start >= end:
                end = token.end()
                found.append(data[start:end])
        elif token[1] is None:  # a text that goes on behind the end
            break
    return found, data[start if depth else end :]
