"""How similarly hosts behave: which share of their sessions goes to which pool by which service.

A host's profile is the distribution of its sessions over pairs of pool and service and, for a
smaller part, over services alone: the pool of a time server, for example, differs each time. The
similarity of two profiles is their Bhattacharyya coefficient (Bhattacharyya, "On a measure of
divergence between two statistical populations defined by their probability distributions", 1943),
the inner product of their square roots.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nba_broker.model.windows import Windows
from nba_broker.records.evidence import known_as
from nba_broker.records.ports import HIGH, service_name

SAME_KIND = 0.85
"""The similarity from which hosts count as the same kind. Chosen, like the two constants below, on
half of the set-ups of the IoT Sentinel captures, as the most even balance between grouping the same
models and separating others; `nba-train labels --truth` measures it on any archive."""

_LOCAL_WEIGHT = 0.25  # of a session within the network: every host asks its gateway for names
_SERVICE_SHARE = 0.25  # of the profile for services without their pool

_LOCAL = ("gw", "lan", "bcast", "mcast:", "private", "local", "none")
_ANYWHERE = -1  # in place of a pool, for the service alone
_SERVICES = 1 << 18  # more than there are ports and transports
_MENTIONED = 3  # pairs in a text, enough for an analyst to recognise the hosts
_COLUMNS = 1024  # features compared at a time, so that memory stays small


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Profiles of h hosts, sparse; comparable with all others made with the same pool table.

    slot: int64 [h], ascending. start: int64 [h + 1], where each host's entries begin. feature:
    int64 [entries], ascending within a host. root: float64 [entries], square roots of the
    feature's share, whose squares add up to 1 for each host.
    """

    slot: np.ndarray
    start: np.ndarray
    feature: np.ndarray
    root: np.ndarray

    def __len__(self) -> int:
        return len(self.slot)

    def rows(self) -> np.ndarray:
        """Each entry's host, int64 [entries] into ``slot``."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def select(self, rows: np.ndarray) -> Profiles:
        """The hosts with these numbers, int64 [k] ascending."""
        size = np.diff(self.start)[rows]
        entries = np.isin(self.rows(), rows)
        return Profiles(
            self.slot[rows], np.append(0, size.cumsum()), self.feature[entries], self.root[entries]
        )

    def mostly(
        self,
        table: Sequence[str],
        organisation: Callable[[int], str],
        called: Callable[[int, int], str] = lambda pool, service: "",
    ) -> str:
        """The pairs with the largest share of all these hosts' sessions, as text, each with its
        percentage; the pairs after the first need at least 1 %. ``organisation`` returns that of a
        pool's index, or "". ``called`` returns a name of a pair's destinations, or "": pool, and
        service as by :func:`services`."""
        pair, inverse = np.unique(self.feature[self.feature >= 0], return_inverse=True)
        share = np.bincount(inverse, self.root[self.feature >= 0] ** 2, len(pair))
        order = np.argsort(-share.round(9), kind="stable")[:_MENTIONED]
        pool, service = np.divmod(pair[order], _SERVICES)
        percent = 100 * share[order] / share.sum()
        texts: list[str] = []
        for number, code, part in zip(pool.tolist(), service.tolist(), percent, strict=True):
            if texts and part < 1:
                break
            name = known_as(called(number, code), table[number], organisation(number))
            texts.append(f"{name} {service_name(code)} {part:.0f} %")
        return ", ".join(texts)


def profiles(
    slot: np.ndarray, pool: np.ndarray, dport: np.ndarray, table: Sequence[str]
) -> Profiles:
    """Profiles of the hosts of n sessions: slot int64 [n], pool int [n] into ``table``, dport
    int32 [n] (see :func:`~nba_broker.records.ports.port_code`)."""
    hosts, host = np.unique(slot, return_inverse=True)
    number, place = np.unique(pool, return_inverse=True)
    local = np.array([table[one].startswith(_LOCAL) for one in number.tolist()], bool)
    weight = np.where(local[place], _LOCAL_WEIGHT, 1.0)
    weight /= np.bincount(host, weight, len(hosts))[host]
    service = services(dport)
    features = np.concatenate(
        [pool.astype(np.int64) * _SERVICES + service, _ANYWHERE * _SERVICES + service]
    )
    shares = np.concatenate([(1 - _SERVICE_SHARE) * weight, _SERVICE_SHARE * weight])
    feature, column = np.unique(features, return_inverse=True)
    place, entry = np.unique(np.tile(host, 2) * len(feature) + column, return_inverse=True)
    row, column = np.divmod(place, max(len(feature), 1))
    return Profiles(
        slot=hosts,
        start=np.searchsorted(row, np.arange(len(hosts) + 1)),
        feature=feature[column],
        root=np.sqrt(np.bincount(entry, shares, len(place))),
    )


def services(dport: np.ndarray) -> np.ndarray:
    """The services of port codes, int64 of the same shape: ports drawn at random are one."""
    port = dport.astype(np.int64)
    return np.where((port & 0xFFFF) >= HIGH, (port & ~0xFFFF) | HIGH, port)


def of_windows(windows: Windows, table: Sequence[str]) -> Profiles:
    """Profiles of the hosts of B windows, in their order; no window may be empty."""
    there = windows.pool >= 0
    row, _ = np.nonzero(there)
    return profiles(row, windows.pool[there], windows.dport[there], table)


def similarity(a: Profiles, b: Profiles) -> np.ndarray:
    """The similarity of each host of ``a`` to each of ``b``: float64 [len(a), len(b)], 0 to 1."""
    return _products(a, b, np.intersect1d(a.feature, b.feature))


def groups(hosts: Profiles, threshold: float = SAME_KIND) -> np.ndarray:
    """A group number for each host, int64 [h], 0 for the group of the first host, and so on.

    Hosts and groups are merged, the most similar first, as long as the mean similarity of their
    members is at least ``threshold``: average linkage (Sokal and Michener, 1958), in time and
    memory that grow with the square of h.
    """
    if len(hosts) < 2:
        return np.zeros(len(hosts), np.int64)
    # Loaded only where unknown hosts are grouped: it takes longer than the rest of a start.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    feature, times = np.unique(hosts.feature, return_counts=True)
    distance = 1 - _products(hosts, hosts, feature[times > 1])
    np.fill_diagonal(distance, 0)
    merges = linkage(squareform(distance, checks=False), "average")
    rounding = 1e-9
    return _numbered(fcluster(merges, 1 - threshold + rounding, "distance"))


def kinds(hosts: Profiles, vendors: Sequence[str], threshold: float = SAME_KIND) -> np.ndarray:
    """As :func:`groups`, but hosts whose interfaces have different makers are in different groups,
    because many makers buy the same firmware.

    vendors: the maker of each host's interface; "" counts as one maker.
    """
    maker = np.array(vendors, dtype=object)
    number = np.zeros(len(hosts), np.int64)
    taken = 0
    for name in sorted(set(vendors)):
        rows = np.flatnonzero(maker == name)
        number[rows] = taken + groups(hosts.select(rows), threshold)
        taken = number[rows].max() + 1
    return _numbered(number)


def _products(a: Profiles, b: Profiles, features: np.ndarray) -> np.ndarray:
    """Inner products over these features, ascending."""
    found = np.zeros((len(a), len(b)))
    for at in range(0, len(features), _COLUMNS):
        part = features[at : at + _COLUMNS]
        found += _dense(a, part) @ _dense(b, part).T
    return found.clip(0.0, 1.0)


def _dense(hosts: Profiles, features: np.ndarray) -> np.ndarray:
    place = np.searchsorted(features, hosts.feature).clip(max=len(features) - 1)
    shared = features[place] == hosts.feature
    dense = np.zeros((len(hosts), len(features)))
    dense[hosts.rows()[shared], place[shared]] = hosts.root[shared]
    return dense


def _numbered(group: np.ndarray) -> np.ndarray:
    """The same groups, numbered in the order of their first members."""
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[group]
