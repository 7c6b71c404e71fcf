"""Uids of sessions at six bits a character: 14 bytes for those of 96 bits, 18 for up to 128."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable, Sequence

import numpy as np

from nba_broker.records.columns import Ascii

LENGTH = 24
"""Characters of a uid: 128 bits in Zeek's base 62 are 22, behind a letter; most have 96 bits."""

TEXT = np.dtype(f"S{LENGTH}")
PACKED, WIDE = np.dtype("V14"), np.dtype("V18")
"""What holds 18 characters, as nearly all uids have at most, and what holds all."""

_FOURS = LENGTH // 4
_USUAL = PACKED.itemsize * 8 // 6
_ALPHABET = "\0" + string.digits + string.ascii_uppercase + string.ascii_lowercase
_OTHER = len(_ALPHABET)
_CODE = np.full(256, _OTHER, np.uint8)
_CODE[np.frombuffer(_ALPHABET.encode(), np.uint8)] = np.arange(len(_ALPHABET))
_LONGER = "\1"  # begins what stands for a uid that is longer: nobody may see it, but it is itself


def texts(uids: Sequence[str]) -> np.ndarray:
    """Uids in ASCII as TEXT [n]. One that is longer is none, rather than cut."""
    found = uids.content if isinstance(uids, Ascii) else np.array(uids, "S")
    if found.dtype.itemsize > LENGTH:
        found[np.char.str_len(found) > LENGTH] = b""
    return np.asarray(found, TEXT)


def marked(uids: Iterable[str]) -> np.ndarray:
    """The same, but longer ones can be told from each other; :func:`shown` takes them out."""
    return np.array([uid if len(uid) <= LENGTH else _mark(uid) for uid in uids], TEXT)


def _mark(uid: str) -> str:
    digest = hashlib.blake2b(uid.encode("utf-8", "replace"), digest_size=LENGTH // 2 - 1)
    return _LONGER + digest.hexdigest()


def shown(uids: np.ndarray) -> np.ndarray:
    """What :func:`marked` gave as :func:`texts` does."""
    first = np.ascontiguousarray(uids).view(np.uint8).reshape(-1, LENGTH)[:, 0]
    longer = first == ord(_LONGER)
    return np.where(longer, b"", uids).astype(TEXT) if longer.any() else uids


def are_wide(uids: np.ndarray) -> bool:
    """Whether one of these, bytes "S" [n], is too long for PACKED."""
    if uids.dtype.itemsize <= _USUAL:
        return False
    letters = np.ascontiguousarray(uids, TEXT).view(np.uint8).reshape(-1, LENGTH)
    return bool(letters[:, _USUAL].any())


def pack(uids: np.ndarray, kind: np.dtype = PACKED) -> np.ndarray:
    """Uids, bytes "S" [n], as PACKED or WIDE [n]; no longer than that holds."""
    codes = _CODE[np.ascontiguousarray(uids, TEXT).view(np.uint8).reshape(-1, LENGTH)]
    # Four characters at once, each to the end of the one before it: they are three bytes then.
    four = codes.view("<u4")
    three = four & 0x3F | four >> 2 & 0xFC0 | four >> 4 & 0x3F000 | four >> 6 & 0xFC0000
    packed = three.view(np.uint8).reshape(-1, _FOURS, 4)[:, :, :3].reshape(-1, 3 * _FOURS)
    return np.ascontiguousarray(packed[:, : kind.itemsize]).view(kind)[:, 0]


def unpack(packed: bytes) -> str:
    """A uid that was packed; "" for one with other characters than Zeek's, which says nothing."""
    number = int.from_bytes(packed, "little")
    codes = [number >> shift & 63 for shift in range(0, number.bit_length(), 6)]
    if 0 in codes or _OTHER in codes:
        return ""
    return "".join(map(_ALPHABET.__getitem__, codes))
