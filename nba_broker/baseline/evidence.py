"""The most surprising sessions of each host, kept as the evidence of an alarm to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nba_broker.baseline.cusum import PER_NAT
from nba_broker.records.ports import PROTOCOLS
from nba_broker.records.slots import Column, Columns
from nba_broker.records.times import END_OF_TIME
from nba_broker.records.uids import TEXT

EVIDENCE = np.dtype(
    [
        ("ts", "f8"),
        ("dst", "V16"),
        ("name", "i4"),
        ("dport", "i4"),
        ("pool", "i4"),
        ("uid", TEXT),
    ]
)
"""What is kept of a surprising session, beside its surprise."""

SHOWN = 3
"""Sessions kept of each host."""

COLUMNS = {
    "surprising_sessions": Column(np.int32),  # since the CUSUM was last 0
    "since": Column(np.float64),  # the first of these, seconds since the epoch
    "evidence_surprise": Column(np.int32, shape=(SHOWN,)),  # most first, parts of a nat
}


@dataclass(frozen=True, slots=True)
class SurprisingSession:
    """A session that counted towards an alarm: ``surprise`` in nats, ``ts`` in seconds since the
    epoch, ``dst`` an address of 16 bytes, ``name`` the number of its name, ``dport`` a port code,
    ``pool`` an index into the table of pools, ``uid`` as in conn.log, "" where it is not known."""

    surprise: float
    ts: float
    dst: bytes
    name: int
    dport: int
    pool: int
    uid: str


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The CUSUM of a host reached the threshold.

    index: the deciding session's place in the pushed batch. surprise: the sum in nats, of
    ``sessions`` surprising sessions since ``since``, in seconds since the epoch. evidence: the most
    surprising of these, most first.
    """

    index: int
    surprise: float
    sessions: int
    since: float
    evidence: tuple[SurprisingSession, ...]


def check(sessions: np.ndarray) -> None:
    """Raise ValueError unless these records of EVIDENCE, [n], can be of sessions."""
    if not (
        ((sessions["ts"] >= 0) & (sessions["ts"] < END_OF_TIME)).all()
        and (sessions["pool"] >= 0).all()
        and (sessions["name"] >= 0).all()
        and ((sessions["dport"] >= 0) & (sessions["dport"] < len(PROTOCOLS) << 16)).all()
        and (np.ascontiguousarray(sessions["uid"]).view(np.uint8) < 128).all()
    ):
        raise ValueError("a surprising session is out of range")


class Evidence:
    """The surprising sessions of all hosts, in a stage's ``columns``, which have those of COLUMNS,
    and beside them: few hosts have any.

    sessions: records of EVIDENCE [SHOWN] by slot, in the order of
    ``evidence_surprise``; zeros where there are fewer.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self.sessions: dict[int, np.ndarray] = {}

    def add(
        self, host: int, parts: np.ndarray, batch: Mapping[str, np.ndarray], index: np.ndarray
    ) -> None:
        """Count surprising sessions of a host, in order, and keep the most surprising; the earlier
        where two are equal.

        parts: surprise in parts of a nat, int64 [n]. batch: columns of EVIDENCE of a whole batch,
        zeros where left out. index: the sessions' places in it, int64 [n].
        """
        columns = self._columns
        if columns["surprising_sessions"][host] == 0:
            columns["since"][host] = batch["ts"][index[0]]
        columns["surprising_sessions"][host] += len(parts)
        both = np.append(columns["evidence_surprise"][host], parts)
        order = np.argsort(-both, kind="stable")[:SHOWN]
        if order.max() < SHOWN:
            return
        columns["evidence_surprise"][host] = both[order]
        kept = np.zeros(len(both), EVIDENCE)
        if host in self.sessions:
            kept[:SHOWN] = self.sessions[host]
        for name, column in batch.items():
            kept[name][SHOWN:] = column[index]
        self.sessions[host] = kept[order]

    def anomaly(self, host: int, index: int, level: int) -> Anomaly:
        """The alarm of a host whose CUSUM is ``level``, in parts of a nat; see :class:`Anomaly`."""
        columns = self._columns
        surprise = columns["evidence_surprise"][host].tolist()
        return Anomaly(
            index=index,
            surprise=level / PER_NAT,
            sessions=int(columns["surprising_sessions"][host]),
            since=float(columns["since"][host]),
            evidence=tuple(
                SurprisingSession(parts / PER_NAT, ts, dst, name, dport, pool, uid.decode("ascii"))
                for parts, (ts, dst, name, dport, pool, uid) in zip(
                    surprise, self.sessions[host].tolist(), strict=True
                )
                if parts
            ),
        )

    def clear(self, slots: np.ndarray) -> None:
        """Drop the surprising sessions of these hosts."""
        columns = self._columns
        self.forget(slots[columns["surprising_sessions"][slots] > 0])
        columns["surprising_sessions"][slots] = 0
        columns["evidence_surprise"][slots] = 0

    def forget(self, slots: np.ndarray) -> None:
        """Drop what is not in columns."""
        for slot in slots.tolist():
            self.sessions.pop(slot, None)

    def look_back(self, slots: np.ndarray, limit: float, now: float) -> None:
        """Times of these hosts that are later than ``limit`` become ``now``."""
        since = self._columns["since"][slots]
        self._columns["since"][slots] = np.where(since > limit, now, since)
