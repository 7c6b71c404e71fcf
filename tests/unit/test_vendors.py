"""The maker of a network interface."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.hosts.vendor import vendor


@pytest.mark.parametrize(
    ("mac", "maker"),
    [
        ("24:6f:28:d9:a7:64", "Espressif Inc."),
        ("f4:b8:5e:ff:2b:1b", "Texas Instruments"),
        ("70:b3:d5:00:10:01", "SOREDI touch systems GmbH"),  # a block of 4,096 (MA-S)
    ],
)
def test_the_registered_maker_is_told(mac: str, maker: str) -> None:
    assert vendor(mac) == maker


@pytest.mark.parametrize("mac", ["02:00:00:00:00:01", "da:a1:19:01:02:03"])
def test_a_made_up_mac_has_no_maker(mac: str) -> None:
    assert vendor(mac) == ""


def test_no_mac_has_no_maker() -> None:
    assert vendor("") == ""


@given(st.binary(min_size=6, max_size=6))
def test_every_mac_has_a_short_printable_maker_or_none(octets: bytes) -> None:
    said = vendor(octets.hex(":"))
    assert len(said.encode()) < 256
    assert said.isprintable()


def test_nothing_is_asked_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    vendor.cache_clear()
    assert vendor("50:c7:bf:eb:ec:c4") == "Tp-Link Technologies Co.,Ltd."
