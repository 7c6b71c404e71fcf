"""Keys of pairs and of the groups that new pairs belong to."""

from __future__ import annotations

import numpy as np
import pytest

from nba_broker.baseline import keys
from nba_broker.baseline.settings import OLDEST_PAIR, BaselineSettings
from nba_broker.records.ports import PROTOCOLS, port_code


def test_no_pair_and_no_group_has_the_key_of_an_empty_place_or_of_any_pair() -> None:
    ports = np.arange(len(PROTOCOLS) << 16, dtype=np.int32)
    pools = np.full(len(ports), keys.pool_hash("as:1"), np.uint64)
    assert keys.pairs(pools, ports).min() > keys.ANY
    assert keys.services(ports).min() > keys.ANY
    ephemeral = keys.ephemeral(ports)
    assert ephemeral[ephemeral != keys.EMPTY].min() > keys.ANY


def test_a_pair_depends_on_pool_port_and_transport() -> None:
    pools = np.array([keys.pool_hash(name) for name in ("as:1", "as:2", "as:1", "as:1")], np.uint64)
    ports = [port_code(443, "tcp"), port_code(443, "tcp"), port_code(80, "tcp")]
    found = keys.pairs(pools, np.array([*ports, port_code(443, "udp")], np.int32))
    assert len(set(found.tolist())) == 4


def colliding() -> tuple[str, str]:
    """Two domains whose pairs have the same key without a secret."""
    https = np.full(3000, port_code(443, "tcp"), np.int32)
    names = [f"*.maker{number}.example" for number in range(len(https))]
    found = keys.pairs(np.array(list(map(keys.pool_hash, names)), np.uint64), https)
    order = np.argsort(found, kind="stable")
    at = int(np.flatnonzero(np.diff(found[order]) == 0)[0])
    return names[order[at]], names[order[at + 1]]


def test_a_secret_parts_names_that_anyone_can_find_to_have_one_key() -> None:
    https = np.full(2, port_code(443, "tcp"), np.int32)

    def same(secret: bytes) -> bool:
        hashes = [keys.pool_hash(name, secret) for name in colliding_names]
        return len(set(keys.pairs(np.array(hashes, np.uint64), https).tolist())) == 1

    colliding_names = colliding()
    assert same(b"")
    assert not any(same(bytes([number]) * 16) for number in range(20))


def test_equal_crcs_do_not_make_equal_hashes_with_a_secret() -> None:
    """CRC-32 is linear: a public hash below the secret would leave its collisions."""
    assert keys.pool_hash("plumless") == keys.pool_hash("buckeroo")
    assert keys.pool_hash("plumless", b"s" * 16) != keys.pool_hash("buckeroo", b"s" * 16)


def test_a_hash_with_a_secret_has_room_beside_the_port() -> None:
    assert max(keys.pool_hash(f"as:{n}", b"s" * 16) for n in range(1000)) < 1 << 40


def test_a_probation_longer_than_the_age_of_a_pair_is_counted_is_refused() -> None:
    BaselineSettings(probation=OLDEST_PAIR)
    with pytest.raises(ValueError, match="probation must be at most 127 hours"):
        BaselineSettings(probation=OLDEST_PAIR + 1)
