"""The same address in two known segments of the network is two hosts."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.hosts.identity import Identity
from nba_broker.records.segments import Hosts, bare, described, may_be_one, segment_of, zoned
from nba_broker.records.sessions import Lease

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
X = "192.168.1.10"


def slots(identity: Identity, *segments: str, mac: str = "", address: str = X) -> list[int]:
    """Of sessions from one address in these segments."""
    number = len(segments)
    found: list[int] = []
    for segment in segments:
        found += identity.slots(np.zeros(1), [address], [mac], [segment]).slots.tolist()
    assert len(found) == number
    return found


@pytest.mark.parametrize("address", [X, "fd00::1"])
@pytest.mark.parametrize(
    "segments", [("/10", "/20"), ("a/", "b/"), ("a/10", "b/10"), ("/1", "/1.2")]
)
def test_an_address_in_two_segments_is_two_hosts(address: str, segments: tuple[str, str]) -> None:
    identity = Identity()
    one, other, again = slots(identity, *segments, segments[0], address=address)
    assert one == again != other
    assert [identity.address(slot) for slot in (one, other)] == [address] * 2
    assert [identity.segment(slot) for slot in (one, other)] == list(segments)


@pytest.mark.parametrize("segments", [("", "/10"), ("/10", ""), ("a/", "a/10"), ("/10", "a/10")])
def test_a_segment_that_a_sensor_does_not_know_makes_no_other_host(
    segments: tuple[str, str],
) -> None:
    assert slots(Identity(), *segments * 3) == [0] * 6


def test_an_address_without_a_segment_is_a_host_of_its_own_where_two_segments_are_known() -> None:
    first, second, third = slots(Identity(), "/10", "/20", "")
    assert len({first, second, third}) == 3


def test_a_host_keeps_its_history_when_a_second_segment_turns_up() -> None:
    identity = Identity()
    before = slots(identity, "", "/10", "")
    after = slots(identity, "/20", "/10", "")
    assert before == [0] * 3
    assert after[1] == 0
    assert len(set(after)) == 3
    assert {name for name, _ in identity.names(0, 9).values()} == {f"{X}%/10", f"{X}%/20", X}


def test_a_mac_is_one_host_in_every_segment() -> None:
    assert slots(Identity(), "a/10", "a/20", "b/10", "", mac=A) == [0] * 4


def test_a_lease_without_a_segment_applies_in_the_one_segment_of_its_address() -> None:
    identity = Identity()
    (before,) = slots(identity, "/10")
    identity.lease(Lease(0.0, X, A, "lamp"))
    assert slots(identity, "/10", "") == [before] * 2
    assert identity.mac(before) == A


def test_a_lease_without_a_segment_has_no_effect_where_its_address_is_in_two() -> None:
    identity = Identity()
    slots(identity, "/10", "/20")
    identity.lease(Lease(0.0, X, A, ""))
    assert {identity.mac(slot) for slot in slots(identity, "/10", "/20", "")} == {""}


def test_a_lease_without_a_segment_ends_when_a_second_segment_turns_up() -> None:
    identity = Identity()
    identity.lease(Lease(0.0, X, A, "lamp"))
    (first,) = slots(identity, "/10")
    assert identity.mac(first) == A
    slots(identity, "/20")
    assert slots(identity, "/10") == [first]
    assert {identity.mac(slot) for slot in slots(identity, "/10", "/20")} == {""}
    assert identity.hostname(first) == ""


def test_a_lease_in_a_segment_applies_to_that_segments_host_alone() -> None:
    identity = Identity()
    ten, twenty = slots(identity, "/10", "/20")
    identity.lease(Lease(0.0, X, A, "", "/20"))
    assert slots(identity, "/10", "/20") == [ten, twenty]
    assert (identity.mac(ten), identity.mac(twenty)) == ("", A)


def test_two_macs_with_one_address_in_two_segments_are_no_bond() -> None:
    identity = Identity()
    for _ in range(20):
        slots(identity, "/10", mac=A)
        slots(identity, "/20", mac=B)
    assert len(identity) == 2
    assert identity.bonds() == {}


def test_all_segments_of_an_address_are_known() -> None:
    identity = Identity()
    assert identity.everywhere(X) == [""]
    slots(identity, "/10", "/20")
    assert set(identity.everywhere(X)) == {"/10", "/20"}
    found = identity.present([X] * 2, [""] * 2, identity.everywhere(X))
    assert sorted(found.tolist()) == [0, 1]


@pytest.mark.parametrize("segment", ["", "/10", "a/", "a%b/1.2", "10:20/7"])
def test_an_address_in_its_segment_is_taken_apart_again(segment: str) -> None:
    for address in (X, "fd00::1"):
        zone = zoned(address, segment)
        assert (bare(zone), segment_of(zone)) == (address, segment)


def test_an_unknown_segment_contradicts_nothing() -> None:
    assert may_be_one("", "a/10")
    assert may_be_one("a/", "a/10")
    assert not may_be_one("a/10", "b/10")
    assert not may_be_one("a/10", "/20")


def test_a_host_is_described_with_its_vlan_and_site() -> None:
    assert described(X, "") == X
    assert described(X, "a/10") == f"{X} in VLAN 10 at site a"


def test_lines_of_one_host_stay_together_though_only_some_have_a_vlan() -> None:
    hosts = Hosts()
    ten, none, twenty = hosts.of(X, "/10", 1.0), hosts.of(X, "", 1.0), hosts.of(X, "/20", 1.0)
    assert ten == none != twenty
    assert hosts.of(X, "/10", 5.0) == ten


def test_forged_vlans_of_an_address_cost_no_walk_over_all_and_change_no_real_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0

    def counted(segment: str, other: str) -> bool:
        nonlocal compared
        compared += 1
        return may_be_one(segment, other)

    for module in ("address_table", "leases"):
        monkeypatch.setattr(f"nba_broker.hosts.{module}.may_be_one", counted)
    identity = Identity()
    ours = [("/10", "192.168.1.10", ""), ("", "192.168.1.11", A)]

    def slots_of(rows: list[tuple[str, str, str]]) -> list[int]:
        columns = [[row[n] for row in rows] for n in range(3)]
        assigned = identity.slots(np.zeros(len(rows)), columns[1], columns[2], columns[0])
        return list(map(int, assigned.slots))

    before = [slots_of([row]) for row in ours]
    for tag in range(2000):
        for _, address, _ in ours:
            slots_of([(f"/{tag // 40 + 100}.{tag % 40}", address, "")])
    assert compared < 2 * 2000 * 4 * 64
    assert [slots_of([row]) for row in ours] == before
    assert len(identity) == 2 * 2000 + 1  # the first tag may be the untagged host's own
    assert len(identity.everywhere("192.168.1.10")) == 2001
    # A lease without a VLAN has no effect; one with a VLAN applies there.
    identity.lease(Lease(1.0, "192.168.1.10", B, ""))
    identity.lease(Lease(1.0, "192.168.1.10", B, "", "/149.39"))
    assert [slots_of([row]) for row in ours] == before
    (slot,) = slots_of([("/149.39", "192.168.1.10", "")])
    assert identity.mac(slot) == B
    identity.release(range(identity.capacity))
    assert identity.everywhere("192.168.1.10") == [""]
