"""Unpacks gzip, bzip2, xz, zstd, lz4, zip and tar, which it recognizes by content."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePath
from typing import IO, Any, BinaryIO, cast

from nba_broker.records.errors import ArchiveError

_PART = 64 << 10
# Bytes to decompress at once. At damage, the output of the last piece is lost.
_PIECE = 4 << 10
_DEPTH = 8  # layers of packing
_HEAD = 512
_TAR = slice(257, 262)


class Damaged(ArchiveError):
    """Packed data is damaged; everything before the damage has been given out.

    ``cut_off``: the data only ends early, and is whole up to there.
    """

    def __init__(self, kind: str, why: str, cut_off: bool = False) -> None:
        super().__init__(f"damaged {kind} data ({why})")
        self.kind, self.why, self.cut_off = kind, why, cut_off


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd  # here, because few need it
    return zstd.ZstdDecompressor()


def _lz4() -> Any:
    import lz4.frame  # here, because few need it

    return lz4.frame.LZ4FrameDecompressor()


# How each kind begins, and what decompresses one stream. Several streams may follow each other.
_PACKED: dict[str, tuple[re.Pattern[bytes], Callable[[], Any]]] = {
    "gzip": (re.compile(rb"\x1f\x8b"), lambda: zlib.decompressobj(31)),
    "bzip2": (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), bz2.BZ2Decompressor),
    "xz": (re.compile(rb"\xfd7zXZ\0"), lzma.LZMADecompressor),
    "lzma": (re.compile(rb"\x5d\0\0..{8}", re.DOTALL), lzma.LZMADecompressor),
    # pzstd writes skippable frames first.
    "zstd": (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _zstd),
    "lz4": (re.compile(rb"\x04\x22\x4d\x18"), _lz4),
}
_UNREAD = {
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"\x1f\x9d": "compress (.Z)",
    b"\x02\x21\x4c\x18": "the old lz4 format",
    b"\xff\x06\0\0sNaPpY": "Snappy",
    b"\x89LZO\0": "LZO",
}
_LOCAL = struct.Struct("<4s5H3I2H")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK\x03\x04")


def unpack(stream: BinaryIO) -> BinaryIO:
    """The content of a packed stream, through all layers; the stream itself if it is not packed.

    A zip or tar file is returned as it is; see :func:`members`. Reading raises :class:`Damaged` at
    damage, after everything before it. Raises ArchiveError for a kind of packing that is not
    supported.
    """
    if not stream.seekable() and not isinstance(stream, _Chunks):
        stream = _stream(iter(partial(_some, stream), b""), "", stream)
    for _ in range(_DEPTH):
        head = peek(stream, _HEAD)
        for kind, (magic, new) in _PACKED.items():
            if magic.match(head):
                stream = _stream(_unpacked(stream, new), kind, stream)
                break
        else:
            break
    for start, kind in _UNREAD.items():
        if head.startswith(start):
            raise ArchiveError(f"packed with {kind}, which is not read: unpack it first")
    return stream


def peek(stream: BinaryIO, size: int) -> bytes:
    """The next bytes of a stream, which stay unread; it can seek, or :func:`unpack` returned it."""
    if isinstance(stream, _Chunks):
        return stream.peek(size)
    at = stream.tell()
    head = stream.read(size)
    stream.seek(at)
    return head


def is_packed(head: bytes) -> bool:
    """Whether content with this ``head``, its first 512 bytes, is packed or a zip or tar file."""
    kinds = (magic for magic, _ in _PACKED.values())
    return (
        holds_files(head)
        or head.startswith(tuple(_UNREAD))
        or any(magic.match(head) for magic in kinds)
    )


def holds_files(head: bytes) -> bool:
    """Whether content with this ``head``, its first 512 bytes, is a zip or tar file."""
    return head.startswith(_ZIP) or head[_TAR] == b"ustar"


def members(stream: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """The files in a zip or tar file, packed or not, by name, each unpacked.

    Any other stream is one file with the name "". Read each file before asking for the next.
    Raises :class:`Damaged` after the whole files.
    """
    stream = unpack(stream)
    head = peek(stream, _HEAD)
    if not holds_files(head):
        yield "", stream
        return
    for name, member in (_zip if head.startswith(_ZIP) else _tar)(stream):
        # macOS puts a file of metadata beside each file.
        if not PurePath(name).name.startswith("._"):
            for inner, content in members(member):
                yield f"{name}/{inner}" if inner else name, content


class _Chunks(io.BufferedIOBase):
    """A stream of the bytes that an iterator gives. Damage is raised after all bytes before it."""

    def __init__(self, chunks: Iterator[bytes], kind: str, source: BinaryIO | None) -> None:
        self._chunks, self._kind, self._source = chunks, kind, source
        self._held = b""
        self._error: Exception | None = None
        self._ended = False

    def readable(self) -> bool:
        return True

    def peek(self, size: int = 1) -> bytes:
        """At least ``size`` bytes, which stay unread; fewer before the end."""
        while len(self._held) < size and not self._ended and self._error is None:
            self._held += self._next()
        return self._held

    def read1(self, size: int | None = -1) -> bytes:
        """Some bytes, b"" at the end."""
        if not self._held and not self._ended:
            if self._error is not None:
                raise self._error
            self._held = self._next()
            if not self._held and self._error is not None:
                raise self._error
        if size is None or size < 0 or size >= len(self._held):
            part, self._held = self._held, b""
        else:
            part, self._held = self._held[:size], self._held[size:]
        return part

    def read(self, size: int | None = -1) -> bytes:
        """``size`` bytes; fewer at the end or before damage."""
        parts: list[bytes] = []
        left = sys.maxsize if size is None or size < 0 else size
        while left:
            if parts and not self._held and self._error is not None:
                break
            try:
                part = self.read1(left)
            except (ArchiveError, OSError):
                if parts:
                    break
                raise
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
        super().close()

    def _next(self) -> bytes:
        try:
            for chunk in self._chunks:
                if chunk:
                    return chunk
            self._ended = True
        except (EOFError, tarfile.ReadError) as error:
            cut_off = isinstance(error, EOFError) or "unexpected end" in str(error)
            self._error = Damaged(self._kind, "it ends early" if cut_off else str(error), cut_off)
        except Damaged as error:  # of an outer layer
            self._error = error
        except OSError as error:
            self._error = error if error.errno else Damaged(self._kind, str(error))
        except Exception as error:  # each library raises its own
            self._error = Damaged(self._kind, str(error).rstrip(".") or type(error).__name__)
        return b""


def _stream(chunks: Iterator[bytes], kind: str, source: BinaryIO | None = None) -> BinaryIO:
    return cast(BinaryIO, _Chunks(chunks, kind, source))


def _some(stream: IO[bytes]) -> bytes:
    read1 = getattr(stream, "read1", None)
    return read1(_PART) if read1 else stream.read(_PART)


def _unpacked(stream: BinaryIO, new: Callable[[], Any]) -> Iterator[bytes]:
    """Raises EOFError at an early end, and the library's own error at damage."""
    decompressor = new()
    fresh = True  # between two streams, so the data may end here
    while part := _some(stream):
        made: list[bytes] = []
        try:
            for at in range(0, len(part), _PIECE):
                piece = part[at : at + _PIECE]
                while piece:
                    if decompressor.eof:
                        piece = piece.lstrip(b"\0")  # padding, as on tapes
                        if not piece:
                            break
                        decompressor = new()
                    made.append(decompressor.decompress(piece))
                    fresh = decompressor.eof
                    piece = (decompressor.unused_data or b"") if fresh else b""
        except Exception:
            yield b"".join(made)
            raise
        yield b"".join(made)
    if not fresh:
        raise EOFError


def _tar(stream: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as file:
            for member in file:
                if member.isfile() and (content := file.extractfile(member)) is not None:
                    parts = iter(partial(content.read, _PART), b"")
                    yield member.name, _stream(parts, "tar")
    except tarfile.TarError as error:
        cut_off = "unexpected end" in str(error)
        raise Damaged("tar", "it ends early" if cut_off else str(error), cut_off) from None


def _zip(stream: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    with tempfile.TemporaryFile(prefix="nba-") as copy:
        file = stream
        if not stream.seekable():  # a zip file's directory is at its end
            file = copy
            try:
                for part in iter(partial(_some, stream), b""):
                    copy.write(part)
            except Damaged:
                pass  # it has no directory then
        try:
            whole = zipfile.ZipFile(file)
        except zipfile.BadZipFile:
            yield from _cut_zip(file)
            return
        with whole:
            for entry in whole.infolist():
                if not entry.is_dir():
                    yield entry.filename, _stream(_of_zip(whole, entry), "zip")


def _of_zip(file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with file.open(entry) as content:
        yield from iter(partial(_some, content), b"")


def _cut_zip(file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """The files in a zip file without directory, because it was cut off (APPNOTE.TXT 4.3)."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(_LOCAL.size)
        if len(head) < _LOCAL.size or not head.startswith(_ZIP[0]):
            break
        _, _, flags, method, _, _, _, packed, _, name_length, more_length = _LOCAL.unpack(head)
        name = file.read(name_length).decode("utf-8" if flags & 0x800 else "cp437", "replace")
        at = file.seek(more_length, io.SEEK_CUR)
        if flags & 1 or method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            break
        end = [at]
        content = _inflated(file, end) if method else _stored(file, packed, end)
        yield name, _stream(content, "zip")
        for _ in content:  # skip what the caller has not read
            pass
        file.seek(end[0])
        # A descriptor of the sizes may stand between two files.
        at = end[0] + max(file.read(_LOCAL.size).find(_ZIP[0]), 0)
    raise Damaged("zip", "it ends early", True)


def _inflated(file: BinaryIO, end: list[int]) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(-15)
    while not decompressor.eof:
        piece = file.read(_PIECE)
        if not piece:
            end[0] = file.tell()
            raise EOFError
        yield decompressor.decompress(piece)
    end[0] = file.tell() - len(decompressor.unused_data)


def _stored(file: BinaryIO, size: int, end: list[int]) -> Iterator[bytes]:
    while size:
        piece = file.read(min(size, _PART))
        end[0] = file.tell()
        if not piece:
            raise EOFError
        yield piece
        size -= len(piece)
