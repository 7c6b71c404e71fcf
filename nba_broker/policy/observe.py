"""What the hosts of an archive did: its sessions with their hosts, pools and names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nba_broker.destinations.lookup import Lookup
from nba_broker.destinations.names import NameTable
from nba_broker.destinations.pools import Pools
from nba_broker.hosts.identity import Identity
from nba_broker.pipeline.tracker import Tracker
from nba_broker.policy.contacts import Contact, contact
from nba_broker.records.addresses import canonical
from nba_broker.records.macs import is_mac
from nba_broker.records.slots import Slots
from nba_broker.records.times import DAY

if TYPE_CHECKING:
    from nba_broker.archive.conn_log import Archive  # needs pyarrow, which the worker does without


class Hosts:
    """Which slot each host of some archives has; an :class:`Observer` of the same archives gives
    the same slots."""

    def __init__(self, archives: Iterable[Archive]) -> None:
        tracker = Tracker()
        self._slots: defaultdict[str, set[int]] = defaultdict(set)  # by address
        for archive in archives:
            for lease in archive.leases:
                tracker.lease(lease)
            for batch in archive.batches():
                for part in tracker.track(batch):
                    for host, slot in set(zip(part.sessions.host, part.slot.tolist(), strict=True)):
                        self._slots[host].add(slot)
        self._identity: Identity = tracker.identity

    def of(self, host: str) -> list[int]:
        """The slots of the hosts with a MAC, or that had an address, as Zeek prints both."""
        return self._identity.slots_of(host) if is_mac(host) else sorted(self._slots.get(host, ()))

    def name(self, slot: int) -> str:
        """A host's MAC, else its latest address."""
        return self._identity.mac(slot) or self.address(slot)

    def address(self, slot: int) -> str:
        """A host's latest address."""
        return self._identity.address(slot)


@dataclass(frozen=True, slots=True)
class Seen:
    """Sessions of the observed hosts, n in time order: ts float64 [n], slot int64 [n], and the dst,
    dport and contact of each."""

    ts: np.ndarray
    slot: np.ndarray
    dst: list[str]
    dport: np.ndarray
    contacts: list[Contact]


class Observer:
    """Gives the contacts of some hosts, archive by archive in the order of their time: a name that
    a host asked for in one archive holds in the next."""

    def __init__(self, pools: Pools, slots: Collection[int]) -> None:
        self._pools = pools
        self._observed = np.array(sorted(slots), np.int64)
        self._tracker, self._columns = Tracker(), Slots()
        self._names = NameTable(self._columns)
        self._lookup = Lookup(pools, self._names)
        self._known: dict[tuple[int, str, int, int], Contact] = {}

    def see(self, archive: Archive) -> Iterator[Seen]:
        """The archive's sessions of these hosts, in parts. Read it with ``names``."""
        tracker = self._tracker
        for lease in archive.leases:
            tracker.lease(lease)
        for batch, names in archive.batches_with_names():
            tracker.askers.hear(names)
            for part in tracker.track(batch):
                self._columns.reserve(tracker.identity.capacity)
                to = self._lookup(part.sessions, part.slot, part.answers)
                rows = np.flatnonzero(np.isin(part.slot, self._observed))
                if not len(rows):
                    continue
                dst = list(map(part.sessions.dst.__getitem__, rows.tolist()))
                dport = part.sessions.dport[rows]
                contacts = self._contacts(to.address_pool[rows], dst, to.name[rows], dport)
                yield Seen(part.sessions.ts[rows], part.slot[rows], dst, dport, contacts)

    def would(self, host: str, slot: int, dst: list[str], dport: np.ndarray) -> list[Contact]:
        """The contacts of sessions that a host with the address ``host`` would start now: dst
        addresses, dport int32 [n]."""
        packed = np.frombuffer(b"".join(canonical(one)[1] for one in dst), "V16")
        number = self._names.ids(np.full(len(dst), slot), packed)
        return self._contacts(self._pools.ids([host] * len(dst), dst), dst, number, dport)

    def _contacts(
        self, pool: np.ndarray, dst: list[str], number: np.ndarray, dport: np.ndarray
    ) -> list[Contact]:
        table, known = self._pools.table, self._known
        found = []
        for key in zip(pool.tolist(), dst, number.tolist(), dport.tolist(), strict=True):
            if key not in known:
                place, address, name, port = key
                known[key] = contact(table[place], address, self._names.text(name), port)
            found.append(known[key])
        return found


Uses = dict[Contact, dict[tuple[int, int], int]]
"""How many sessions each contact had, by host (slot) and day (since the epoch, UTC)."""


def count(seen: Seen, uses: Uses, keep: np.ndarray | slice = slice(None)) -> None:
    """Add sessions, or those where ``keep``, bool [n], is true, to ``uses``."""
    rows = np.arange(len(seen.ts))[keep].tolist()
    days = (seen.ts // DAY).astype(int).tolist()
    slots = seen.slot.tolist()
    for row in rows:
        of = uses.setdefault(seen.contacts[row], {})
        key = slots[row], days[row]
        of[key] = of.get(key, 0) + 1
