"""Rows of names are put into one order, whatever order they came in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.addresses import canonical
from nba_broker.records.names import NO_NAMES, Names, concatenate, is_name, order, take

Row = tuple[float, str, str, str, float, str]

ROWS = st.lists(
    st.tuples(
        st.sampled_from([1.0, 2.0, 3.0]),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "fe80::1"]),
        st.sampled_from(["a.example", "b.example"]),
        st.sampled_from(["192.0.2.1", "2001:db8::1"]),
        st.sampled_from([60.0, 300.0]),
        st.sampled_from(["", "/10", "berlin/"]),
    ),
    max_size=20,
)


def names(rows: list[Row]) -> Names:
    ts, host, name, address, ttl, segment = zip(*rows, strict=True) if rows else [()] * 6

    def packed(texts: tuple[str, ...]) -> np.ndarray:
        return np.frombuffer(b"".join(canonical(text)[1] for text in texts), "V16")

    return Names(
        np.array(ts, np.float64),
        packed(host),
        np.array(name, object),
        packed(address),
        np.array(ttl, np.float64),
        list(segment),
    )


def rows(of: Names) -> list[tuple[object, ...]]:
    columns = of.ts, of.host, of.name, of.address, of.ttl
    listed = [column.tolist() for column in columns]
    return list(zip(*listed, of.segment or [""] * len(of), strict=True))


@given(ROWS, st.randoms(use_true_random=False))
def test_rows_have_the_same_order_whatever_order_they_came_in(some: list[Row], random) -> None:  # type: ignore[no-untyped-def]
    one = names(some)
    random.shuffle(some)
    other = names(some)
    ordered = take(one, order(one))
    assert rows(ordered) == rows(take(other, order(other)))
    assert (np.diff(ordered.ts) >= 0).all()


@given(ROWS, ROWS)
def test_concatenated_rows_are_those_of_the_parts(one: list[Row], other: list[Row]) -> None:
    both = concatenate([names(one), names(other)])
    assert rows(both) == rows(names(one)) + rows(names(other))


def test_segments_of_parts_without_one_are_unknown() -> None:
    one = names([(1.0, "10.0.0.1", "a.example", "192.0.2.1", 60.0, "/10")])
    bare = Names(one.ts, one.host, one.name, one.address, one.ttl)
    assert concatenate([bare, one]).segment == ["", "/10"]
    assert concatenate([bare, bare]).segment is None
    assert len(concatenate([])) == len(NO_NAMES) == 0


def test_only_printable_ascii_is_a_name() -> None:
    assert is_name("fw.ring.com")
    assert is_name("_dns-sd._udp.example")
    assert is_name("=cmd|'/c'!a1")
    assert is_name("10.0.0.1")
    assert is_name("x" * 255)
    for text in ("", "x" * 256, "a b", "a\x00b", "a\x7fb", "a\nb", "münchen.de", "a\ud800"):
        assert not is_name(text)
