"""Frames of announcements; whatever arrives, they are right or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_broker.records.announcements import MOST_TEXT, Announcement, is_announcement
from nba_broker.records.errors import MessageError
from nba_broker.wire.codec import Announced, decode
from tests.unit.wire.test_codec import column, event, frame, value


def batch(**changes: Any) -> bytes:
    columns = {
        "node": value("string", "oslo-worker-1"),
        "ts": column("real", [1.5e9, 1.5e9 + 0.25]),
        "host": column("address", ["192.168.1.2", "fe80::1"]),
        "what": column("string", ["_hue._tcp", "md=Hue Bridge 2"]),
        "vlan": column("string", ["", "20"]),
    } | changes
    return frame(event("NBA::announced", *columns.values()))


def test_announcements_arrive_with_their_hosts_segment() -> None:
    assert decode(batch()) == Announced(
        "oslo-worker-1",
        [
            Announcement(1.5e9, "192.168.1.2", "_hue._tcp", "oslo/"),
            Announcement(1.5e9 + 0.25, "fe80::1", "md=Hue Bridge 2", "oslo/20"),
        ],
    )
    alone = decode(batch(node=value("string", "standalone"), vlan=column("string", ["", ""])))
    assert isinstance(alone, Announced)
    assert [one.segment for one in alone.announcements] == ["", ""]


@pytest.mark.parametrize(
    "changes",
    [
        {"ts": column("real", [1.5e9])},
        {"ts": column("real", [1.5e9, -1.0])},
        {"host": column("address", ["192.168.1.2", "a"])},
        {"vlan": column("string", ["", "x"])},
        {"vlan": column("string", [""])},
        {"node": value("count", 1)},
        {"what": value("string", "_hue._tcp")},
    ],
)
def test_what_breaks_the_contract_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="malformed NBA::announced"):
        decode(batch(**changes))


WRONG = ["", "_hue", "_HUE._tcp", "Bridge._hue._tcp", "md=", "MD=x", "id=7", "md=\x1b[2J", "ty=ü"]


@pytest.mark.parametrize("what", [*WRONG, "md=" + "a" * MOST_TEXT])
def test_what_is_no_service_or_description_is_refused(what: str) -> None:
    with pytest.raises(MessageError, match="malformed NBA::announced"):
        decode(batch(what=column("string", ["_hue._tcp", what])))


@given(st.text(max_size=200) | st.from_regex(r"(md=|_).*"))
def test_whatever_text_arrives_is_right_or_refused(what: str) -> None:
    try:
        message = decode(batch(what=column("string", ["_hue._tcp", what])))
    except MessageError:
        assert not is_announcement(what)
        return
    assert isinstance(message, Announced)
    assert message.announcements[1].what == what
    assert what.isascii()
    assert what.isprintable()
    assert len(what) <= MOST_TEXT
