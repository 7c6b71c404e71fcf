"""Classifies packets by link type and first bytes, as far as it matters to Zeek."""

from __future__ import annotations

from collections import Counter

ETHERNET, _RADIOTAP, _PPI = 1, 127, 192
_RAW = {12, 14, 101, 228, 229}  # IP without a link
_LOOPBACK = {0, 108, 109}
_PROTOCOL_AT = {113: 14, 276: 0}  # Linux cooked captures have their EtherType elsewhere than at 12
_WIFI = {105, 119, _RADIOTAP, 163, _PPI}
_LINKS = {
    147: "a private link type", 165: "BACnet", 187: "Bluetooth", 189: "USB", 195: "IEEE 802.15.4",
    201: "Bluetooth", 215: "IEEE 802.15.4", 220: "USB", 227: "CAN", 230: "IEEE 802.15.4",
    249: "USB", 251: "Bluetooth LE", 254: "Bluetooth", 255: "Bluetooth", 256: "Bluetooth LE",
    272: "Bluetooth LE", 283: "IEEE 802.15.4",
}  # fmt: skip
_TAGS = {0x8100, 0x88A8, 0x9100}  # of VLANs
_KINDS = {
    0x0800: "IPv4", 0x86DD: "IPv6", 0x0806: "ARP", 0x8863: "PPPoE", 0x8864: "PPPoE",
    0x8847: "MPLS", 0x888E: "802.1X", 0x88CC: "LLDP", 0x88E5: "encrypted MACsec",
}  # fmt: skip
_ENCRYPTED = "encrypted 802.11"
_CUT = "cut off before their addresses"


def described(kinds: Counter[str]) -> str:
    """The number of packets by kind as text, the most frequent first."""
    total = kinds.total()
    if not total:
        return "no packet"
    number = "1 packet" if total == 1 else f"{total} packets"
    if len(kinds) == 1:
        return f"{number}, all {next(iter(kinds))}"
    return f"{number}, {', '.join(f'{many} {kind}' for kind, many in kinds.most_common(5))}"


def advice(kinds: Counter[str]) -> str:
    """What to do if Zeek finds no session in packets of these kinds; "" without advice."""
    if any(kind.endswith("802.11") for kind in kinds):
        return (
            "capture where the hosts' traffic is not encrypted, such as behind the access point, "
            "or decrypt it with the network's key first"
        )
    if _CUT in kinds:
        return "capture whole packets, for example with tcpdump -s 0"
    return ""


def kind(packet: bytes, link: int) -> str:
    """The kind of a packet: its network protocol, or why Zeek finds no session in it."""
    if link in _WIFI:
        return _wifi_kind(packet, link)
    if link in _RAW:
        return {4: "IPv4", 6: "IPv6"}.get(packet[0] >> 4 if packet else 0, "no IP")
    if link in _LOOPBACK:
        family = max(packet[:1], packet[3:4])  # in either byte order
        return "IPv4" if family == b"\x02" else "IPv6"
    if link != ETHERNET and link not in _PROTOCOL_AT:
        return f"of link type {link_name(link)}, which Zeek does not read"
    at = _PROTOCOL_AT.get(link, 12)
    protocol = int.from_bytes(packet[at : at + 2], "big")
    while protocol in _TAGS:
        at += 4
        protocol = int.from_bytes(packet[at : at + 2], "big")
    if len(packet) < at + 2:
        return "too short"
    if protocol in (0x0800, 0x86DD) and len(packet) < at + 2 + 20:
        return _CUT
    if protocol < 0x0600:
        return "LLC"
    return _KINDS.get(protocol, f"of EtherType 0x{protocol:04x}")


def _wifi_kind(packet: bytes, link: int) -> str:
    start = 0
    if link in (_RADIOTAP, _PPI):
        start = int.from_bytes(packet[2:4], "little")
    elif link == 119:  # AVS headers give their length, Prism's have 64 bytes
        start = int.from_bytes(packet[4:8], "little") if packet[:1] == b"\x44" else 64
    elif link == 163:
        start = int.from_bytes(packet[4:8], "big")
    control = packet[start : start + 2]
    if len(control) < 2:
        return "too short"
    if control[1] & 0x40:
        return _ENCRYPTED
    return ("management 802.11", "control 802.11", "plain 802.11", "other 802.11")[
        control[0] >> 2 & 3
    ]


def link_name(link: int) -> str:
    """The name of a link type in messages."""
    if link in _WIFI:
        return "802.11"
    if link in _RAW:
        return "raw IP"
    return _LINKS.get(link) or ("Ethernet" if link == ETHERNET else str(link))
