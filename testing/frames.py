"""Sends a capture's frames into network interfaces, flow by flow as a network card balances load.

    python -m testing.frames CAPTURE SECONDS INTERFACE...

The frames go out evenly over the seconds, again and again until the process is terminated. CAPTURE
is a pcap file in this machine's byte order.
"""

from __future__ import annotations

import itertools
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from nba_broker.archive import captures

_HEADER = 24  # bytes before the packets
_COOKED = 113  # link type of captures on all of Linux's interfaces, LINKTYPE_LINUX_SLL


def packets(capture: Path) -> Iterator[tuple[float, bytes]]:
    """The time and the frame of each packet of a capture with times in microseconds, in order."""
    content, at = capture.read_bytes(), _HEADER
    while at < len(content):
        seconds, micros, size = struct.unpack_from("=III", content, at)
        yield seconds + micros / 1e6, content[at + 16 : at + 16 + size]
        at += 16 + size


def ethernet(zeek: Path, capture: Path, folder: Path) -> Path:
    """A capture, packed or not, as a pcap file of Ethernet frames in ``folder``."""
    whole, plain, out = captures.whole(capture, folder), folder / "zeek.pcap", folder / "day.pcap"
    # Zeek reads every format, and writes the one that packets() reads.
    subprocess.run([zeek, "-b", "-r", whole.path, "-w", plain], cwd=folder, check=True)
    if whole.link == _COOKED:  # whose headers Zeek writes as if they were of Ethernet
        as_ethernet(plain, out)
    else:
        plain.rename(out)
    return out


def as_ethernet(cooked: Path, out: Path) -> None:
    """Write the frames of a capture that Linux "cooked", with Ethernet headers.

    A cooked frame has no MAC address of its destination; that of a gateway stands for it.
    """
    with out.open("wb") as target:
        target.write(cooked.read_bytes()[:_HEADER])
        for when, cook in packets(cooked):
            frame = bytes.fromhex("02aa00000001") + cook[6:12] + cook[14:]
            micros = round(when * 1e6)
            sizes = (len(frame), len(frame))
            target.write(struct.pack("=IIII", *divmod(micros, 1_000_000), *sizes) + frame)


def flow(frame: bytes) -> int:
    """A number that both directions of a flow share, of its two IPv4 addresses."""
    return between(frame[26:30], frame[30:34])


def between(one: bytes, other: bytes) -> int:
    """The number of the flows between two addresses."""
    return zlib.crc32(bytes(sorted((*one, *other))))


def opened(interfaces: Sequence[str]) -> list[socket.socket]:
    """A socket for each interface, which sends frames into it."""
    sockets = []
    for name in interfaces:
        sockets.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        sockets[-1].bind((name, 0))
    return sockets


def send(capture: Path, seconds: float, interfaces: list[str]) -> None:
    """Send all frames, for ever."""
    sockets = opened(interfaces)
    day, began = [frame for _, frame in packets(capture)], time.monotonic()
    for number, frame in enumerate(itertools.cycle(day)):
        ahead = began + seconds * number / len(day) - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        sockets[flow(frame) % len(sockets)].send(frame)


if __name__ == "__main__":
    send(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
