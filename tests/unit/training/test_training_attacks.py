from __future__ import annotations

import ipaddress

import numpy as np
import pytest

from nba_broker.records.ports import port_code, port_name
from tests.unit.helpers import pools
from training.evaluation.attacks import ATTACKS, HORIZON, Attack, Victim

START = 1_600_000_000.0
HTTPS = port_code(443, "tcp")
MQTT = port_code(8883, "tcp")


class CloudDatabase:
    """The first octet is the network's number, but for one of eight, which are Amazon's."""

    has_asn = has_country = True

    def place(self, address: str) -> object:
        from nba_broker.destinations.databases import Place

        first = int(address.split(".")[0])
        return Place(16509 if first % 8 == 0 else first, "Organisation", "IS")


def victim() -> Victim:
    spread = pools()
    spread.databases = (CloudDatabase(),)  # type: ignore[assignment]
    return Victim(["11.0.0.7", "11.0.0.7"], np.array([MQTT, MQTT], np.int32), spread)


def make(name: str, seed: int = 0) -> Attack:
    return ATTACKS[name](victim(), START, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_in_time_order_within_its_horizon(name: str) -> None:
    attack = make(name)
    assert len(attack.ts) == len(attack.dst) == len(attack.dport) > 0
    assert (np.diff(attack.ts) >= 0).all()
    assert attack.ts[0] >= START
    assert attack.ts[-1] < START + HORIZON
    assert all(ipaddress.ip_address(dst).is_global for dst in attack.dst)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_seed_makes_the_same_attack(name: str) -> None:
    first, second = make(name, 3), make(name, 3)
    assert first.dst == second.dst
    np.testing.assert_array_equal(first.ts, second.ts)


def test_a_scan_goes_to_telnet_at_ever_new_addresses() -> None:
    attack = make("scan")
    assert {port_name(int(code)) for code in attack.dport} == {"23/tcp", "2323/tcp"}
    assert len(set(attack.dst)) > 0.99 * len(attack.dst)


@pytest.mark.parametrize(("name", "period"), [("beacon-60s", 60), ("beacon-30min", 1800)])
def test_a_beacon_keeps_its_period(name: str, period: float) -> None:
    attack = make(name)
    assert abs(np.diff(attack.ts).mean() / period - 1) < 0.1
    assert len(set(attack.dst)) == 1


@pytest.mark.parametrize("name", ["flood", "beacon-60s", "beacon-30min", "exfiltration"])
def test_a_new_place_is_in_a_network_that_the_device_never_talked_to(name: str) -> None:
    one = victim()
    assert one.pools.place(make(name).dst[0]).asn not in one.networks()


@pytest.mark.parametrize("name", ["beacon-60s-used-asn", "beacon-60s-mimic"])
def test_a_used_network_is_used_at_a_new_address(name: str) -> None:
    attack = make(name)
    assert ipaddress.ip_address(attack.dst[0]) in ipaddress.ip_network("11.0.0.0/24")
    assert attack.dst[0] != "11.0.0.7"


def test_mimicry_takes_the_service_that_the_device_uses_there() -> None:
    assert set(make("beacon-60s-mimic").dport) == {MQTT}
    assert set(make("beacon-60s-used-asn").dport) == {HTTPS}


def test_exfiltration_goes_to_a_cloud() -> None:
    assert victim().pools.place(make("exfiltration").dst[0]).asn == 16509


def test_a_device_that_never_leaves_its_lan_has_no_network_to_hide_in() -> None:
    shy = Victim(["192.168.1.1"], np.array([MQTT], np.int32), pools())
    with pytest.raises(ValueError, match="no network"):
        ATTACKS["beacon-60s-mimic"](shy, START, np.random.default_rng(0))
