"""Sends a capture's frames into network interfaces, flow by flow as a network card balances load.

    python -m testing.frames CAPTURE SECONDS INTERFACE...

The frames go out evenly over the seconds, again and again until the process is terminated. CAPTURE
is a pcap file in this machine's byte order.
"""

from __future__ import annotations

import itertools
import socket
import struct
import sys
import time
import zlib
from pathlib import Path


def frames(capture: Path) -> list[bytes]:
    """The frames of a capture, in order."""
    content, at, found = capture.read_bytes(), 24, []
    while at < len(content):
        (size,) = struct.unpack_from("=I", content, at + 8)
        found.append(content[at + 16 : at + 16 + size])
        at += 16 + size
    return found


def as_ethernet(cooked: Path, out: Path) -> None:
    """Write the frames of a capture that Linux "cooked", with Ethernet headers.

    A cooked frame has no MAC address of its destination; that of a gateway stands for it.
    """
    content, at, frames = cooked.read_bytes(), 24, []
    while at < len(content):
        (size,) = struct.unpack_from("=I", content, at + 8)
        frame = content[at + 16 : at + 16 + size]
        frame = bytes.fromhex("02aa00000001") + frame[6:12] + frame[14:]
        frames.append(content[at : at + 8] + struct.pack("=II", len(frame), len(frame)) + frame)
        at += 16 + size
    out.write_bytes(content[:24] + b"".join(frames))


def flow(frame: bytes) -> int:
    """A number that both directions of a flow share, of its two IPv4 addresses."""
    return zlib.crc32(bytes(sorted((*frame[26:30], *frame[30:34]))))


def send(capture: Path, seconds: float, interfaces: list[str]) -> None:
    """Send all frames, for ever."""
    sockets = []
    for name in interfaces:
        sockets.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        sockets[-1].bind((name, 0))
    day, began = frames(capture), time.monotonic()
    for number, frame in enumerate(itertools.cycle(day)):
        ahead = began + seconds * number / len(day) - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        sockets[flow(frame) % len(sockets)].send(frame)


if __name__ == "__main__":
    send(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
