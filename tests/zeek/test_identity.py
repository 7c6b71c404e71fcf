"""Hosts behind a router, on a real Zeek: one line for the router, the rest live as offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from testing.worker import broker
from tests.zeek.helpers import sample_sessions, verdicts, zeek_logs
from tools import capture

pytestmark = pytest.mark.usefixtures("zeek")

ROUTER = "24:6f:28:d9:a7:64"


def test_hosts_behind_a_router_are_told_apart_alike_live_and_offline(tmp_path: Path) -> None:
    sessions = sample_sessions()
    pcap = tmp_path / "router.pcap"
    capture.write(pcap, replace(sessions, mac=[ROUTER] * len(sessions)))
    live, offline = tmp_path / "live", tmp_path / "offline"
    assert broker("pcap", pcap, "--out", live).returncode == 0
    assert broker("score", zeek_logs(pcap, tmp_path / "logs"), "--out", offline).returncode == 0
    found = verdicts(live / "nba_device.log")
    assert found == verdicts(offline / "nba_device.log")
    (line,) = [row for row in found if str(row["evidence"]).count("router: ")]
    assert (line["state"], line["reason"], line["mac"]) == ("learning", "change", ROUTER)
    assert line["vendor"] == "Espressif Inc."
    behind = [row for row in found if row["ts"] > line["ts"]]
    assert {row.get("mac", "") for row in behind if "." in row["host"]} == {""}
    assert sum(row["state"] == "identified" for row in behind) >= 5
