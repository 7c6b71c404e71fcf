"""Which host a session belongs to."""

from __future__ import annotations

import pytest

from nba_broker.identity import Identity
from nba_broker.messages import Lease

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
IP, OTHER = "192.168.1.10", "192.168.1.11"


def slots(identity: Identity, *pairs: tuple[str, str]) -> list[int]:
    return identity.slots([ip for ip, _ in pairs], [mac for _, mac in pairs]).tolist()


def test_one_mac_with_several_addresses_is_one_host() -> None:
    a, b, c = slots(Identity(), (IP, A), ("fe80::1", A), (OTHER, A))
    assert a == b == c


def test_a_row_without_mac_belongs_to_the_mac_last_seen_with_its_address() -> None:
    identity = Identity()
    a, b, again = slots(identity, (IP, A), (OTHER, B), (IP, ""))
    assert again == a != b


def test_an_address_that_changes_hands_takes_no_history_along() -> None:
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


def test_an_unspecified_address_owns_nothing() -> None:
    identity = Identity()
    a, b = slots(identity, ("0.0.0.0", A), ("0.0.0.0", B))
    assert a != b
    assert identity.address(a) == ""


def test_released_slots_are_given_again_and_nothing_of_the_old_host_stays() -> None:
    identity = Identity()
    (a,) = slots(identity, (IP, A))
    identity.release([a])
    assert len(identity) == 0
    assert identity.newcomers([IP], [""]) == 1
    assert slots(identity, (IP, "")) == [a]
    assert identity.mac(a) == ""


@pytest.mark.parametrize("address", ["fd00:aaaa:bb:c::1", "2001:db8:1:2:3::"])
def test_an_ipv6_address_is_not_taken_for_a_mac(address: str) -> None:
    identity = Identity()
    (a,) = slots(identity, (address, ""))
    assert identity.mac(a) == ""
