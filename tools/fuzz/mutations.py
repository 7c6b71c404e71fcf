"""Hypothesis strategies that break good inputs."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

# fmt: off
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63,
    2**64 - 1, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e-320, 1e308, 4102444799.9, 4102444800.0,
    1e11, 1.7e9, 1.7e12, float("nan"), float("inf"), float("-inf"), True, False, None,
)
TEXTS = (
    "", "-", "(empty)", "\0", "x" * 255, "x" * 257, "é" * 129, "x" * 70_000, "\u202e", "\ud800",
    "0.0.0.0", "::", "255.255.255.255", "::ffff:10.0.0.1", "fe80::1%eth0", "127.0.0.1", "1.2.3",
    "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:0G", "01:00:5e:00:00:01",
    "65536/tcp", "99999/udp", "0/icmp", "443/?", "-1/tcp", "/", "443/tcp/udp", "NaN", "1e999",
    "vector", "string", "count", "real", "address", "port", "none", "record", "table", "time",
    "NBA::hello", "NBA::lease", "NBA::sessions", "NBA::verdict", "error", "../../etc/passwd",
    "2026-01-01", "9999-12-31T23:59:59+00:00", "0001-01-01", "identified", "label", "confirm",
    "ignore", "lan", "10.0.0.0/8", "0.0.0.0/0", "::/0", "as:64500", "=cmd()", "a,b", 'a"b',
)
BYTES = (
    b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\n", b"\r", b"\t", b",", b'"',
    b"\\", b"\\x", b"\\u0000", b"\\ud800", b"[" * 2000, b'{"a":' * 2000, b"#", b"#fields\t",
    b"#separator \\x2c\n", b"NaN", b"1e999", b"-1", b"9" * 400, b"A" * 5000, b"=", b"[[", b"'''",
)
# fmt: on
DEEP = {
    **{f"@{n} lists": "[" * n + "]" * n for n in (2, 100, 400, 900, 1000, 100_000)},
    **{f"@{n} objects": '{"data":' * n + "1" + "}" * n for n in (2, 100, 400, 900, 1000)},
}
"""Words in a document, and the text in their place: json.dumps() itself would not write it."""

_SCALARS = st.sampled_from([*NUMBERS, *TEXTS, *DEEP]) | st.text(max_size=8) | st.floats()
VALUES = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(max_size=4), _SCALARS)
"""Of JSON."""


@st.composite
def mangled(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A seed with up to four parts replaced, by changes that know nothing of the format.

    A part may be empty or all that follows, and so may what stands in for it: noise, something
    unpleasant, a field, or a part of another seed.
    """
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.sampled_from((0, 0, 1, 4, 64, len(data))))
        other = draw(st.sampled_from(seeds))
        start = draw(st.integers(0, len(other)))
        fields = [one for one in re.split(rb"[\t\n,\x00 ]", data) if one] or [b""]
        new = draw(
            st.binary(max_size=8)
            | st.sampled_from(BYTES)
            | st.sampled_from(fields)
            | st.sampled_from((other[start:], other[start : start + 64]))
        )
        data = data[:at] + new + data[at + size :]
    return data[: 1 << 20]


@st.composite
def bent(draw: st.DrawFn, seeds: Sequence[Any]) -> bytes:
    """A JSON document with up to three of its values changed; it stays one, but for names that are
    there twice, NaN, and lone surrogates."""
    document = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(document))
        if not places:
            break
        node, key = places[draw(st.integers(0, len(places) - 1))]
        change = draw(st.sampled_from(("replace", "replace", "remove", "rename", "move", "repeat")))
        if change == "remove":
            del node[key]
        elif change == "rename" and isinstance(node, dict):
            node[draw(st.sampled_from(TEXTS))] = node.pop(key)
        elif change == "move":
            other, name = places[draw(st.integers(0, len(places) - 1))]
            node[key] = copy.deepcopy(other[name])
        elif change == "repeat" and isinstance(node[key], list):
            node[key] = node[key] * draw(st.sampled_from((0, 2, 50)))
        else:
            node[key] = draw(VALUES)
    text = json.dumps(document, ensure_ascii=draw(st.booleans()))
    for word, deep in DEEP.items():
        text = text.replace(f'"{word}"', deep)
    if draw(st.integers(0, 20)) == 20:
        text = text.replace('"data"', '"data":1,"data"', 1)
    return text.encode("utf-8", "surrogatepass")


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in a document, as what holds it and its name or number there."""
    for key in range(len(node)) if isinstance(node, list) else list(node):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])
