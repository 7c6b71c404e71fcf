"""Alternating addresses and MACs, and what leases say: one host or several."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import pytest

from nba_broker.hosts.bonds import BOND_SPAN, Bond
from nba_broker.hosts.identity import Identity
from nba_broker.hosts.routers import ROUTER_SPAN
from nba_broker.records.macs import is_virtual
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Lease

A, B, C, R = (f"02:00:00:00:00:{digits}" for digits in ("0a", "0b", "0c", "99"))
X, Y, Z = "192.168.1.10", "192.168.1.11", "192.168.1.12"
SIX = [f"2001:db8::{n}:1" for n in range(1, 7)]

Row = tuple[str, str] | tuple[str, str, str]


def feed(
    identity: Identity, *rows: Row, ts: float = 0.0, apart: float = 60.0, proto: str = "tcp"
) -> list[int]:
    """Slots of sessions (address, MAC, segment); hosts that end are released, as in the
    pipeline."""
    found: list[int] = []
    for number, (host, mac, *segment) in enumerate(rows):
        assigned = identity.slots(
            np.array([ts + number * apart]),
            [host],
            [mac],
            [*segment, ""][:1],
            np.array([port_code(443, proto)], np.int32),
        )
        found += assigned.slots.tolist()
        if assigned.ended is not None:
            identity.release([assigned.ended.slot])
    return found


def named(identity: Identity) -> set[str]:
    return {name for name, _ in identity.names(0, identity.capacity).values()}


def lease(
    identity: Identity, *leases: tuple[str, str], hostname: str = "", ts: float = 0.0
) -> None:
    for ip, mac in leases:
        identity.lease(Lease(ts, ip, mac, hostname))


# Leases that contradict the MAC of the frames


def test_two_addresses_leased_to_two_other_macs_prove_a_repeater() -> None:
    identity = Identity()
    lease(identity, (X, A), (Y, B))
    feed(identity, *[(X, R), (Y, R)] * 6)
    assert identity.routers().keys() == {R}
    assert named(identity) == {A, B}


def test_a_repeater_is_found_however_old_two_leases_are() -> None:
    identity = Identity()
    lease(identity, (X, A), (Y, B), ts=-9e5)
    feed(identity, *[(X, R), (Y, R)] * 6)
    assert named(identity) == {A, B}


def test_one_old_lease_that_contradicts_a_hosts_mac_proves_nothing() -> None:
    identity = Identity()
    lease(identity, (X, A), ts=-2 * ROUTER_SPAN)
    feed(identity, *[(X, R), (Y, R)] * 20)
    assert identity.routers() == {}
    assert named(identity) == {R}


def test_a_lease_renewed_while_another_mac_uses_the_address_proves_a_bridge() -> None:
    identity = Identity()
    lease(identity, (X, A), ts=-2 * ROUTER_SPAN)
    feed(identity, *[(X, R), (Y, R)] * 6)
    lease(identity, (X, A), ts=12 * 60)
    feed(identity, *[(X, R), (Y, R)] * 6, ts=12 * 60)
    assert identity.routers().keys() == {R}
    assert named(identity) == {A, Y}


def test_forged_leases_do_not_split_a_host_with_one_address() -> None:
    identity = Identity()
    found = []
    for hour in range(24):
        lease(identity, (X, f"06:00:00:00:00:{hour:02x}"), ts=hour * 3600.0)
        found += feed(identity, *[(X, A)] * 9, ts=hour * 3600.0)
    assert set(found) == {found[0]}
    assert identity.routers() == {}


def test_forged_leases_of_unused_addresses_make_no_host() -> None:
    identity = Identity()
    feed(identity, (X, A))
    for number in range(200):
        lease(identity, (f"192.168.1.{20 + number % 200}", f"06:00:00:00:00:{number:02x}"))
    feed(identity, *[(X, A)] * 9)
    assert named(identity) == {A}


def test_a_host_that_changes_its_mac_and_its_lease_is_no_router() -> None:
    identity = Identity()
    for day in range(20):
        mac = f"06:00:00:00:00:{day:02x}"
        address = (X, Y)[day % 2]
        lease(identity, (address, mac), ts=day * 86400.0)
        feed(identity, *[(address, mac)] * 9, ts=day * 86400.0)
    assert identity.routers() == identity.bonds() == {}


def test_hostnames_distinguish_two_stations_of_a_repeater_that_leases_for_them() -> None:
    identity = Identity()
    lease(identity, (X, R), hostname="lamp")
    lease(identity, (Y, R), hostname="lens")
    feed(identity, *[(X, R), (Y, R)] * 6)
    assert named(identity) == {X, Y}


def test_two_leases_with_one_hostname_are_one_hosts() -> None:
    identity = Identity()
    lease(identity, (X, A), (Y, A), hostname="Server")
    feed(identity, *[(X, A), (Y, A)] * 20)
    assert named(identity) == {A}


def test_a_lease_of_a_routers_mac_joins_none_of_its_stations() -> None:
    identity = Identity()
    feed(identity, *[(X, R), (Y, R), (Z, R)] * 3)
    assert named(identity) == {X, Y, Z} or identity.routers()
    lease(identity, (X, R), (Y, R), (Z, R), hostname="lamp")
    feed(identity, *[(X, R), (Y, R), (Z, R)] * 3, ts=900.0)
    assert named(identity) == {X, Y, Z}
    assert identity.hostnames() == {}


# MACs that several gateways share


@pytest.mark.parametrize(
    ("mac", "virtual"),
    [
        ("00:00:5e:00:01:07", True),  # VRRP, CARP
        ("00:00:5e:00:02:ff", True),  # VRRP for IPv6
        ("00:00:0c:07:ac:0a", True),  # HSRP
        ("00:00:0c:9f:f0:01", True),  # HSRP 2
        ("00:00:0c:9f:ff:ff", True),
        ("00:05:73:a0:00:01", True),  # HSRP for IPv6
        ("00:07:b4:00:01:02", True),  # GLBP
        ("00:07:b4:03:ff:04", True),
        ("00:00:00:00:00:00", True),
        ("00:00:5e:00:03:07", False),
        ("00:00:5e:90:01:07", False),
        ("00:00:0c:07:ad:0a", False),
        ("00:00:0c:9f:ef:01", False),
        ("00:07:b4:04:01:02", False),
        ("02:00:5e:00:01:07", False),
    ],
)
def test_macs_that_gateways_share_are_recognised_by_their_ranges(mac: str, virtual: bool) -> None:
    assert is_virtual(mac) == virtual


def test_a_mac_that_gateways_share_is_no_host_from_its_first_session_on() -> None:
    identity = Identity()
    vrrp = "00:00:5e:00:01:07"
    lease(identity, (X, A), (Y, vrrp), hostname="lamp")
    found = feed(identity, (X, vrrp), (Y, vrrp), ("fe80::1", vrrp), ("0.0.0.0", vrrp), (X, vrrp))
    assert found[0] == found[-1]
    assert named(identity) == {A, Y, "fe80::1", "0.0.0.0"}


# MACs that alternate at one address


@pytest.mark.parametrize("seed", range(3))
def test_two_macs_that_alternate_at_an_address_are_one_host(seed: int) -> None:
    identity, rng = Identity(), random.Random(seed)
    feed(identity, *[(X, rng.choice([A, B])) for _ in range(40)])
    assert len(identity) == 1
    assert identity.bonds() in ({A: B}, {B: A})
    (slot,) = set(feed(identity, (X, A), (X, B), ("0.0.0.0", A), ("0.0.0.0", B), ts=9e3))
    assert set(identity.macs(slot)) == {A, B}


def test_a_bond_ends_the_host_of_the_mac_that_was_seen_later() -> None:
    identity = Identity()
    found: Any = None
    for number in range(40):
        ended = identity.slots(np.array([60.0 * number]), [X], [(A, B)[number % 2]]).ended
        if ended is not None:
            found = ended
            identity.release([ended.slot])
    assert isinstance(found, Bond)
    assert (found.mac, found.other, found.address) == (B, A, X)
    assert named(identity) == {A}


def test_a_bond_is_named_by_the_mac_of_its_lease() -> None:
    identity = Identity()
    lease(identity, (X, B), hostname="nas")
    feed(identity, *[(X, A), (X, B)] * 10)
    assert named(identity) == {B}
    assert set(identity.hostnames()) == {B}


def test_four_interfaces_of_a_host_are_one_host() -> None:
    identity, rng = Identity(), random.Random(1)
    macs = [f"02:00:00:00:00:{n:02x}" for n in range(4)]
    feed(identity, *[(X, rng.choice(macs)) for _ in range(200)])
    assert len(identity) == 1


def test_a_bonds_ipv6_addresses_are_its_own() -> None:
    identity, rng = Identity(), random.Random(1)
    feed(identity, *[(rng.choice([X, *SIX[:2]]), rng.choice([A, B])) for _ in range(300)])
    assert len(identity) == 1


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_hosts_that_lease_one_address_alternately_stay_apart(hours: int) -> None:
    identity = Identity()
    for turn in range(12):
        mac, ts = (A, B)[turn % 2], turn * hours * 3600.0
        lease(identity, (X, mac), ts=ts)
        feed(identity, *[(X, mac)] * 20, ts=ts)
    assert named(identity) == {A, B}
    assert identity.bonds() == {}


def test_hosts_that_use_one_address_on_alternate_days_stay_apart_without_leases() -> None:
    identity = Identity()
    for day in range(12):
        feed(identity, *[(X, (A, B)[day % 2])] * 20, ts=day * BOND_SPAN)
    assert named(identity) == {A, B}


def test_hosts_that_conflict_over_an_address_and_have_others_stay_apart() -> None:
    identity = Identity()
    feed(identity, *[(X, A), ("fe80::a", A), (X, B), ("fe80::b", B)] * 20)
    assert named(identity) == {A, B}
    identity = Identity()
    feed(identity, *[(X, A), (X, B), (Y, B)] * 20)
    assert named(identity) == {A, B}


def test_macs_of_different_vendors_are_no_bond() -> None:
    identity = Identity()
    espressif, raspberry = "24:6f:28:d9:a7:64", "b8:27:eb:00:00:01"
    feed(identity, *[(X, espressif), (X, raspberry)] * 20)
    assert named(identity) == {espressif, raspberry}


def test_a_mac_that_gets_an_address_of_its_own_is_a_host_again() -> None:
    identity = Identity()
    feed(identity, *[(X, A), (X, B)] * 20)
    (joined,) = feed(identity, (X, B), ts=9e3)
    (own, again) = feed(identity, (Y, B), (X, A), ts=9.1e3)
    assert own != joined == again
    assert named(identity) == {A, B}


# One host in several networks


@pytest.mark.parametrize("segments", [("/10", "/20", "/30"), ("", "", "")])
def test_a_host_with_an_address_in_each_of_several_networks_is_one(
    segments: tuple[str, ...],
) -> None:
    identity = Identity()
    networks = [f"192.168.{n}.27" for n in range(3)]
    rows = [(address, A, segment) for address, segment in zip(networks, segments, strict=True)]
    found = feed(identity, *rows * 20)
    assert set(found) == {0}
    assert identity.routers() == {}


def test_a_host_with_addresses_of_one_network_in_several_vlans_is_one() -> None:
    identity = Identity()
    feed(identity, *[(X, A, "/10"), (Y, A, "/20"), (Z, A, "/30")] * 20)
    assert identity.routers() == {}


def test_a_router_of_several_networks_is_found_by_several_hosts_in_one() -> None:
    identity = Identity()
    hosts = [f"192.168.{n}.{m}" for n in range(3) for m in (5, 6)]
    feed(identity, *[(address, R) for address in hosts] * 4)
    assert named(identity) == set(hosts)


# Clocks that are set back


def test_no_address_was_used_later_than_a_clock_that_was_set_back() -> None:
    identity = Identity()
    feed(identity, (X, R), (Y, R), ts=50.0)
    feed(identity, (X, R), (Y, R), ts=1e9)
    identity.look_back(limit=1e4, now=200.0)
    times = [ts for of_mac in identity.turns()[R] for ts in of_mac.values()]
    assert max(times) == 200.0


# IPv6 only


def test_ipv6_hosts_behind_a_router_are_found_in_time() -> None:
    identity = Identity()
    feed(identity, *[(address, R) for address in SIX[:4]] * 40)
    assert named(identity) == set(SIX[:4])


def test_two_stations_are_distinguished_by_the_macs_in_their_ipv6_addresses() -> None:
    identity = Identity()
    stations = ["2001:db8::200:ff:fe00:a", "2001:db8::200:ff:fe00:b"]
    feed(identity, *[(address, R) for address in stations] * 60)
    assert named(identity) >= {"00:00:00:00:00:0a", "00:00:00:00:00:0b"}
    assert R in identity.routers()


def test_an_ipv6_host_with_a_stable_a_leased_and_ever_new_temporary_addresses_is_one() -> None:
    identity, rng = Identity(), random.Random(2)
    for hour in range(72):
        latest = [f"2001:db8:0:{net}::{hour:x}:{net}" for net in (1, 2)]
        stable = [f"2001:db8:0:{net}::{fixed}" for net in (1, 2) for fixed in ("aa", "bb")]
        rows = [(rng.choice(latest + stable), A) for _ in range(120)]
        feed(identity, *rows, ts=hour * 3600.0, apart=30.0)
    assert identity.routers() == {}
    assert len(identity) == 1


def test_a_host_that_looks_up_neighbours_from_old_addresses_is_one() -> None:
    identity = Identity()
    for minute in range(300):
        feed(identity, *[(address, A) for address in SIX], ts=minute * 60.0, proto="icmp", apart=9)
        feed(identity, (SIX[0], A), ts=minute * 60.0 + 55)
    assert identity.routers() == {}
    assert len(identity) == 1


# Cost and memory


class Unwalked(dict[str, Any]):
    """A table that fails when something walks over it."""

    def _walked(self, *_: object) -> NoReturn:
        raise AssertionError("a walk over all")

    __iter__ = keys = values = items = _walked  # type: ignore[assignment]


def test_neither_finding_a_router_nor_releasing_a_host_walks_over_all_addresses() -> None:
    identity = Identity()
    many = [
        (f"10.{n >> 8}.{n & 255}.1", f"06:00:00:00:{n >> 8:02x}:{n & 255:02x}") for n in range(3000)
    ]
    host, mac = map(list, zip(*many, strict=True))
    identity.slots(np.zeros(len(many)), host, mac)
    for part, tables in (
        (identity._addresses, ("in_use", "_idle", "_others", "bindings")),
        (identity._hosts, ("slot_of",)),
    ):
        for table in tables:
            setattr(part, table, Unwalked(getattr(part, table)))
    feed(identity, *[(X, R), (Y, R), (Z, R)] * 3)
    assert R in identity.routers()
    feed(identity, *[(X, A), (X, B)] * 10, ts=9e3)
    assert identity.bonds()
    identity.release(range(0, 3000, 3))
    assert len(identity) < 2100


def forged(number: int) -> str:
    return f"06:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def flood(identity: Identity, numbers: range) -> None:
    for number in numbers:
        rows = [(address, forged(number)) for address in (X, Y, Z)]
        feed(identity, *rows * 3, ts=1e4, apart=0.0)


def test_forged_routers_evict_none_that_is_still_seen() -> None:
    identity = Identity()
    stations = [(f"10.0.0.{n}", R) for n in range(1, 4)]
    feed(identity, *stations * 3)
    for start in range(0, 6000, 2000):
        flood(identity, range(start, start + 2000))
        feed(identity, *stations, ts=1e4)
    assert R in identity.routers()
    assert len(identity.routers()) == 4096
    assert forged(0) not in identity.routers()


def test_bonds_and_alternating_addresses_leave_nothing_behind() -> None:
    identity = Identity()

    def pairs() -> Iterator[Row]:
        for number in range(3000):
            address = f"10.{number >> 8}.{number & 255}.1"
            yield from [(address, forged(2 * number)), (address, forged(2 * number + 1))] * 4

    feed(identity, *pairs(), apart=0.001)
    assert len(identity.bonds()) == 3000
    identity.release(list(identity.names(0, identity.capacity)))
    assert identity.takes() == {}
    assert dict(identity.addresses()) == {}
