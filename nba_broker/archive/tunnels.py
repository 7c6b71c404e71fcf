"""Recognizes sessions that are the outer flow of a tunnel, which belong to no host.

Zeek decapsulates these tunnels, so the traffic inside has sessions of its own. The Zeek scripts
leave out the same sessions: see zeek-scripts/tunnels.zeek. GRE and ERSPAN without UDP have no outer
session in Zeek.
"""

from __future__ import annotations

import numpy as np

from nba_broker.records.ports import port_code

_PORTS = np.array(
    [
        port_code(4789, "udp"),  # VXLAN
        port_code(6081, "udp"),  # Geneve
        port_code(4754, "udp"),  # GRE
        port_code(2152, "udp"),  # GTP's user plane
        port_code(3544, "udp"),  # Teredo
        port_code(5072, "udp"),  # AYIYA
    ],
    np.int32,
)
_SERVICES = frozenset({"vxlan", "geneve", "gre", "gtpv1", "teredo", "ayiya"})


def outer_flows(dport: np.ndarray) -> np.ndarray:
    """Which sessions go to a tunnel's usual port, bool [n]; ``dport`` int32 [n] as in
    :class:`~nba_broker.records.sessions.Sessions`."""
    return np.isin(dport, _PORTS)


def is_tunnel(service: str) -> bool:
    """Whether conn.log's ``service`` names a tunnel, which it does whatever the port."""
    return not _SERVICES.isdisjoint(service.lower().split(","))
