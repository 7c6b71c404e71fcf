"""A capture that was cut off is told from one that ends with a whole packet."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from nba_broker.captures import is_cut_off

MAGIC = {"<": 0xA1B2C3D4, ">": 0xA1B23C4D}


def pcap(order: str) -> bytes:
    header = struct.pack(f"{order}IHHiIII", MAGIC[order], 2, 4, 0, 0, 65535, 1)
    packets = [struct.pack(f"{order}IIII", 1, 0, n, 60) + bytes(n) for n in (14, 60, 1)]
    return header + b"".join(packets)


def pcapng(order: str) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        size = struct.pack(f"{order}I", 12 + len(body))
        return struct.pack(f"{order}I", kind) + size + body + size

    section = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    return section + block(1, bytes(8)) + block(6, bytes(40)) + section + block(6, bytes(24))


@pytest.mark.parametrize("whole", [pcap("<"), pcap(">"), pcapng("<"), pcapng(">")])
def test_a_capture_is_cut_off_wherever_no_packet_ends(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    cut = []
    for size in range(24, len(whole) + 1):
        path.write_bytes(whole[:size])
        cut.append(is_cut_off(path))
    assert not cut[-1]
    assert 2 <= cut.count(False) <= 5  # behind a header, and behind each packet


@pytest.mark.parametrize("other", [b"", b"x", b"#separator \\x09\n" * 9, b"\x0a\x0d\x0d\x0a" * 9])
def test_what_is_no_capture_is_left_to_zeek(other: bytes, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(other)
    assert not is_cut_off(path)
