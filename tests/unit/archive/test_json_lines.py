"""JSON rows are read in whatever layout they stand, and one that is none costs only itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive import json_lines

OBJECTS = st.dictionaries(
    st.text(max_size=5),
    st.text(max_size=9) | st.integers(-9, 9) | st.lists(st.dictionaries(st.text(), st.none())),
    max_size=4,
)


def read(content: bytes, size: int) -> list[dict[str, Any] | None]:
    blocks = (content[at : at + size] for at in range(0, len(content), size))
    return [row for block in json_lines.by_lines(blocks) for row in json_lines.rows(block)]


@given(
    objects=st.lists(OBJECTS, min_size=1, max_size=6),
    layout=st.sampled_from(["array", "indented array", "one line", "indented", "commas"]),
    size=st.integers(1, 200),
)
def test_objects_come_back_from_every_layout(
    objects: list[dict[str, Any]], layout: str, size: int
) -> None:
    content = {
        "array": json.dumps(objects),
        "indented array": json.dumps(objects, indent=2),
        "one line": "".join(map(json.dumps, objects)),
        "indented": "\n".join(json.dumps(one, indent=1) for one in objects),
        "commas": ",\n".join(map(json.dumps, objects)),
    }[layout]
    assert read(content.encode(), size) == objects


def test_an_object_that_never_ends_costs_only_itself() -> None:
    content = b'{"a": {"b": 1\n{"a": 2}\n{"a": 3}\n{"a": '
    assert read(content, 7) == [None, {"a": 2}, {"a": 3}, None]


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b'{"a": NaN, "b": 1}', {"b": 1}),
        (b'{"a": -Infinity, "b": 1}', {"b": 1}),
        (b'{"b": 1, "a": "caf\xe9"}', {"a": "caf\ufffd", "b": 1}),
        (b'{"b": 1, "a": "\\ud800"}', {"a": "\ud800", "b": 1}),
    ],
)
def test_what_is_nearly_json_is_taken(line: bytes, row: dict[str, Any]) -> None:
    (found,) = json_lines.rows(line)
    assert found is not None
    assert found.items() >= row.items()


@pytest.mark.parametrize("line", [b"[1]", b"null", b"x", b'{"a":', b"{" * 3000])
def test_a_line_that_is_no_object_is_none(line: bytes) -> None:
    assert list(json_lines.rows(line)) == [None]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_arbitrary_bytes_never_raise(content: bytes, size: int) -> None:
    read(b"[" + content, size)
