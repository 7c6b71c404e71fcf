"""Reads rows of JSON in any layout: one per line, an array, or indented over several lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*(")?|[{}]', re.DOTALL)
_DAMAGED = b"?"  # the line that stands for a damaged object
_LONGEST = 16 << 20  # bytes of one object; a longer one is damaged


def rows(body: bytes) -> Iterator[dict[str, Any] | None]:
    """The objects in a block of lines; None for each line that is not an object."""
    for line in body.split(b"\n"):
        if line and not line.isspace():
            yield row(line)


def row(line: bytes) -> dict[str, Any] | None:
    """The object in a line; None if the line is not an object."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = _tolerant(line)
    return found if isinstance(found, dict) else None


def _tolerant(line: bytes) -> Any:
    """Parses what some programs write though it is not valid JSON: NaN, huge numbers, halves of
    surrogate pairs, text that is not UTF-8."""
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def is_by_lines(head: bytes) -> bool:
    """Whether JSON with this beginning has one object per line, judged by the first line."""
    line, end, _ = head.lstrip().partition(b"\n")
    return bool(end) and next(rows(line), None) is not None


def by_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The objects in a stream in any layout, as blocks with one object per line."""
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
    """The whole objects, and the rest of the data from where an unfinished one begins."""
    found = []
    depth = start = end = 0
    for token in _TOKEN.finditer(data):
        what = token[0]
        if what == b"{":
            at = token.start()
            if depth and data[at - 1 : at] == b"\n":  # the object before never ended
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
        elif token[1] is None:  # a string that continues in the next block
            break
    return found, data[start if depth else end :]
