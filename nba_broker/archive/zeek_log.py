"""Reads the format of all Zeek logs: TSV with its header, or JSON, packed or not."""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from nba_broker.archive import compression, json_lines, log_values
from nba_broker.archive.compression import Damaged
from nba_broker.records.errors import ArchiveError

_BLOCK = 16 << 20
_ESCAPED = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(\\))")
_CAPTURES = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\n\r\r\n")


@dataclass(frozen=True, slots=True)
class Header:
    """The ``#`` lines above a log's rows; without ``fields`` the rows are JSON.

    The defaults are Zeek's own.
    """

    separator: bytes = b"\t"
    set_separator: bytes = b","
    empty_field: bytes = b"(empty)"
    unset_field: bytes = b"-"
    path: str = ""
    fields: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def after(self, line: bytes) -> Header:
        """The header with one more ``#`` line; ``#separator`` starts a new header."""
        line = line.rstrip(b"\r\n")
        if line.startswith(b"#separator "):
            return Header(separator=unescape(line.removeprefix(b"#separator ")) or b"\t")
        key, _, value = line[1:].partition(self.separator)
        changed: Any
        if key in (b"set_separator", b"empty_field", b"unset_field"):
            changed = unescape(value)
        elif key == b"path":
            changed = _text(value)
        elif key in (b"fields", b"types"):
            changed = tuple(_text(part) for part in value.split(self.separator))
        else:
            return self
        return replace(self, **{key.decode(): changed})


def unescape(value: bytes) -> bytes:
    r"""Undo Zeek's escapes: ``\x09`` and a doubled backslash."""
    if b"\\" not in value:
        return value
    return _ESCAPED.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else b"\\", value)


def _text(value: bytes) -> str:
    return unescape(value).decode("utf-8", "replace")


def streams(path: str | Path) -> Iterator[tuple[str, BinaryIO]]:
    """The logs in a zip or tar file by name, or any other file itself with the name "".

    Read each before asking for the next. Raises ArchiveError or OSError.
    """
    raw = _opened(path)
    try:
        yield from compression.members(raw)
    finally:
        raw.close()


def _opened(path: str | Path) -> BinaryIO:
    if str(path) == "-":
        return sys.stdin.buffer
    return open(path, "rb")


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Blocks of whole lines in UTF-8, each ending in a newline.

    Raises ArchiveError at damaged data, after everything before the damage.
    """
    parts: list[bytes] = []
    size = 0
    damage: Damaged | None = None
    decoder: codecs.IncrementalDecoder | None = None
    first = True
    while True:
        try:
            # read would lose what read1 gives of the data before damage.
            part = stream.read1(_BLOCK)  # type: ignore[attr-defined]
        except Damaged as error:
            part, damage = b"", error
        if not part:
            break
        if first:
            first = False
            decoder = _wide(part)
            part = part.removeprefix(codecs.BOM_UTF8)
        if decoder is not None:
            part = decoder.decode(part).removeprefix("\ufeff").encode()
        parts.append(part)
        size += len(part)
        if size >= _BLOCK and b"\n" in part:
            block = b"".join(parts)
            end = block.rindex(b"\n") + 1
            yield block[:end]
            parts = [block[end:]]
            size = len(parts[0])
    if last := b"".join(parts):
        yield last if last.endswith(b"\n") else last + b"\n"
    if damage:
        raise ArchiveError(
            f"damaged {damage.kind} data; only the rows before the damage count ({damage.why})"
        )


_WIDE = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# How logs without a mark of the byte order begin.
_UNMARKED = {
    start.encode(name): name for start in ("#s", "{", "[") for name in ("utf-16-le", "utf-16-be")
}


def is_whole(path: str | Path) -> bool:
    """Whether a file, such as a packed one, is written as a whole, so that no lines are appended.
    Raises OSError."""
    with Path(path).open("rb") as file:
        head = file.read(512)
    return compression.is_packed(head) or _wide(head) is not None


def _wide(head: bytes) -> codecs.IncrementalDecoder | None:
    """The decoder of text with this ``head``; None for UTF-8 and ASCII."""
    for mark, name in (_WIDE | _UNMARKED).items():
        if head.startswith(mark):
            return codecs.getincrementaldecoder(name)("replace")
    return None


def segments(stream: BinaryIO, header: Header | None = None) -> Iterator[tuple[Header, bytes]]:
    """The log's rows in blocks of whole lines, each with its header.

    A file may have several headers, because logs may be concatenated. A header without ``fields``
    means JSON lines. A log without rows gives one empty block. ``header``: the one in force if the
    stream starts in the middle of a log. Raises ArchiveError if the content is damaged or not a
    Zeek log.
    """
    header = header or Header()
    rows = False
    blocks = _blocks(stream)
    for block in blocks:
        at = 0
        while at < len(block):
            if block.startswith(b"#", at):
                end = block.index(b"\n", at) + 1
                header = header.after(block[at:end])
                at = end
                continue
            end = _next_header(block, at)
            body = block[at:end]
            at = end
            if not header.fields:
                begins = body[:64].lstrip()[:1] or body.lstrip()[:1]
                if not begins:
                    continue
                if begins not in (b"{", b"["):
                    header, body = _bare_header(header, body)
                elif not rows and not json_lines.is_by_lines(body):
                    whole = chain([body, block[end:]], blocks)
                    yield from ((header, lines) for lines in json_lines.by_lines(whole))
                    return
            rows = True
            yield header, body
    if not rows:
        if not header.fields:
            raise ArchiveError("empty, without even a Zeek header")
        yield header, b""


def of_head(head: bytes) -> Iterator[tuple[Header, bytes]]:
    """As :func:`segments`, for the start of a log, without the last line, which may be cut."""
    end = head.rfind(b"\n") + 1
    yield from segments(io.BytesIO(head[:end] if end else head))


def _next_header(block: bytes, at: int) -> int:
    """The offset of the next line that begins with ``#``, or the block's end."""
    # Searching for one character, which few rows have, is several times as fast as for two.
    found = block.find(b"#", at)
    while found > 0 and block[found - 1] != ord("\n"):
        found = block.find(b"#", found + 1)
    return len(block) if found < 0 else found


def _bare_header(header: Header, body: bytes) -> tuple[Header, bytes]:
    """The header of a log written with LogAscii's ``tsv`` option: one line of column names."""
    line, _, rest = body.lstrip(b"\r\n").partition(b"\n")
    fields = tuple(_text(part) for part in line.rstrip(b"\r").split(b"\t"))
    if "ts" in fields:
        return replace(header, fields=fields), rest
    if body.startswith(b"PAR1"):
        raise ArchiveError("a packed or piped Parquet file: give the file itself")
    if body.startswith(_CAPTURES):
        raise ArchiveError("a packet capture, not a log: use nba-broker pcap")
    if fields[0].replace(".", "", 1).isdigit() and len(fields) > 1:
        raise ArchiveError("no Zeek header (#fields) above its rows: add the header")
    raise ArchiveError("not a Zeek log: neither a #fields header nor JSON lines")


def read(path: str | Path) -> list[dict[str, Any]]:
    """A whole log as :func:`rows` gives it; raises ArchiveError or OSError."""
    return list(rows(path))


def rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """A log's rows as dictionaries, TSV and JSON alike: unset fields are left out.

    Numbers, booleans, sets and vectors have their Python types, times are seconds since the epoch,
    everything else is text. Rows that do not fit the header are left out. Raises ArchiveError or
    OSError. Read conn logs with nba_broker.archive.conn_log, and files that may hold rows of
    several logs with nba_broker.archive.log_rows.
    """
    if str(path).endswith(".parquet"):
        from nba_broker.archive import parquet

        yield from parquet.rows(path)
        return
    for _, stream in streams(path):
        for header, body in segments(stream):
            yield from parse(header, body)


def parse(
    header: Header,
    body: bytes,
    as_it_is: bool = False,
    wanted: Callable[[str], bool] = lambda _: True,
) -> Iterator[dict[str, Any]]:
    """The rows of a block of whole lines, as :func:`rows` gives them. ``as_it_is``: a value that is
    invalid for its column's type is given as text; otherwise its row is left out. ``wanted``: which
    columns of TSV to give; fewer are faster."""
    if header.fields:
        yield from _tsv_rows(header, body, as_it_is, wanted)
        return
    for row in json_lines.rows(body):
        if row is not None:
            yield {k: v for k, v in row.items() if v is not None}


def _tsv_rows(
    header: Header, body: bytes, as_it_is: bool, wanted: Callable[[str], bool]
) -> Iterator[dict[str, Any]]:
    types = header.types if len(header.types) == len(header.fields) else ()
    types = types or ("string",) * len(header.fields)
    value_of = _value_or_text if as_it_is else _value
    columns = [
        (at, name, kind)
        for at, (name, kind) in enumerate(zip(header.fields, types, strict=True))
        if wanted(name)
    ]
    for line in body.split(b"\n"):
        values = line.rstrip(b"\r").split(header.separator)
        if len(values) != len(header.fields):
            continue
        try:
            yield {
                name: value_of(header, kind, values[at])
                for at, name, kind in columns
                if values[at] != header.unset_field
            }
        except ValueError:
            continue


def _value(header: Header, kind: str, value: bytes) -> Any:
    if kind.startswith(("vector[", "set[")):
        if value == header.empty_field:
            return []
        inner = kind[kind.index("[") + 1 : -1]
        return [_value(header, inner, part) for part in value.split(header.set_separator)]
    if kind == "time":
        return _time(value)
    if kind in ("interval", "double"):
        return float(value)
    if kind in ("count", "int", "port"):
        return int(value)
    if kind == "bool":
        return value == b"T"
    return "" if value == header.empty_field else _text(value)


def _value_or_text(header: Header, kind: str, value: bytes) -> Any:
    try:
        return _value(header, kind, value)
    except ValueError:
        return _text(value)


def _time(value: bytes) -> float:
    try:
        return float(value)
    except ValueError:
        found, sure = log_values.moment(value)
        if not sure:
            raise
        return found
