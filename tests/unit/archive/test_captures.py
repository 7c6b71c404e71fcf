"""Of every capture all whole packets are read, however it is packed, and what it lacks is said."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive import captures, packets
from nba_broker.records.errors import ZeekError
from tests.unit.archive.capture_bytes import (
    FRAME,
    block,
    interface,
    packet,
    pcap,
    pcapng,
    section,
    wifi,
)

WHOLE = {"pcap <": pcap("<"), "pcap >": pcap(">"), "pcapng <": pcapng("<"), "pcapng >": pcapng(">")}


def read(folder: Path, content: bytes, name: str = "capture") -> captures.Capture:
    path = folder / name
    path.write_bytes(content)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return captures.whole(path, work)


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_a_whole_capture_is_read_where_it_lies(content: bytes, tmp_path: Path) -> None:
    capture = read(tmp_path, content)
    assert (capture.path, capture.packets, capture.damage) == (tmp_path / "capture", 3, "")
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_of_a_capture_that_is_cut_off_all_whole_packets_are_read(
    content: bytes, tmp_path: Path
) -> None:
    number, cut = [], []
    for size in range(24, len(content)):
        try:
            capture = read(tmp_path, content[:size])
        except ZeekError:  # not even the first block of a pcapng is whole
            assert size < 28
            continue
        kept = capture.path.read_bytes()
        assert content.startswith(kept)
        again = read(tmp_path, kept)
        assert (again.packets, again.damage) == (capture.packets, "")
        assert (len(kept) < size) == bool(capture.damage)
        number.append(capture.packets)
        cut += [capture.damage] if capture.damage else []
    assert number == sorted(number)
    assert (number[0], max(number)) == (0, 2)
    assert set(cut) == {"it ends in the middle of a packet"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_comes_before_damage_is_read(order: str, tmp_path: Path) -> None:
    good = pcap(order)
    length = struct.pack(f"{order}IIII", 1, 0, 0xFFFFFFF0, 60)
    capture = read(tmp_path, good + length + bytes(99))
    assert (capture.packets, capture.path.read_bytes()) == (3, good)
    assert capture.damage == "it is damaged: a packet of 4294967280 bytes"
    capture = read(tmp_path, good + bytes(4096))
    assert (capture.packets, capture.path.read_bytes()) == (3, good)
    assert capture.damage == "it is damaged: zeros, as after a power cut"
    length = struct.pack(f"{order}IIII", 1, 0, 300_000, 300_000)  # which libpcap refuses
    capture = read(tmp_path, good + length + bytes(400_000))
    assert (capture.packets, capture.path.read_bytes()) == (3, good)
    good = pcapng(order)
    for bad in (
        bytes(12),
        block(order, 6, bytes(8))[:-4] + bytes(4),
        packet(order, FRAME, number=7),
        struct.pack(f"{order}II", 6, 33) + bytes(90),
    ):
        capture = read(tmp_path, good + bad)
        assert (capture.packets, capture.path.read_bytes()) == (3, good)
        assert capture.damage.startswith("it is damaged: ")


@given(st.binary(max_size=200), st.sampled_from([b"", *WHOLE.values()]))
def test_no_content_raises_anything_but_a_zeek_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, before: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with contextlib.suppress(ZeekError):
        capture = read(folder, before + content)
        assert captures.contents(capture).total() == capture.packets


def zipped(*files: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files:
            file.writestr(name, content)
    return made.getvalue()


def tarred(*files: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def zstd(content: bytes) -> bytes:
    return bytes(pytest.importorskip("backports.zstd").compress(content))


def lz4(content: bytes) -> bytes:
    return bytes(pytest.importorskip("lz4.frame").compress(content))


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "lz4": lz4,
    "zip": lambda content: zipped(("README", b"x"), ("day/a.pcap", content)),
    "tar.gz": lambda content: gzip.compress(tarred(("README", b"x"), ("a.pcap", content))),
    "zip of gzip": lambda content: zipped(("a.pcap.gz", gzip.compress(content))),
}


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK)
def test_a_capture_is_unpacked_by_what_it_is_and_not_by_its_name(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    capture = read(tmp_path, pack(pcapng()), "capture.pcap")
    assert capture.path.read_bytes() == pcapng()
    assert (capture.packets, capture.damage) == (3, "")
    assert capture.path.parent == tmp_path / "work"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd, lz4])
def test_of_a_packed_capture_that_is_cut_off_all_whole_packets_are_read(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    frames = [os.urandom(1000) for _ in range(2000)]
    packed = pack(pcap("<", 1, *frames))
    capture = read(tmp_path, packed[: len(packed) * 9 // 10])
    assert 500 < capture.packets < 2000
    assert capture.path.read_bytes() == pcap("<", 1, *frames[: capture.packets])
    assert capture.damage.startswith("damaged ")
    assert "ends early" in capture.damage


def test_a_capture_may_come_through_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(gzip.compress(pcap())))
    writer.start()
    assert captures.whole(pipe, tmp_path).packets == 3
    writer.join()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty, without a single packet"),
        (gzip.compress(b"", mtime=0), "empty, without a single packet"),
        (
            gzip.compress(pcap(), mtime=0)[:12],
            "damaged gzip data (it ends early), without a single packet",
        ),
        (pcap()[:20], "it ends in its header, without a single packet"),
        (b"no capture" * 10, "neither a pcap nor a pcapng file"),
        (gzip.compress(b"no capture", mtime=0), "neither a pcap nor a pcapng file"),
        (b"#separator \\x09\n" * 9, "this is a log, not a capture: use nba-broker score"),
        (b'{"ts":1.5}\n', "this is a log, not a capture: use nba-broker score"),
        (
            b"7z\xbc\xaf\x27\x1c" + bytes(99),
            "packed with 7-Zip, which is not read: unpack it first",
        ),
        (zipped(("a", pcap()), ("b", pcapng())), "holds 2 captures; unpack it and give one"),
        (tarred(("a", b"text")), "holds no capture"),
        (
            section("<")
            + interface("<", 1)
            + interface("<", 101)
            + packet("<", FRAME, 0)
            + packet("<", FRAME, 1),
            "its packets have several link types (Ethernet, raw IP)",
        ),
    ],
)
def test_what_is_no_capture_is_one_clear_error(
    content: bytes, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ZeekError) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path / 'capture'}: {complaint}")


def test_a_capture_of_a_form_that_only_libpcap_knows_is_left_to_it(tmp_path: Path) -> None:
    content = struct.pack("<I", 0xA1B2CD34) + bytes(50)
    assert read(tmp_path, content).path.read_bytes() == content


@pytest.mark.parametrize(
    ("link", "frames", "says"),
    [
        (127, [wifi(0x08, 0x41)] * 3, "3 packets, all encrypted 802.11"),
        (127, [wifi(0x80, 0), wifi(0x08, 0x40), wifi(0x08, 0x42)],
         "3 packets, 2 encrypted 802.11, 1 management 802.11"),
        (105, [bytes([0x88, 0x40, 0, 0])], "1 packet, all encrypted 802.11"),
        (1, [FRAME, FRAME, bytes(12) + b"\x08\x06" + bytes(28)], "3 packets, 2 IPv4, 1 ARP"),
        (1, [bytes(12) + b"\x81\0\0\x07\x86\xdd" + bytes(40)], "1 packet, all IPv6"),
        (1, [FRAME[:30]], "1 packet, all cut off before their addresses"),
        (1, [bytes(12) + b"\x88\xb8" + bytes(40)], "1 packet, all of EtherType 0x88b8"),
        (1, [bytes(9)], "1 packet, all too short"),
        (113, [bytes(14) + b"\x08\0" + bytes(20)], "1 packet, all IPv4"),
        (101, [b"\x45", b"\x60", b""], "3 packets, 1 IPv4, 1 IPv6, 1 no IP"),
        (0, [b"\x02\0\0\0", b"\0\0\0\x1e"], "2 packets, 1 IPv4, 1 IPv6"),
        (187, [bytes(9)], "1 packet, all of link type Bluetooth, which Zeek does not read"),
    ],
)  # fmt: skip
def test_what_a_capture_holds_is_told(
    link: int, frames: list[bytes], says: str, tmp_path: Path
) -> None:
    kinds = captures.contents(read(tmp_path, pcap("<", link, *frames)))
    assert packets.described(kinds) == says
    assert packets.advice(kinds).startswith("capture") == ("802.11" in says or "cut off" in says)


@given(st.binary(max_size=80), st.sampled_from([0, 1, 101, 105, 113, 119, 127, 163, 192, 276, 999]))
def test_every_packet_is_of_some_kind(frame: bytes, link: int) -> None:
    assert packets.kind(frame, link)


def test_a_capture_without_packets_is_told(tmp_path: Path) -> None:
    capture = read(tmp_path, pcap()[:24])
    assert packets.described(captures.contents(capture)) == "no packet"
