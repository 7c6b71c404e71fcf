"""Frames of names to batches; whatever arrives, a batch is right or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.addresses import printed
from nba_broker.records.errors import MessageError
from nba_broker.records.names import is_name
from nba_broker.wire.codec import NameBatch, decode
from tests.unit.wire.test_codec import column, event, frame, value


def batch(**changes: Any) -> bytes:
    columns = {
        "node": value("string", "worker-1"),
        "run": value("string", "R1"),
        "seq": value("count", 3),
        "sent": value("count", 12),
        "skipped": value("count", 1),
        "now": value("real", 1.6e9),
        "ts": column("real", [1.5e9, 1.5e9 + 0.25]),
        "host": column("address", ["192.168.1.2", "fe80::1"]),
        "name": column("string", ["fw.ring.com", "time.nist.gov"]),
        "address": column("address", ["52.0.123.153", "2610:20:6f96:96::4"]),
        "ttl": column("real", [60.0, 0.0]),
        "vlan": column("string", []),
    } | changes
    return frame(event("NBA::names", *columns.values()))


def decoded(**changes: Any) -> NameBatch:
    message = decode(batch(**changes))
    assert isinstance(message, NameBatch)
    return message


def test_names_arrive_as_columns() -> None:
    message = decoded()
    assert (message.node, message.run, message.seq) == ("worker-1", "R1", 3)
    assert (message.sent, message.skipped, message.now) == (12, 1, 1.6e9)
    names = message.names
    assert len(message) == len(names) == 2
    assert names.ts.tolist() == [1.5e9, 1.5e9 + 0.25]
    assert list(map(printed, names.host.tolist())) == ["192.168.1.2", "fe80::1"]
    assert names.name.tolist() == ["fw.ring.com", "time.nist.gov"]
    assert list(map(printed, names.address.tolist())) == ["52.0.123.153", "2610:20:6f96:96::4"]
    assert names.ttl.tolist() == [60.0, 0.0]
    assert names.segment is None


def test_names_of_one_letter_and_an_empty_batch_arrive() -> None:
    assert decoded(name=column("string", ["a", "b"])).names.name.tolist() == ["a", "b"]
    empty = {name: column("real", []) for name in ("ts", "host", "name", "address", "ttl")}
    assert len(decoded(**empty)) == 0


def test_the_segment_of_an_asker_is_that_of_its_sessions() -> None:
    vlans = column("string", ["10", ""])
    assert decoded(vlan=vlans).names.segment == ["/10", ""]
    assert decoded(node=value("string", "berlin-worker-1")).names.segment == ["berlin/", "berlin/"]


def test_a_name_is_lower_case_without_a_final_dot() -> None:
    names = decoded(name=column("string", ["FW.Ring.COM.", "xn--mnchen-3ya.de"])).names
    assert names.name.tolist() == ["fw.ring.com", "xn--mnchen-3ya.de"]


BAD = {
    "columns of unequal length": {"name": column("string", ["a.b"])},
    "the root": {"name": column("string", [".", "a.b"])},
    "a name without end": {"name": column("string", ["a" * 256, "a.b"])},
    "a name with a control character": {"name": column("string", ["a\x00.b", "a.b"])},
    "a name with a space": {"name": column("string", ["a b", "a.b"])},
    "a name that is not ASCII": {"name": column("string", ["münchen.de", "a.b"])},
    "a name that is a number": {"name": column("count", [7, 8])},
    "an address that is none": {"address": column("address", ["a.b", "1.2.3.4"])},
    "an address that is a vector": {"address": column("address", [["1.2.3.4"], "1.2.3.4"])},
    "an asker that is none": {"host": column("address", ["", "1.2.3.4"])},
    "a time after 2100": {"ts": column("real", [1e12, 1.0])},
    "a TTL below 0": {"ttl": column("real", [-1.0, 1.0])},
    "an endless TTL": {"ttl": column("real", [1e300, 1.0])},
    "a TTL that is a text": {"ttl": column("string", ["60", "60"])},
    "a column of VLANs that is too short": {"vlan": column("string", ["10"])},
    "a column too many": {"more": column("string", [])},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
def test_names_that_break_the_contract_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="malformed NBA::names"):
        decode(batch(**changes))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.lists(st.text(max_size=300), max_size=4))
def test_any_text_is_a_name_or_refused(texts: list[str]) -> None:
    rows = len(texts)
    columns = {
        "ts": column("real", [1.0] * rows),
        "host": column("address", ["10.0.0.1"] * rows),
        "name": column("string", texts),
        "address": column("address", ["10.0.0.2"] * rows),
        "ttl": column("real", [1.0] * rows),
    }
    cleaned = [text.lower().removesuffix(".") for text in texts]
    if all(map(is_name, cleaned)):
        assert decoded(**columns).names.name.tolist() == cleaned
    else:
        with pytest.raises(MessageError):
            decode(batch(**columns))


@given(st.sampled_from(["ts", "host", "name", "address", "ttl", "vlan", "seq", "now"]), ANYTHING)
def test_nothing_in_place_of_a_column_stops_the_decoder(name: str, anything: object) -> None:
    for data in (anything, [anything, anything], [{"@data-type": "x", "data": anything}] * 2):
        try:
            message = decode(batch(**{name: value("vector", data)}))
        except MessageError:
            continue
        assert isinstance(message, NameBatch)
        assert all(map(is_name, message.names.name.tolist()))
