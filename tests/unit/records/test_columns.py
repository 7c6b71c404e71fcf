"""Columns as an archive keeps them are sequences of texts like any other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.columns import Ascii, Coded, Memo

TEXTS = st.lists(st.sampled_from(["", "a", "bb", "10.0.0.2"]), max_size=12)
CUT = st.integers(-13, 13)


def coded(texts: Sequence[str]) -> Coded:
    different = sorted(set(texts))
    codes = [different.index(text) for text in texts]
    return Coded(np.array(codes, np.int32), np.array(different, object))


@given(TEXTS, CUT, CUT)
def test_they_are_sequences_of_their_texts(texts: list[str], start: int, stop: int) -> None:
    for column in (coded(texts), Ascii(np.array(texts, "S12"))):
        assert len(column) == len(texts)
        assert list(column) == texts
        assert [column[at] for at in range(len(texts))] == texts
        assert list(column[start:stop]) == texts[start:stop]


def test_ascii_is_an_array_of_as_many_bytes_as_one_likes() -> None:
    assert np.array(Ascii(np.array([b"abc", b""])), "S2").tolist() == [b"ab", b""]


class Asked:
    """The lengths of texts, 0 while they are unknown, and what was asked."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self.texts: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return np.array([0 if one in self.unknown else len(one) for one in texts], np.int32)


@given(TEXTS, CUT)
def test_a_memo_answers_as_who_is_asked(texts: list[str], cut: int) -> None:
    memo = Memo(Asked(), np.int32(0))
    for part in (texts[:cut], texts[cut:]):
        assert memo(part).tolist() == memo(coded(part)).tolist() == list(map(len, part))


def test_a_memo_asks_for_each_text_once() -> None:
    asked = Asked()
    memo, column = Memo(asked, np.int32(0)), coded(["b", "a", "b"])
    memo(column)
    memo(column[1:])
    assert asked.texts == ["a", "b"]
    memo.forget()
    memo(column[1:2])
    assert asked.texts == ["a", "b", "a"]


def test_a_memo_does_not_remember_what_is_no_answer() -> None:
    asked = Asked()
    memo, column = Memo(asked, np.int32(0)), coded(["a", "bb"])
    asked.unknown = {"a"}
    assert memo(column).tolist() == [0, 2]
    asked.unknown = set()
    assert memo(column).tolist() == [1, 2]
    assert asked.texts == ["a", "bb", "a"]


def test_a_memo_keeps_the_codes_of_two_archives_apart() -> None:
    memo = Memo(Asked(), np.int32(0))
    assert memo(coded(["a", "bb"])).tolist() == [1, 2]
    assert memo(coded(["", "dddd"])).tolist() == [0, 4]
