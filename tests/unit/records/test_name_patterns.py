"""Patterns of names match whole labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.name_patterns import matches, pattern, patterns_of


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("*.ntp.org", "pool.ntp.org", True),
        ("*.ntp.org", "0.pool.ntp.org", True),
        ("*.ntp.org", "ntp.org", False),
        ("*.ntp.org", "evilntp.org", False),
        ("*.ntp.org", ".ntp.org", False),
        ("*.ntp.org", "pool.ntp.org.evil.example", False),
        ("fw.ring.com", "fw.ring.com", True),
        ("fw.ring.com", "x.fw.ring.com", False),
        ("fw.ring.com", "", False),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
    ],
)
def test_a_pattern_matches_names_by_labels(pattern: str, name: str, does: bool) -> None:
    assert matches(pattern, name) is does


_label = st.text(st.sampled_from("ab*."), max_size=3)


@given(st.lists(_label, min_size=1, max_size=4).map(".".join), st.lists(_label).map(".".join))
def test_the_patterns_of_a_name_are_those_that_match_it(domain: str, name: str) -> None:
    for one in (domain, f"*.{domain}"):
        if is_pattern(one) and name:
            assert (one in patterns_of(name)) is matches(one, name)


def is_pattern(text: str) -> bool:
    try:
        return pattern(text, "pool") == text
    except ValueError:
        return False


def test_the_patterns_of_a_name_begin_with_the_most_specific() -> None:
    assert list(patterns_of("a.b.example")) == ["a.b.example", "*.b.example", "*.example"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("10.0.0.1", "is an address or network; give it as pool"),
        ("10.0.0.0/24", "is an address or network; give it as pool"),
        ("2001:db8::1", "is an address or network; give it as pool"),
        ("http://a.b", "is a URL, or has a port or path; give a name alone, such as a.b"),
        ("https://user@a.b:8443/x?y", "give a name alone, such as a.b"),
        ("a.b/index.html", "give a name alone, such as a.b"),
        ("a.b:443", "give a name alone, such as a.b"),
        ("[::1]:80", "give a name alone$"),
    ],
)
def test_what_no_name_can_match_is_refused_with_what_to_write(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        pattern(text, "pool")
