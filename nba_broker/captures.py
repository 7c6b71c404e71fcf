"""Whether a capture ends with a whole packet: Zeek reads what was cut off without a word."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_BYTE_ORDERS = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<",
                b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}  # fmt: skip
"""Of pcap, by its first four bytes; times are in micro- or nanoseconds."""

_SECTION = b"\x0a\x0d\x0d\x0a"  # begins a section of pcapng, and tells its byte order
_SECTION_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


def is_cut_off(path: Path) -> bool:
    """Whether a pcap or pcapng file ends in the middle of a record; False for any other file.

    Raises OSError.
    """
    with path.open("rb") as stream:
        if not stream.read(4):
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            order = _BYTE_ORDERS.get(data[:4])
            end = _pcap_end(data, order) if order else _pcapng_end(data)
            return end != len(data)


def _pcap_end(data: mmap.mmap, order: str) -> int:
    """Where the record behind the last whole one would begin, or be to end."""
    length = struct.Struct(f"{order}8xI4x")
    at = 24
    while at + length.size <= len(data):
        at += length.size + int(length.unpack_from(data, at)[0])
    return at


def _pcapng_end(data: mmap.mmap) -> int:
    """The same of blocks; the file's end where they cannot be followed, as it is no pcapng."""
    if data[:4] != _SECTION:
        return len(data)
    at, order = 0, ""
    while at + 12 <= len(data):
        if data[at : at + 4] == _SECTION:
            order = _SECTION_ORDERS.get(data[at + 8 : at + 12], "")
        if not order:
            return len(data)
        size = int(struct.unpack_from(f"{order}I", data, at + 4)[0])
        if size < 12:
            return len(data)
        at += size
    return at
