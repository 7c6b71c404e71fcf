"""Registered domains by the public suffix list, without a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.destinations.domains import domain, form


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("es.ring.com", "ring.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("xn--bcher-kva.xn--p1ai", "xn--bcher-kva.xn--p1ai"),
        ("nas.fritz.box", "fritz.box"),
        ("_srv.some_host.example.com", "example.com"),
    ],
)
def test_a_name_is_registered_right_below_a_public_suffix(name: str, registered: str) -> None:
    assert domain(name) == registered


def test_who_rents_a_name_in_a_cloud_is_an_owner_of_its_own() -> None:
    assert domain("lamp.s3.amazonaws.com") == "lamp.s3.amazonaws.com"
    assert domain("lens.s3.amazonaws.com") != domain("lamp.s3.amazonaws.com")


@pytest.mark.parametrize(
    "name",
    ["co.uk", "s3.amazonaws.com", "com", "localhost", "1.2.3.4", "::1", "", ".", "..", "a..b.com"],
)
def test_suffixes_addresses_and_what_is_no_name_have_no_domain(name: str) -> None:
    assert domain(name) == ""


def test_numbers_in_the_registered_domain_stay() -> None:
    assert form("cdn2.163.com") == "cdn#.163.com"
    assert form("163.com") == "163.com"


def test_a_public_suffix_by_itself_is_a_name_and_an_address_is_none() -> None:
    assert form("s3.amazonaws.com") == "s3.amazonaws.com"
    assert form("1.2.3.4") == form("localhost") == ""


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=255))
def test_any_name_has_a_domain_that_it_ends_with_and_that_its_form_has_too(name: str) -> None:
    name = name.lower()
    assert name.endswith(domain(name))
    assert domain(form(name)) in ("", domain(name))
