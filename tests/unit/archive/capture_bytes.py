"""Captures and their packets, byte by byte, so that a test can damage them."""

from __future__ import annotations

import struct

MAGIC = {"<": 0xA1B2C3D4, ">": 0xA1B23C4D}
FRAME = bytes(12) + b"\x08\x00" + bytes(40)


def pcap(order: str = "<", link: int = 1, *frames: bytes) -> bytes:
    header = struct.pack(f"{order}IHHiIII", MAGIC[order], 2, 4, 0, 0, 65535, link)
    frames = frames or (bytes(14), bytes(60), bytes(1))
    return header + b"".join(
        struct.pack(f"{order}IIII", 1, 0, len(one), 60) + one for one in frames
    )


def block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def interface(order: str, link: int = 1) -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", link, 0, 65535))


def packet(order: str, frame: bytes, number: int = 0) -> bytes:
    padded = frame + bytes(-len(frame) % 4)
    head = struct.pack(f"{order}IIIII", number, 0, 0, len(frame), len(frame))
    return block(order, 6, head + padded)


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def pcapng(order: str = "<") -> bytes:
    unknown = block(order, 0x4242, bytes(8))
    simple = block(order, 3, struct.pack(f"{order}I", 14) + bytes(16))
    begin = section(order) + interface(order)
    return begin + unknown + packet(order, FRAME) + begin + simple + packet(order, bytes(5))


def wifi(control: int, flags: int) -> bytes:
    return b"\0\0\x08\0" + bytes(4) + bytes([control, flags]) + bytes(30)
