"""Sessions as a packet capture with one packet each, so that a real Zeek can see them start.

    python -m tools.capture CONN_LOG... --out FILE.pcap

Every TCP and UDP session becomes a flow of its own: a SYN or a datagram from its host, at its
time, to its destination. Zeek merges ICMP messages between the same two ends, so those are left
out and counted.
"""

from __future__ import annotations

import argparse
import ipaddress
import struct
import sys
from pathlib import Path

from nba_broker.archive import conn_log
from nba_broker.records.ports import PROTOCOLS
from nba_broker.records.sessions import Sessions

GATEWAY_MAC = bytes.fromhex("02aa00000001")
_PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
_FIRST_PORT = 1024


def packet(mac: str, host: str, dst: str, sport: int, dport: int, protocol: str) -> bytes:
    """One Ethernet frame that starts a session; checksums are left zero (read it with zeek -C)."""
    source, target = ipaddress.ip_address(host), ipaddress.ip_address(dst)
    if protocol == "tcp":
        number, payload = 6, struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, 2, 8192, 0, 0)
    else:
        number, payload = 17, struct.pack("!HHHH", sport, dport, 8 + 4, 0) + b"data"
    if source.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, number, 0)
    else:
        head = struct.pack("!IHBB", 6 << 28, len(payload), number, 64)
    kind = b"\x08\x00" if source.version == 4 else b"\x86\xdd"
    ethernet = GATEWAY_MAC + bytes.fromhex(mac.replace(":", "")) + kind
    return ethernet + head + source.packed + target.packed + payload


def write(path: Path, sessions: Sessions) -> int:
    """Write TCP and UDP sessions with a MAC, in their order; returns how many were left out."""
    left_out = 0
    with path.open("wb") as stream:
        stream.write(_PCAP_HEADER)
        for row in range(len(sessions)):
            protocol = PROTOCOLS[sessions.dport[row] >> 16]
            versions = {
                ipaddress.ip_address(a).version for a in (sessions.host[row], sessions.dst[row])
            }
            if protocol not in ("tcp", "udp") or not sessions.mac[row] or len(versions) > 1:
                left_out += 1
                continue
            # Ports in turn, so that no two sessions near each other are one flow.
            sport = _FIRST_PORT + row % (65536 - _FIRST_PORT)
            content = packet(
                sessions.mac[row],
                sessions.host[row],
                sessions.dst[row],
                sport,
                int(sessions.dport[row]) & 0xFFFF,
                protocol,
            )
            micros = round(float(sessions.ts[row]) * 1e6)
            stream.write(
                struct.pack("<IIII", *divmod(micros, 1_000_000), len(content), len(content))
            )
            stream.write(content)
    return left_out


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("paths", nargs="+", metavar="CONN_LOG")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.pcap")
    arguments = parser.parse_args()
    archive = conn_log.read(arguments.paths)
    (sessions,) = archive.batches(size=max(len(archive), 1))
    left_out = write(arguments.out, sessions)
    print(f"{len(sessions) - left_out} sessions -> {arguments.out}, {left_out} left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
