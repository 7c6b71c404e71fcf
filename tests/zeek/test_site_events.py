"""A bad day of the site is one event and one notice, with the same lines from Zeek and offline."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nba_broker.archive import conn_log, site_log, zeek_log
from nba_broker.cli import main
from nba_broker.records.sessions import Sessions, concatenate, order, take
from nba_broker.records.site_events import SiteEvent
from nba_broker.records.site_spans import WORDS
from nba_broker.records.times import HOUR, parse_time
from nba_broker.wire.codec import encode_site_event
from testing.client import SESSIONS, Client
from testing.worker import running_worker
from testing.zeek import Standalone, read_rows, replay, wait_until
from tests.zeek.helpers import zeek_logs
from tools import capture, generate

pytestmark = pytest.mark.usefixtures("zeek")

HOMES = {"lsif": parse_time("2019-07-12T12:00"), "made-up": parse_time("2026-01-09T12:00")}
"""The homes that have an outage, and the noon at which it begins."""

DEVICES = (
    "Chime_Doorbell",
    "Goumia_Coffemaker",
    "Ring_Doorbell",
    "Tenvis_Cam",
    "Wemo_SmartPlug",
    "tp-link_SmartPlug",
)
"""Those of the made-up home."""

BEGUN = SiteEvent(
    ts=1_700_000_090.5,
    kind="dns",
    state="begun",
    since=1_700_000_000.123456,
    hosts=7,
    watched=9,
    where="10.0.0.53 53/udp",
    examples=("10.0.0.1", "2001:db8::7"),
    worker="test",
)


@pytest.mark.parametrize(
    "event",
    [BEGUN, dataclasses.replace(BEGUN, kind="internet", where="", examples=(), worker="")],
)
def test_zeek_writes_the_line_that_score_writes(event: SiteEvent, tmp_path: Path) -> None:
    site_log.write(tmp_path / "ours.log", [event])
    with Standalone(tmp_path / "zeek") as zeek, Client(zeek.url, SESSIONS) as client:
        client.join()
        client.send_text(encode_site_event(event))
        wait_until(lambda: zeek.rows("nba_site"))
        assert zeek.rows("nba_site") == read_rows(tmp_path / "ours.log")


@cache
def on_the_internet(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_global and not parsed.is_multicast


def outage(sessions: Sessions, since: float, hours: float, *, retried: bool) -> Sessions:
    """The sessions without those that start to the Internet in the hours from ``since`` on. If
    ``retried``, each host repeats the first of them every 30 s for 15 minutes, within which a whole
    tick lies, then every 5 minutes.
    """
    end = since + hours * HOUR
    lost = np.array([since <= ts < end for ts in sessions.ts.tolist()])
    lost &= [on_the_internet(address) for address in sessions.dst]
    left = take(sessions, np.flatnonzero(~lost))
    if not retried:
        return left
    firsts = {sessions.host[row]: row for row in np.flatnonzero(lost)[::-1].tolist()}
    again = []
    for row in firsts.values():
        begin = float(sessions.ts[row])
        times = np.append(np.arange(begin, begin + 900, 30), np.arange(begin + 900, end, 300))
        one = take(sessions, np.full(len(times), row))
        uid = [f"{one.uid[0]}r{number}" for number in range(len(times))]
        again.append(dataclasses.replace(one, ts=times, uid=uid))
    every = concatenate([left, *again])
    return take(every, order(every))


def sessions_of(paths: list[Path]) -> Sessions:
    """All sessions of an archive."""
    archive = conn_log.read(paths)
    (sessions,) = archive.batches(len(archive))
    return sessions


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    """Six days of the made-up home; four are before the outage."""
    folder = tmp_path_factory.mktemp("home")
    devices = [word for name in DEVICES for word in ("--device", name)]
    generate.main(["--seed", "3", "--days", "6", "--out", str(folder), *devices])
    return sessions_of([folder])


def six_days(home: str, request: pytest.FixtureRequest) -> Sessions:
    """The sessions of six or seven devices; four days are before the outage."""
    if home == "lsif":
        days = sorted((request.getfixturevalue("data") / "lsif").glob("2019-07-*"))
        return sessions_of(days[-6:])
    made: Sessions = request.getfixturevalue("made_up")
    return made


def events(folder: Path) -> list[dict[str, Any]]:
    """The lines of nba_site.log without the worker's name."""
    path = folder / "nba_site.log"
    rows = zeek_log.read(path) if path.exists() else []
    return [{name: value for name, value in row.items() if name != "worker"} for row in rows]


@pytest.mark.parametrize(
    ("home", "hours", "retried", "kinds"),
    [
        ("lsif", 6, True, {"internet"}),
        ("lsif", 24, False, {"internet", "dns"}),  # only queries are left: it may be DNS
        ("made-up", 6, True, {"internet"}),
    ],
)
def test_an_outage_over_all_hosts_is_one_event_and_one_notice_and_no_other(
    home: str,
    hours: int,
    retried: bool,
    kinds: set[str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    noon = HOMES[home]
    sessions = outage(six_days(home, request), noon, hours, retried=retried)
    capture.write(tmp_path / "outage.pcap", sessions)
    assert main.main(["pcap", str(tmp_path / "outage.pcap"), "--out", str(tmp_path / "live")]) == 0

    lines = events(tmp_path / "live")
    assert [one["state"] for one in lines] == ["begun", "over"]
    assert lines[0]["kind"] == lines[1]["kind"] in kinds
    assert all(abs(one["since"] - noon) <= HOUR for one in lines)
    assert all(3 <= one["hosts"] <= 7 for one in lines)
    end = noon + hours * HOUR
    assert end <= lines[1]["ts"] <= end + 6 * HOUR
    path = tmp_path / "live" / "notice.log"
    notices = [one for one in zeek_log.read(path) if str(one["note"]).startswith("NBA::")]
    since_noon = [one for one in notices if one["ts"] >= noon]
    assert [one["note"] for one in since_noon] == ["NBA::Site_Event"]
    what = WORDS[lines[0]["kind"]]
    assert str(since_noon[0]["msg"]).startswith(f"{what}: {lines[0]['hosts']} of ")

    logs = zeek_logs(tmp_path / "outage.pcap", tmp_path / "zeek")
    assert main.main(["score", str(logs), "--out", str(tmp_path / "offline")]) == 0
    assert events(tmp_path / "offline") == lines


def test_an_outage_replayed_live_is_one_notice_and_no_other(
    made_up: Sessions, tmp_path: Path
) -> None:
    sessions = outage(made_up, HOMES["made-up"], 6, retried=True)
    capture.write(tmp_path / "outage.pcap", sessions)
    speed = float(sessions.ts[-1] - sessions.ts[0]) / 120
    # Zeek's clock runs so much faster: what it does by the clock would be as much too often.
    intervals = {"flush_interval": 0.1, "heartbeat_interval": 0.25, "stats_interval": 10}
    settings = [f"NBA::{name}={speed * usual}sec" for name, usual in intervals.items()]
    # A worker on a busy machine lags behind that; the sensor shall skip nothing meanwhile.
    settings.append("NBA::max_unacked=100000")
    hold = Path(__file__).parent / "hold.zeek"
    zeek = Standalone(
        tmp_path / "zeek", (*replay(tmp_path / "outage.pcap", speed), hold, *settings)
    )
    with zeek, running_worker(zeek.url):
        wait_until(lambda: len(zeek.rows("nba_site")) == 2, 300, "the outage to be over")
        begun, over = zeek.rows("nba_site")
        notices = [
            row["note"]
            for row in zeek.rows("notice")
            if row["note"].startswith("NBA::") and float(row["ts"]) >= float(begun["since"])
        ]
    assert [(one["kind"], one["state"]) for one in (begun, over)] == [
        ("internet", "begun"),
        ("internet", "over"),
    ]
    assert notices == ["NBA::Site_Event"]


def without_server(sessions: Sessions, since: float) -> tuple[Sessions, str]:
    """The sessions without those of one host to its most used service on the Internet from
    ``since`` on; and the host, which goes on talking."""
    service = list(zip(sessions.host, sessions.dport.tolist(), strict=True))
    outside = np.array([on_the_internet(address) for address in sessions.dst])
    later = sessions.ts >= since
    for lost, _ in Counter(
        one for one, out in zip(service, outside, strict=True) if out
    ).most_common():
        stays = ~(later & outside & [one == lost for one in service])
        host = lost[0]
        if any(sessions.host[row] == host for row in np.flatnonzero(stays & later)):
            return take(sessions, np.flatnonzero(stays)), host
    raise AssertionError("no host goes on talking")


def test_a_lost_server_gives_its_line_live_and_offline_and_no_notice(
    made_up: Sessions, tmp_path: Path
) -> None:
    noon = HOMES["made-up"]
    sessions, host = without_server(made_up, noon)
    capture.write(tmp_path / "lost.pcap", sessions)
    assert main.main(["pcap", str(tmp_path / "lost.pcap"), "--out", str(tmp_path / "live")]) == 0
    logs = zeek_logs(tmp_path / "lost.pcap", tmp_path / "zeek")
    assert main.main(["score", str(logs), "--out", str(tmp_path / "offline")]) == 0

    def missing(folder: str) -> list[dict[str, Any]]:
        rows = zeek_log.read(tmp_path / folder / "nba_device.log")
        return [
            {name: value for name, value in row.items() if name != "worker"}
            for row in rows
            if row["reason"] == "missing" and row["ts"] >= noon
        ]

    lines = missing("live")
    assert host in {one["host"] for one in lines}
    assert all(one["evidence_dst"] and not one.get("evidence_weight") for one in lines)
    assert lines == missing("offline")
    notices = tmp_path / "live" / "notice.log"
    said = zeek_log.read(notices) if notices.exists() else []
    assert [one["note"] for one in said if one["ts"] >= noon and "NBA::" in str(one["note"])] == []
