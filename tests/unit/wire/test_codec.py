"""Frames to messages, and events to frames."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.errors import MessageError
from nba_broker.records.evidence import Attended
from nba_broker.records.ports import port_code
from nba_broker.records.sessions import Lease
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.verdicts import Alternative, Verdict
from nba_broker.wire import codec
from nba_broker.wire.codec import ErrorReply, Hello, SessionBatch, decode


def value(kind: str, data: Any) -> dict[str, Any]:
    return {"@data-type": kind, "data": data}


def column(kind: str, data: list[Any]) -> dict[str, Any]:
    return value("vector", [value(kind, one) for one in data])


def event(name: str, *arguments: dict[str, Any]) -> dict[str, Any]:
    body = value("vector", [value("string", name), value("vector", list(arguments))])
    return {
        "type": "data-message",
        "topic": "zeek/nba/sessions/0/",
        **value("vector", [value("count", 1), value("count", 1), body]),
    }


def batch(**changes: Any) -> dict[str, Any]:
    columns = {
        "node": value("string", "worker-1"),
        "run": value("string", "R1"),
        "seq": value("count", 3),
        "sent": value("count", 12),
        "skipped": value("count", 1),
        "now": value("real", 1.6e9),
        "ts": column("real", [1.5e9, 1.5e9 + 0.25]),
        "host": column("address", ["192.168.1.2", "fe80::1"]),
        "uid": column("string", ["CabC1", "CabC2"]),
        "mac": column("string", ["02:00:00:00:00:0A", ""]),
        "dst": column("address", ["1.2.3.4", "ff02::fb"]),
        "dport": column("port", ["443/tcp", "5353/udp"]),
    } | changes
    return event("NBA::sessions", *columns.values())


def frame(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_a_batch_arrives_as_columns() -> None:
    message = decode(frame(batch()))
    assert isinstance(message, SessionBatch)
    assert (message.node, message.run, message.seq) == ("worker-1", "R1", 3)
    assert (message.sent, message.skipped, message.now) == (12, 1, 1.6e9)
    assert message.sessions.ts.tolist() == [1.5e9, 1.5e9 + 0.25]
    assert message.sessions.host == ["192.168.1.2", "fe80::1"]
    assert message.sessions.mac == ["02:00:00:00:00:0a", ""]
    assert message.sessions.dst == ["1.2.3.4", "ff02::fb"]
    assert message.sessions.dport.tolist() == [port_code(443, "tcp"), port_code(5353, "udp")]


def segments(node: str, *vlans: str, sent: bool = True) -> object:
    """The segments of a batch of two sessions; ``sent`` is whether the package knows of VLANs."""
    changes = {"vlan": column("string", list(vlans))} if sent else {}
    message = decode(frame(batch(node=value("string", node), **changes)))
    assert isinstance(message, SessionBatch)
    return message.sessions.segment


def test_a_sessions_vlan_and_its_sensors_site_are_its_segment() -> None:
    assert segments("worker-1", "10", "") == ["/10", ""]
    assert segments("worker-1", "10.20", "4094") == ["/10.20", "/4094"]
    assert segments("berlin-worker-1", "10", "") == ["berlin/10", "berlin/"]
    assert segments("berlin-worker-1") == ["berlin/", "berlin/"]


def test_without_a_vlan_or_a_site_sessions_are_of_one_segment() -> None:
    assert segments("worker-1-2") is None
    assert segments("standalone") is None


def test_the_processes_of_a_sensor_with_a_name_of_its_own_are_no_sites() -> None:
    assert segments("eth0-1") is segments("eth0-2") is None
    assert segments("eth0-1", "10", "") == ["/10", ""]


def test_a_package_that_knows_of_no_vlans_is_understood() -> None:
    assert segments("worker-1", sent=False) is None
    assert segments("berlin-worker-1", sent=False) == ["berlin/", "berlin/"]


def test_uids_of_128_bits_arrive_whole() -> None:
    uids = ["C" + "z" * 22, "C7n42DGPsEPtLTtuZzQQQQQ"]
    message = decode(frame(batch(uid=column("string", uids))))
    assert isinstance(message, SessionBatch)
    assert message.sessions.uid == uids


def test_sessions_of_the_first_second_of_1970_arrive() -> None:
    message = decode(frame(batch(now=value("real", 0.5), ts=column("real", [0.0, 0.25]))))
    assert isinstance(message, SessionBatch)
    assert message.sessions.ts.tolist() == [0.0, 0.25]


LEASE = (
    value("real", 1.0),
    value("address", "192.168.1.2"),
    value("string", "02:00:00:00:00:0A"),
    value("string", "lamp"),
)


def test_the_client_of_a_lease_is_understood() -> None:
    lease = event("NBA::lease", *LEASE, value("string", "udhcp 1"), column("count", [1, 3, 255]))
    client = {"vendor_class": "udhcp 1", "params": (1, 3, 255)}
    assert decode(frame(lease)) == Lease(1.0, "192.168.1.2", "02:00:00:00:00:0a", "lamp", **client)


@pytest.mark.parametrize(
    "client",
    [
        [value("string", "udhcp 1")],
        [value("string", "x" * 257), column("count", [])],
        [value("string", ""), column("count", [256])],
        [value("string", ""), column("count", [1] * 256)],
        [value("string", ""), column("string", ["1"])],
        [value("string", ""), value("count", 1)],
    ],
)
def test_a_lease_with_an_impossible_client_is_refused(client: list[Any]) -> None:
    with pytest.raises(MessageError, match="malformed NBA::lease"):
        decode(frame(event("NBA::lease", *LEASE, *client)))


def test_hello_lease_and_error_reply_are_understood() -> None:
    assert decode(frame(event("NBA::hello", value("string", "w")))) == Hello("w")
    # Of an earlier package, which does not send the client.
    lease = event("NBA::lease", *LEASE)
    assert decode(frame(lease)) == Lease(1.0, "192.168.1.2", "02:00:00:00:00:0a", "lamp")
    reply = {"type": "error", "code": "deserialization_failed", "context": "at offset 3"}
    assert decode(frame(reply)) == ErrorReply("deserialization_failed", "at offset 3")


BAD = {
    "columns of unequal length": {"ts": column("real", [1.0])},
    "a NaN time": {"ts": column("real", [None, 1.0])},
    "a time before 1970": {"ts": column("real", [-1.0, 1.0])},
    "a time after 2100": {"ts": column("real", [1e12, 1.0])},
    "an endless clock": {"now": value("real", 1e300)},
    "a host that is no address": {"host": column("address", ["x", "fe80::1"])},
    "a host that is a number": {"host": column("address", [7, "fe80::1"])},
    "a MAC that is none": {"mac": column("string", ["02:00", ""])},
    "a port out of range": {"dport": column("port", ["70000/tcp", "1/udp"])},
    "a port without transport": {"dport": column("port", ["443", "1/udp"])},
    "a uid that is not ASCII": {"uid": column("string", ["Cä", "C2"])},
    "a uid without end": {"uid": column("string", ["C" * 99, "C2"])},
    "a node name without end": {"node": value("string", "n" * 999)},
    "a negative number": {"seq": value("count", -1)},
    "a time that is a text": {"ts": column("real", ["1.0", 1.0])},
    "a time that is a truth": {"ts": column("real", [True, 1.0])},
    "a time that is a vector": {"ts": column("real", [[1.0], [1.0]])},
    "an address with a zone": {"dst": column("address", ["fe80::1%eth0", "1.2.3.4"])},
    "a MAC with signs": {"mac": column("string", [" 1:+2:03:04:05:06", ""])},
    "a port with an underscore": {"dport": column("port", ["1_0/tcp", "1/udp"])},
    "a column that is none": {"dst": value("string", "1.2.3.4")},
    "a column of VLANs that is too short": {"vlan": column("string", ["10"])},
    "a VLAN that is no number": {"vlan": column("string", ["10", "ten"])},
    "a VLAN with a sign": {"vlan": column("string", ["10", "-1"])},
    "a VLAN that is no text": {"vlan": column("count", [10, 20])},
    "a column too many": {"vlan": column("string", []), "more": column("string", ["", ""])},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
def test_a_batch_that_breaks_the_contract_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="malformed NBA::sessions"):
        decode(frame(batch(**changes)))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "not JSON"),
        (b'{"data": [NaN]}', "not JSON"),
        (b"[]", "not an event"),
        (b"{}", "not an event"),
        (b'{"type": "data-message", "data": [1, 2, 3]}', "not an event"),
        (frame(event("NBA::verdict")), "unexpected event"),
        (frame(event("NBA::hello")), "malformed NBA::hello"),
    ],
)
def test_a_frame_that_is_no_message_of_ours_is_refused_by_kind(content: bytes, kind: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode(content)
    assert caught.value.kind == kind


def _paths(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, child in items:
        found += _paths(child, (*path, key))
    return found


PATHS = _paths(batch())
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@given(st.sampled_from(PATHS[1:]), ANYTHING)
def test_whatever_stands_anywhere_in_a_frame_it_is_decoded_or_refused(
    path: tuple[Any, ...], content: Any
) -> None:
    document = copy.deepcopy(batch())
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = content
    try:
        message = decode(frame(document))
    except MessageError:
        return
    if isinstance(message, SessionBatch):
        rows = message.sessions
        assert len(rows.ts) == len(rows.host) == len(rows.dst) == len(rows.dport)
        assert np.isfinite(rows.ts).all()


@given(st.binary(max_size=200))
def test_whatever_bytes_arrive_they_are_decoded_or_refused(content: bytes) -> None:
    with pytest.raises(MessageError):
        decode(content)


VERDICT = Verdict(
    ts=1.5e9,
    host="192.168.1.2",
    mac="02:00:00:00:00:0a",
    hostname="ä" * 200,
    vendor="",
    state="identified",
    previous="",
    device="Lamp",
    category="bulb",
    confidence=1.0,
    alternatives=(Alternative("Lens", 0.01),),
    sessions=12,
    since=1.4e9,
    first_seen=1.3e9,
    reason="change",
    evidence=(Attended("1.2.3.4", 443, "tcp", "as:1", "", 1.5e9, "C1", 7, 0.5),),
    uids=("C1",),
    model="votes-1",
    worker="w",
)


def arguments(text: str) -> list[Any]:
    return list(json.loads(text)["data"][2]["data"][1]["data"])


def test_a_verdict_event_carries_the_logs_columns_in_their_order_and_types() -> None:
    sent = dict(
        zip(
            [n for n, _ in VERDICT.row().items()],
            arguments(codec.encode_verdict(VERDICT)),
            strict=True,
        )
    )
    assert sent["host"] == value("address", "192.168.1.2")
    assert sent["sessions"] == value("count", 12)
    assert sent["confidence"] == value("real", 1.0)
    assert sent["alternatives"] == value("vector", [value("string", "Lens=0.01")])
    assert sent["state"] == value("string", "identified")
    assert sent["evidence_dst"] == value("vector", [value("address", "1.2.3.4")])
    assert sent["evidence_port"] == value("vector", [value("count", 443)])
    assert sent["evidence_ts"] == value("vector", [value("real", 1.5e9)])
    assert sent["evidence_weight"] == value("vector", [value("real", 0.5)])
    assert sent["evidence_surprise"] == value("vector", [])
    assert sent["similar_host"] == value("string", "")
    # Zeek refuses a real that looks like an integer.
    assert '"data":1.0}' in codec.encode_verdict(VERDICT)


def test_a_site_event_carries_the_logs_columns_in_their_order_and_types() -> None:
    begun = SiteEvent(2.5, "dns", "begun", 1.0, 7, 9, "10.0.0.1 53/udp", ("10.0.0.7", "fe80::7"))
    document = json.loads(codec.encode_site_event(begun))
    assert document["topic"] == "zeek/nba/status/"
    name, arguments = (part["data"] for part in document["data"][2]["data"])
    assert name == "NBA::site_event"
    assert [argument["@data-type"] for argument in arguments] == [
        *("real", "string", "string", "real", "count", "count", "string", "vector", "string")
    ]
    assert [one["data"] for one in arguments[:7]] == [
        *(2.5, "dns", "begun", 1.0, 7, 9, "10.0.0.1 53/udp")
    ]
    assert arguments[7]["data"] == [value("address", "10.0.0.7"), value("address", "fe80::7")]


def test_a_text_longer_than_the_manager_takes_is_cut_between_characters() -> None:
    hostname = arguments(codec.encode_verdict(VERDICT))[3]["data"]
    assert hostname == "ä" * 128


def test_an_ack_goes_to_its_node_alone() -> None:
    document = json.loads(codec.encode_ack("worker-1", "R1", 7))
    assert document["topic"] == "zeek/nba/ack/worker-1/"
    assert [one["data"] for one in arguments(json.dumps(document))] == ["worker-1", "R1", 7]


@pytest.mark.parametrize("depth", [300, 1000])
def test_values_nested_beyond_printing_are_refused_as_any_other(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    assert isinstance(decode(b'{"type":"error","code":' + deep + b"}"), ErrorReply)
    with pytest.raises(MessageError, match="not an event"):
        decode(b'{"type":' + deep + b"}")
    deep = b"[" * (depth - 20) + b"]" * (depth - 20)
    for part in (b'"192.168.1.2"', b'"worker-1"', b'"NBA::sessions"', b'"443/tcp"'):
        with pytest.raises(MessageError):
            decode(frame(batch()).replace(part, deep, 1))
