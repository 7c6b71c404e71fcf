"""Devices that reach no server try again, as they do in real captures, and stop other sessions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.training.made_traffic import DAY, HOUR, Row, judged, made, rows
from training.data.disturbances.dhcp import dhcp_down
from training.data.disturbances.registry import disturbed
from training.data.labelled_sessions import LabelledSessions

NOON = DAY / 2
CLOUD = ("as:1", "8883/tcp")
QUERY = ("gw", "53/udp")
DHCP = ("gw", "67/udp")


def at(sessions: LabelledSessions, pool: str, port: str, device: int = 0) -> list[float]:
    """Times after noon of a device's sessions to a place."""
    return [
        round(ts - NOON, 6)
        for series, ts, *place in rows(sessions)
        if series == device and tuple(place) == (pool, port) and ts >= NOON
    ]


def after(name: str, found: list[Row], until: float = 3 * DAY) -> LabelledSessions:
    """Made-up sessions, judged from the first moment on, under a disturbance."""
    return disturbed(judged(made([(0, 0.0, "lan", "80/tcp"), *found]), 0.0, until), name, 0)


def own(*sessions: tuple[float, tuple[str, str]]) -> list[Row]:
    """Sessions of the first device, by times after noon."""
    return [(0, NOON + ts, *place) for ts, place in sessions]


def test_a_connection_by_address_is_tried_again_later_and_later() -> None:
    """Linux sends SYNs after 0, 1, 3, 7 and 15 s; those after 7 and 15 s are new to Zeek."""
    found = at(after("internet-down-1h", own((10, CLOUD), (600, CLOUD))), *CLOUD)
    starts = [10, 10 + 31, 10 + 63, 10 + 97, 10 + 135]
    assert found[:15] == [start + more for start in starts for more in (0, 7, 15)]
    assert max(found) < 3600
    assert np.diff(found[-9::3]) == pytest.approx(30 + 128)


def test_where_a_name_does_not_resolve_no_connection_follows() -> None:
    named = own((10, QUERY), (10.2, CLOUD), (600, QUERY), (600.1, CLOUD))
    for name in ("internet-down-1h", "dns-down-1h"):
        found = after(name, named)
        assert at(found, *CLOUD) == []
        queries = at(found, *QUERY)
        assert queries[:6] == [10, 15, 21, 26, 33, 38]  # again after 5 s, given up after 10 s
        assert max(queries) < 3600


def test_an_application_goes_on_without_dns_as_long_as_it_need_not_ask() -> None:
    found = own((10, CLOUD), (600, QUERY), (600.1, CLOUD), (900, CLOUD))
    assert at(after("dns-down-1h", found), *CLOUD) == [10]
    assert at(after("internet-down-1h", own((10, CLOUD))), *CLOUD)[:3] == [10, 17, 25]


def test_each_application_of_a_device_tries_by_itself() -> None:
    other = ("as:2", "443/tcp")
    found = after("internet-down-1h", own((10, CLOUD), (20, other), (30, ("as:3", "8883/tcp"))))
    assert at(found, *CLOUD)[:4] == [10, 17, 25, 41]
    assert at(found, *other)[:4] == [20, 27, 35, 51]
    assert at(found, "as:3", "8883/tcp") == []


def test_calls_at_random_ports_are_one_application() -> None:
    found = after("internet-down-1h", own((10, ("as:1", "40000/udp")), (20, ("as:1", "50000/udp"))))
    assert at(found, "as:1", "40000/udp")[:3] == [10, 21, 33]
    assert at(found, "as:1", "50000/udp") == []


def test_other_queries_are_repeated_once_and_the_lan_is_reached() -> None:
    local = ("lan", "80/tcp")
    found = after(
        "dns-down-1h", own((10, QUERY), (100, local), (200, ("mcast:ff02::fb", "5353/udp")))
    )
    assert at(found, *QUERY) == [10, 15]
    assert at(found, *local) == [100]
    assert at(found, "mcast:ff02::fb", "5353/udp") == [200]


def test_answers_to_packets_of_the_internet_end_with_it() -> None:
    found = after("internet-down-1h", own((10, ("as:1", "3/icmp")), (20, ("gw", "3/icmp"))))
    assert at(found, "as:1", "3/icmp") == []
    assert at(found, "gw", "3/icmp") == [20]


@pytest.mark.parametrize("name", ["internet-down", "dns-down", "ntp-down"])
def test_after_an_outage_all_is_as_before(name: str) -> None:
    time = ("as:9", "123/udp")
    week = own(*((ts, place) for ts in range(0, 90_000, 1000) for place in (QUERY, CLOUD, time)))
    for hours in (1, 6, 24):
        found = after(f"{name}-{hours}h", week)
        end = NOON + hours * HOUR
        assert rows(found, found.ts >= end) == [row for row in week if row[1] >= end]


def test_a_time_server_is_asked_less_and_less_often() -> None:
    time = ("as:9", "123/udp")
    polls = own(*((ts, place) for ts in range(0, 3600, 64) for place in (QUERY, time)), (9, CLOUD))
    found = after("ntp-down-1h", sorted(polls, key=lambda row: row[1]))
    assert at(found, *time) == [0, 64, 192, 448, 960, 1984, 3008]
    assert at(found, *QUERY) == at(found, *time)  # the name is looked up each time
    assert at(found, *CLOUD) == [9]


def test_a_device_whose_server_is_gone_only_asks_for_its_name() -> None:
    week = own(*((ts, place) for ts in range(0, 9000, 900) for place in (QUERY, CLOUD)))
    found = after("server-lost", week)
    assert at(found, *CLOUD) == []
    assert len(at(found, *QUERY)) > 2000  # to the end of the judged part
    assert at(found, *QUERY)[:4] == [0, 5, 11, 16]


def test_the_lost_server_is_the_most_used_one_and_no_time_server() -> None:
    times = own(*((ts, ("as:9", "123/udp")) for ts in range(100)))
    found = after(
        "server-lost", [*times, *own((200, CLOUD), (300, CLOUD), (400, ("as:2", "80/tcp")))]
    )
    assert len(at(found, "as:9", "123/udp")) == 100
    assert at(found, *CLOUD) == []
    assert at(found, "as:2", "80/tcp") == [400]


def test_a_device_that_asked_long_ago_asks_again_for_its_lost_server() -> None:
    found = after("server-lost", own((0, QUERY), (5000, CLOUD), (6000, QUERY)))
    assert at(found, *QUERY)[:3] == [0, 5000, 5005]


def renewals(until: float, every: float = HOUR) -> list[Row]:
    """A host that renews its lease of two hours at half of it, the last time 600 s before noon, and
    talks to its cloud and a group every ten minutes."""
    found: list[Row] = []
    for ts in np.arange(0, until, 600).tolist():
        if (ts - NOON + 600) % every == 0:
            found.append((0, ts, *DHCP))
        found += [(0, ts, *CLOUD), (0, ts, "mcast:224.0.0.251", "5353/udp")]
    return found


def test_a_host_asks_its_server_then_all_then_has_no_address() -> None:
    """RFC 2131, 4.4.5: T1 is half of the lease, T2 seven eighths; each wait is half of what is
    left, a minute at least."""
    found = after("dhcp-down-6h", renewals(2 * DAY), 2 * DAY)
    assert at(found, *DHCP)[:3] == [3000, 3000 + 1350, 3000 + 1350 + 675]
    broadcasts = at(found, "bcast", "67/udp")
    assert broadcasts[:4] == [5700, 5700 + 450, 5700 + 675, 5700 + 787.5]
    expiry = 6600
    assert [ts for ts in broadcasts if ts >= expiry][:4] == [6600, 6724, 6788, 6852]
    back = [ts for ts in broadcasts if ts >= 6 * HOUR]
    assert len(back) == 1
    assert back[0] - 6 * HOUR <= 64
    cloud = np.array(at(found, *CLOUD))
    assert not ((cloud >= expiry) & (cloud < back[0])).any()
    assert cloud[cloud < expiry].tolist() == list(range(0, expiry, 600))
    groups = at(found, "mcast:224.0.0.251", "5353/udp")
    assert groups == list(range(0, int(2 * DAY - NOON), 600))
    assert rows(found, found.ts > NOON + back[0]) == [
        row for row in renewals(2 * DAY) if row[1] > NOON + back[0]
    ]


def test_a_host_that_starts_without_a_dhcp_server_gets_no_address() -> None:
    found = after("dhcp-down-1h", own((50, CLOUD), (100, ("bcast", "67/udp")), (200, CLOUD)))
    assert at(found, *CLOUD) == [50]
    assert at(found, "bcast", "67/udp")[:2] == [100, 224]


def test_a_lease_of_unknown_length_is_a_day_and_its_phase_is_drawn() -> None:
    week = own(*((ts, CLOUD) for ts in range(0, 100_000, 100)))
    traffic = judged(made([(0, 0.0, "lan", "80/tcp"), *week]), 0.0, 3 * DAY)
    firsts = set()
    for seed in range(20):
        found = dhcp_down(traffic, np.random.default_rng(seed), hours=24)
        first = at(found, *DHCP)[0]
        assert 0 <= first <= DAY / 2
        firsts.add(first)
        gap = np.flatnonzero(np.diff(at(found, *CLOUD)) > 100)
        assert len(gap) == 1  # without an address from the lease's end to the server's return
        assert at(found, *CLOUD)[gap[0]] == pytest.approx(first + DAY / 2, abs=100)
    assert len(firsts) == 20
