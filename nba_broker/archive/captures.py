"""Prepares captures for Zeek: unpacks them, and cuts a damaged one after its last whole packet."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from nba_broker.archive import compression, packets
from nba_broker.records.errors import ArchiveError, ZeekError

_BYTE_ORDERS = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<",
                b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}  # fmt: skip
"""Byte orders of pcap by its first four bytes; times are in micro- or nanoseconds."""

# Variants of pcap that only libpcap parses.
_RELATED = (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34")

_SECTION = b"\x0a\x0d\x0d\x0a"  # begins a section of pcapng, with its byte order
_SECTION_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 1, 2, 3, 6

_LOOKED_AT = 1_000_000  # packets that show what kinds a capture has
_HEAD = 256  # bytes of a packet that show its kind
# libpcap refuses more; no link has longer packets, so more means damage.
_LONGEST = 1 << 18  # bytes of a packet
_LARGEST = 1 << 24  # and of a block


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture that libpcap can read to its end.

    packets: their number, 0 if only libpcap can count them. link: their link type. damage: why it
    ends before the end of the given file; "" if it does not.
    """

    path: Path
    packets: int
    link: int
    damage: str = ""


def whole(path: Path, folder: Path) -> Capture:
    """The whole packets of a capture, packed or not; ``-`` is standard input.

    An unpacked or shortened copy is written to ``folder``. Raises ZeekError if there is no capture,
    and OSError.
    """
    try:
        return _whole(path, folder / "capture")
    except ArchiveError as error:
        raise ZeekError(f"{named(path)}: {error}") from error


def named(path: Path) -> str:
    """A capture's name in messages."""
    return "standard input" if str(path) == "-" else str(path)


def _whole(path: Path, copy: Path) -> Capture:
    plain, damage = _plain(path, copy)
    if not plain.stat().st_size:
        raise ArchiveError(f"{damage or 'empty'}, without a single packet")
    links = Counter[int]()
    with plain.open("rb") as stream:
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            end = size = len(data)
            if data[:4] not in _RELATED:
                try:
                    links.update(map(itemgetter(2), _records(data)))
                except _Damage as error:
                    end, why = error.args
                    damage = damage or why
        if not end:
            raise ArchiveError(f"{damage}, without a single packet")
        if len(links) > 1:
            names = ", ".join(sorted(map(packets.link_name, links)))
            raise ArchiveError(
                f"its packets have several link types ({names}), and Zeek reads only one per file; "
                "split it, for example with tshark -Y 'frame.interface_id == 0'"
            )
        if end < size and plain == copy:
            os.truncate(copy, end)
        elif end < size:
            stream.seek(0)
            with copy.open("wb") as target:
                _copy(stream, target, end)
            plain = copy
    return Capture(plain, links.total(), min(links, default=packets.ETHERNET), damage)


def _plain(path: Path, copy: Path) -> tuple[Path, str]:
    """The capture in a form that libpcap reads, and why it ends early. It is written to ``copy`` if
    it is packed or not a regular file."""
    with sys.stdin.buffer if str(path) == "-" else path.open("rb") as raw:
        try:
            unpacked = compression.unpack(raw)
            head = compression.peek(unpacked, 512)
            if compression.holds_files(head):
                return copy, _only_capture(unpacked, copy)
            if len(head) < len(_SECTION):
                while unpacked.read(1):  # raises the damage
                    pass
            if not head:
                copy.touch()
                return copy, ""
            if not _is_capture(head):
                raise ArchiveError(_what(head))
            if unpacked is raw and path.is_file():
                return path, ""
            return copy, _unpacked(unpacked, copy)
        except compression.Damaged as error:
            raise ArchiveError(f"{error}, without a single packet") from error


def _is_capture(head: bytes) -> bool:
    return head[:4] in (*_BYTE_ORDERS, *_RELATED, _SECTION)


def _what(head: bytes) -> str:
    if head.startswith((b"#separator", b"#fields", b"{")):
        return "this is a log, not a capture: use nba-broker score"
    return "neither a pcap nor a pcapng file; Wireshark's editcap -F pcap converts many formats"


def _only_capture(stream: BinaryIO, copy: Path) -> str:
    """Copy the only capture of a zip or tar file; returns why it ends early."""
    found, damage = [], ""
    try:
        for name, content in compression.members(stream):
            if _is_capture(compression.peek(content, 4)):
                found.append(name)
                if len(found) == 1:
                    damage = _unpacked(content, copy)
    except compression.Damaged as error:
        damage = damage or str(error)
    if len(found) != 1:
        holds = f"holds {len(found)} captures" if found else damage or "holds no capture"
        more = "; unpack it and give one of them, or merge them with Wireshark's mergecap"
        raise ArchiveError(f"{holds}{more if found else ''}")
    return damage


def _unpacked(stream: BinaryIO, copy: Path) -> str:
    with copy.open("wb") as target:
        try:
            shutil.copyfileobj(stream, target)
        except compression.Damaged as error:
            return str(error)
    return ""


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size and (part := source.read(min(size, 1 << 20))):
        target.write(part)
        size -= len(part)


class _Damage(Exception):
    """Its arguments: where the last whole record ends (0 if none is whole), and what follows it."""


_CUT = "it ends in the middle of a packet"
_BROKEN = "it is damaged"


def _records(data: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """For each packet: the offset and number of its bytes, and its link type. Raises _Damage."""
    order = _BYTE_ORDERS.get(data[:4])
    return _of_pcap(data, order) if order else _of_pcapng(data)


def _of_pcap(data: mmap.mmap, order: str) -> Iterator[tuple[int, int, int]]:
    record, at, size = struct.Struct(f"{order}4I").unpack_from, 24, len(data)
    if size < at:
        raise _Damage(0, "it ends in its header")
    link = int(struct.unpack_from(f"{order}H", data, 20 if order == "<" else 22)[0])
    while at < size:
        body = at + 16
        if body > size:
            raise _Damage(at, _CUT)
        seconds, _, number, length = record(data, at)
        if number > _LONGEST:
            raise _Damage(at, f"{_BROKEN}: a packet of {number} bytes")
        if not (seconds or length):
            raise _Damage(at, f"{_BROKEN}: zeros, as after a power cut")
        if body + number > size:
            raise _Damage(at, _CUT)
        yield body, number, link
        at = body + number


def _of_pcapng(data: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    at, order, size, links = 0, "", len(data), list[int]()
    while at < size:
        if at + 12 > size:
            raise _Damage(at, _CUT)
        if data[at : at + 4] == _SECTION:
            order, links = _SECTION_ORDERS.get(data[at + 8 : at + 12], ""), []
        if not order:
            raise _Damage(at, _BROKEN)
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if length < 12 or length % 4 or length > _LARGEST:
            raise _Damage(at, f"{_BROKEN}: a block of {length} bytes")
        if at + length > size:
            raise _Damage(at, _CUT)
        if struct.unpack_from(f"{order}I", data, at + length - 4)[0] != length:
            raise _Damage(at, f"{_BROKEN}: a block with two lengths")
        if kind == _INTERFACE and length >= 20:
            links.append(struct.unpack_from(f"{order}H", data, at + 8)[0])
        elif kind in (_PACKET, _ENHANCED_PACKET) and length >= 32:
            form = f"{order}I" if kind == _ENHANCED_PACKET else f"{order}H"
            number = struct.unpack_from(form, data, at + 8)[0]
            caught = struct.unpack_from(f"{order}I", data, at + 20)[0]
            if number >= len(links) or caught > min(length - 32, _LONGEST):
                raise _Damage(
                    at, f"{_BROKEN}: a packet without a known interface or with a wrong length"
                )
            yield at + 28, caught, links[number]
        elif kind == _SIMPLE_PACKET and length >= 16:
            if not links:
                raise _Damage(at, f"{_BROKEN}: a packet without an interface")
            yield at + 12, length - 16, links[0]
        at += length


def contents(capture: Capture) -> Counter[str]:
    """The number of packets of each kind, see packets.kind, among the first million."""
    kinds = Counter[str]()
    with (
        capture.path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if data[:4] not in _RELATED:
            for at, number, link in islice(_records(data), _LOOKED_AT):
                kinds[packets.kind(data[at : at + min(number, _HEAD)], link)] += 1
    return kinds
