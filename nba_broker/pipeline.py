"""Sessions in, verdicts out: reorder, identity, pools, sequences, scorer and policy in a row.

It opens no socket and reads no clock, so the live worker, the offline scorer and the training
read the same code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nba_broker.addresses import canonical, printed
from nba_broker.identity import UNSPECIFIED, Identity
from nba_broker.messages import STATES, Lease, Sessions, Verdict, port_name
from nba_broker.policy import LEARNING, NOTHING, Decision, Policy, PolicySettings
from nba_broker.pools import Pools
from nba_broker.reorder import Reorder, part_of
from nba_broker.scorer import Scorer, Scores
from nba_broker.sequences import Sequences, Windows

_CHUNK = 8192  # sessions per step: enough for numpy to pay, few enough for memory to stay flat
_NAMED = 3  # alternatives and pieces of evidence in a verdict: what an analyst reads at a glance
_MENTIONED = 0.01  # a less probable alternative is none


@dataclass(slots=True)
class Counters:
    """What happened so far; all only ever grow."""

    sessions: int = 0
    scored: int = 0
    verdicts: int = 0
    evicted: int = 0


@dataclass(frozen=True, slots=True)
class Tracked:
    """Sessions with the host slot and pool index of each: what every feature is made from."""

    sessions: Sessions
    slot: np.ndarray
    pool: np.ndarray


class Tracker:
    """Assigns sessions in time order to hosts and pools, with the leases that fall between them."""

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self.identity = Identity()
        self.leases: deque[Lease] = deque()  # those whose time has not come

    def lease(self, lease: Lease) -> None:
        """Note a lease; it holds for sessions from its time on."""
        self.leases.append(lease)
        if len(self.leases) > 1 and lease.ts < self.leases[-2].ts:
            self.leases = deque(sorted(self.leases, key=lambda one: one.ts))

    def track(self, sessions: Sessions) -> Iterator[Tracked]:
        """Slots and pools of sessions that are in time order, in one or more parts.

        A part ends where a lease or a MAC says more of a host, so that what is said of it while
        the part is worked on is what was known at that time.
        """
        at = 0
        while at < len(sessions):
            while self.leases and self.leases[0].ts <= sessions.ts[at]:
                self.identity.lease(self.leases.popleft())
            stop = len(sessions)
            if self.leases:
                stop = int(np.searchsorted(sessions.ts, self.leases[0].ts))
            slot = self.identity.slots(sessions.host[at:stop], sessions.mac[at:stop])
            part = part_of(sessions, at, at + len(slot))
            yield Tracked(part, slot, self.pools.ids(part.host, part.dst))
            at += len(slot)


class Pipeline:
    """The main job. Every method returns the verdicts it led to, in event-time order.

    max_hosts: hosts kept at most; the longest idle leave first. worker: a name for the log.
    """

    def __init__(
        self,
        pools: Pools,
        scorer: Scorer,
        *,
        settings: PolicySettings,
        reorder: Reorder,
        max_hosts: int = 1_000_000,
        worker: str = "",
    ) -> None:
        manifest = scorer.manifest
        self.pools = pools
        self.scorer = scorer
        self.reorder = reorder
        self.counters = Counters()
        self.tracker = Tracker(pools)
        self.sequences = Sequences(manifest.window, manifest.min_sessions, manifest.stride)
        self.policy = Policy(len(manifest.classes), settings)
        self._max_hosts = max_hosts
        self._worker = worker
        self._first_seen = np.zeros(0)
        self._announced = np.zeros(0, bool)
        self._packed = _Packed()
        # All at once: growing later would stop the work and need the memory twice.
        self.reserve(max_hosts)

    @property
    def hosts(self) -> int:
        """Hosts tracked now."""
        return len(self.tracker.identity)

    def columns(self) -> dict[str, np.ndarray]:
        """What is known of every host, whatever the model: the state itself, by slot."""
        return self.sequences.columns() | {
            "first_seen": self._first_seen,
            "announced": self._announced,
        }

    def lease(self, lease: Lease) -> None:
        """An address was lent to a MAC."""
        self.tracker.lease(lease)

    def add(self, node: str, clock: float, sessions: Sessions, now: float) -> None:
        """Take a batch as :meth:`push` does, but work on it at the next :meth:`flush`."""
        self.reorder.add(node, clock, sessions, now)

    def push(self, node: str, clock: float, sessions: Sessions, now: float) -> list[Verdict]:
        """Take a sensor node's batch; ``clock`` is its network time, ``now`` a monotonic time."""
        return self.process(self.reorder.push(node, clock, sessions, now))

    def flush(self, now: float) -> list[Verdict]:
        """Go on with what silent nodes no longer hold back."""
        return self.process(self.reorder.release(now))

    def finish(self) -> list[Verdict]:
        """Go on with everything: no session will follow."""
        return self.process(self.reorder.flush())

    def process(self, sessions: Sessions) -> list[Verdict]:
        """Take sessions that are in order already, as an archive's are."""
        verdicts = []
        chunk = min(_CHUNK, self._max_hosts)
        for start in range(0, len(sessions), chunk):
            part = part_of(sessions, start, start + chunk)
            self._make_room(part)
            for tracked in self.tracker.track(part):
                verdicts += self._step(tracked)
        return verdicts

    def _step(self, tracked: Tracked) -> list[Verdict]:
        sessions, slot = tracked.sessions, tracked.slot
        windows = self.sequences.push(
            slot,
            sessions.ts,
            pool=tracked.pool,
            dst=np.frombuffer(b"".join(map(self._packed.__getitem__, sessions.dst)), "V16"),
            dport=sessions.dport,
            uid=np.array(sessions.uid, "S20"),
        )
        verdicts = self._announce(tracked)
        if len(windows):
            scores = self.scorer(windows, self.pools.table)
            decisions = self.policy.update(
                windows.slot, sessions.ts[windows.index], scores.probability, scores.known
            )
            verdicts += [
                self._verdict(tracked, windows, scores, decision) for decision in decisions
            ]
            verdicts.sort(key=lambda verdict: verdict.ts)
        self.counters.sessions += len(sessions)
        self.counters.scored += len(windows)
        self.counters.verdicts += len(verdicts)
        return verdicts

    def reserve(self, slots: int) -> None:
        """Make room for slot numbers below ``slots``."""
        have = len(self._first_seen)
        if slots > have:
            more = max(slots, 2 * have, 64) - have
            self._first_seen = np.concatenate([self._first_seen, np.full(more, np.nan)])
            self._announced = np.concatenate([self._announced, np.zeros(more, bool)])
        self.sequences.reserve(slots)
        self.policy.reserve(slots)

    def _make_room(self, sessions: Sessions) -> None:
        """Let the longest idle hosts go before these sessions' hosts need their slots."""
        identity = self.tracker.identity
        room = self._max_hosts - len(identity)
        if room >= len(sessions):
            return
        excess = identity.newcomers(sessions.host, sessions.mac) - room
        if excess <= 0:
            return
        last = self.sequences.last_ts[: identity.capacity].copy()
        last[identity.present(sessions.host, sessions.mac)] = np.inf
        active = np.flatnonzero(np.isfinite(last))
        # A few more than needed, so that a flood of new hosts does not make every batch search.
        number = min(max(excess, self._max_hosts // 64), len(active))
        idle = active[np.argpartition(last[active], number - 1)[:number]]
        identity.release(idle.tolist())
        self.sequences.reset(idle)
        self.policy.reset(idle)
        self._first_seen[idle] = np.nan
        self._announced[idle] = False
        self.counters.evicted += len(idle)

    def _announce(self, tracked: Tracked) -> list[Verdict]:
        """One ``learning`` line for each new host, from its first session with an address on."""
        slot, sessions = tracked.slot, tracked.sessions
        fresh = np.flatnonzero(~self._announced[slot])
        lines, rows = [], []
        for row, number in zip(fresh.tolist(), slot[fresh].tolist(), strict=True):
            ts = float(sessions.ts[row])
            first = np.isnan(self._first_seen[number])
            if first:
                self._first_seen[number] = ts
            if self._announced[number] or sessions.host[row] in UNSPECIFIED:
                continue
            self._announced[number] = True
            rows.append(row)
            later = 0 if first else int(np.count_nonzero(slot[row + 1 :] == number))
            lines.append(
                self._line(
                    number,
                    ts=ts,
                    host=sessions.host[row],
                    state=LEARNING,
                    since=ts,
                    sessions=1 if first else int(self.sequences.count[number]) - later,
                    reason="new",
                    uids=(sessions.uid[row],),
                )
            )
        self.policy.begin(slot[rows], sessions.ts[rows])
        return lines

    def _verdict(
        self, tracked: Tracked, windows: Windows, scores: Scores, decision: Decision
    ) -> Verdict:
        row = decision.window
        index = int(windows.index[row])
        order = np.argsort(-decision.probability, kind="stable")
        classes = self.scorer.manifest.classes
        named = decision.device != NOTHING
        others = [k for k in order.tolist() if k != decision.device][:_NAMED]
        evidence, uids = self._evidence(windows, scores, row)
        return self._line(
            decision.slot,
            ts=float(tracked.sessions.ts[index]),
            host=self._address(tracked, index),
            state=decision.state,
            previous=(
                classes[decision.was_device].device
                if decision.was_device != NOTHING
                else STATES[decision.was_state]
            ),
            device=classes[decision.device].device if named else "",
            category=classes[decision.device].category if named else "",
            confidence=_rounded(decision.probability[decision.device if named else order[0]]),
            alternatives=tuple(
                f"{classes[k].device}={decision.probability[k]:.2f}"
                for k in others
                if decision.probability[k] >= _MENTIONED
            ),
            since=decision.since,
            sessions=int(windows.count[row]),
            reason=decision.reason,
            evidence=evidence,
            uids=uids,
        )

    def _line(
        self,
        slot: int,
        *,
        ts: float,
        host: str,
        state: int,
        since: float,
        sessions: int,
        reason: str,
        uids: tuple[str, ...],
        previous: str = "",
        device: str = "",
        category: str = "",
        confidence: float = 0.0,
        alternatives: tuple[str, ...] = (),
        evidence: tuple[str, ...] = (),
    ) -> Verdict:
        identity = self.tracker.identity
        return Verdict(
            ts=ts,
            host=host,
            mac=identity.mac(slot),
            hostname=identity.hostname(slot),
            vendor="",
            state=STATES[state],
            previous=previous,
            device=device,
            category=category,
            confidence=confidence,
            alternatives=alternatives,
            sessions=sessions,
            since=since,
            first_seen=float(self._first_seen[slot]),
            reason=reason,
            evidence=evidence,
            uids=uids,
            model=self.scorer.manifest.id,
            worker=self._worker,
        )

    def _address(self, tracked: Tracked, index: int) -> str:
        """The host's address at this session, or the one before when it asked for a lease."""
        host = tracked.sessions.host
        if host[index] not in UNSPECIFIED:
            return host[index]
        slot = tracked.slot[index]
        for row in reversed(np.flatnonzero(tracked.slot[:index] == slot).tolist()):
            if host[row] not in UNSPECIFIED:
                return host[row]
        return self.tracker.identity.address(int(slot)) or host[index]

    def _evidence(
        self, windows: Windows, scores: Scores, row: int
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Where the model looked most: destinations with the weight of all their sessions, and
        the uid of the weightiest, the latest first where weights are equal."""
        columns, attention = windows.columns, scores.attention[row].tolist()
        pools = columns["pool"][row].tolist()
        destinations, ports = columns["dst"][row].tolist(), columns["dport"][row].tolist()
        keys = list(zip(destinations, ports, pools, strict=True))
        groups: dict[tuple[bytes, int, int], list[int]] = {}
        for place in range(len(pools) - 1, -1, -1):
            if pools[place] >= 0:
                groups.setdefault(keys[place], []).append(place)
        # Rounded before they are compared: digits beyond these are noise.
        weights = {
            key: _rounded(sum(attention[place] for place in places))
            for key, places in groups.items()
        }
        texts, uids = [], []
        for key in sorted(groups, key=lambda key: -weights[key])[:_NAMED]:
            destination, port, pool = key
            address, name = printed(destination), self.pools.table[pool]
            organisation = (
                self.pools.place(address).organisation if name.startswith(("as:", "cc:")) else ""
            )
            texts.append(
                f"{address} {port_name(port)} {name}"
                f"{f' ({organisation})' if organisation else ''} "
                f"sessions={len(groups[key])} weight={weights[key]:.2f}"
            )
            best = max(groups[key], key=lambda place: _rounded(attention[place]))
            uids.append(columns["uid"][row, best].decode("ascii"))
        return tuple(texts), tuple(uid for uid in uids if uid)


def _rounded(probability: float) -> float:
    """Four digits: more would be noise, and would differ between machines."""
    return round(float(probability), 4)


class _Packed(dict[str, bytes]):
    """Addresses as the 16 bytes of an IPv6 address, remembered: destinations come again."""

    def __missing__(self, address: str) -> bytes:
        if len(self) >= 16 * _CHUNK:
            self.clear()
        _, packed = canonical(address)
        self[address] = packed
        return packed
