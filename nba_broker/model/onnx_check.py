"""Refuses ONNX files that hold anything beyond one plain graph of standard operators.

In ONNX, every loop, branch and callback is a graph within a node; every reference to another file
is a tensor with external data; and every operator outside the standard has a domain of its own. A
file without these reads and writes no other file, and its run time is bounded by the sizes of its
tensors. This module reads only the necessary fields, in protobuf's wire format, because a sensor
has no onnx package.
"""

from __future__ import annotations

from collections.abc import Iterator

# Field numbers of onnx.proto, which never change.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_TYPE, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES = 22, 23
_TENSOR_DIMS, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 1, 13, 14

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Field = tuple[int, int | memoryview]


def check(content: bytes) -> None:
    """Raise ValueError with the reason unless the file holds one plain graph."""
    graphs = 0
    for number, value in _fields(memoryview(content)):
        if number == _MODEL_FUNCTIONS:
            raise ValueError("it defines functions of its own")
        if number == _MODEL_GRAPH:
            graphs += 1
            _check_graph(_message(value))
    # Protobuf merges repeated graphs, so that none of them would be the one that runs.
    if graphs != 1:
        raise ValueError(f"it holds {graphs} graphs")


def _check_graph(graph: memoryview) -> None:
    for number, value in _fields(graph):
        if number == _GRAPH_NODE:
            _check_node(_message(value))
        elif number == _GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        elif number == _GRAPH_SPARSE:
            raise ValueError("it has sparse tensors")


def _check_node(node: memoryview) -> None:
    fields = list(_fields(node))
    kind = "".join(_text(value) for number, value in fields if number == _NODE_TYPE)
    for number, value in fields:
        if number == _NODE_DOMAIN and _text(value) not in ("", "ai.onnx"):
            raise ValueError(f"operator {kind} is not of the standard but of {_text(value)}")
        if number != _NODE_ATTRIBUTE:
            continue
        for part, content in _fields(_message(value)):
            if part in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                raise ValueError(f"operator {kind} holds a graph, so it may loop without end")
            if part in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                _check_tensor(_message(content))
            if part in (_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES):
                raise ValueError("it has sparse tensors")


def _check_tensor(tensor: memoryview) -> None:
    elements = 1
    for number, value in _fields(tensor):
        if number == _TENSOR_DIMS:
            for size in [value] if isinstance(value, int) else _varints(value):
                elements *= size
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value != 0):
            raise ValueError("a tensor's data lie in another file")
    # The smallest elements are four bits long.
    if elements > 2 * len(tensor):
        raise ValueError("a tensor claims more elements than it has data for")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("not an ONNX file")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)[:64]).decode("utf-8", "replace")


def _fields(message: memoryview) -> Iterator[Field]:
    """Every field's number and value: a number, or the bytes; raises ValueError."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:  # a group, which ONNX does not use
            raise ValueError("not an ONNX file")
        if at + size > end:
            raise ValueError("not an ONNX file, or cut short")
        yield number, message[at : at + size]
        at += size


def _varints(packed: memoryview) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise ValueError("not an ONNX file, or cut short")
