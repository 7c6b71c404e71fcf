"""The vendor of a network interface."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.hosts.vendor import vendor


@pytest.mark.parametrize(
    ("mac", "name"),
    [
        ("24:6f:28:d9:a7:64", "Espressif Inc."),
        ("f4:b8:5e:ff:2b:1b", "Texas Instruments"),
        ("70:b3:d5:00:10:01", "SOREDI touch systems GmbH"),  # a block of 4,096 (MA-S)
    ],
)
def test_a_mac_has_its_registered_vendor(mac: str, name: str) -> None:
    assert vendor(mac) == name


@pytest.mark.parametrize("mac", ["02:00:00:00:00:01", "da:a1:19:01:02:03"])
def test_a_locally_administered_mac_has_no_vendor(mac: str) -> None:
    assert vendor(mac) == ""


def test_no_mac_has_no_vendor() -> None:
    assert vendor("") == ""


@given(st.binary(min_size=6, max_size=6))
def test_a_vendor_is_short_and_printable(octets: bytes) -> None:
    name = vendor(octets.hex(":"))
    assert len(name.encode()) < 256
    assert name.isprintable()


def test_the_vendor_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    vendor.cache_clear()
    assert vendor("50:c7:bf:eb:ec:c4") == "Tp-Link Technologies Co.,Ltd."
