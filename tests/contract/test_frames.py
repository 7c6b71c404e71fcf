"""Frames that a real Zeek sent are understood, and ours look like those it understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nba_broker.records.addresses import printed
from nba_broker.records.announcements import Announcement
from nba_broker.records.errors import MessageError
from nba_broker.records.evidence import Attended, WindowExtent
from nba_broker.records.ports import port_name
from nba_broker.records.sessions import Lease
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.verdicts import Alternative, HostGroup, UnknownHosts, Verdict
from nba_broker.wire import codec
from nba_broker.wire.codec import Announced, ErrorReply, Hello, NameBatch, SessionBatch, Status

FRAMES = Path(__file__).parent / "frames"
Recorded = Callable[[str], str]
"""A frame by its name, as one version of Zeek sent it."""


@pytest.fixture(params=sorted(path.name for path in FRAMES.iterdir()))
def recorded(request: pytest.FixtureRequest) -> Recorded:
    def read(name: str) -> str:
        path = FRAMES / request.param / f"{name}.json"
        if not path.exists():
            pytest.skip(f"no {name} recorded from Zeek {request.param} (tests.contract.record)")
        return path.read_text()

    return read


def arguments(frame: str) -> list[Any]:
    return list(json.loads(frame)["data"][2]["data"][1]["data"])


def test_a_batch_of_all_kinds_of_sessions_is_understood(recorded: Recorded) -> None:
    batch = codec.decode(recorded("sessions"))
    assert isinstance(batch, SessionBatch)
    assert (batch.node, batch.seq, batch.sent, batch.skipped) == ("standalone", 2, 6, 0)
    assert batch.run == "Rrun-1-1700000000.000000"
    rows = batch.sessions
    assert len(rows) == 6
    assert rows.segment is None
    assert rows.ts.tolist() == [1700000000.0 + n / 100 for n in range(6)]
    raw = [
        [one["data"] for one in column["data"]] for column in arguments(recorded("sessions"))[6:12]
    ]
    assert list(rows.host) == raw[1]
    assert list(rows.uid) == raw[2]
    assert list(rows.mac) == raw[3]
    assert list(rows.dst) == raw[4]
    assert [port_name(int(code)) for code in rows.dport] == [
        port.replace("/?", "/unknown") for port in raw[5]
    ]
    assert any(":" in host for host in rows.host)
    assert "" in rows.mac
    assert any(port.endswith("/icmp") for port in raw[5])


def test_the_vlans_of_a_batch_are_understood(recorded: Recorded) -> None:
    batch = codec.decode(recorded("vlans"))
    assert isinstance(batch, SessionBatch)
    assert batch.sessions.segment == ["", "/10", "/10.20", "", ""]


def test_names_are_understood(recorded: Recorded) -> None:
    batch = codec.decode(recorded("names"))
    assert isinstance(batch, NameBatch)
    assert (batch.node, batch.sent, batch.skipped) == ("standalone", len(batch), 0)
    names = batch.names
    assert names.segment is None
    assert names.ts.tolist()[:3] == [1700000000.01, 1700000000.01, 1700000000.11]
    assert {printed(host) for host in names.host.tolist()} == {"10.0.0.1"}
    assert names.name.tolist()[:3] == ["fw.ring.com", "fw.ring.com", "time.example.org"]
    addresses = list(map(printed, names.address.tolist()))
    assert addresses[:3] == ["8.8.8.8", "1.1.1.1", "2001:4860:4860::8888"]
    assert names.ttl.tolist()[:3] == [60.0, 61.0, 60.0]


def test_announcements_are_understood(recorded: Recorded) -> None:
    message = codec.decode(recorded("announced"))
    assert isinstance(message, Announced)
    assert message.node == "standalone"
    assert message.announcements[:2] == [
        Announcement(1700000000.0, "10.0.0.1", "_hue._tcp"),
        Announcement(1700000000.0, "10.0.0.1", "md=BSB002"),
    ]
    assert {one.host for one in message.announcements} >= {"10.0.0.2", "fe80::1"}


def test_a_heartbeat_is_a_batch_without_sessions(recorded: Recorded) -> None:
    batch = codec.decode(recorded("heartbeat"))
    assert isinstance(batch, SessionBatch)
    assert (len(batch.sessions), batch.seq, batch.sent) == (0, 1, 0)


def test_a_lease_is_understood(recorded: Recorded) -> None:
    assert codec.decode(recorded("lease")) == Lease(
        1700000000.0,
        "10.0.0.1",
        "02:00:00:00:00:01",
        "camera",
        vendor_class="udhcp 1.30",
        params=(1, 3, 6, 12, 15, 28, 42),
    )


def test_another_workers_hello_is_understood(recorded: Recorded) -> None:
    assert codec.decode(recorded("hello")) == Hello("test")


@pytest.mark.parametrize("name", ["error_arguments", "error_no_json", "error_no_such_event"])
def test_an_error_reply_is_no_surprise(name: str, recorded: Recorded) -> None:
    reply = codec.decode(recorded(name))
    assert isinstance(reply, ErrorReply)
    assert reply.code == "deserialization_failed"


@pytest.mark.parametrize("name", ["verdict", "status", "unknown_hosts", "site_event", "ack"])
def test_an_event_that_is_for_zeek_is_refused_by_name(name: str, recorded: Recorded) -> None:
    with pytest.raises(MessageError, match="unexpected event"):
        codec.decode(recorded(name))


def test_our_verdict_is_one_that_zeek_took(recorded: Recorded) -> None:
    ts = 1700000060.5
    where = ("192.0.2.7", 443, "tcp", "as:64500", "Acme")
    destination = Attended(*where, ts - 30.5, "Cabc", 7, 0.88, name="fw.example.com")
    ours = codec.encode_verdict(
        Verdict(
            ts=ts,
            host="10.0.0.1",
            mac="02:00:00:00:00:01",
            hostname="camera",
            vendor="Acme",
            state="identified",
            previous="learning",
            device="acme-camera",
            category="camera",
            confidence=0.93,
            alternatives=(Alternative("acme-plug", 0.05),),
            sessions=8,
            since=ts,
            first_seen=ts - 60.25,
            reason="change",
            evidence=(destination, WindowExtent(8, 1.7e9)),
            uids=("Cabc",),
            model="default",
            worker="test",
        )
    )
    assert json.loads(ours) == json.loads(recorded("verdict"))


def test_our_site_event_is_one_that_zeek_took(recorded: Recorded) -> None:
    examples = ("10.0.0.1", "10.0.0.2")
    begun = (1700006400.5, "dns", "begun", 1700006300.25)
    ours = codec.encode_site_event(SiteEvent(*begun, 7, 9, "10.0.0.53 53/udp", examples, "test"))
    assert json.loads(ours) == json.loads(recorded("site_event"))


def test_our_status_summary_hello_and_ack_are_those_that_zeek_took(recorded: Recorded) -> None:
    ts, worker, hosts, _ = (one["data"] for one in arguments(recorded("unknown_hosts")))
    group = HostGroup(2, ("10.0.0.1", "10.0.0.2"), "Acme", "as:64500 443/tcp 90 %")
    summary = UnknownHosts(ts, hosts, (group,))
    values = [value["data"] for value in arguments(recorded("status"))]
    pairs = [
        (codec.encode_status(Status(*values)), recorded("status")),
        (codec.encode_unknown_hosts(summary, worker), recorded("unknown_hosts")),
        (codec.encode_hello("test"), recorded("hello")),
        (codec.encode_ack("worker-1", "Rrun-1-1700000000.000000", 7), recorded("ack")),
    ]
    for ours, theirs in pairs:
        assert json.loads(ours) == json.loads(theirs)
