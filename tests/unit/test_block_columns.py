"""Columns of uids are read as they are, whatever the lengths and the chunks."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.archive.block_columns import uid_column
from nba_broker.records import uids

UIDS = st.lists(st.binary(max_size=uids.LENGTH).map(lambda one: one.replace(b"\0", b"0")))


def plain(column: list[bytes]) -> list[bytes]:
    """What is expected of uids, one by one."""
    shown = [bytes(letter if letter <= 0x7E else ord("?") for letter in one) for one in column]
    unset = (b"", b"-", b"(empty)", b"nan", b"none", b"null", b"<na>", b"n/a", b"nat")
    return [b"" if one.lower() in unset else one for one in shown]


@given(UIDS, UIDS, st.integers(0, 5))
def test_uids_of_all_chunks_keep_their_letters(
    first: list[bytes], second: list[bytes], start: int
) -> None:
    chunks = [pa.array(first, pa.binary())[start:], pa.array(second, pa.binary())]
    found = uid_column(pa.chunked_array(chunks, pa.binary()), b"-")
    assert found.tolist() == plain([*first[start:], *second])


@pytest.mark.parametrize("longer", [uids.LENGTH + 1, 200])
def test_a_longer_uid_changes_no_other(longer: int) -> None:
    column = pa.chunked_array([pa.array([b"CUid1", b"C" * longer, b"CUid2"], pa.binary())])
    found = uids.shown(uid_column(column, b"-"))
    assert found.tolist() == [b"CUid1", b"", b"CUid2"]


def test_a_column_without_rows_has_no_uids() -> None:
    assert len(uid_column(pa.chunked_array([], pa.binary()), b"-")) == 0
