"""Uids of sessions at six bits a character: 14 bytes for the 18 that Zeek's have at most."""

from __future__ import annotations

import string

import numpy as np

LENGTH = 18
"""Characters of a uid: 96 bits in Zeek's base 62, and a letter in front."""

TEXT = np.dtype(f"S{LENGTH}")
PACKED = np.dtype("V14")

_FOURS = 5  # groups of four characters, the last one of two
_ALPHABET = "\0" + string.digits + string.ascii_uppercase + string.ascii_lowercase
_OTHER = len(_ALPHABET)
_CODE = np.full(256, _OTHER, np.uint8)
_CODE[np.frombuffer(_ALPHABET.encode(), np.uint8)] = np.arange(len(_ALPHABET))


def pack(uids: np.ndarray) -> np.ndarray:
    """Uids TEXT [n] as PACKED [n]."""
    codes = np.zeros((len(uids), 4 * _FOURS), np.uint8)
    codes[:, :LENGTH] = _CODE[np.ascontiguousarray(uids).view(np.uint8).reshape(-1, LENGTH)]
    # Four characters at once, each to the end of the one before it: they are three bytes then.
    four = codes.view("<u4")
    three = four & 0x3F | four >> 2 & 0xFC0 | four >> 4 & 0x3F000 | four >> 6 & 0xFC0000
    packed = three.view(np.uint8).reshape(-1, _FOURS, 4)[:, :, :3].reshape(-1, 3 * _FOURS)
    return np.ascontiguousarray(packed[:, : PACKED.itemsize]).view(PACKED)[:, 0]


def unpack(packed: bytes) -> str:
    """A uid that was packed; "" for one with other characters than Zeek's, which says nothing."""
    number = int.from_bytes(packed, "little")
    codes = [number >> shift & 63 for shift in range(0, number.bit_length(), 6)]
    if 0 in codes or _OTHER in codes:
        return ""
    return "".join(map(_ALPHABET.__getitem__, codes))
