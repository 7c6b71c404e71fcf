"""Destinations to pools."""

from __future__ import annotations

import ipaddress
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.destinations import overrides
from nba_broker.destinations.databases import Database, Place
from nba_broker.destinations.databases import look_up as real_look_up
from nba_broker.destinations.pools import ANY_GROUP, GROUPS, SOLICITED, Pools
from nba_broker.records.errors import ConfigError
from tests.unit.helpers import pools

HOST = "192.168.1.20"


def name(dst: str, host: str = HOST, **settings: object) -> str:
    mapped = pools(**settings)
    return mapped.table[mapped.ids([host], [dst])[0]]


@pytest.mark.parametrize(
    ("dst", "pool"),
    [
        ("1.2.3.4", "as:1"),
        ("9.9.9.9", "none"),
        ("255.255.255.255", "bcast"),
        ("192.168.1.255", "bcast:lan"),
        ("239.255.255.250", "mcast:239.255.255.250"),
        ("ff02::fb", "mcast:ff02::fb"),
        ("192.168.1.1", "gw"),
        ("192.168.1.254", "gw"),
        ("192.168.1.77", "lan"),
        ("fe80::1234", "lan"),
        ("192.168.2.1", "private"),
        ("10.0.0.1", "private"),
        ("0.0.0.0", "none"),
    ],
)
def test_a_destination_is_named_by_what_it_means_to_its_host(dst: str, pool: str) -> None:
    assert name(dst) == pool


def test_a_configured_lan_replaces_the_24_around_the_host() -> None:
    lans = (ipaddress.ip_network("192.168.0.0/16"),)
    assert name("192.168.2.9", lans=lans) == "lan"
    assert name("192.168.0.1", lans=lans) == "gw"


def test_the_sites_own_public_network_is_local_but_lan_to_its_neighbours() -> None:
    local = (ipaddress.ip_network("1.2.0.0/16"),)
    mapped = pools(local=local)
    hosts = [HOST, "1.2.3.9", HOST, "1.2.9.9"]
    assert [mapped.table[i] for i in mapped.ids(hosts, ["1.2.3.4"] * 4)] == [
        "local",
        "lan",
        "local",
        "local",
    ]


@pytest.mark.parametrize("order", [(HOST, "1.2.3.9"), ("1.2.3.9", HOST)])
def test_a_public_neighbour_is_lan_to_one_host_and_an_asn_to_another(
    order: tuple[str, str],
) -> None:
    mapped = pools()
    names = {host: mapped.table[mapped.ids([host], ["1.2.3.4"])[0]] for host in order}
    assert names == {HOST: "as:1", "1.2.3.9": "lan"}


def test_the_scheme_decides_what_a_public_destination_is_named_by() -> None:
    assert name("1.2.3.4", scheme="asn+cc") == "as:1/is"
    assert name("1.2.3.4", scheme="cc") == "cc:is"


def test_the_most_specific_override_precedes_everything() -> None:
    rules = [
        (ipaddress.ip_network("192.168.1.0/24"), "office"),
        (ipaddress.ip_network("192.168.1.1/32"), "router"),
    ]
    assert name("192.168.1.1", overrides=rules) == "router"
    assert name("192.168.1.9", overrides=rules) == "office"


def test_a_full_cache_costs_look_ups_and_changes_no_pool() -> None:
    mapped = pools(cache=2)
    dst = ["1.0.0.1", "2.0.0.1", "1.0.0.2", "192.168.1.7", "192.168.1.1", "1.0.0.1"]
    names = [mapped.table[i] for i in mapped.ids([HOST] * 6, dst)]
    assert names == ["as:1", "as:2", "as:1", "lan", "gw", "as:1"]


def test_a_destination_is_looked_up_once_however_often_a_batch_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up = []

    def look_up(databases: Sequence[Database], address: str) -> Place:
        looked_up.append(address)
        return real_look_up(databases, address)

    mapped = pools()
    monkeypatch.setattr("nba_broker.destinations.pools.look_up", look_up)
    dst = ["1.0.0.1", "2.0.0.1"] * 3
    ids = mapped.ids([HOST, HOST, "10.0.0.5"] * 2, dst)
    assert [mapped.table[one] for one in ids] == ["as:1", "as:2"] * 3
    assert looked_up == ["1.0.0.1", "2.0.0.1"]


def test_overrides_are_read_from_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "overrides.csv"
    path.write_text("cidr,pool\n10.1.0.0/16,cameras\n")
    assert overrides.read(path) == [(ipaddress.ip_network("10.1.0.0/16"), "cameras")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("network,name\n", "first line must be cidr,pool"),
        ("cidr,pool\n10.0.0.300/8,x\n", r"overrides\.csv:2"),
        ("cidr,pool\n10.0.0.0/8,\n", "no pool name"),
        (
            "cidr,pool\n10.0.0.0/8,a\n10.0.0.0/8,a\n10.0.0.0/8,b\n",
            r"overrides\.csv:4: 10\.0\.0\.0/8 has the pool a already; leave one",
        ),
        (
            "name,pool\n*.ntp.org,a\n*.ntp.org,b\n",
            r"overrides\.csv:3: \*\.ntp\.org has the pool a already; leave one",
        ),
    ],
)
def test_a_bad_override_names_its_file_and_line(
    tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "overrides.csv"
    path.write_text(content)
    with pytest.raises(ConfigError, match=complaint):
        overrides.read(path)


def names(mapped: Pools, dst: list[str], host: str = HOST) -> list[str]:
    return [mapped.table[number] for number in mapped.ids([host] * len(dst), dst).tolist()]


def solicited(number: int) -> str:
    return f"ff02::1:ff{number >> 16:02x}:{number & 0xFFFF:x}"


def test_solicited_node_groups_are_one_pool_and_leave_memory_flat() -> None:
    mapped = pools()
    names(mapped, [solicited(1)])
    tracemalloc.start()
    try:
        for start in range(0, 20_000, 5_000):
            dst = [solicited(number) for number in range(start, start + 5_000)]
            assert set(names(mapped, dst, "fe80::1")) == {SOLICITED}
            del dst
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mapped.table == [SOLICITED]
    assert grown < 1_000_000


def test_a_solicited_node_group_that_a_model_knows_stays_a_pool() -> None:
    mapped = pools()
    known, other = solicited(0x146F30), solicited(7)
    assert names(mapped, [known]) == [SOLICITED]
    mapped.know([f"mcast:{known}", "gw", "as:1"])
    assert names(mapped, [known, other, known]) == [f"mcast:{known}", SOLICITED, f"mcast:{known}"]


@given(st.lists(st.ip_addresses(network="224.0.0.0/4").map(str), unique=True, max_size=50))
def test_a_few_groups_have_a_pool_each(dst: list[str]) -> None:
    assert names(pools(), dst) == [f"mcast:{address}" for address in dst]


def test_forged_groups_grow_no_table_and_leave_other_groups_their_pools() -> None:
    mapped = pools()
    mapped.know(["mcast:ff02::fb"])
    assert names(mapped, ["224.0.0.251"]) == ["mcast:224.0.0.251"]
    forged = [f"239.{number >> 8 & 255}.{number & 255}.1" for number in range(5 * GROUPS)]
    names(mapped, [*forged, *(f"ff05::{number:x}:1" for number in range(5 * GROUPS))])
    assert len(mapped.table) <= GROUPS + 2
    assert names(mapped, ["224.0.0.251", "ff02::fb", forged[0], forged[-1]]) == [
        "mcast:224.0.0.251",
        "mcast:ff02::fb",
        f"mcast:{forged[0]}",
        ANY_GROUP,
    ]
    again = pools()
    again.restore(mapped.table)
    assert names(again, ["239.99.99.99"]) == [ANY_GROUP]


def test_scanned_private_space_is_a_handful_of_pools() -> None:
    mapped = pools()
    dst = [f"10.{a}.{b}.1" for a in range(100) for b in range(50)]
    names(
        mapped, [*dst, *(f"169.254.{a}.9" for a in range(250)), *(f"fe80::{a}" for a in range(9))]
    )
    assert len(mapped.table) <= 4
