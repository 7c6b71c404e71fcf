"""Converts raw columns to those of a block: ports, uids, and an example of an invalid time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from nba_broker.archive import log_values
from nba_broker.archive.blocks import Texts
from nba_broker.records import uids

# The first n bytes of a uid, by n.
_FIRST = np.tri(uids.LENGTH + 1, uids.LENGTH, -1, np.uint8) * np.uint8(0xFF)


def ports(column: Texts) -> np.ndarray:
    """The numbers of a column of ports, int32 [n]; 0 for invalid ones."""
    index, texts = column
    numbers = [max(log_values.port(text)[0], 0) for text in texts]
    ports: np.ndarray = np.array(numbers, np.int32)[index]
    return ports


def uid_column(column: pa.ChunkedArray, unset: bytes) -> np.ndarray:
    """A column of binary as uids, see uids.marked; other characters than ASCII become "?", and
    ``unset`` becomes b""."""
    parts = [_uids(chunk) for chunk in column.chunks]
    found = np.concatenate(parts) if parts else np.zeros(0, uids.TEXT)
    found[found == unset] = b""
    return printable(found)


def _uids(chunk: pa.Array) -> np.ndarray:
    """An array of binary without null as uids.TEXT [n]."""
    if not len(chunk):
        return np.zeros(0, uids.TEXT)
    _, offsets, content = chunk.buffers()
    at = np.frombuffer(offsets, np.int32)[chunk.offset :][: len(chunk) + 1]
    length = np.diff(at)
    if length.max() > uids.LENGTH:
        return uids.marked(
            one.decode("ascii", "replace").replace("\ufffd", "?") for one in chunk.to_pylist()
        )
    # The bytes from where each uid begins, with those behind its end set to zero: several times as
    # fast as an object for each.
    letters = np.zeros(at[-1] - at[0] + uids.LENGTH, np.uint8)
    if content is not None:
        letters[: at[-1] - at[0]] = np.frombuffer(content, np.uint8)[at[0] : at[-1]]
    found: np.ndarray = np.lib.stride_tricks.sliding_window_view(letters, uids.LENGTH)[
        at[:-1] - at[0]
    ]
    found &= _FIRST[length]
    uid: np.ndarray = found.view(uids.TEXT)[:, 0]
    return uid


def printable(uid: np.ndarray) -> np.ndarray:
    """Change uids, uids.TEXT [n], in place: other characters than ASCII become "?", texts that
    stand for an unset field become b""."""
    letters = uid.view(np.uint8)
    letters[letters > 0x7E] = ord("?")
    short = letters.reshape(-1, uids.LENGTH)[:, 8] == 0
    if short.any():  # Zeek's own are never that short
        few, place = np.unique(uid[short], return_inverse=True)
        none = np.array([one.decode("ascii").lower() in log_values.UNSET for one in few.tolist()])
        uid[np.flatnonzero(short)[none[place]]] = b""
    return uid


def first_invalid(values: Sequence[Any], ts: np.ndarray) -> str:
    """The value of the first invalid time, as text; "" if it is unset or all times are valid."""
    at = int(np.isnan(ts).argmax()) if len(ts) else 0
    if not len(ts) or not np.isnan(ts[at]) or values[at] is None:
        return ""
    try:
        return log_values.text(values[at]) or str(values[at])
    except RecursionError:  # nested too deep to print
        return "{...}"
