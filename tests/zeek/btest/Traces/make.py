"""Makes the captures that the tests read: a few hand-built packets each, always the same bytes.

Run it in any folder; it overwrites the ``.pcap`` files beside itself.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from pathlib import Path

START = 1_700_000_000.0
# Public by anyone's list: Zeek takes the networks for documentation for local ones.
CLOUD = "8.8.8.8"
CAMERA = "02:00:00:00:00:01"
PLUG = "02:00:00:00:00:02"
GATEWAY = "02:00:00:00:00:fe"
EVERYBODY = "ff:ff:ff:ff:ff:ff"
TCP, UDP, ICMP, IPIP, GRE = 6, 17, 1, 4, 47

MIRROR = ("10.99.0.5", "10.99.0.6")
VXLAN = struct.pack("!II", 0x08000000, 7 << 8)
GENEVE = struct.pack("!BBHI", 0, 0, 0x6558, 7 << 8)
GRE_OF_IP = struct.pack("!HH", 0, 0x0800)
GTP = struct.pack("!BBHI", 0x30, 255, 40, 7)
ERSPAN = struct.pack("!HHIII", 0x1000, 0x88BE, 1, 0x10000000, 0)
# Who has 10.0.0.2, asks the camera.
ARP = "ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a000002"

Packet = tuple[float, bytes]


def ones_complement(data: bytes) -> int:
    """The Internet checksum of ``data``."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(src: str, dst: str, protocol: int, payload: bytes) -> bytes:
    """An IPv4 or IPv6 packet, with the checksum of a TCP, UDP or ICMP payload filled in."""
    a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    at = {TCP: 16, UDP: 6, ICMP: 2}.get(protocol)
    if at is not None:
        pseudo = b"" if protocol == ICMP else a.packed + b.packed
        pseudo += b"" if protocol == ICMP else struct.pack("!II", len(payload), protocol)
        checksum = struct.pack("!H", ones_complement(pseudo + payload))
        payload = payload[:at] + checksum + payload[at + 2 :]
    if a.version == 6:
        return (
            struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
            + a.packed
            + b.packed
            + payload
        )
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    checksum = struct.pack("!H", ones_complement(head + a.packed + b.packed))
    return head[:10] + checksum + a.packed + b.packed + payload


def tcp(src: str, dst: str, sport: int, dport: int, seq: int, ack: int, flags: int) -> bytes:
    """A TCP packet without data."""
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 8192, 0, 0)
    return ip(src, dst, TCP, head)


def syn(src: str, dst: str, sport: int, dport: int) -> bytes:
    """The first packet of a TCP connection."""
    return tcp(src, dst, sport, dport, 1, 0, 0x02)


def syn_ack(src: str, dst: str, sport: int, dport: int) -> bytes:
    """The second packet of a TCP connection, from its responder."""
    return tcp(src, dst, sport, dport, 101, 2, 0x12)


def first_ack(src: str, dst: str, sport: int, dport: int) -> bytes:
    """The third packet of a TCP connection."""
    return tcp(src, dst, sport, dport, 2, 102, 0x10)


def datagram(src: str, dst: str, sport: int, dport: int, data: bytes = b"\0" * 8) -> bytes:
    """A UDP packet."""
    return ip(src, dst, UDP, struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data)


def mirrored(dport: int, content: bytes, sport: int = 50000) -> bytes:
    """A packet of a mirror's tunnel over UDP."""
    return datagram(*MIRROR, sport, dport, content)


def ping(src: str, dst: str) -> bytes:
    """An ICMP echo request."""
    return ip(src, dst, ICMP, struct.pack("!BBHHH", 8, 0, 0, 7, 1))


def frame(src: str, packet: bytes, dst: str = GATEWAY, vlans: Sequence[int] = ()) -> bytes:
    """An Ethernet frame, with a tag for each of these VLANs."""
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans)
    return bytes.fromhex((dst + src).replace(":", "")) + tags + struct.pack("!H", kind) + packet


def dhcp(kind: int, yiaddr: str = "0.0.0.0") -> bytes:
    """The payload of a DHCP message from or to the camera, which calls itself ``camera``, and says
    which client it has (BusyBox)."""
    reply = kind in (2, 5)
    head = struct.pack("!BBBBIHH", 2 if reply else 1, 1, 6, 0, 0x1234, 0, 0)
    addresses = b"\0" * 4 + ipaddress.ip_address(yiaddr).packed + b"\0" * 8
    hardware = bytes.fromhex(CAMERA.replace(":", "")).ljust(16, b"\0")
    options = b"\x63\x82\x53\x63" + bytes((53, 1, kind))
    client = bytes((60, 10)) + b"udhcp 1.30" + bytes((55, 7, 1, 3, 6, 12, 15, 28, 42))
    options += b"" if reply else bytes((12, 6)) + b"camera" + client
    options += bytes((51, 4, 0, 0, 14, 16)) if reply else b""
    return head + addresses + hardware + b"\0" * 192 + options + b"\xff"


def labels(name: bytes) -> bytes:
    """A name as the DNS has it; labels may have any bytes but dots."""
    return b"".join(bytes((len(one),)) + one for one in name.split(b".") if one) + b"\0"


def query(number: int, name: bytes, kind: int = 1) -> bytes:
    """A DNS query for A (1), AAAA (28) or another type of record."""
    head = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0)
    return head + labels(name) + struct.pack("!HH", kind, 1)


def answer(
    number: int,
    name: bytes,
    addresses: Sequence[str],
    *,
    through: bytes = b"",
    kind: int = 1,
    code: int = 0,
) -> bytes:
    """The answer, by way of a CNAME if one is given; ``code`` is 3 if there is no such name."""
    records, owner = [], name
    if through:
        records.append((owner, 5, 300, labels(through)))
        owner = through
    for number_of, text in enumerate(addresses):
        packed = ipaddress.ip_address(text).packed
        records.append((owner, 28 if len(packed) == 16 else 1, 60 + number_of, packed))
    data = struct.pack("!HHHHHH", number, 0x8180 | code, 1, len(records), 0, 0)
    data += labels(name) + struct.pack("!HH", kind, 1)
    for owner, of, ttl, content in records:
        data += labels(owner) + struct.pack("!HHIH", of, 1, ttl, len(content)) + content
    return data


def asked(at: float, port: int, one: bytes, other: bytes, client: str = "10.0.0.1") -> list[Packet]:
    """A query of a host's and the answer, 10 ms later."""
    return [
        (at, frame(CAMERA, datagram(client, "10.0.0.254", port, 53, one))),
        (at + 0.01, frame(GATEWAY, datagram("10.0.0.254", client, 53, port, other), CAMERA)),
    ]


def write(name: str, packets: list[Packet]) -> None:
    """Write a pcap file with microsecond times, Ethernet."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for offset, packet in packets:
        micros = round(offset * 1_000_000)
        head = (int(START) + micros // 1_000_000, micros % 1_000_000, len(packet), len(packet))
        data += struct.pack("<IIII", *head) + packet
    (Path(__file__).parent / name).write_bytes(data)


def names() -> list[Packet]:
    """DNS queries: what hosts ask for, failures, odd names, and what is about neighbours."""
    packets: list[Packet] = []
    good = [CLOUD, "1.1.1.1"]
    for number, (name, addresses, more) in enumerate(
        [
            (b"Fw.Ring.com", good, {"through": b"edge.example.net"}),
            (b"time.example.org", ["2001:4860:4860::8888"], {"kind": 28}),
            (b"nowhere.example.org", [], {"code": 3}),
            (b"4.3.2.1", [CLOUD], {}),
            (b"=cmd|'/c'!a1.example.org", [CLOUD], {}),
            (b"<b>.example.org", [CLOUD], {}),
            (b".".join([b"a" * 63] * 3 + [b"b" * 61]), [CLOUD], {}),
            # What is not sent: the root, spaces, control characters, UTF-8, and no UTF-8.
            (b"", [CLOUD], {}),
            (b"a b.example.org", [CLOUD], {}),
            (b"a\x00\x1b.example.org", [CLOUD], {}),
            ("münchen.example.org".encode(), [CLOUD], {}),
            (b"\xff\xfe.example.org", [CLOUD], {}),
        ]
    ):
        kind = int(more.get("kind", 1))
        one = query(number, name, kind)
        other = answer(number, name, addresses, **more)  # type: ignore[arg-type]
        packets += asked(0.1 * number, 41000 + number, one, other)
    # Somebody else's question, and neighbours that answer everybody.
    packets += asked(2.0, 42000, query(1, b"a.org"), answer(1, b"a.org", [CLOUD]), "9.9.9.9")
    told = answer(0, b"plug.local", ["10.0.0.2"])
    packets += [
        (
            2.1,
            frame(CAMERA, datagram("10.0.0.1", "224.0.0.251", 5353, 5353, query(0, b"plug.local"))),
        ),
        (2.2, frame(PLUG, datagram("10.0.0.2", "224.0.0.251", 5353, 5353, told))),
        (2.3, frame(CAMERA, datagram("10.0.0.1", "224.0.0.252", 42001, 5355, query(9, b"plug")))),
        (
            2.4,
            frame(
                PLUG,
                datagram("10.0.0.2", "10.0.0.1", 5355, 42001, answer(9, b"plug", ["10.0.0.2"])),
                CAMERA,
            ),
        ),
    ]
    # Two questions at once from one port, answered in the other order.
    first, second = (query(n, b"%d.example.org" % n) for n in (21, 22))
    packets += asked(3.0, 43000, first, answer(22, b"22.example.org", [CLOUD]))
    packets += asked(3.005, 43000, second, answer(21, b"21.example.org", ["1.1.1.1"]))
    packets.append((9.0, frame(CAMERA, syn("10.0.0.1", CLOUD, 44000, 443))))
    return sorted(packets, key=lambda packet: packet[0])


PTR, TXT, SRV = 12, 16, 33
FLUSH = 0x8001  # mDNS: these records replace all earlier ones of the name

Record = tuple[bytes, int, bytes]
"""The name that a record is of, its type, and its content."""


def pointer(to: bytes, name: bytes) -> Record:
    """A record that names an instance of a service, or a type of services."""
    return to, PTR, labels(name)


def described(name: bytes, *texts: bytes) -> Record:
    """A description of a service."""
    return name, TXT, b"".join(bytes((len(text),)) + text for text in texts)


def says(records: Sequence[Record], more: Sequence[Record] = (), flags: int = 0x8400) -> bytes:
    """An mDNS message without a question: the answers, and additional records."""
    data = struct.pack("!HHHHHH", 0, flags, 0, len(records), 0, len(more))
    for name, kind, content in (*records, *more):
        of = 1 if kind == PTR else FLUSH
        data += labels(name) + struct.pack("!HHIH", kind, of, 120, len(content)) + content
    return data


def announcements() -> list[Packet]:
    """What a bridge (10.0.0.1) and a printer (10.0.0.2) announce by mDNS, what does not count, and
    sessions that follow, among them those of three hosts that use the printer."""
    packets: list[Packet] = []
    at_all = "01:00:5e:00:00:fb"

    def mac(src: str) -> str:
        return f"02:00:00:00:00:0{src[-1]}"

    def told(at: float, data: bytes, src: str = "10.0.0.1", sport: int = 5353) -> None:
        group = "ff02::fb" if ":" in src else "224.0.0.251"
        packets.append((at, frame(mac(src), datagram(src, group, sport, 5353, data), at_all)))

    bridge = b"Hue Bridge - 1234._hue._tcp.local"
    hue = [
        pointer(b"_services._dns-sd._udp.local", b"_hue._tcp.local"),
        pointer(b"_hue._tcp.local", bridge),
        (bridge, SRV, struct.pack("!HHH", 0, 0, 443) + labels(b"bridge.local")),
        described(bridge, b"bridgeid=001788fffe123456", b"MD=BSB002"),
        (b"bridge.local", 1, bytes((10, 0, 0, 1))),
    ]
    ipp = b"Laser Jet._ipp._tcp.local"
    printer = [pointer(b"_ipp._tcp.local", ipp), described(ipp, b"txtvers=1", b"ty=Laser Jet 9, A")]
    told(0.0, says(hue))
    told(1.0, says(hue))
    told(2.0, query(0, b"_raop._tcp.local", PTR), "10.0.0.2")
    told(2.5, says(printer), "10.0.0.2")
    told(3.0, says(hue), "fe80::1")
    # What others announce: known answers in a query, no authority, another port, one host only.
    airplay = [pointer(b"_airplay._tcp.local", b"TV._airplay._tcp.local")]
    told(4.0, says(airplay, flags=0))
    told(4.1, says(airplay, flags=0x8000))
    told(4.2, says(airplay), sport=40000)
    alone = datagram("10.0.0.2", "10.0.0.1", 5353, 5353, says(airplay))
    packets.append((4.3, frame(PLUG, alone, CAMERA)))
    # Only with policy/protocols/dns/auth-addl.
    told(5.0, says(printer[:1], [described(ipp, b"md=additional")]), "10.0.0.2")
    # What no host announces: control characters, no UTF-8, no value, too long, too many.
    odd = [b"md=a\x1b[2J", b"md=\xff\xfe", b"ty=", b"md", b"model=" + b"a" * 123, b"ci=<b>"]
    told(6.0, says([described(ipp, *odd)]), "10.0.0.9")
    told(
        6.1,
        says([pointer(b"_x._tcp.local", b"a._%d._tcp.local" % n) for n in range(40)]),
        "10.0.0.9",
    )
    packets += [
        (7.0, frame(mac(src), syn(src, "10.0.0.2", 40000, 9100), PLUG))
        for src in ("10.0.0.3", "10.0.0.4", "10.0.0.5")
    ]
    for number in range(64):
        at = 10.0 + 20 * number
        packets.append((at, frame(CAMERA, syn("10.0.0.1", CLOUD, 41000 + number, 8883))))
        packets.append((at + 1, frame(PLUG, syn("10.0.0.2", CLOUD, 42000 + number, 8883))))
    return packets


def main() -> None:
    """Write all captures."""
    # One session of every kind that the wire contract tells apart.
    write(
        "kinds.pcap",
        [
            (0.00, frame(CAMERA, syn("10.0.0.1", CLOUD, 40000, 443))),
            (0.01, frame(PLUG, datagram("fd00::2", "2001:4860:4860::8888", 40001, 443))),
            (0.02, frame(CAMERA, ping("10.0.0.1", "10.0.0.254"))),
            (0.03, frame(PLUG, datagram("0.0.0.0", "255.255.255.255", 40002, 9999))),
            # Nothing is known of whoever sits behind a tunnel.
            (
                0.04,
                frame(
                    GATEWAY,
                    ip("10.0.0.254", "10.0.0.253", IPIP, syn("10.0.1.9", CLOUD, 40003, 80)),
                ),
            ),
            (0.05, frame(PLUG, datagram("10.0.0.2", "239.255.255.250", 40004, 1900))),
        ],
    )
    # Of these only the last, and the first where its MAC counts, come from a host.
    write(
        "not_hosts.pcap",
        [
            (0.00, frame(PLUG, datagram("0.0.0.0", "255.255.255.255", 40000, 9999))),
            (
                0.01,
                frame(
                    GATEWAY,
                    ip("10.0.0.254", "10.0.0.253", IPIP, syn("0.0.0.0", CLOUD, 40001, 80)),
                ),
            ),
            (0.02, frame(PLUG, datagram("239.1.2.3", "10.0.0.2", 40002, 9999))),
            (0.03, frame(PLUG, datagram("255.255.255.255", "10.0.0.2", 40003, 9999))),
            (0.04, frame(PLUG, datagram("127.0.0.1", "127.0.0.2", 40004, 9999))),
            (0.05, frame(PLUG, datagram("ff02::1", "fd00::2", 40005, 9999))),
            (0.06, frame(GATEWAY, syn(CLOUD, "10.0.0.2", 40006, 22))),
            # From a server's port to none: Zeek turns it round.
            (0.065, frame(PLUG, datagram("10.0.0.2", "10.0.0.255", 53, 40008), EVERYBODY)),
            (0.07, frame(PLUG, syn("10.0.0.2", CLOUD, 40007, 443))),
        ],
    )
    # Eight sessions within half a second.
    write(
        "eight.pcap",
        [(0.06 * i, frame(CAMERA, syn("10.0.0.1", CLOUD, 40000 + i, 443))) for i in range(8)],
    )
    # The last packet comes late enough for Zeek to have logged the lease.
    asks = ("0.0.0.0", "255.255.255.255", 68, 67)
    answers = ("10.0.0.254", "10.0.0.1", 67, 68)
    write(
        "lease.pcap",
        [
            (0.0, frame(CAMERA, datagram(*asks, dhcp(1)), EVERYBODY)),
            (0.1, frame(GATEWAY, datagram(*answers, dhcp(2, "10.0.0.1")), CAMERA)),
            (0.2, frame(CAMERA, datagram(*asks, dhcp(3)), EVERYBODY)),
            (0.3, frame(GATEWAY, datagram(*answers, dhcp(5, "10.0.0.1")), CAMERA)),
            (60.0, frame(CAMERA, syn("10.0.0.1", CLOUD, 40000, 443))),
            (90.0, frame(CAMERA, syn("10.0.0.1", CLOUD, 40001, 443))),
        ],
    )
    # Sessions that begin with a SYN/ACK, as its SYN was lost, and what looks like one.
    write(
        "turned.pcap",
        [
            (0.00, frame(GATEWAY, syn_ack(CLOUD, "10.0.0.1", 8883, 40000), CAMERA)),
            (0.01, frame(CAMERA, syn("10.0.0.1", CLOUD, 40001, 443))),
            # A server's port that Zeek knows, so that it turns the session at once.
            (0.02, frame(GATEWAY, syn_ack(CLOUD, "10.0.0.1", 443, 40002), CAMERA)),
            (0.03, frame(CAMERA, first_ack("10.0.0.1", CLOUD, 40000, 8883))),
            (0.04, frame(CAMERA, first_ack("10.0.0.1", CLOUD, 40002, 443))),
            # Between two hosts; packets of others come before the next of these.
            (0.05, frame(PLUG, syn_ack("10.0.0.2", "10.0.0.1", 49153, 40003), CAMERA)),
            # Nobody answers: this may be a scan, and its sender began it.
            (0.06, frame(PLUG, syn_ack("10.0.0.2", "10.0.0.1", 9999, 40004), CAMERA)),
            (0.07, frame(PLUG, syn("10.0.0.2", CLOUD, 40005, 443))),
            (0.30, frame(CAMERA, first_ack("10.0.0.1", "10.0.0.2", 40003, 49153), PLUG)),
            # An outsider's, who is no host.
            (0.40, frame(PLUG, syn_ack("10.0.0.2", CLOUD, 8443, 40006))),
            (0.41, frame(GATEWAY, first_ack(CLOUD, "10.0.0.2", 40006, 8443), PLUG)),
            # Later than anything is held back.
            (9.00, frame(PLUG, syn("10.0.0.2", CLOUD, 40007, 443))),
            (9.10, frame(PLUG, syn_ack("10.0.0.2", "10.0.0.1", 9998, 40008), CAMERA)),
        ],
    )
    # A host's session in each kind of tunnel; neither end of a tunnel is a host. What a mirror sees
    # beside IP makes no session inside.
    tunnels = [
        mirrored(4789, VXLAN + frame(CAMERA, syn("10.0.0.1", CLOUD, 40000, 443))),
        mirrored(6081, GENEVE + frame(CAMERA, syn("10.0.0.1", CLOUD, 40001, 443))),
        mirrored(4754, GRE_OF_IP + syn("10.0.0.1", CLOUD, 40002, 443)),
        mirrored(2152, GTP + syn("10.0.0.1", CLOUD, 40003, 443)),
        ip(*MIRROR, GRE, ERSPAN + frame(CAMERA, syn("10.0.0.1", CLOUD, 40004, 443))),
        mirrored(4789, VXLAN + bytes.fromhex(ARP), sport=50001),
    ]
    write("tunnels.pcap", [(0.01 * n, frame(GATEWAY, one)) for n, one in enumerate(tunnels)])
    write("names.pcap", names())
    write("announcements.pcap", announcements())
    # No tag, one, two, only a priority, and no tag again.
    write(
        "vlans.pcap",
        [
            (0.1 * n, frame(CAMERA, syn("10.0.0.1", CLOUD, 40000 + n, 443), vlans=vlans))
            for n, vlans in enumerate([(), (10,), (10, 20), (0,), ()])
        ],
    )


if __name__ == "__main__":
    main()
