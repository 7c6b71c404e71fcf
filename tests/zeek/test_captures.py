"""What users really capture goes through the real Zeek: cut off, packed, or without a session."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from nba_broker.archive import zeek_log
from testing.worker import broker
from tests.unit.archive.capture_bytes import interface, packet, pcap, section, wifi

pytestmark = pytest.mark.usefixtures("zeek")

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "models" / "sample" / "conn.log.gz"
LOGS = {"conn.log", "nba_device.log"}


def states(out: Path) -> dict[str, tuple[str, str]]:
    """What each host was called last."""
    rows = sorted(zeek_log.read(out / "nba_device.log"), key=lambda row: row["ts"])
    return {row["host"]: (row["state"], row.get("device", "")) for row in rows}


@pytest.fixture(scope="session")
def scored(sample_capture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the logs of the sample's capture."""
    out = tmp_path_factory.mktemp("whole")
    done = broker("pcap", sample_capture, "--out", out)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.glob("*.log")} >= LOGS
    assert done.stdout.endswith(f" hosts in {sample_capture} -> {out}/nba_device.log\n")
    assert " unknown host" in done.stdout
    return out


@pytest.fixture(scope="session")
def whole(scored: Path) -> dict[str, tuple[str, str]]:
    return states(scored)


def test_the_conn_log_of_a_capture_has_the_macs_that_labels_need(scored: Path) -> None:
    macs = {row.get("orig_l2_addr") for row in zeek_log.read(scored / "conn.log")}
    assert {row["mac"] for row in zeek_log.read(scored / "nba_device.log")} <= macs


def test_a_capture_that_is_cut_off_gives_all_before_with_a_warning_and_status_1(
    sample_capture: Path, whole: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(sample_capture.read_bytes()[:-7])
    done = broker("pcap", cut, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "cut.pcap: it ends in the middle of a packet; only what lies before is read" in (
        done.stderr
    )
    assert states(tmp_path / "out") == whole
    assert {path.name for path in (tmp_path / "out").glob("*.log")} >= LOGS


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_packed_capture_is_read_and_to_its_damage_where_it_is_cut_off(
    pack, sample_capture: Path, whole: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    packed = tmp_path / "day.pcap"
    packed.write_bytes(pack(sample_capture.read_bytes()))
    done = broker("pcap", packed, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert states(tmp_path / "out") == whole
    packed.write_bytes(packed.read_bytes()[:-2000])
    done = broker("pcap", packed, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "ends early" in done.stderr
    assert set(states(tmp_path / "out")) == set(whole)
    assert not list((tmp_path / "out").glob(".nba-*/"))


def test_encrypted_frames_are_told_instead_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "wifi.pcap"
    path.write_bytes(pcap("<", 127, *[wifi(0x08, 0x41)] * 20))
    done = broker("pcap", path, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "no host in this capture: 20 packets, all encrypted 802.11, and no"
    )


def test_a_capture_without_packets_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap()[:24])
    done = broker("pcap", path, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no host in this capture: no packet")


def udp(source: str, destination: str) -> bytes:
    """A frame of a UDP packet to port 53."""
    addresses = bytes(int(part) for one in (source, destination) for part in one.split("."))
    head = bytes([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0]) + addresses
    body = bytes([0x9C, 0x40, 0, 53, 0, 12, 0, 0]) + b"hola"
    return bytes.fromhex("0200000000010200000000020800") + head + body


def test_hosts_of_public_addresses_count_where_their_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "public.pcap"
    path.write_bytes(pcap("<", 1, *[udp("93.184.216.7", "9.9.9.9")] * 3))
    done = broker("pcap", path, "--out", tmp_path / "out")
    assert "3 packets, all IPv4; no host with a private address begins any of the 1" in done.stdout
    done = broker("pcap", path, "--local", "93.184.216.0/24", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "93.184.216.7" in done.stdout


def test_a_pcapng_with_unknown_blocks_and_a_cut_is_read(tmp_path: Path) -> None:
    frame = udp("192.168.1.7", "9.9.9.9")
    unknown = b"\x42\x42\0\0" + b"\x10\0\0\0" + bytes(4) + b"\x10\0\0\0"
    path = tmp_path / "a.pcapng"
    path.write_bytes(
        section("<") + interface("<") + unknown + packet("<", frame) + packet("<", frame)[:-3]
    )
    done = broker("pcap", path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "it ends in the middle of a packet" in done.stderr
    assert "192.168.1.7" in done.stdout


def test_the_logs_of_a_running_zeek_are_left_alone(sample_capture: Path, tmp_path: Path) -> None:
    (tmp_path / "dns.log").write_text("live")
    done = broker("pcap", sample_capture, "--out", tmp_path)
    assert done.returncode == 1
    assert "dns.log: exists, and was not written by nba-broker" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dns.log"]
    assert (tmp_path / "dns.log").read_text() == "live"
