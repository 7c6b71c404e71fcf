"""Which ports are drawn at random, and the services of ports."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.baseline import keys
from nba_broker.model import features
from nba_broker.records.ports import HIGH, PROTOCOLS, drawn, port_code, service_codes, service_name


def code(service: str) -> int:
    port, protocol = service.split("/")
    return port_code(int(port), protocol)


def key(service: str) -> int:
    return int(keys.ephemeral(np.array([code(service)], np.int32))[0])


@pytest.mark.parametrize(
    "service",
    ["22/tcp", "1883/tcp", "5223/tcp", "8883/tcp", "5228/tcp", "1900/udp", "5060/udp", "5683/udp"],
)
def test_a_registered_service_is_no_port_drawn_at_random(service: str) -> None:
    assert key(service) == keys.EMPTY


@pytest.mark.parametrize("service", ["15063/udp", "19756/udp", "32769/udp", "65535/udp"])
def test_calls_and_peers_share_a_key_by_their_transport(service: str) -> None:
    assert key(service) == key("40000/udp") != key("40000/tcp")


def test_what_the_model_takes_for_high_is_drawn_for_the_baseline_too() -> None:
    ports = np.arange(1 << 16)
    high = features.Services(["high/tcp"]).ids(ports + code("0/tcp")) != features.NEVER_SEEN
    assert (high == (ports >= HIGH)).all()
    assert drawn(ports[high]).all()
    assert not drawn(ports[:1024]).any()


@given(st.integers(0, len(PROTOCOLS) * 65_536 - 1))
def test_the_codes_of_a_service_are_those_with_its_name(one: int) -> None:
    codes = service_codes(service_name(one))
    assert codes.start <= one < codes.stop
    assert service_name(codes.start) == service_name(codes.stop - 1) == service_name(one)
