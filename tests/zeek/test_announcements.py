"""Hints by what hosts announce by mDNS and by the ports that others ask for, with a real Zeek."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba_broker.cli import main
from nba_broker.cli.options import DEVICE_LOG as LOG
from testing.zeek import read_rows
from tests.zeek.helpers import zeek_logs

pytestmark = pytest.mark.usefixtures("zeek")

ANNOUNCEMENTS = Path(__file__).parent / "btest" / "Traces" / "announcements.pcap"
"""A capture of a bridge and of a printer that announce themselves, and that nobody knows."""


def hints(log: Path) -> list[tuple[str, str, str]]:
    """The lines of a log: host, time and hints."""
    return [(row["host"], row["ts"], row["hints"]) for row in read_rows(log)]


def test_hosts_have_the_same_hints_live_and_from_dns_log(tmp_path: Path) -> None:
    assert main.main(["pcap", str(ANNOUNCEMENTS), "--out", str(tmp_path / "live")]) == 0
    logs = zeek_logs(ANNOUNCEMENTS, tmp_path / "zeek")
    assert main.main(["score", str(logs), "--out", str(tmp_path / "offline")]) == 0
    live = hints(tmp_path / "live" / LOG)
    assert live == hints(tmp_path / "offline" / LOG)
    latest = {host: texts for host, _, texts in live}
    assert latest["10.0.0.1"] == "hub? Philips Hue,mDNS _hue._tcp,mDNS md=BSB002"
    assert latest["10.0.0.2"] == "printer?,mDNS _ipp._tcp,listens at 9100/tcp"
