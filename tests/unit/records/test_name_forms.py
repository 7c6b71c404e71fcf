"""Forms in which the names of several units agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.name_forms import is_host_name, without_numbers


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("2.pool.ntp.org", "#.pool.ntp.org"),
        ("ec2-52-0-1-2.example", "ec#-#-#-#-#.example"),
        ("b7c6e3a2-1111-2222-3333-00cdefabcdef.example", "#-#-#-#-#.example"),
        ("deadbeef.example", "deadbeef.example"),
        ("decade9.example", "decade#.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_numbers_and_long_hexadecimal_numbers_are_one(name: str, form: str) -> None:
    assert without_numbers(name) == form


@pytest.mark.parametrize("name", ["", ".", "localhost", "a.", "1.2.3.4", "::1", "::ffff:1.2.3.4"])
def test_addresses_and_single_labels_are_no_host_names(name: str) -> None:
    assert not is_host_name(name)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=255))
def test_a_form_has_no_digit_and_is_its_own_form(name: str) -> None:
    form = without_numbers(name)
    assert not any(one.isdigit() for one in form)
    assert without_numbers(form) == form
    assert len(form) <= len(name)
