"""Packs the uids of sessions at six bits a character: 14 bytes for 96-bit uids, 18 for 128 bits."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable, Sequence

import numpy as np

from nba_broker.records.columns import Ascii

LENGTH = 24
"""The most characters of a uid: a letter and 128 bits in Zeek's base 62, which are 22 characters;
most uids have 96 bits."""

TEXT = np.dtype(f"S{LENGTH}")
PACKED, WIDE = np.dtype("V14"), np.dtype("V18")
"""The dtypes of packed uids: up to 18 characters, enough for nearly all, and up to LENGTH."""

_FOURS = LENGTH // 4
_USUAL = PACKED.itemsize * 8 // 6
_ALPHABET = "\0" + string.digits + string.ascii_uppercase + string.ascii_lowercase
_OTHER = len(_ALPHABET)
_CODE = np.full(256, _OTHER, np.uint8)
_CODE[np.frombuffer(_ALPHABET.encode(), np.uint8)] = np.arange(len(_ALPHABET))
_LONGER = "\1"  # begins the digest that stands for a uid longer than LENGTH; never shown


def texts(uids: Sequence[str]) -> np.ndarray:
    """Uids in ASCII as TEXT [n]; b"" for a uid longer than LENGTH, which is not cut."""
    found = uids.content if isinstance(uids, Ascii) else np.array(uids, "S")
    if found.dtype.itemsize > LENGTH:
        found[np.char.str_len(found) > LENGTH] = b""
    return np.asarray(found, TEXT)


def marked(uids: Iterable[str]) -> np.ndarray:
    """As :func:`texts`, with a digest for a longer uid, so that two longer ones stay different;
    :func:`shown` removes the digests."""
    return np.array([uid if len(uid) <= LENGTH else _mark(uid) for uid in uids], TEXT)


def _mark(uid: str) -> str:
    digest = hashlib.blake2b(uid.encode("utf-8", "replace"), digest_size=LENGTH // 2 - 1)
    return _LONGER + digest.hexdigest()


def shown(uids: np.ndarray) -> np.ndarray:
    """The uids of :func:`marked`, TEXT [n], with b"" in place of digests."""
    first = np.ascontiguousarray(uids).view(np.uint8).reshape(-1, LENGTH)[:, 0]
    longer = first == ord(_LONGER)
    return np.where(longer, b"", uids).astype(TEXT) if longer.any() else uids


def are_wide(uids: np.ndarray) -> bool:
    """Whether any of these uids, bytes "S" [n], is too long for PACKED."""
    if uids.dtype.itemsize <= _USUAL:
        return False
    letters = np.ascontiguousarray(uids, TEXT).view(np.uint8).reshape(-1, LENGTH)
    return bool(letters[:, _USUAL].any())


def pack(uids: np.ndarray, kind: np.dtype = PACKED) -> np.ndarray:
    """Uids, bytes "S" [n], as PACKED or WIDE [n]; they must not be longer than that holds."""
    codes = _CODE[np.ascontiguousarray(uids, TEXT).view(np.uint8).reshape(-1, LENGTH)]
    # Four characters of six bits at once become three bytes.
    four = codes.view("<u4")
    three = four & 0x3F | four >> 2 & 0xFC0 | four >> 4 & 0x3F000 | four >> 6 & 0xFC0000
    packed = three.view(np.uint8).reshape(-1, _FOURS, 4)[:, :, :3].reshape(-1, 3 * _FOURS)
    return np.ascontiguousarray(packed[:, : kind.itemsize]).view(kind)[:, 0]


def unpack(packed: bytes) -> str:
    """The inverse of :func:`pack` for one uid; "" if it had characters that Zeek does not use."""
    number = int.from_bytes(packed, "little")
    codes = [number >> shift & 63 for shift in range(0, number.bit_length(), 6)]
    if 0 in codes or _OTHER in codes:
        return ""
    return "".join(map(_ALPHABET.__getitem__, codes))
