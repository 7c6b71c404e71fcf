"""Which host a session belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


PAIRS = st.tuples(st.sampled_from([IP, OTHER, "0.0.0.0"]), st.sampled_from([A, B, ""]))


@given(st.lists(PAIRS, max_size=20))
def test_slots_do_not_depend_on_how_sessions_were_cut_into_batches(
    pairs: list[tuple[str, str]],
) -> None:
    whole, single = Identity(), Identity()
    found: list[int] = []
    while len(found) < len(pairs):  # it may give fewer than asked for
        found += slots(whole, *pairs[len(found) :])
    assert found == [slots(single, pair)[0] for pair in pairs]
    assert whole.names(0, 9) == single.names(0, 9)


def test_addresses_that_come_anew_for_ever_take_no_memory_for_ever() -> None:
    identity = Identity()
    for number in range(20_000):
        slots(identity, (f"fd00::{number:x}", A))
    assert len(identity.addresses()) < 10_000
    assert slots(identity, ("fd00::4e1f", "")) == slots(identity, (IP, A))


@pytest.mark.parametrize("address", ["fd00:aaaa:bb:c::1", "2001:db8:1:2:3::"])
def test_an_ipv6_address_is_not_taken_for_a_mac(address: str) -> None:
    identity = Identity()
    (a,) = slots(identity, (address, ""))
    assert identity.mac(a) == ""
