"""compression unpacks every kind by its content, and hands out all that is before damage."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive import compression
from nba_broker.archive.compression import Damaged
from nba_broker.records.errors import ArchiveError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Pack = Callable[[bytes], bytes]
PACKERS: dict[str, Pack] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
}
LINES = b"".join(b"%d %s\n" % (number, os.urandom(8).hex().encode()) for number in range(60_000))


def packed(data: bytes, kind: str) -> bytes:
    return PACKERS[kind](data)


def in_zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return made.getvalue()


def in_tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as file:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return made.getvalue()


class Pipe(io.RawIOBase):
    """What cannot go back and hands out little at once."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._data.read(min(len(buffer), 700))
        buffer[: len(part)] = part
        return len(part)


def before_damage(stream: io.BufferedIOBase) -> tuple[bytes, Damaged]:
    got = b""
    try:
        while part := stream.read(10_000):
            got += part
    except Damaged as error:
        return got, error
    pytest.fail("no damage was found")


def files_in(data: bytes, pipe: bool = False) -> dict[str, bytes]:
    stream = Pipe(data) if pipe else io.BytesIO(data)
    return {name: content.read() for name, content in compression.members(stream)}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("pipe", [False, True])
def test_every_kind_is_told_by_its_content(kind: str, pipe: bool) -> None:
    data = packed(b"one\ntwo\n" * 9, kind)
    stream = Pipe(data) if pipe else io.BytesIO(data)
    assert compression.unpack(stream).read() == b"one\ntwo\n" * 9


def test_what_is_not_packed_is_left_alone() -> None:
    stream = io.BytesIO(b"one\n")
    assert compression.unpack(stream) is stream
    assert stream.read() == b"one\n"


@pytest.mark.parametrize("kind", PACKERS)
def test_streams_one_after_another_are_one(kind: str) -> None:
    if kind == "lzma":
        pytest.skip("lzma says nothing of where it ends")
    data = packed(b"one\n", kind) + packed(b"two\n", kind) + bytes(512)
    if kind in ("lz4", "zstd"):
        data = data.rstrip(b"\0")
    assert compression.unpack(io.BytesIO(data)).read() == b"one\ntwo\n"


def test_what_is_packed_twice_is_unpacked_twice() -> None:
    data = gzip.compress(zstd.compress(b"one\n"))
    assert compression.unpack(io.BytesIO(data)).read() == b"one\n"


@pytest.mark.parametrize("kind", PACKERS)
def test_what_is_cut_off_gives_all_before_its_end(kind: str) -> None:
    data = packed(LINES, kind)
    got, error = before_damage(compression.unpack(io.BytesIO(data[: len(data) * 3 // 4])))
    assert LINES.startswith(got)
    assert len(got) > len(LINES) // 2
    assert (error.kind, error.cut_off) == (kind, True)
    assert "ends early" in str(error)


@pytest.mark.parametrize("kind", PACKERS)
def test_what_is_damaged_gives_all_before_the_damage(kind: str) -> None:
    data = bytearray(packed(LINES, kind))
    at = len(data) * 3 // 4
    data[at : at + 64] = bytes(64)
    stream = compression.unpack(io.BytesIO(bytes(data)))
    got, error = before_damage(stream)
    half = len(LINES) // 2
    assert got[:half] == LINES[:half]
    assert error.kind == kind


@pytest.mark.parametrize("pipe", [False, True])
@pytest.mark.parametrize(
    "pack",
    [in_zip, in_tar, lambda files: in_tar(files, "w:gz"), lambda f: gzip.compress(in_zip(f))],
)
def test_the_files_of_an_archive_are_unpacked_each(pack: Callable[..., bytes], pipe: bool) -> None:
    data = pack({"a/conn.log": b"one\n", "._x": b"mac", "b.gz": gzip.compress(b"two\n")})
    assert files_in(data, pipe) == {"a/conn.log": b"one\n", "b.gz": b"two\n"}


def test_archives_in_archives_are_opened() -> None:
    data = in_tar({"x.zip": in_zip({"conn.log": b"one\n"})})
    assert files_in(data) == {"x.zip/conn.log": b"one\n"}


@pytest.mark.parametrize(
    "pack", [in_zip, in_tar, lambda files: in_zip(files, zipfile.ZIP_STORED)], ids=range(3)
)
def test_an_archive_that_is_cut_off_gives_what_is_before_its_end(
    pack: Callable[..., bytes],
) -> None:
    data = pack({"a": b"one\n", "b": LINES})
    got = b""
    found = compression.members(io.BytesIO(data[: len(data) * 3 // 4]))
    name, stream = next(found)
    assert (name, stream.read()) == ("a", b"one\n")
    name, stream = next(found)
    got, _ = before_damage(stream)  # type: ignore[arg-type]
    assert LINES.startswith(got)
    assert len(got) > len(LINES) // 2


def test_a_zip_whose_directory_is_gone_gives_its_files() -> None:
    data = in_zip({"a": b"one\n", "b": b"two\n"})
    found = compression.members(io.BytesIO(data[: data.index(b"PK\x01\x02")]))
    assert [next(found)[1].read() for _ in "ab"] == [b"one\n", b"two\n"]
    with pytest.raises(Damaged, match="zip"):
        next(found)


@pytest.mark.parametrize("head", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x9d"])
def test_what_is_not_unpacked_is_named(head: bytes) -> None:
    with pytest.raises(ArchiveError, match="unpack it first"):
        compression.unpack(io.BytesIO(head + bytes(99)))


@given(
    data=st.binary(max_size=300),
    kind=st.sampled_from([*PACKERS, "zip", "tar", ""]),
    cut=st.integers(0, 400),
    flip=st.integers(0, 400),
)
def test_no_damage_raises_anything_else(data: bytes, kind: str, cut: int, flip: int) -> None:
    made = {"zip": lambda d: in_zip({"a": d}), "tar": lambda d: in_tar({"a": d}), "": bytes}
    content = bytearray((made.get(kind) or PACKERS[kind])(data))
    content = content[: max(len(content) - cut, 0)]
    if flip < len(content):
        content[flip] ^= 0x55
    try:
        for _, stream in compression.members(io.BytesIO(bytes(content))):
            stream.read()
            stream.read()
    except ArchiveError:
        pass
