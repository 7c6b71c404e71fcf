"""What a session asks of a policy, by its pool, name and port."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.policy.contacts import (
    DNS,
    LOCAL,
    NAME,
    NETWORK,
    NTP,
    Contact,
    Place,
    Service,
    contact,
    dns_name,
)
from nba_broker.records.names import is_name
from nba_broker.records.ports import port_code

HTTPS = port_code(443, "tcp")
# The pattern of the type domain-name in ietf-inet-types, as published with RFC 6991.
PUBLISHED = re.compile(
    r"((([a-zA-Z0-9_]([a-zA-Z0-9\-_]){0,61})?[a-zA-Z0-9]\.)*"
    r"([a-zA-Z0-9_]([a-zA-Z0-9\-_]){0,61})?[a-zA-Z0-9]\.?)|\."
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FW.Ring.COM.", "fw.ring.com"),
        ("_mqtt._tcp.example.com", "_mqtt._tcp.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("a" * 64 + ".example", ""),
        (".".join(["a" * 49] * 5) + ".abcd", ""),  # 254 characters
        ("bad\x1b[31m.example", ""),
        ("tab\t.example", ""),
        ("bücher.example", ""),
        ("two..dots", ""),
        ("end-.example", ""),
        ("*.example.com", ""),
        ("192.0.2.1", ""),
        ("1.2.3", ""),
        (".", ""),
        ("", ""),
        ("name.example\n", ""),
    ],
)
def test_only_domain_names_come_into_rules(text: str, name: str) -> None:
    assert dns_name(text) == name


@given(st.one_of(st.text(max_size=300), st.from_regex(PUBLISHED)))
def test_whatever_a_device_asks_for_a_rule_has_a_valid_name_or_none(text: str) -> None:
    name = dns_name(text)
    assert name == "" or (PUBLISHED.fullmatch(name) and len(name) <= 253 and is_name(name))


def test_a_named_destination_may_be_allowed_by_its_name_or_its_address() -> None:
    assert contact("as:1", "1.0.0.7", "a.example", HTTPS) == Contact(
        (Place(NAME, "a.example", 4), Place(NETWORK, "1.0.0.7/32", 4)),
        Service("tcp", 443, 443),
    )
    assert contact("as:1", "2001:db8::7", "", HTTPS).places == (
        Place(NETWORK, "2001:db8::7/128", 6),
    )


@pytest.mark.parametrize(
    ("dst", "pool", "port", "kind"),
    [
        ("192.168.1.1", "gw", port_code(53, "udp"), DNS),
        ("10.9.9.9", "private", port_code(53, "tcp"), DNS),
        ("192.168.1.1", "gw", port_code(123, "udp"), NTP),
        ("192.168.1.1", "gw", port_code(67, "udp"), LOCAL),
        ("192.168.1.9", "lan", port_code(3, "icmp"), LOCAL),
        ("fe80::1", "lan", HTTPS, LOCAL),
        ("8.8.4.4", "as:15169", port_code(53, "udp"), NETWORK),
        ("255.255.255.255", "bcast", port_code(67, "udp"), NETWORK),
        ("224.0.0.251", "mcast:224.0.0.251", port_code(5353, "udp"), NETWORK),
    ],
)
def test_the_sites_own_servers_are_controllers_and_others_are_not(
    dst: str, pool: str, port: int, kind: str
) -> None:
    assert [place.kind for place in contact(pool, dst, "", port).places] == [kind]


def test_only_addresses_of_the_internet_have_a_wider_network() -> None:
    def wider(value: str, version: int = 4) -> str | None:
        found = Place(NETWORK, value, version).wider
        return found and found.value

    assert wider("8.8.4.4/32") == "8.8.4.0/24"
    assert wider("2606:4700::1111/128", 6) == "2606:4700::/48"
    assert wider("224.0.0.251/32") is None
    assert wider("255.255.255.255/32") is None
    assert wider("8.8.4.0/24") is None


def test_a_transport_without_ports_has_no_service() -> None:
    assert contact("mcast:224.0.0.22", "224.0.0.22", "", 0).service is None


def test_all_solicited_node_groups_are_one_place() -> None:
    (place,) = contact("mcast:ff02::1:ff00:0/104", "ff02::1:ff12:3456", "", HTTPS).places
    assert place == Place(NETWORK, "ff02::1:ff00:0/104", 6)
    assert place.is_group
