"""Destinations behind a NAT64."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.cli import config
from nba_broker.destinations.nat64 import LENGTHS, Translation
from nba_broker.records.addresses import canonical
from nba_broker.records.errors import ConfigError
from tests.unit.helpers import pools

HOST = "fd00:1::20"


def prefix(text: str) -> ipaddress.IPv6Network:
    return ipaddress.IPv6Network(text)


def name(dst: str, *prefixes: str, **settings: object) -> str:
    mapped = pools(nat64=[prefix(one) for one in prefixes], **settings)
    return mapped.table[mapped.ids([HOST], [dst])[0]]


# The examples of RFC 6052, 2.4.
@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::c000:221"),
        ("64:ff9b:1::/48", "64:ff9b:1:c000:2:2100::"),
    ],
)
def test_an_ipv4_address_is_found_behind_a_prefix_of_any_length(network: str, address: str) -> None:
    found = Translation([prefix(network)]).within(ipaddress.ip_address(address))
    assert str(found) == "192.0.2.33"
    assert Translation().within(ipaddress.ip_address(address)).version == 6


@given(
    st.sampled_from(LENGTHS),
    st.ip_addresses(v=6),
    st.lists(st.ip_addresses(v=4), min_size=1, max_size=5),
)
def test_an_embedded_address_is_found_one_by_one_and_many_at_once(
    length: int, start: ipaddress.IPv6Address, inside: list[ipaddress.IPv4Address]
) -> None:
    octets = start.packed[:8] + b"\0" + start.packed[9:]
    network = ipaddress.IPv6Network((octets, length), strict=False)
    head = network.network_address.packed[: length // 8]
    outside = []
    for address in inside:
        whole = head + address.packed
        if length < 96:
            whole = whole[:8] + b"\0" + whole[8:]
        outside.append(ipaddress.IPv6Address(whole.ljust(16, b"\0")))
    translation = Translation([network])
    assert [translation.within(address) for address in outside] == inside
    packed = np.frombuffer(b"".join(address.packed for address in outside), "V16")
    unpacked = [one.tobytes() for one in translation.unpacked(packed)]
    assert unpacked == [canonical(str(address))[1] for address in inside]


@given(st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), min_size=1))
def test_any_other_address_stays_unchanged(addresses: list[ipaddress.IPv6Address]) -> None:
    outside = [a for a in addresses if a not in ipaddress.ip_network("64:ff9b::/96")]
    translation = Translation()
    assert [translation.within(address) for address in outside] == outside
    packed = np.frombuffer(b"".join(canonical(str(a))[1] for a in outside), "V16")
    assert translation.unpacked(packed).tobytes() == packed.tobytes()


def test_an_address_with_reserved_bits_set_has_none_embedded() -> None:
    inside = ipaddress.ip_address("2001:db8:122:c000:102:2100::")
    assert Translation([prefix("2001:db8:122::/48")]).within(inside) == inside


@pytest.mark.parametrize(
    ("dst", "pool"),
    [
        ("64:ff9b::102:304", "as:1"),  # 1.2.3.4
        ("64:ff9b::909:909", "none"),  # 9.9.9.9
        ("64:ff9b::c0a8:102", "private"),  # 192.168.1.2
        ("64:ff9b::7f00:1", "none"),  # 127.0.0.1
        ("64:ff9b::e000:fb", "mcast:224.0.0.251"),
        ("64:ff9b:1:102:3:400::", "none"),  # 1.2.3.4 by a prefix that a network may not use
    ],
)
def test_a_destination_behind_nat64_is_named_as_the_ipv4_address_is(dst: str, pool: str) -> None:
    assert name(dst) == pool


def test_a_prefix_of_the_network_s_own_is_a_setting() -> None:
    assert name("64:ff9b:1:102:3:400::", "64:ff9b:1::/48") == "as:1"
    assert name("fd00:64::102:304", "fd00:64::/96") == "as:1"
    assert name("fd00:64::102:304") == "private"


def test_networks_of_a_site_match_the_ipv4_address_and_the_ipv6_address() -> None:
    rules = [
        (ipaddress.ip_network("64:ff9b::/96"), "translated"),
        (ipaddress.ip_network("1.2.3.0/24"), "updates"),
    ]
    assert name("64:ff9b::102:304", overrides=rules) == "updates"
    assert name("64:ff9b::102:404", overrides=rules) == "translated"
    local = [ipaddress.ip_network("1.2.0.0/16")]
    assert name("64:ff9b::102:304", local=local) == "local"


def test_the_organisation_of_evidence_is_the_ipv4_address_s() -> None:
    assert pools().place("64:ff9b::102:304").organisation == "Organisation 1"


def test_the_setting_comes_from_file_environment_and_flag(tmp_path: Path) -> None:
    wanted = (prefix("2001:db8:64::/96"),)
    file = tmp_path / "nba.toml"
    file.write_text('nat64 = ["2001:db8:64::/96"]\n')
    assert config.load(file, {}, {}).nat64 == wanted
    assert config.load(None, {"NBA_NAT64": "2001:db8:64::/96"}, {}).nat64 == wanted
    assert config.load(None, {}, {"nat64": ["2001:db8:64::/96"]}).nat64 == wanted


@pytest.mark.parametrize("network", ["2001:db8::/80", "192.0.2.0/24", "64:ff9b::/95"])
def test_a_prefix_of_invalid_length_is_one_clear_error(network: str) -> None:
    with pytest.raises(ConfigError, match=r"nat64: .* a NAT64 prefix has 32"):
        config.load(None, {}, {"nat64": [network]})
