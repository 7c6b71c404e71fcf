"""Which host a session belongs to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nba_broker.archive import conn_log
from nba_broker.hosts.identity import Assignment, Identity
from nba_broker.hosts.routers import ROUTER_SPAN, Router
from nba_broker.records.macs import eui64_mac, is_mac
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Lease

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
IP, OTHER, THIRD = "192.168.1.10", "192.168.1.11", "192.168.1.12"


def assign(identity: Identity, *pairs: tuple[str, str], ts: float = 0.0) -> Assignment:
    """Assign sessions (address, MAC) a second apart, from ``ts`` on."""
    times = ts + np.arange(len(pairs))
    return identity.slots(times, [ip for ip, _ in pairs], [mac for _, mac in pairs])


def slots(identity: Identity, *pairs: tuple[str, str], ts: float = 0.0) -> list[int]:
    """Their slots."""
    return assign(identity, *pairs, ts=ts).slots.tolist()


def test_one_mac_with_several_addresses_is_one_host() -> None:
    a, b, c = slots(Identity(), (IP, A), ("fe80::1", A), (OTHER, A))
    assert a == b == c


def test_a_row_without_mac_belongs_to_the_mac_last_seen_with_its_address() -> None:
    identity = Identity()
    a, b, again = slots(identity, (IP, A), (OTHER, B), (IP, ""))
    assert again == a != b


def test_an_address_that_changes_to_another_mac_takes_no_history_along() -> None:
    identity = Identity()
    a, a2, b, b2 = slots(identity, (IP, A), (IP, ""), (IP, B), (IP, ""))
    assert a == a2
    assert b == b2 != a
    assert slots(identity, (IP, A), (IP, "")) == [a, a]


def test_a_host_first_seen_without_mac_keeps_its_slot_when_its_mac_is_known() -> None:
    identity = Identity()
    (first,) = slots(identity, (IP, ""))
    assert identity.mac(first) == ""
    assert slots(identity, (IP, A)) == [first]
    assert identity.mac(first) == A


def test_a_lease_names_the_host_of_later_rows_without_mac() -> None:
    identity = Identity()
    (a,) = slots(identity, (OTHER, A))
    identity.lease(Lease(1.0, IP, A, "lamp"))
    assert slots(identity, (IP, "")) == [a]
    assert identity.hostname(a) == "lamp"


def test_an_unspecified_address_belongs_to_no_host() -> None:
    identity = Identity()
    a, b = slots(identity, ("0.0.0.0", A), ("0.0.0.0", B))
    assert a != b
    assert identity.address(a) == ""


def test_a_released_slot_is_reused_and_keeps_nothing_of_the_old_host() -> None:
    identity = Identity()
    (a,) = slots(identity, (IP, A))
    identity.release([a])
    assert len(identity) == 0
    assert identity.new_hosts([IP], [""]) == 1
    assert slots(identity, (IP, "")) == [a]
    assert identity.mac(a) == ""


def test_an_address_leased_to_another_mac_takes_no_history_along_without_macs_of_sessions() -> None:
    identity = Identity()
    identity.lease(Lease(0.0, IP, A, ""))
    (a,) = slots(identity, (IP, ""))
    identity.lease(Lease(1.0, IP, B, ""))
    (b,) = slots(identity, (IP, ""))
    assert a != b
    identity.lease(Lease(2.0, OTHER, A, ""))
    assert slots(identity, (OTHER, ""), (IP, "")) == [a, b]


def test_ipv4_by_lease_and_ipv6_by_its_eui64_address_are_one_host_without_a_mac() -> None:
    identity = Identity()
    identity.lease(Lease(0.0, IP, "24:6f:28:d9:a7:64", ""))
    a, b, c = slots(
        identity, (IP, ""), ("fe80::266f:28ff:fed9:a764", ""), ("2001:db8::266f:28ff:fed9:a764", "")
    )
    assert a == b == c
    assert identity.mac(a) == "24:6f:28:d9:a7:64"


def test_the_mac_of_a_session_precedes_the_one_in_its_address() -> None:
    identity = Identity()
    (a,) = slots(identity, ("2001:db8::266f:28ff:fed9:a764", A))
    assert identity.mac(a) == A


@pytest.mark.parametrize(
    ("address", "mac"),
    [
        ("2001:db8::266f:28ff:fed9:a764", "24:6f:28:d9:a7:64"),
        ("fe80::42:acff:fe11:2", "02:42:ac:11:00:02"),
        ("2001:db8::266f:28ff:fdd9:a764", ""),
        ("2001:db8::276f:28ff:fed9:a764", ""),  # a group's
        ("::1", ""),
        ("10.255.254.1", ""),
    ],
)
def test_a_modified_eui64_address_holds_a_mac(address: str, mac: str) -> None:
    assert eui64_mac(address) == mac


BEHIND = [(IP, A), (OTHER, A), (THIRD, A)]


def found_router(identity: Identity) -> Router:
    """A as a router, proved by three alternating addresses."""
    router = assign(identity, *BEHIND * 3).ended
    assert isinstance(router, Router)
    return router


def test_three_alternating_addresses_prove_a_router() -> None:
    identity = Identity()
    assigned = assign(identity, *BEHIND * 3)
    # Each came twice, the first one three times: its first change was not seen.
    assert assigned.slots.tolist() == [0] * 7
    router = assigned.ended
    assert isinstance(router, Router)
    assert (router.mac, router.slot, router.ts) == (A, 0, 6.0)
    assert set(router.addresses) == {IP, OTHER, THIRD}
    assert identity.routers() == {A: 6.0}


def test_hosts_behind_a_router_are_named_by_their_addresses() -> None:
    identity = Identity()
    mixed = found_router(identity)
    found = slots(identity, *BEHIND, *BEHIND)
    assert len({mixed.slot, *found}) == 4
    assert found[:3] == found[3:]
    assert [identity.mac(slot) for slot in found] == [""] * 6


def test_hosts_behind_a_router_are_named_by_their_leases() -> None:
    identity = Identity()
    found_router(identity)
    identity.lease(Lease(9.0, IP, B, "lamp"))
    (lamp, other) = slots(identity, *BEHIND[:2])
    assert (identity.mac(lamp), identity.hostname(lamp)) == (B, "lamp")
    assert lamp != other


def test_a_host_behind_a_router_keeps_its_history_when_a_lease_names_its_mac() -> None:
    identity = Identity()
    found_router(identity)
    (before,) = slots(identity, (IP, A))
    identity.lease(Lease(9.0, IP, B, ""))
    assert slots(identity, (IP, A)) == [before]
    assert identity.mac(before) == B


def test_link_local_addresses_with_a_routers_mac_are_the_routers_own() -> None:
    identity = Identity()
    found_router(identity)
    four, six = slots(identity, ("169.254.1.1", A), ("fe80::1", A))
    assert four == six
    assert identity.mac(four) == A


def test_a_released_router_is_still_known_as_one() -> None:
    identity = Identity()
    identity.release([found_router(identity).slot])
    assert slots(identity, *BEHIND) == [0, 1, 2]
    assert {identity.mac(slot) for slot in range(3)} == {""}


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([(IP, A), (OTHER, A)] * 50, id="an alias"),
        pytest.param(
            [(IP, A), (OTHER, A), ("169.254.7.7", A), ("0.0.0.0", A)] * 50, id="link-local"
        ),
        pytest.param([(f"fd00::{n % 20:x}", A) for n in range(200)], id="privacy addresses"),
        pytest.param([(f"10.0.{n >> 3}.1", A) for n in range(800)], id="made-up addresses"),
        pytest.param(BEHIND * 2, id="seen too little"),
        pytest.param([(IP, ""), (OTHER, ""), (THIRD, "")] * 9, id="no MAC"),
        pytest.param([(IP, A), (IP, B)] * 9, id="one address, two MACs"),
    ],
)
def test_no_router_is_found_where_it_may_be_one_host(pairs: list[tuple[str, str]]) -> None:
    identity = Identity()
    done = 0
    while done < len(pairs):
        done += len(slots(identity, *pairs[done:], ts=done))
    assert identity.routers() == {}


def test_a_host_that_dhcp_moves_is_no_router() -> None:
    identity = Identity()
    for day in range(30):
        slots(identity, BEHIND[day % 3], BEHIND[day % 3], ts=day * 2 * ROUTER_SPAN)
    assert len(identity) == 1
    assert identity.routers() == {}


def test_a_router_in_front_of_thousands_is_found() -> None:
    identity = Identity()
    rng = np.random.default_rng(1)
    pairs = [(f"10.0.{n >> 8}.{n & 255}", A) for n in rng.integers(0, 5000, 4000).tolist()]
    assert len(slots(identity, *pairs)) < len(pairs)
    assert A in identity.routers()


def test_the_number_of_routers_is_bounded() -> None:
    identity = Identity()
    for number in range(5000):
        mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        slots(identity, *[(address, mac) for address, _ in BEHIND * 3])
    assert len(identity.routers()) < 5000
    assert list(identity.routers())[-1] == mac


VIRTUAL = "00:00:5e:00:01:07"
SIX = [f"fd00::{n}" for n in range(1, 6)] + ["fd00::266f:28ff:fed9:a764", "fd00::42:acff:fe11:2"]
ROWS = st.tuples(
    st.sampled_from([IP, IP, OTHER, THIRD, "10.0.7.1", "0.0.0.0", "fe80::1", *SIX]),
    st.sampled_from([A, A, A, B, "24:6f:28:d9:a7:64", VIRTUAL, "", ""]),
    st.sampled_from(["", "", "/10", "/20", "x/", "x/10"]),
)
Row = tuple[str, str, str]
LEASES = st.builds(
    Lease,
    st.just(0.0),
    st.sampled_from([IP, OTHER]),
    st.sampled_from([A, B, VIRTUAL]),
    st.sampled_from(["", "lamp", "lens"]),
    st.sampled_from(["", "/10", "/20"]),
)
GONE = st.integers(0, 9)
"""A host that leaves: that with the n-th slot of those that there are."""


def settled(identity: Identity, rows: list[Row], start: int) -> list[int]:
    """Slots of sessions ten minutes apart; hosts that end are released, as in the pipeline."""
    found: list[int] = []
    while rows:  # an assignment may cover only the first ones
        times = np.arange(start, start + len(rows)) * 600.0
        host, mac, segment = map(list, zip(*rows, strict=True))
        dport = np.array([port_code(0, "icmp" if "5" in one else "udp") for one in host], np.int32)
        assigned = identity.slots(times, host, mac, segment, dport)
        if assigned.ended is not None:
            identity.release([assigned.ended.slot])
        found += assigned.slots.tolist()
        start += assigned.covered
        rows = rows[assigned.covered :]
    return found


def leave(identity: Identity, number: int) -> None:
    there = list(identity.names(0, identity.capacity))
    if there:
        identity.release([there[number % len(there)]])


def state(identity: Identity) -> list[object]:
    return [
        identity.names(0, identity.capacity),
        dict(identity.addresses()),
        list(identity.routers().items()),
        list(identity.bonds().items()),
        identity.claims(),
        identity.turns(),
        identity.takes(),
        identity.hostnames(),
    ]


@settings(max_examples=300)
@given(st.lists(st.one_of(ROWS, ROWS, ROWS, ROWS, LEASES, GONE), max_size=60))
def test_slots_do_not_depend_on_how_sessions_were_cut_into_batches(
    steps: list[Row | Lease | int],
) -> None:
    whole, single = Identity(), Identity()
    found: list[int] = []
    expected: list[int] = []
    rows: list[Row] = []
    for number, step in enumerate([*steps, Lease(0.0, THIRD, B, "")]):
        if isinstance(step, tuple):
            rows.append(step)
            expected += settled(single, [step], number)
            continue
        found += settled(whole, rows, number - len(rows))
        rows = []
        for identity in (whole, single):
            if isinstance(step, Lease):
                identity.lease(step)
            else:
                leave(identity, step)
    assert found == expected
    assert state(whole) == state(single)


@settings(max_examples=300)
@given(st.lists(st.one_of(ROWS, ROWS, ROWS, LEASES, GONE), max_size=60))
def test_nothing_of_a_released_host_stays(
    steps: list[Row | Lease | int],
) -> None:
    identity = Identity()
    for number, step in enumerate(steps):
        if isinstance(step, tuple):
            (slot,) = settled(identity, [step], number)
            assert slot < identity.capacity
        elif isinstance(step, Lease):
            identity.lease(step)
        else:
            leave(identity, step)
        names = {name for name, _ in identity.names(0, identity.capacity).values()}
        assert len(names) == len(identity)
        for address, name in identity.addresses().items():
            assert name in names or is_mac(name), (address, name)
    identity.release(list(identity.names(0, identity.capacity)))
    assert len(identity) == 0
    # Leases of MACs without a session are left.
    assert all(is_mac(name) for name in identity.addresses().values())


@settings(max_examples=300)
@given(
    st.lists(st.one_of(ROWS, ROWS, ROWS, LEASES), max_size=40),
    st.lists(ROWS, max_size=40),
    st.floats(0, 600),
)
@example(
    [(f"192.168.1.{n}", A, "") for n in (10, 11, 10, 12, 10, 11, 12)], [("0.0.0.0", A, "")], 1.0
)
def test_the_bound_on_new_hosts_holds(
    before: list[Row | Lease], rows: list[Row], apart: float
) -> None:
    identity = Identity()
    for number, step in enumerate(before):
        if isinstance(step, Lease):
            identity.lease(step)
        else:
            host, mac, segment = ([one] for one in step)
            identity.slots(np.array([number * apart]), host, mac, segment)
    host, mac, segment = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    expected = identity.new_hosts(host, mac, segment)
    present = identity.present(host, mac, segment).tolist()
    had = len(identity)
    found = []
    for number, row in enumerate(rows, len(before)):
        host, mac, segment = ([one] for one in row)
        found += identity.slots(np.array([number * apart]), host, mac, segment).slots.tolist()
    assert len(identity) <= had + expected
    assert {slot for slot in found if slot < had} <= set(present)


def test_the_number_of_addresses_is_bounded() -> None:
    identity = Identity()
    for number in range(20_000):
        slots(identity, (f"fd00::{number:x}", A))
    assert len(identity.addresses()) < 10_000
    assert slots(identity, ("fd00::4e1f", "")) == slots(identity, (IP, A))


def test_the_view_of_all_addresses_stays_current_while_many_are_forgotten() -> None:
    identity = Identity()
    slots(identity, (IP, A))
    addresses = identity.addresses()
    for number in range(5000):
        slots(identity, (f"fd00::{number:x}", A))
    assert len(addresses) < 5000
    assert dict(addresses) == dict(identity.addresses())


def test_the_rest_of_a_batch_is_assigned_by_another_call() -> None:
    identity = Identity()
    slots(identity, (OTHER, B), (IP, ""))
    first = assign(identity, (OTHER, B), (IP, A))
    assert (first.slots.tolist(), first.covered, first.ended) == ([0], 1, None)
    assert slots(identity, (IP, A)) == [1]


@pytest.mark.parametrize("address", ["fd00:aaaa:bb:c::1", "2001:db8:1:2:3::"])
def test_an_ipv6_address_is_not_taken_for_a_mac(address: str) -> None:
    identity = Identity()
    (a,) = slots(identity, (address, ""))
    assert identity.mac(a) == ""


def hosts_of(paths: list[Path]) -> tuple[Identity, int]:
    """The hosts of an archive, and their number by MAC, else by address."""
    archive = conn_log.read(paths)
    identity, macs, bare = Identity(), set(), set()
    for batch in archive.batches():
        at = 0
        while at < len(batch):
            at += identity.slots(batch.ts[at:], batch.host[at:], batch.mac[at:]).covered
        macs.update(batch.mac)
        bare.update(ip for ip, mac in zip(batch.host, batch.mac, strict=True) if not mac)
    counted = Counter(_is_known(identity, address) for address in bare)
    return identity, len(macs - {""}) + counted[False]


def _is_known(identity: Identity, address: str) -> bool:
    return len(identity.addresses().get(address, address)) == 17


@pytest.mark.parametrize("folder", ["lsif", "fit", "rita/2024-04-19", "non_iot", "sentinel"])
def test_real_archives_have_a_host_per_mac_and_no_router(data: Path, folder: str) -> None:
    identity, hosts = hosts_of([data / folder])
    assert len(identity) == hosts
    assert identity.routers() == {}


def test_devices_that_change_between_their_access_point_and_a_network_are_no_routers(
    data: Path,
) -> None:
    for log in sorted((data / "sentinel").glob("*.conn.log.gz")):
        identity, hosts = hosts_of([log])
        assert (len(identity), identity.routers()) == (hosts, {}), log.name
