"""Generate conn.log and dhcp.log of a home from device profiles, repeatable byte by byte.

    python -m tools.generate --seed 1 --days 2 --out DIR [--device NAME]... [--start 2026-01-05]

Learned profiles are Markov chains over destinations, written ones are timers. Addresses, MACs and
uids are made up: the network is 192.168.77.0/24, MACs are locally administered, destinations are
drawn from networks inside the right autonomous systems. For demonstrations and tests; what is
measured on it says nothing about real devices.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import ipaddress
import math
import random
import string
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROFILES = Path(__file__).with_name("profiles")
NETWORK = "192.168.77."
GATEWAY_MAC = "02:4e:42:41:00:01"
SERVICES = {"53/udp": "dns", "123/udp": "ntp", "67/udp": "dhcp", "80/tcp": "http", "443/tcp": "ssl"}
DAY = 86400.0

# fmt: off
CONN = {
    "ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr",
    "id.resp_p": "port", "proto": "enum", "service": "string", "duration": "interval",
    "conn_state": "string", "local_orig": "bool", "local_resp": "bool", "orig_l2_addr": "string",
    "resp_l2_addr": "string",
}
DHCP = {
    "ts": "time", "uids": "set[string]", "client_addr": "addr", "server_addr": "addr",
    "mac": "string", "host_name": "string", "assigned_addr": "addr", "lease_time": "interval",
    "msg_types": "vector[string]",
}
# fmt: on


@dataclass(frozen=True)
class Device:
    """A profile that has been given an address."""

    name: str
    profile: dict[str, Any]
    ip: str
    mac: str

    @property
    def hostname(self) -> str:
        """The host name in the device's DHCP requests."""
        return self.name.lower().replace("_", "-")


def main(argv: list[str] | None = None) -> None:
    """Generate the logs that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=float, default=1.0)
    parser.add_argument("--start", type=datetime.fromisoformat, default=datetime(2026, 1, 5))
    parser.add_argument("--device", action="append", metavar="NAME", help="default: all")
    parser.add_argument("--gzip", action="store_true", help="compress the logs")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args(argv)
    profiles = load()
    names = arguments.device or list(profiles)
    if unknown := set(names) - set(profiles):
        parser.error(f"no profile of {', '.join(sorted(unknown))}; there are {', '.join(profiles)}")

    start = arguments.start.replace(tzinfo=arguments.start.tzinfo or UTC).timestamp()
    devices = place({name: profiles[name] for name in names})
    conn, dhcp = generate(devices, arguments.seed, start, start + arguments.days * DAY)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path, columns, rows in (("conn", CONN, conn), ("dhcp", DHCP, dhcp)):
        content = zeek_log(path, columns, rows, start)
        if arguments.gzip:
            content = gzip.compress(content, mtime=0)
        file = arguments.out / (f"{path}.log" + ".gz" * arguments.gzip)
        file.write_bytes(content)
        print(f"{file}: {len(rows):,} rows, {len(content):,} bytes")


def load() -> dict[str, dict[str, Any]]:
    """All profiles by the device's name."""
    profiles: dict[str, dict[str, Any]] = {}
    for file in ("learned.toml", "written.toml"):
        content = tomllib.loads((PROFILES / file).read_text())
        levels = content.get("levels", [])
        profiles |= {one["name"]: one | {"levels": levels} for one in content["device"]}
    return profiles


def place(profiles: dict[str, dict[str, Any]]) -> list[Device]:
    """Give every device an address of its own."""
    return [
        Device(name, profile, f"{NETWORK}{20 + at}", f"02:4e:42:41:01:{at:02x}")
        for at, (name, profile) in enumerate(profiles.items())
    ]


def generate(
    devices: list[Device], seed: int, start: float, end: float
) -> tuple[list[list[str]], list[list[str]]]:
    """The rows of conn.log, in the order in which connections end, and those of dhcp.log."""
    conn: list[tuple[float, list[str]]] = []
    dhcp: list[tuple[float, list[str]]] = []
    for device in devices:
        # A generator per device: its traffic does not depend on other devices.
        draw = random.Random(f"{seed} {device.name}")
        addresses = [
            [address(where, draw) for _ in range(count)]
            for where, _, count in device.profile["destinations"]
        ]
        ports = [port for _, port, _ in device.profile["destinations"]]
        joined = start + draw.uniform(0.0, 60.0)
        uid = new_uid(draw)
        conn.append(session(device, draw, joined, uid, "255.255.255.255", "67/udp"))
        dhcp.append((joined, lease(device, joined, uid)))
        behave = chain if "transitions" in device.profile else timers
        for ts, where in behave(device.profile, draw, joined + draw.uniform(0.5, 3.0), end):
            dst = draw.choice(addresses[where])
            conn.append(session(device, draw, ts, new_uid(draw), dst, ports[where]))
    return [row for _, row in sorted(conn)], [row for _, row in sorted(dhcp)]


def chain(
    profile: dict[str, Any], draw: random.Random, start: float, end: float
) -> Iterator[tuple[float, int]]:
    """(ts, destination) of a device that is a Markov chain."""
    transitions, levels = profile["transitions"], profile["levels"]
    weights = [[cell[1] for cell in row] for row in transitions]
    ts, at = start, 0
    while ts < end:
        yield ts, at
        if not transitions[at]:  # seen only as a recording's last session
            ts, at = ts + 60.0, 0
            continue
        cell = draw.choices(transitions[at], weights[at])[0]
        at = cell[0]
        ts += interval(levels, cell[2:], draw.random())


def interval(levels: list[float], quantiles: list[float], share: float) -> float:
    """The interval below which ``share`` of the transition's intervals lie, in seconds.

    Between quantiles the logarithm is linear: intervals reach from microseconds to hours. Whole
    microseconds, so that the last bit of a platform's mathematics does not reach the log.
    """
    above = next(i for i in range(1, len(levels)) if share <= levels[i])
    low, high = (math.log(max(q, 1e-6)) for q in quantiles[above - 1 : above + 1])
    part = (share - levels[above - 1]) / (levels[above] - levels[above - 1])
    return round(math.exp(low + part * (high - low)), 6)


def timers(
    profile: dict[str, Any], draw: random.Random, start: float, end: float
) -> Iterator[tuple[float, int]]:
    """(ts, destination) of a device that is a set of timers, in order."""
    return heapq.merge(
        *(list(ticks(timer, draw, start, end)) for timer in profile["timers"]),
    )


def ticks(
    timer: dict[str, Any], draw: random.Random, start: float, end: float
) -> Iterator[tuple[float, int]]:
    """(ts, destination) of one timer, in order."""
    first, last = timer.get("hours", (0, 24))
    times = []
    ts = start + draw.uniform(0.0, timer["every"])
    while ts < end:
        if first <= ts % DAY / 3600.0 < last:
            step = ts
            for _ in range(timer.get("burst", 1)):
                for to in timer["to"]:
                    times.append((step, to))
                    step += timer.get("gap", 0.1) * draw.uniform(0.7, 1.5)
        ts += timer["every"] * (1.0 + draw.uniform(-1.0, 1.0) * timer["jitter"])
    yield from sorted(tick for tick in times if tick[0] < end)


def address(where: str, draw: random.Random) -> str:
    """One address of a profile's destination."""
    if where == "gw":
        return f"{NETWORK}1"
    if where == "bcast":
        return f"{NETWORK}255"
    if where.startswith("lan:"):
        return NETWORK + where.removeprefix("lan:")
    if "/" not in where:
        return where
    network = ipaddress.ip_network(where)
    return str(network[draw.randrange(network.num_addresses)])


def session(
    device: Device, draw: random.Random, ts: float, uid: str, dst: str, port: str
) -> tuple[float, list[str]]:
    """When a connection ends, and its row."""
    number, _, protocol = port.partition("/")
    ip = ipaddress.ip_address(dst)
    group = ip.is_multicast or dst.endswith(".255")
    orig = "0.0.0.0" if port == "67/udp" and group else device.ip
    if ip.version == 6:
        last = device.mac.split(":")
        orig = f"fe80::4e:42ff:fe41:{int(last[4] + last[5], 16):x}"
    duration = 0.0
    if not group:
        duration = round(draw.lognormvariate(-3.0 if protocol == "udp" else 0.0, 1.0), 6)
    row = [
        f"{ts:.6f}",
        uid,
        orig,
        {"67": "68", "123": "123"}.get(number, str(draw.randrange(32768, 61000))),
        dst,
        number,
        protocol if protocol != "unknown" else "unknown_transport",
        SERVICES.get(port, "-"),
        f"{duration:.6f}" if duration else "-",
        "S0" if group else "SF",
        "T",
        "T" if ip.is_private or group else "F",
        device.mac,
        "-" if group else GATEWAY_MAC,
    ]
    return ts + duration, row


def lease(device: Device, ts: float, uid: str) -> list[str]:
    """The row of dhcp.log with which the device gets its address."""
    who = [device.mac, device.hostname, device.ip]
    told = ["86400.000000", "DISCOVER,OFFER,REQUEST,ACK"]
    return [f"{ts:.6f}", uid, "-", f"{NETWORK}1", *who, *told]


def new_uid(draw: random.Random) -> str:
    """A connection's identifier as Zeek makes them."""
    return "C" + "".join(draw.choices(string.ascii_letters + string.digits, k=17))


def zeek_log(path: str, columns: dict[str, str], rows: list[list[str]], opened: float) -> bytes:
    """A log as Zeek writes it; its times of opening and closing are the traffic's, not now."""
    stamp = datetime.fromtimestamp(opened, UTC).strftime("%Y-%m-%d-%H-%M-%S")
    lines = [
        "#separator \\x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        f"#path\t{path}",
        f"#open\t{stamp}",
        "\t".join(("#fields", *columns)),
        "\t".join(("#types", *columns.values())),
        *("\t".join(row) for row in rows),
        f"#close\t{stamp}",
    ]
    return ("\n".join(lines) + "\n").encode()


if __name__ == "__main__":
    main()
