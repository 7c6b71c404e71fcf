"""Recognises sensors that see the same packets, and counts each of their sessions once.

Two sensors on one tap, or a cluster without load balancing, report every session several times,
each time with another uid. Then nearly every session of a node has a twin from another node: same
host, same destination, within milliseconds. Load balancing also spreads parallel connections, which
have such twins, but other sessions have none there. Until nodes are recognised, only a sample of
their sessions is checked.
"""

from __future__ import annotations

from collections import Counter, deque

import numpy as np

from nba_broker.records.sessions import Sessions, take

NEAR = 0.02  # seconds between twins at most; clocks that NTP sets differ by less
KEPT = 10.0  # seconds that a session waits for its twin
LEAST = 100  # checked sessions after which a node is judged
SHARE = 0.95  # share of sessions with a twin from which on two nodes see the same packets
LOWER = 0.5  # share below which they no longer do
FIRST = 1_000  # sessions of each node that are checked after a node has joined
MOST = 20_000  # the same of all nodes together
SAMPLE = 64  # after that, the sessions of one second in 64 are checked

_Key = tuple[str, str, int]


class _Seen:
    """A session's time, and the nodes that reported it."""

    __slots__ = ("nodes", "ts")

    def __init__(self, ts: float, node: str) -> None:
        self.ts = ts
        self.nodes = [node]


class MirroredSensors:
    """Compares the sessions of all nodes, and drops those that a mirrored node has reported."""

    def __init__(self) -> None:
        self.dropped = 0
        """Sessions that were dropped."""
        self.lines: deque[str] = deque(maxlen=64)
        """Messages for the log."""
        self._nodes: set[str] = set()
        self._seen: dict[_Key, list[_Seen]] = {}
        self._order: deque[tuple[_Key, _Seen]] = deque()
        self._latest = -np.inf
        # By node: sessions checked since a node joined; sessions checked since the node was judged;
        # of the latter those with a twin, by the other node.
        self._looked: Counter[str] = Counter()
        self._judged: Counter[str] = Counter()
        self._twins: Counter[tuple[str, str]] = Counter()
        self._same: set[tuple[str, str]] = set()  # a node, and one that sees all its packets

    @property
    def nodes(self) -> list[str]:
        """The nodes that are known to see the packets of another node."""
        return sorted({node for pair in self._same for node in pair})

    def once(self, node: str, sessions: Sessions) -> Sessions:
        """A node's batch without the sessions that a mirrored node has reported before."""
        if node not in self._nodes:
            self._nodes.add(node)
            self._looked.clear()
        if len(self._nodes) < 2 or not len(sessions):
            return sessions
        ts = sessions.ts
        if self._looks_at_all() or any(node in pair for pair in self._same):
            rows = np.arange(len(ts))
        else:
            rows = np.flatnonzero(ts % SAMPLE < 1.0)
        if not len(rows):
            return sessions
        self._looked[node] += len(rows)
        self._judged[node] += len(rows)
        again = [row for row in rows.tolist() if self._is_again(node, sessions, row)]
        self._forget()
        if self._judged[node] >= LEAST:
            self._judge(node)
        if not again:
            return sessions
        self.dropped += len(again)
        left = np.ones(len(ts), bool)
        left[again] = False
        return take(sessions, np.flatnonzero(left))

    def _looks_at_all(self) -> bool:
        looked = self._looked
        return looked.total() < MOST and min(looked[node] for node in self._nodes) < FIRST

    def _is_again(self, node: str, sessions: Sessions, row: int) -> bool:
        """Remember a session; whether a mirrored node has reported it before."""
        ts = float(sessions.ts[row])
        key = sessions.host[row], sessions.dst[row], int(sessions.dport[row])
        self._latest = max(self._latest, ts)
        there = self._seen.setdefault(key, [])
        for seen in there:
            if abs(seen.ts - ts) <= NEAR and node not in seen.nodes:
                same = any(self._sees(node, other) for other in seen.nodes)
                for other in seen.nodes:
                    self._twins[node, other] += 1
                    self._twins[other, node] += 1
                seen.nodes.append(node)
                return same
        seen = _Seen(ts, node)
        there.append(seen)
        self._order.append((key, seen))
        return False

    def _forget(self) -> None:
        while self._order and not abs(self._order[0][1].ts - self._latest) <= KEPT:
            key, seen = self._order.popleft()
            there = self._seen[key]
            there.remove(seen)
            if not there:
                del self._seen[key]

    def _judge(self, node: str) -> None:
        """Decide by a node's checked sessions which other nodes see the same packets."""
        judged = self._judged[node]
        self._judged[node] = 0
        for other in sorted(self._nodes - {node}):
            share = min(self._twins.pop((node, other), 0) / judged, 1.0)
            before = self._sees(node, other)
            if share >= SHARE:
                self._same.add((node, other))
            elif share < LOWER:
                self._same.discard((node, other))
            now = self._sees(node, other)
            if now and not before:
                self.lines.append(
                    f"{node} and {other} see the same packets: {other} also reported {share:.0%} "
                    f"of the sessions of {node}. From now on each session counts once. Give each "
                    "sensor packets of its own (load balancing by flow, or one tap for each)."
                )
            elif before and not now:
                self.lines.append(f"{node} and {other} no longer see the same packets")

    def _sees(self, node: str, other: str) -> bool:
        return (node, other) in self._same or (other, node) in self._same
