"""Every piece of evidence makes the text that an analyst reads."""

from __future__ import annotations

import pytest

from nba_broker.records.evidence import (
    AcceptedDevice,
    AlarmSum,
    AnnotationApplied,
    Attended,
    Evidence,
    HostsApart,
    MissingSessions,
    NamedByAnalyst,
    OneHost,
    SharedAddress,
    SharedMac,
    SimilarHost,
    Surprising,
    WindowExtent,
    uids,
)
from nba_broker.records.verdicts import Row, Verdict
from tests.unit.triage.test_triage_store import verdict

CLOUD = ("52.0.0.1", 443, "tcp", "as:16509", "Amazon.com, Inc.", 1767594525.0, "C1")
GATEWAY = ("fe80::1", 53, "udp", "gw", "", 1767594525.75, "")


@pytest.mark.parametrize(
    ("piece", "text"),
    [
        (
            Attended(*CLOUD, sessions=7, weight=0.171),
            "52.0.0.1 443/tcp as:16509 (Amazon.com, Inc.) sessions=7 weight=0.17 "
            "last=2026-01-05T06:28:45Z",
        ),
        (
            Surprising(*GATEWAY, surprise=3.25),
            "fe80::1 53/udp gw at 2026-01-05T06:28:45Z surprise=3.2",
        ),
        (WindowExtent(64, 1767591209.0), "of 64 sessions since 2026-01-05T05:33:29Z"),
        (
            AlarmSum(9, 1767591209.5, 20.06),
            "sessions unlike this host: 9 since 2026-01-05T05:33:29Z surprise=20.1",
        ),
        (MissingSessions(12), "a verdict needs 12 more sessions or more"),
        (NamedByAnalyst("Lamp"), "an analyst named it Lamp"),
        (
            SimilarHost("10.0.0.7", "02:00:00:00:00:07", 0.972),
            "similar to 10.0.0.7 (02:00:00:00:00:07), which an analyst named: 0.97",
        ),
        (SimilarHost("10.0.0.7", "", 1.0), "similar to 10.0.0.7, which an analyst named: 1.00"),
        (
            AnnotationApplied("label", 4.5, "seen it"),
            "label of 1970-01-01T00:00:04.500000Z: seen it",
        ),
        (AnnotationApplied("confirm", 0.0, ""), "confirm"),
        (AcceptedDevice("Lens"), "may still behave as Lens"),
        (
            SharedMac(tuple(f"10.0.0.{n}" for n in range(9)), 3600.0),
            "router: 10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, "
            "10.0.0.7 alternate behind this MAC within 60 minutes",
        ),
        (HostsApart(), "its hosts are distinguished by lease or address from now on"),
        (
            SharedAddress("02:00:00:00:00:01", "02:00:00:00:00:02", "10.0.0.7", 86_400.0),
            "bond: 02:00:00:00:00:01 and 02:00:00:00:00:02 alternate with 10.0.0.7 within 24 hours",
        ),
        (OneHost("02:00:00:00:00:02"), "both are one host, 02:00:00:00:00:02, from now on"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_text_of_evidence(piece: Evidence, text: str) -> None:
    assert piece.text == text


def test_uids_are_those_of_destinations_that_have_one() -> None:
    found = (Attended(*CLOUD, sessions=1, weight=1.0), Surprising(*GATEWAY, surprise=1.0))
    assert uids((NamedByAnalyst("Lamp"), *found)) == ("C1",)


def made(*evidence: Evidence) -> Row:
    shared = {name: getattr(verdict(), name) for name in Verdict.__slots__ if name != "hint"}
    return Verdict(**shared | {"alternatives": (), "evidence": evidence}).row()


def test_a_row_has_an_entry_for_each_destination_and_they_read_back() -> None:
    attended = Attended(*CLOUD, sessions=7, weight=0.171)
    row = made(NamedByAnalyst("Lamp"), attended, WindowExtent(64, 1.0))
    assert (row.evidence_dst, row.evidence_port) == (("52.0.0.1",), (443,))
    assert (row.evidence_weight, row.evidence_surprise) == ((0.171,), ())
    (again,) = row.destinations()
    assert again.text == attended.text == row.evidence[1]


def test_a_row_of_an_alarm_has_surprises_and_no_weights() -> None:
    surprising = Surprising(*GATEWAY, surprise=3.25)
    row = made(AlarmSum(9, 1.0, 20.0), surprising)
    assert (row.evidence_sessions, row.evidence_weight, row.evidence_surprise) == ((), (), (3.25,))
    (again,) = row.destinations()
    assert again.text == surprising.text == row.evidence[1]


def test_a_row_names_the_similar_host() -> None:
    assert made(SimilarHost("10.0.0.7", "", 0.97)).similar_host == "10.0.0.7"
    assert made().similar_host == ""
