"""Zeek writes the same line of nba_device.log for a verdict as nba-broker score does."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba_broker.archive import device_log
from nba_broker.records.evidence import AlarmSum, Attended, SimilarHost, Surprising, WindowExtent
from nba_broker.records.hints import Hint, Reason
from nba_broker.records.verdicts import Alternative, Verdict
from nba_broker.wire.codec import encode_verdict
from testing.client import SESSIONS, Client
from testing.zeek import Standalone, read_rows, wait_until

pytestmark = pytest.mark.usefixtures("zeek")

TS = 1_700_000_060.5
CLOUD = ("192.0.2.7", 443, "tcp", "as:64500", "Example, Inc.", TS - 30, "C1")
GATEWAY = ("2001:db8::7", 0, "icmp", "gw", "", TS - 20.25, "")


def verdict(**changes: object) -> Verdict:
    values: dict[str, object] = {
        "ts": TS,
        "host": "10.0.0.1",
        "mac": "02:00:00:00:00:01",
        "hostname": "camera",
        "vendor": "",
        "state": "identified",
        "previous": "learning",
        "device": "Lens",
        "category": "camera",
        "confidence": 0.9375,
        "alternatives": (),
        "sessions": 64,
        "since": TS,
        "first_seen": TS - 600,
        "reason": "change",
        "evidence": (),
        "uids": (),
        "model": "default",
    }
    return Verdict(**values | changes)  # type: ignore[arg-type]


VERDICTS = {
    "window": verdict(
        evidence=(
            Attended(*CLOUD, sessions=50, weight=0.71234),
            Attended(*GATEWAY, sessions=14, weight=0.28766),
            WindowExtent(64, TS - 500),
        ),
        alternatives=(Alternative("Lamp", 1 / 3), Alternative("Plug, 2", 0.05)),
        uids=("C1",),
    ),
    "alarm": verdict(
        state="misbehaving",
        evidence=(
            AlarmSum(9, TS - 60, 20.125),
            Surprising(*GATEWAY, surprise=12.000061),
            Surprising(*CLOUD, surprise=8.0),
        ),
    ),
    "one destination without organisation": verdict(
        evidence=(Attended(*GATEWAY, sessions=64, weight=1.0), WindowExtent(64, TS - 500))
    ),
    "names that an attacker chose": verdict(
        evidence=(
            Attended(*CLOUD, sessions=50, weight=0.7, name="=cmd|'/c calc'!a,<script>.example"),
            Attended(*GATEWAY, sessions=14, weight=0.3, name="xn--" + "x" * 251),
            Attended(*GATEWAY, sessions=14, weight=0.3),
            WindowExtent(64, TS - 500),
        )
    ),
    "similar host": verdict(
        reason="annotation", evidence=(SimilarHost("10.0.0.7", "02:00:00:00:00:07", 0.9688),)
    ),
    "hints": verdict(
        state="unknown",
        device="",
        hint=Hint(
            "Wyze", "camera", reasons=(Reason("", "*.wyze.com", 0.71), Reason("OUI", "A, B"))
        ),
    ),
    "first line": verdict(state="learning", reason="new", device="", previous="", model=""),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_zeek_writes_the_line_that_score_writes(name: str, tmp_path: Path) -> None:
    with device_log.Writer(tmp_path / "ours.log") as log:
        log.write(VERDICTS[name])
    with Standalone(tmp_path / "zeek") as zeek, Client(zeek.url, SESSIONS) as client:
        client.join()
        client.send_text(encode_verdict(VERDICTS[name]))
        wait_until(lambda: zeek.rows("nba_device"))
        assert zeek.rows("nba_device") == read_rows(tmp_path / "ours.log")
