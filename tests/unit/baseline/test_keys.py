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


def test_a_probation_longer_than_the_age_of_a_pair_is_counted_is_refused() -> None:
    BaselineSettings(probation=OLDEST_PAIR)
    with pytest.raises(ValueError, match="probation must be at most 127 hours"):
        BaselineSettings(probation=OLDEST_PAIR + 1)
