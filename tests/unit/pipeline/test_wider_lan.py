"""LANs that are wider than a /24, as their traffic shows."""

from __future__ import annotations

import ipaddress

import numpy as np

from nba_broker.pipeline.tracker import Tracker
from nba_broker.pipeline.wider_lan import WiderLans
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Sessions
from tests.unit.helpers import MAC, pools

DNS, DHCP, HTTPS, NETBIOS = (
    port_code(53, "udp"),
    port_code(67, "udp"),
    port_code(443, "tcp"),
    port_code(138, "udp"),
)

Row = tuple[str, str, int]  # host, destination, port


def hints(*rows: Row, macs: bool = True, lans: tuple[str, ...] = ()) -> list[str]:
    known = pools(lans=tuple(map(ipaddress.ip_network, lans)))
    tracker = Tracker()
    wider = WiderLans(known, tracker.identity)
    hosts = sorted({host for host, *_ in rows})
    mac = {host: MAC.format(number) if macs else "" for number, host in enumerate(hosts)}
    sessions = Sessions(
        np.arange(1000.0, 1000.0 + len(rows)),
        [row[0] for row in rows],
        [f"C{number}" for number in range(len(rows))],
        [mac[row[0]] for row in rows],
        [row[1] for row in rows],
        np.array([row[2] for row in rows], np.int32),
    )
    for part in tracker.track(sessions):
        wider.see(part.sessions, part.slot, known.ids(part.sessions.host, part.sessions.dst))
    found = wider.hints("score again with --lans {lan}")
    assert wider.hints("again") == []
    return found


def test_a_name_server_beyond_the_24_is_reported_with_the_network_and_the_remedy() -> None:
    rows = [(f"10.0.6.{host}", "10.0.4.1", DNS) for host in (20, 23, 24, 26)]
    assert hints(*rows, macs=False) == [
        "10.0.4.1 answers DNS for 4 hosts of 10.0.6.0/24: if the LAN is 10.0.4.0/22, "
        "score again with --lans 10.0.4.0/22"
    ]


def test_a_configured_lan_is_not_reported() -> None:
    rows = [(f"10.0.6.{host}", "10.0.4.1", DNS) for host in (20, 23, 24, 26)]
    assert hints(*rows, lans=("10.0.4.0/22",)) == []
    assert hints(*rows, lans=("10.0.6.0/24",)) == []


def test_hosts_of_several_24s_make_one_line_of_the_widest_network() -> None:
    rows = [(f"192.168.{net}.9", "192.168.0.1", DNS) for net in (0, 1, 2, 3, 7)]
    (line,) = hints(*rows)
    assert line.startswith(
        "192.168.0.1 answers DNS for 4 hosts of 192.168.1.0/24, 192.168.2.0/24, 192.168.3.0/24 "
        "and 1 more: if the LAN is 192.168.0.0/21, "
    )


def test_one_host_is_enough_where_the_server_has_the_network_s_first_or_last_address() -> None:
    assert hints(("10.0.6.20", "10.0.4.1", DHCP))[0].startswith(
        "10.0.4.1 leases addresses to 1 host of 10.0.6.0/24: if the LAN is 10.0.4.0/22"
    )
    assert hints(("172.16.3.9", "172.16.7.254", DNS))[0].endswith("--lans 172.16.0.0/21")
    assert hints(("10.0.6.20", "10.0.4.53", DNS)) == []


def test_a_24_whose_own_gateway_serves_it_is_no_part_of_a_wider_lan() -> None:
    beyond = [(f"10.0.6.{host}", "10.0.4.1", DNS) for host in (20, 23)]
    assert hints(*beyond, ("10.0.6.77", "10.0.6.1", DHCP)) == []


def test_a_server_far_away_or_in_other_private_space_is_not_in_the_lan() -> None:
    for server in ("10.200.7.7", "192.168.0.1", "172.16.0.1"):
        assert hints(*((f"10.0.6.{host}", server, DNS) for host in (20, 23))) == []


def test_a_broadcast_address_beyond_the_24_is_a_wider_lan_s() -> None:
    (line,) = hints(("10.0.6.20", "10.0.7.255", NETBIOS))
    assert line.startswith("10.0.7.255 is the broadcast address of 1 host of 10.0.6.0/24: if the ")
    assert hints(("10.0.6.20", "10.0.9.255", NETBIOS)) == []


def test_neighbours_with_visible_macs_share_a_lan() -> None:
    rows = [(f"10.0.6.{host}", "10.0.5.9", HTTPS) for host in (20, 23)]
    away = ("10.0.5.9", "1.0.0.7", HTTPS)
    (line,) = hints(*rows, away)
    assert line.startswith(
        "the sensor sees the MACs of 10.0.5.9 and of 2 hosts of 10.0.6.0/24 that talk to it: if"
    )
    assert hints(*rows) == []  # no session of the neighbour itself
    assert hints(*rows, away, macs=False) == []
    assert hints(rows[0], away) == []


def test_a_host_that_queries_every_address_has_no_server() -> None:
    scan = [("10.0.6.20", f"10.0.{net}.{end}", DNS) for net in range(8) for end in (1, 254)]
    assert hints(*(row for row in scan if not row[1].startswith("10.0.6."))) == []


def test_a_scan_of_private_space_grows_nothing() -> None:
    tracker, known = Tracker(), pools()
    wider = WiderLans(known, tracker.identity)
    dst = [f"10.{a}.{b}.9" for a in range(1, 101) for b in range(250)]
    number = len(dst)
    sessions = Sessions(
        np.arange(1000.0, 1000.0 + number),
        ["10.0.6.20"] * number,
        ["C"] * number,
        [MAC.format(1)] * number,
        dst,
        np.full(number, HTTPS, np.int32),
    )
    for part in tracker.track(sessions):
        wider.see(part.sessions, part.slot, known.ids(part.sessions.host, part.sessions.dst))
    assert len(wider._hosts) < 100
    assert wider.hints("") == []
