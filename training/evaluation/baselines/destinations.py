"""Names of destinations for comparison with the shipped pools."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from nba_broker.destinations.databases import Database
from nba_broker.destinations.domains import domain
from nba_broker.destinations.pools import Pools
from training.data.traffic import Traffic

Names = tuple[np.ndarray, list[str]]
"""A pool index for each session, int64 [n], and the names of the indices."""

Mapping = Callable[[Traffic, np.ndarray], Names]
"""From traffic and the numbers of the training sessions to names for all sessions."""

BIN = 30.0
"""Seconds within which destinations count as used together."""
SIMILAR = 0.5
"""Least cosine similarity of two linked destinations, by the bins in which they are used."""
OFTEN = 3
"""Fewest bins of a destination in a cluster."""


def asn(traffic: Traffic, train: np.ndarray) -> Names:
    """The pools of the shipped model."""
    return traffic.sessions.named_pool.astype(np.int64), traffic.sessions.table


def scheme(databases: Sequence[Database], name: str) -> Mapping:
    """The runtime's pools of another scheme: ``cc`` or ``asn+cc``."""

    def names(traffic: Traffic, train: np.ndarray) -> Names:
        pools = Pools(databases, scheme=name)
        host, dst = traffic.addresses[traffic.host], traffic.addresses[traffic.dst]
        return pools.ids(host.tolist(), dst.tolist()).astype(np.int64), pools.table

    return names


def clusters(traffic: Traffic, train: np.ndarray) -> Names:
    """Destinations that the same hosts use close in time, in the spirit of FlowPrint.

    The clusters come from the training sessions alone. A destination and port is a vector over
    (host, bin of 30 s); two with a cosine of SIMILAR or more are linked, and a connected component
    is a cluster (van Ede et al., "FlowPrint", 2020). Local destinations, rare ones and those that
    are not in the training sessions keep their pool.
    """
    sessions = traffic.sessions
    public = np.array([name.startswith("as:") for name in sessions.table])[sessions.pool]
    target = pd.factorize(traffic.dst.astype(np.int64) << 32 | traffic.sessions.dport)[0]
    use = pd.factorize(sessions.series << 32 | (sessions.ts // BIN).astype(np.int64))[0]
    rows = train[public[train]]
    seen = coo_matrix((np.ones(len(rows)), (target[rows], use[rows])), dtype=np.float32).tocsr()
    seen.data[:] = 1
    often = np.asarray(seen.sum(1)).ravel()
    often = np.where(often >= OFTEN, often, 0)
    scale = np.divide(1, np.sqrt(often), out=np.zeros(len(often)), where=often > 0)
    unit = seen.multiply(scale[:, None]).tocsr()
    near = (unit @ unit.T) >= SIMILAR
    _, cluster = connected_components(near, directed=False)

    names = [f"cluster:{number}" for number in range(cluster.max(initial=-1) + 1)]
    pool = sessions.pool + len(names)
    known = public & (target < len(often))
    known[known] = often[target[known]] > 0
    return np.where(known, _at(cluster, target, known), pool), names + list(sessions.table)


def _at(values: np.ndarray, places: np.ndarray, where: np.ndarray) -> np.ndarray:
    found = np.zeros(len(places), np.int64)
    found[where] = values[places[where]]
    return found


def domains(traffic: Traffic, train: np.ndarray) -> Names:
    """The registered domain of the host's own latest DNS answer with the address, else its pool.

    Registered by the Public Suffix List, private suffixes such as those of clouds included.
    """
    sessions = traffic.sessions
    asked = traffic.answers.sort_values("ts")
    code = {address: number for number, address in enumerate(traffic.addresses.tolist())}
    answers = pd.DataFrame(
        {
            "ts": asked["ts"].astype(np.float64),
            "series": sessions.series[asked["session"].to_numpy(np.int64)],
            "dst": asked["address"].map(code).fillna(-1).astype(np.int64),
            "domain": asked["query"].map(registered_domain),
        }
    )
    answers = answers[answers["domain"] != ""]
    wanted = pd.DataFrame(
        {"ts": sessions.ts, "series": sessions.series, "dst": traffic.dst.astype(np.int64)}
    )
    found = pd.merge_asof(wanted, answers, on="ts", by=["series", "dst"])["domain"]
    number, names = pd.factorize(found)
    pool = sessions.pool + len(names)
    return np.where(number >= 0, number, pool), [f"dns:{n}" for n in names] + list(sessions.table)


def registered_domain(query: str) -> str:
    """The registered domain of a name as a log has it."""
    return domain(query.rstrip(".").lower())


def prefixes(traffic: Traffic) -> np.ndarray:
    """A number for each session's destination /16, or /32 of IPv6, int64 [n]."""
    used, place = np.unique(traffic.dst, return_inverse=True)
    networks = []
    for address in traffic.addresses[used].tolist():
        length = 32 if ":" in address else 16
        networks.append(str(ipaddress.ip_network((address, length), strict=False)))
    return pd.factorize(np.array(networks, dtype=object))[0][place].astype(np.int64)
