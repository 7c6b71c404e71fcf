"""Uids that are kept in fewer bytes than they are written in."""

from __future__ import annotations

import string

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.uids import LENGTH, PACKED, WIDE, are_wide, pack, unpack

ZEEKS = st.text(string.ascii_letters + string.digits, max_size=LENGTH)


def kept(uids: list[str]) -> list[str]:
    texts = np.array(uids, f"S{LENGTH}")
    kind = WIDE if are_wide(texts) else PACKED
    assert (kind == WIDE) == (max(map(len, (uid.rstrip("\0") for uid in uids)), default=0) > 18)
    packed = pack(texts, kind)
    assert (packed.dtype, packed.shape) == (kind, (len(uids),))
    return [unpack(one.tobytes()) for one in packed]


@given(st.lists(ZEEKS))
def test_every_uid_of_zeeks_comes_back(uids: list[str]) -> None:
    assert kept(uids) == uids


@given(st.text(st.characters(max_codepoint=127), max_size=LENGTH))
def test_a_uid_with_other_characters_comes_back_as_none(uid: str) -> None:
    text = uid.rstrip("\0")  # numpy's end of a text
    assert kept([uid]) == ([text] if text.isalnum() else [""])


@given(st.binary(min_size=PACKED.itemsize, max_size=WIDE.itemsize))
def test_whatever_a_snapshot_holds_is_some_text(packed: bytes) -> None:
    assert unpack(packed).isalnum() or unpack(packed) == ""
