"""Addresses and MACs are the same host in whatever notation people and machines write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.addresses import canonical_mac
from nba_broker.verdicts.annotation_file import canonical_host

MAC = "02:4e:42:41:01:08"


@pytest.mark.parametrize(
    "text",
    [
        "024e42410108",
        "024E42410108",
        "0x024e42410108",
        "02-4E-42-41-01-08",
        "02 4e 42 41 01 08",
        "024e.4241.0108",
        "024e-4241-0108",
        "024e:4241:0108",
        "024e42-410108",
        " 02:4E:42:41:01:08 ",
    ],
)
def test_a_mac_is_itself_in_every_notation(text: str) -> None:
    assert canonical_mac(text) == canonical_host(text.strip()) == MAC


@pytest.mark.parametrize(
    "text",
    [
        "2:4e:42:41:1:8",
        "02:4e:42:41:01:0",
        "024e4241010",
        "024e424101080",
        "024e4241010g",
        "02-4e:42-41:01-08",
        "024e.4241-0108",
        "100.200.100.100",
        "1.2.3.4",
        "fe80::1",
        "1:2:3:4:5:6:7:8",
        "cafe-babe",
        "hall-lamp",
    ],
)
def test_what_is_no_mac_stays_as_it_is(text: str) -> None:
    assert canonical_mac(text) == text


@given(st.text(max_size=20) | st.from_regex(r"[0-9a-f:.-]{0,20}", fullmatch=True))
def test_the_notation_of_a_mac_is_settled_at_once(text: str) -> None:
    assert canonical_mac(canonical_mac(text)) == canonical_mac(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::FFFF:192.168.1.7", "192.168.1.7"),
        ("::ffff:192.168.1.0/120", "192.168.1.0/24"),
        ("192.168.1.7/32", "192.168.1.7"),
    ],
)
def test_an_address_or_network_is_as_zeek_prints_it(text: str, host: str) -> None:
    assert canonical_host(text) == host


@pytest.mark.parametrize("text", ["192.168.001.007", "192.168.1", "192.168.1.7/24", "02:4e:42:41"])
def test_a_misspelt_address_is_no_hostname(text: str) -> None:
    with pytest.raises(ValueError, match="is not a MAC, address, network or hostname"):
        canonical_host(text)
