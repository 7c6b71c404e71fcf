"""How much likelier a session is for a class than for hosts in general, from counts of pairs.

Speaker verification compares a voice with a background model in the same way (Reynolds, Quatieri
and Dunn, "Speaker Verification Using Adapted Gaussian Mixture Models", 2000). A session that
everybody starts has a log likelihood ratio near 0: it gives no name and takes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nba_broker.model.back_off import BACK_OFF, NEVER, PAIR, PLACES, WEIGHT
from nba_broker.model.background_names import NameRatios, NameShares, dense, sparse
from nba_broker.records.ports import PROTOCOLS, port_code, service_codes

_KINDS = ("as", "bcast", "cc", "gw", "lan", "mcast", "none", "private")
_SITE_KINDS = ("bcast", "gw", "mcast")
_ONE_OF_A_KIND = ("gw", "lan", "none", "private")

_SITE_SERVICES = frozenset({53, 67, 68, 137, 138, 546, 547, 853, 1900, 5353, 5355})
"""Name resolution, addresses and discovery."""


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Shares of R pairs of a service and a pool among the sessions that tell (see :func:`tells`).

    devices: over how many devices ``background`` is the mean. service, pool: numbers into
    ``services`` and ``pools``, int32 [R]. background: float64 [R], each device has the same weight.
    classes: float64 [K, R]. sessions: of each class, float64 [K]. names: what names add, None for a
    model without.
    """

    devices: int
    services: tuple[str, ...]
    pools: tuple[str, ...]
    service: np.ndarray
    pool: np.ndarray
    background: np.ndarray
    classes: np.ndarray
    sessions: np.ndarray
    names: NameShares | None = None

    def as_dict(self) -> dict[str, Any]:
        """The shares as in the manifest; a class's are ``row, share, row, share, ...``."""
        found = {
            "devices": self.devices,
            "services": list(self.services),
            "pools": list(self.pools),
            "pairs": np.stack([self.service, self.pool], 1).ravel().tolist(),
            "shares": [float(f"{one:.4g}") for one in self.background],
            "classes": [
                {"sessions": float(sessions), "shares": sparse(shares)}
                for sessions, shares in zip(self.sessions, self.classes, strict=True)
            ],
        }
        return found if self.names is None else found | {"names": self.names.as_dict()}

    @classmethod
    def of_dict(cls, given: Mapping[str, Any]) -> Background:
        """The inverse of :meth:`as_dict`. Raises KeyError, TypeError, ValueError or IndexError."""
        pairs = np.array(given["pairs"], np.int32).reshape(-1, 2)
        services = tuple(map(str, given["services"]))
        names = given.get("names")
        made = cls(
            int(given["devices"]),
            services,
            tuple(map(str, given["pools"])),
            pairs[:, 0],
            pairs[:, 1],
            np.array(given["shares"], np.float64),
            dense([one["shares"] for one in given["classes"]], len(pairs)),
            np.array([float(one["sessions"]) for one in given["classes"]]),
            None if names is None else NameShares.of_dict(names, len(services), len(pairs)),
        )
        for values in (made.background, made.classes, made.sessions):
            if not ((values >= 0) & np.isfinite(values)).all():
                raise ValueError("a share or a number of sessions is out of range")
        for name, number in (("services", made.service), ("pools", made.pool)):
            if len(number) and not 0 <= number.min() <= number.max() < len(given[name]):
                raise ValueError(f"a pair is none of the {name}")
        if made.background.shape != made.pool.shape or made.devices < 1:
            raise ValueError("not as many shares as pairs, or no device")
        if made.names is not None and len(made.names.classes) != len(made.classes):
            raise ValueError("names of another number of classes")
        for service in made.services:
            service_codes(service)
        return made


class LikelihoodRatios:
    """The log likelihood ratios of windows for every class, by the shares of a background.

    The ratio of a pair is computed when it first occurs. Services and pools that the background
    does not know count as one service, and as one pool of each kind, so the memory is bounded.
    """

    def __init__(self, shares: Background) -> None:
        kinds = sorted({kind(pool) for pool in shares.pools}.union(_KINDS))
        self._kinds = {name: number for number, name in enumerate(kinds)}
        self._pools = {name: number for number, name in enumerate(shares.pools)}
        self._kind = np.array([self._kinds[kind(pool)] for pool in shares.pools], np.int64)
        # Each kind has one pool for those that the background does not know, behind the others.
        self._kind = np.append(self._kind, np.arange(len(kinds)))
        self._is_site = np.array([_is_site(pool) for pool in [*shares.pools, *kinds]])
        self._places = np.array(
            [1.0 if _one_of_a_kind(kinds[one]) else PLACES for one in self._kind]
        )
        self._service_of_port = np.full(len(PROTOCOLS) << 16, len(shares.services), np.int64)
        for number, name in enumerate(shares.services):
            self._service_of_port[service_codes(name)] = number
        self._tells = _telling_ports()
        self._sessions = shares.sessions
        self._names = (
            None if shares.names is None else NameRatios(shares.names, len(shares.services))
        )
        self._count(shares)
        size = (len(shares.services) + 1) * len(self._kind)
        self._row = np.full(size, -1, np.int32)
        self._pool_of = np.zeros(0, np.int64)
        # Row 0 is for padding and for sessions that do not tell.
        self._ratio = np.zeros((1, len(shares.sessions)), np.float32)
        # The same with a name in a domain that the class never asked for, and with any name: by the
        # rows of the pair and of the name, the row of the ratio.
        self._with_other = self._ratio
        names = () if shares.names is None else shares.names.texts
        self._row_of_name = np.full((1, 1 + len(names)), -1, np.int32)
        self._named = np.zeros((0, len(shares.sessions)), np.float32)

    def __call__(
        self,
        pool: np.ndarray,
        dport: np.ndarray,
        table: Sequence[str],
        name: np.ndarray | None = None,
        text: Callable[[int], str] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of B windows, the mean over the sessions that tell of log p(session | class) -
        log p(session | background), in nats, float32 [B, K], 0 where none tells; and the number of
        these sessions, float32 [B].

        pool: int [B, N] into ``table``, which may only grow between calls, negative where there is
        no session. dport: int [B, N], see nba_broker.records.ports.port_code. name: int [B, N], of
        which ``text`` gives the names, see NameRatios.rows; without it no session has a name.
        """
        self._know(table)
        there = pool >= 0
        own = self._pool_of[pool] if len(table) else np.zeros_like(pool)
        rows = self._rows(there, own, dport)
        telling = (rows > 0).sum(1).astype(np.float32)
        each = self._ratio.take(rows, axis=0)
        if name is not None and text is not None:
            self._take_names(each, rows, dport, name, text)
        return each.sum(1) / np.maximum(telling, 1)[:, None], telling

    def of_pairs(
        self, dport: np.ndarray, pools: Sequence[str], names: Sequence[str] = ()
    ) -> np.ndarray:
        """The ratio of n sessions, each to the pool of this name, float32 [n, K]; ``names``: of
        their destinations, "" for none."""
        own = np.array([self._pool(name) for name in pools], np.int64)
        rows = self._rows(np.ones(len(own), bool), own, dport)
        each: np.ndarray = self._ratio.take(rows, axis=0)
        if names:
            # The number 0 is that of no name.
            self._take_names(each, rows, dport, 1 + np.arange(len(own)), ["", *names].__getitem__)
        return each

    def _take_names(
        self,
        each: np.ndarray,
        rows: np.ndarray,
        dport: np.ndarray,
        name: np.ndarray,
        text: Callable[[int], str],
    ) -> None:
        """Set the ratios of sessions that tell and have a name, in ``each`` float32 [..., K]."""
        if self._names is None:
            return
        places = np.flatnonzero((rows > 0) & (name > 0))
        service = self._service_of_port[dport.ravel().take(places)]
        some, row = self._names.rows(service, name.ravel().take(places), text)
        places = places[some]
        flat = each.reshape(-1, each.shape[-1])
        pair = rows.ravel().take(places)
        found = self._row_of_name[pair, row]
        if (found < 0).any():
            self._compute_names(*np.unique(np.stack([pair, row])[:, found < 0], axis=1))
            found = self._row_of_name[pair, row]
        flat[places] = self._named.take(found, axis=0)

    def _compute_names(self, pair: np.ndarray, row: np.ndarray) -> None:
        """Add the ratios of these rows of pairs with these rows of names, int64 [n] each."""
        assert self._names is not None
        self._row_of_name[pair, row] = len(self._named) + np.arange(len(pair))
        of_pair, of_other = self._ratio[pair], self._with_other[pair]
        ratio = self._names.ratio[row]
        # Twins ask for the same names, and wrong names cost more than late ones: where a class has
        # names, its own say no more than the pool.
        has_names = of_other < of_pair
        ratio = np.where(has_names, np.minimum(ratio, of_pair), ratio)
        ratio = np.where(self._names.knows[row], ratio, of_other)
        self._named = np.vstack([self._named, ratio])

    def _rows(self, there: np.ndarray, own: np.ndarray, dport: np.ndarray) -> np.ndarray:
        """The rows of the ratios of sessions, where they are ``there``, to these of the
        background's pools, int32 of any shape; 0 for those that do not tell."""
        tells = there & self._tells[dport] & ~self._is_site[own]
        place = self._service_of_port[dport] * len(self._kind) + own
        rows = np.where(tells, self._row[place], 0)
        if (rows < 0).any():
            self._compute(np.unique(place[rows < 0]))
            rows = np.where(tells, self._row[place], 0)
        return rows

    def _know(self, table: Sequence[str]) -> None:
        new = [self._pool(name) for name in table[len(self._pool_of) :]]
        self._pool_of = np.append(self._pool_of, np.array(new, np.int64))

    def _pool(self, name: str) -> int:
        """The number of a pool; pools that the background does not know are one of each kind."""
        found = self._pools.get(name)
        if found is None:
            # A kind that the background does not know is like a network.
            found = len(self._pools) + self._kinds.get(kind(name), self._kinds["as"])
        return found

    def _count(self, given: Background) -> None:
        """Keep the shares by device, the background first: of each pair [D, R + 1], the last for
        pairs that no device has; of each service with each kind of pool [D, S, kinds]; of each pool
        [D, P]; and of each service [D, S]."""
        each = np.vstack([given.background, given.classes])
        place = given.service.astype(np.int64) * len(self._kind) + given.pool
        self._order = order = np.argsort(place)
        self._place = np.append(place[order], -1)
        self._pair = np.hstack([each[:, order], np.zeros((len(each), 1))])
        self._with_kind = np.zeros((len(each), len(given.services) + 1, len(self._kinds)))
        self._of_pool = np.zeros((len(each), len(self._kind)))
        self._of_service = np.zeros((len(each), len(given.services) + 1))
        for row, own in enumerate(each):
            np.add.at(self._with_kind[row], (given.service, self._kind[given.pool]), own)
            np.add.at(self._of_pool[row], given.pool, own)
            np.add.at(self._of_service[row], given.service, own)

    def _compute(self, place: np.ndarray) -> None:
        """Add the ratios of these places, int64 [n]."""
        service, pool = np.divmod(place, len(self._kind))
        row = np.searchsorted(self._place[:-1], place)
        row[self._place[row] != place] = -1
        elsewhere = self._with_kind[:, service, self._kind[pool]] / self._places[pool]
        elsewhere = (elsewhere + self._of_pool[:, pool] / PLACES) / 2
        never = (self._of_service[:, service] + 1 / PLACES) / 2
        never = never / len(self._kinds) / self._places[pool]
        likely = PAIR * self._pair[:, row] + BACK_OFF * elsewhere
        likely += NEVER * never
        background, sessions = likely[0], self._sessions[:, None]
        of_class = (sessions * likely[1:] + WEIGHT * background) / (sessions + WEIGHT)
        ratio = np.log(of_class / background).T
        self._row[place] = len(self._ratio) + np.arange(len(place))
        self._ratio = np.vstack([self._ratio, ratio.astype(np.float32)])
        if self._names is not None:
            pair = np.append(self._order, -1)[row]
            other = ratio + self._names.of_other(pair)
            self._with_other = np.vstack([self._with_other, other.astype(np.float32)])
            unknown = np.full((len(place), self._row_of_name.shape[1]), -1, np.int32)
            self._row_of_name = np.vstack([self._row_of_name, unknown])


def tells(dport: np.ndarray, pool: np.ndarray, table: Sequence[str]) -> np.ndarray:
    """Whether sessions can tell devices apart, bool [n]: dport int [n], pool int [n] into
    ``table``.

    Name resolution, addresses, discovery and answers to probes belong to the site: its router sets
    how often a host needs them. These are sessions to the gateway, broadcast or multicast
    addresses, ICMP and IGMP, and to the ports of DNS, DHCP, mDNS, LLMNR, SSDP and NetBIOS names.
    """
    site = np.array([_is_site(name) for name in table], bool)
    found: np.ndarray = _telling_ports()[dport] & ~site[pool]
    return found


def kind(pool: str) -> str:
    """The kind of a pool: ``as`` for ``as:16509``."""
    return pool.partition(":")[0]


def background_of(
    devices: Iterable[Mapping[tuple[str, str], float]],
    classes: Sequence[Mapping[tuple[str, str], float]],
) -> Background:
    """The shares of a background of ``devices``, each given as its numbers of sessions by service
    and pool, and of classes, given likewise; without names. Devices without a session are left out;
    raises ValueError when none is left."""
    some = [one for one in devices if sum(one.values())]
    if not some:
        raise ValueError("no device has a session that tells devices apart")
    pairs = sorted({pair for one in (*some, *classes) for pair in one})
    services = tuple(sorted({service for service, _ in pairs}))
    pools = tuple(sorted({pool for _, pool in pairs}))
    number = {pair: row for row, pair in enumerate(pairs)}

    def shares(one: Mapping[tuple[str, str], float]) -> np.ndarray:
        found = np.zeros(len(pairs))
        for pair, sessions in one.items():
            found[number[pair]] = sessions
        return found / max(float(found.sum()), 1.0)

    mean = np.zeros(len(pairs))
    for one in some:
        mean += shares(one) / len(some)
    return Background(
        len(some),
        services,
        pools,
        np.array([services.index(service) for service, _ in pairs], np.int32),
        np.array([pools.index(pool) for _, pool in pairs], np.int32),
        mean,
        np.array([shares(one) for one in classes]).reshape(len(classes), len(pairs)),
        np.array([float(sum(one.values())) for one in classes]),
    )


def _telling_ports() -> np.ndarray:
    """Which port codes tell devices apart, bool [codes]."""
    found = np.zeros(len(PROTOCOLS) << 16, bool)
    for protocol in ("tcp", "udp"):
        found[port_code(0, protocol) : port_code(65_535, protocol) + 1] = True
        for port in _SITE_SERVICES:
            found[port_code(port, protocol)] = False
    return found


def _is_site(pool: str) -> bool:
    return kind(pool) in _SITE_KINDS


def _one_of_a_kind(name: str) -> bool:
    return name in _ONE_OF_A_KIND
