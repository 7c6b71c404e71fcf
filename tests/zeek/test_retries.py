"""Zeek reports what a device repeats as the disturbances of nba-train stress assume."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from nba_broker.archive import zeek_log
from tests.zeek.helpers import zeek_logs
from tools import capture

pytestmark = pytest.mark.usefixtures("zeek")

BEGIN = 1_700_000_000
MAC = "02:4e:42:41:01:00"


def starts(
    folder: Path, times: list[float], host: str, dst: str, ports: tuple[int, int], protocol: str
) -> list[float]:
    """When Zeek reports sessions, if a device repeats one packet at these times."""
    path = folder / "retries.pcap"
    content = capture.packet(MAC, host, dst, *ports, protocol)
    with path.open("wb") as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for ts in times:
            head = struct.pack("<IIII", BEGIN + int(ts), 0, len(content), len(content))
            stream.write(head + content)
    logs = zeek_logs(path, folder / "zeek")
    return sorted(float(row["ts"]) - BEGIN for row in zeek_log.read(logs / "conn.log"))


def test_repeated_syns_are_new_sessions_after_five_seconds(tmp_path: Path) -> None:
    times = [0.0, 1, 3, 7, 15, 31]
    found = starts(tmp_path, times, "192.168.77.20", "52.0.0.7", (40000, 443), "tcp")
    assert found == [0, 7, 15, 31]


def test_a_host_without_an_address_has_a_session_after_each_minute_of_silence(
    tmp_path: Path,
) -> None:
    times = [0.0, 4, 12, 28, 60, 124, 188]
    found = starts(tmp_path, times, "0.0.0.0", "255.255.255.255", (68, 67), "udp")
    assert found == [0, 124, 188]


def test_every_poll_of_a_silent_time_server_is_a_session(tmp_path: Path) -> None:
    times = [0.0, 64, 192, 448]
    found = starts(tmp_path, times, "192.168.77.20", "52.0.0.7", (123, 123), "udp")
    assert found == times
