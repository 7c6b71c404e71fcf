"""What Zeek turns round and what it unpacks: the worker sees the sessions that conn.log has."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from nba_broker.archive import conn_log, zeek_log
from testing.worker import broker
from testing.zeek import read_rows
from tests.zeek.helpers import verdicts, zeek_logs

pytestmark = pytest.mark.usefixtures("zeek")


TUNNELS = Path(__file__).parent / "btest/Traces/tunnels.pcap"
ENHANCED_PACKET = 6  # a block of pcapng
COOKED = 16  # bytes of Linux's cooked header, which ends in the EtherType


def is_syn(packet: bytes) -> bool:
    """Whether a cooked packet is the first of a TCP connection."""
    kind, ip = int.from_bytes(packet[14:COOKED], "big"), packet[COOKED:]
    if kind == 0x0800 and ip[9] == 6:
        flags = ip[4 * (ip[0] & 15) + 13]
    elif kind == 0x86DD and ip[6] == 6:
        flags = ip[40 + 13]
    else:
        return False
    return flags & 0x12 == 0x02


def without_syns(capture: Path, out: Path) -> int:
    """Write the capture as a tap has it that loses every SYN, and return how many it lost."""
    content = capture.read_bytes()
    kept, at, lost = [], 0, 0
    while at < len(content):
        kind, size = struct.unpack_from("<II", content, at)
        block = content[at : at + size]
        if kind == ENHANCED_PACKET and is_syn(block[28:]):
            lost += 1
        else:
            kept.append(block)
        at += size
    out.write_bytes(b"".join(kept))
    return lost


def test_a_day_that_lost_its_syns_is_told_alike_by_capture_and_by_conn_log(
    lsif_day: Path, tmp_path: Path
) -> None:
    capture = tmp_path / "lost.pcap"
    assert without_syns(lsif_day, capture) > 1000
    assert broker("pcap", capture, "--out", tmp_path / "live").returncode == 0
    logs = zeek_logs(capture, tmp_path / "zeek")
    assert broker("score", logs, "--out", tmp_path / "offline").returncode == 0
    turned = [
        row
        for row in zeek_log.read(logs / "conn.log")
        if row.get("history", "").startswith("^h") and row["id.resp_p"] not in (80, 443)
    ]
    assert turned
    live = verdicts(tmp_path / "live" / "nba_device.log")
    assert live == verdicts(tmp_path / "offline" / "nba_device.log")
    seen = [
        int(row["seen"])
        for row in read_rows(tmp_path / "live" / "nba_stats.log")
        if row["kind"] == "sensor"
    ]
    assert max(seen) == conn_log.read([logs]).report.sessions


def test_the_ends_of_tunnels_are_no_hosts_in_a_capture_or_in_its_conn_log(tmp_path: Path) -> None:
    assert broker("pcap", TUNNELS, "--out", tmp_path / "live").returncode == 0
    logs = zeek_logs(TUNNELS, tmp_path / "zeek")
    assert broker("score", logs, "--out", tmp_path / "offline").returncode == 0
    for name in ("live", "offline"):
        assert {row["host"] for row in zeek_log.read(tmp_path / name / "nba_device.log")} == {
            "10.0.0.1"
        }
    report = conn_log.read([logs]).report
    assert (report.sessions, report.not_hosts) == (5, 5)
