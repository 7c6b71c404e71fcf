"""Makes sessions of attacks on a device, to splice among its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nba_broker.destinations.pools import Pools
from nba_broker.records.ports import port_code

HORIZON = 86_400.0
"""Seconds for which a slow attack goes on: later, a notice would be of little use."""

CLOUDS = (16509, 14618, 15169, 396982, 8075, 13335, 14061, 31898, 45102, 16276)
"""Autonomous systems of clouds: Amazon (two), Google (two), Microsoft, Cloudflare,
DigitalOcean, Oracle, Alibaba, OVH."""

_BURST = 60.0  # seconds of a scan or a flood; real ones last longer
_DRAWS = 100_000  # most addresses drawn until one fits: enough for a small network


class NoVictimError(ValueError):
    """The attack does not fit the device."""


@dataclass(frozen=True, slots=True)
class Victim:
    """What an attacker on a device knows of it.

    dst: addresses that the device talked to before, dport: port codes, one per session.
    """

    dst: Sequence[str]
    dport: np.ndarray
    pools: Pools

    def networks(self) -> set[int]:
        """The autonomous systems among its destinations."""
        return {self.pools.place(dst).asn for dst in set(self.dst)} - {0}


@dataclass(frozen=True, slots=True)
class Attack:
    """Session starts, in time order: ts float64 [n], seconds; dst: addresses; dport: int32 [n]."""

    ts: np.ndarray
    dst: list[str]
    dport: np.ndarray


Maker = Callable[[Victim, float, np.random.Generator], Attack]


def scan(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """Mirai's search for others like it: ten random addresses a second, nine at port 23 and one
    at 2323 (Antonakakis et al., "Understanding the Mirai Botnet", 2017; real ones are faster)."""
    ts = start + np.sort(draw.uniform(0, _BURST, int(10 * _BURST)))
    ports = np.where(draw.random(len(ts)) < 0.9, port_code(23, "tcp"), port_code(2323, "tcp"))
    return Attack(ts, [_public(draw) for _ in ts], ports.astype(np.int32))


def flood(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """A part in a denial of service: fifty connections a second to one web server."""
    ts = start + np.sort(draw.uniform(0, _BURST, int(50 * _BURST)))
    return _to(ts, _elsewhere(victim, draw), 80)


def beacon_60s(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """A call home every minute, one second more or less, to a network new to the device."""
    return _to(_timer(start, 60, 1 / 60, draw), _elsewhere(victim, draw), 443)


def beacon_30min(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """A call home every half an hour, up to a fifth more or less, to a network new to it."""
    return _to(_timer(start, 1800, 0.2, draw), _elsewhere(victim, draw), 443)


def beacon_60s_used(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """The beacon of every minute, to HTTPS in a network that the device talks to already."""
    return _to(_timer(start, 60, 1 / 60, draw), _neighbour(victim, draw)[0], 443)


def beacon_30min_used(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """The beacon of every half an hour, to HTTPS in a network that it talks to already."""
    return _to(_timer(start, 1800, 0.2, draw), _neighbour(victim, draw)[0], 443)


def beacon_60s_mimic(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """The beacon of every minute, to a pair of pool and service that the device uses."""
    dst, dport = _neighbour(victim, draw)
    ts = _timer(start, 60, 1 / 60, draw)
    return Attack(ts, [dst] * len(ts), np.full(len(ts), dport, np.int32))


def beacon_30min_mimic(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """The beacon of every half an hour, to a pair of pool and service that the device uses."""
    dst, dport = _neighbour(victim, draw)
    ts = _timer(start, 1800, 0.2, draw)
    return Attack(ts, [dst] * len(ts), np.full(len(ts), dport, np.int32))


def exfiltration(victim: Victim, start: float, draw: np.random.Generator) -> Attack:
    """A session about every quarter of an hour, at random, to a cloud that is new to the device."""
    gaps = draw.exponential(900, int(2 * HORIZON / 900))
    ts = start + np.cumsum(gaps)
    clouds = set(CLOUDS) - victim.networks()
    dst = _found(draw, lambda address: victim.pools.place(address).asn in clouds)
    return _to(ts[ts < start + HORIZON], dst, 443)


ATTACKS: dict[str, Maker] = {
    "scan": scan,
    "flood": flood,
    "beacon-60s": beacon_60s,
    "beacon-30min": beacon_30min,
    "beacon-60s-used-asn": beacon_60s_used,
    "beacon-30min-used-asn": beacon_30min_used,
    "beacon-60s-mimic": beacon_60s_mimic,
    "beacon-30min-mimic": beacon_30min_mimic,
    "exfiltration": exfiltration,
}
"""Every attack with one device by its name."""


def _to(ts: np.ndarray, dst: str, port: int) -> Attack:
    return Attack(ts, [dst] * len(ts), np.full(len(ts), port_code(port, "tcp"), np.int32))


def _timer(start: float, period: float, jitter: float, draw: np.random.Generator) -> np.ndarray:
    """Times from ``start`` on, one ``period`` apart, with a jitter as a share of it."""
    steps = period * (1 + draw.uniform(-jitter, jitter, int(2 * HORIZON / period)))
    ts: np.ndarray = start + np.append(0.0, np.cumsum(steps))
    return ts[ts < start + HORIZON]


def _public(draw: np.random.Generator) -> str:
    """A random address of the public IPv4 Internet."""
    while True:
        address = ipaddress.IPv4Address(int(draw.integers(1 << 24, 224 << 24)))
        if address.is_global:
            return str(address)


def _found(draw: np.random.Generator, fits: Callable[[str], bool]) -> str:
    for _ in range(_DRAWS):
        if fits(address := _public(draw)):
            return address
    raise NoVictimError("no address fits the attack")


def _elsewhere(victim: Victim, draw: np.random.Generator) -> str:
    """An address in a network that the device has never talked to."""
    networks = victim.networks() | {0}
    return _found(draw, lambda address: victim.pools.place(address).asn not in networks)


def _neighbour(victim: Victim, draw: np.random.Generator) -> tuple[str, int]:
    """An address that the device never talked to, in the /24 of one that it did, and the service
    there; all networks are equally likely. Raises NoVictimError when the device uses none."""
    of_network: dict[int, list[int]] = {}
    for row, dst in enumerate(victim.dst):
        asn = victim.pools.place(dst).asn
        if asn and "." in dst:
            of_network.setdefault(asn, []).append(row)
    if not of_network:
        raise NoVictimError("the device uses no network of the Internet")
    asn = sorted(of_network)[int(draw.integers(len(of_network)))]
    row = of_network[asn][int(draw.integers(len(of_network[asn])))]
    subnet = ipaddress.ip_network((victim.dst[row], 24), strict=False)
    known = set(victim.dst)
    free = [str(address) for address in subnet.hosts() if str(address) not in known]
    if not free:
        raise NoVictimError("no address is free beside those that the device uses")
    return free[int(draw.integers(len(free)))], int(victim.dport[row])
