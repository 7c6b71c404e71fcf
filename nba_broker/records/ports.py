"""Which ports are drawn at random, and which mean a service: the one rule for all that asks."""

from __future__ import annotations

from importlib import resources

import numpy as np

HIGH = 32_768
"""Ports from here on are taken for one: systems choose them at random."""

_ADMINISTRATORS = 1024  # what only administrators may listen on is nobody's draw


def _registered() -> np.ndarray:
    """Of each port below HIGH whether a service is registered for it, with whatever transport: the
    ranges in ports.txt are those of IANA's "Service Name and Transport Protocol Port Number
    Registry" (https://www.iana.org/assignments/service-names-port-numbers, CC0) of 2024-04-30."""
    found = np.zeros(HIGH, bool)
    found[:_ADMINISTRATORS] = True
    for ports in (
        resources.files("nba_broker.records").joinpath("ports.txt").read_text("ascii").split()
    ):
        first, _, last = ports.partition("-")
        found[int(first) : int(last or first) + 1] = True
    return found


_DRAWN = np.ones(1 << 16, bool)
_DRAWN[:HIGH] = ~_registered()


def drawn(dport: np.ndarray) -> np.ndarray:
    """Whether port codes, int of any shape (see messages.port_code), are of ports that somebody
    drew at random: from HIGH on, by systems, or below, by peers that agree upon one, as calls and
    cameras do, where no service is registered."""
    found: np.ndarray = _DRAWN[dport & 0xFFFF]
    return found


PROTOCOLS = ("unknown", "tcp", "udp", "icmp")

"""Transport names by code, as Zeek writes them behind a port's slash."""

PROTOCOL_CODES = {name: code for code, name in enumerate(PROTOCOLS)} | {
    "?": 0,
    "unknown_transport": 0,
}


def port_code(port: int, protocol: str) -> int:
    """A port and its transport as one number, ``port + 65536 * code``; unknown is 0."""
    return port + 65536 * PROTOCOL_CODES.get(protocol, 0)


def port_name(code: int) -> str:
    """The inverse of :func:`port_code`, as Zeek prints it: ``443/tcp``."""
    return f"{code & 0xFFFF}/{PROTOCOLS[code >> 16]}"
