"""Ports as codes, a number and its transport in one integer; services; and ephemeral ports."""

from __future__ import annotations

from importlib import resources

import numpy as np

PROTOCOLS = ("unknown", "tcp", "udp", "icmp")
"""Transport names by code, as Zeek writes them behind a port's slash."""

PROTOCOL_CODES = {name: code for code, name in enumerate(PROTOCOLS)} | {
    "?": 0,
    "unknown_transport": 0,
}
"""Codes by transport name, in every spelling that Zeek uses."""

HIGH = 32_768
"""Ports from here on count as one: operating systems choose ephemeral ports among them."""

_PRIVILEGED = 1024  # ports below are never ephemeral


def port_code(port: int, protocol: str) -> int:
    """A port and its transport as one number, ``port + 65536 * code``; an unknown transport has
    code 0."""
    return port + 65536 * PROTOCOL_CODES.get(protocol, 0)


def port_name(code: int) -> str:
    """The inverse of :func:`port_code`, as Zeek prints it: ``443/tcp``."""
    return f"{code & 0xFFFF}/{PROTOCOLS[code >> 16]}"


def service_name(code: int) -> str:
    """The service of a port code, such as ``443/tcp`` or ``high/udp``."""
    port, _, protocol = port_name(code).partition("/")
    return f"{'high' if int(port) >= HIGH else port}/{protocol}"


def service_codes(name: str) -> slice:
    """The port codes of a service; raises ValueError for an invalid name."""
    port, _, protocol = name.partition("/")
    if protocol not in PROTOCOLS or not (
        port == "high" or (port.isdecimal() and int(port[:9]) < 65_536)
    ):
        raise ValueError(f"not a service: {name!r}")
    if port == "high":
        return slice(port_code(HIGH, protocol), port_code(65_535, protocol) + 1)
    code = port_code(int(port), protocol)
    return slice(code, code + 1)


def drawn(dport: np.ndarray) -> np.ndarray:
    """Which port codes, int of any shape (see :func:`port_code`), are ephemeral; bool, same shape.

    Operating systems draw ephemeral ports from HIGH on. Below HIGH, a port without a registered
    service counts as ephemeral, too: peers agree on such ports for calls and camera streams.
    """
    found: np.ndarray = _DRAWN[dport & 0xFFFF]
    return found


def _registered() -> np.ndarray:
    """Which ports below HIGH have a registered service, with any transport; bool [HIGH].

    The ranges in ports.txt are those of IANA's "Service Name and Transport Protocol Port Number
    Registry" (https://www.iana.org/assignments/service-names-port-numbers, CC0) of 2024-04-30.
    """
    found = np.zeros(HIGH, bool)
    found[:_PRIVILEGED] = True
    ranges = resources.files("nba_broker.records").joinpath("ports.txt").read_text("ascii")
    for ports in ranges.split():
        first, _, last = ports.partition("-")
        found[int(first) : int(last or first) + 1] = True
    return found


_DRAWN = np.ones(1 << 16, bool)
_DRAWN[:HIGH] = ~_registered()
