"""Accounts for every session that a sensor saw: received, lost on the way, or skipped there.

Names have a ledger of their own, in which the word sessions stands for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from nba_broker.records.errors import MessageError
from nba_broker.wire.codec import Batch

MAX_NODES = 1024  # far above any cluster: made-up names must not fill the memory


class Position(NamedTuple):
    """How far a node's sessions are accounted for: the first ``sent`` of this run."""

    run: str
    sent: int


@dataclass(slots=True)
class Account:
    """Counts the sessions of one node, over all of its runs since this worker started.

    received: sessions that arrived.
    missed: sessions sent before this worker joined, and not in its snapshot.
    lost: sessions sent while this worker listened that did not arrive.
    skipped: sessions that the sensor saw and did not publish.
    skipped_at_start: of these, those before the first batch of each run: no worker had greeted it.
    """

    run: str = ""
    seq: int = 0
    sent: int = 0
    received: int = 0
    missed: int = 0
    lost: int = 0
    skipped: int = 0
    skipped_at_start: int = 0
    _unheard: int = 0  # in this run, sent before its first batch arrived here
    _arrived: int = 0  # in this run
    _lost_before: int = 0  # in earlier runs
    _skipped_before: int = 0  # in earlier runs

    def begin(self, batch: Batch, known: int) -> None:
        """Begin with a run's first batch; the snapshot holds ``known`` of its sessions."""
        self.run, self.seq, self._arrived = batch.run, 0, 0
        self._lost_before, self._skipped_before = self.lost, self.skipped
        self._unheard = batch.sent - len(batch)
        self.missed += max(self._unheard - known, 0)
        self.skipped_at_start += batch.skipped

    def add(self, batch: Batch) -> None:
        """Add a batch of this run; it must be later than those before."""
        self.seq, self.sent = batch.seq, batch.sent
        self.received += len(batch)
        self._arrived += len(batch)
        self.lost = self._lost_before + max(batch.sent - self._unheard - self._arrived, 0)
        self.skipped = self._skipped_before + batch.skipped


class Ledger:
    """The accounts of all nodes, and how far the pipeline's state holds their sessions.

    ``lost`` is exact: batches carry totals, so it is what the sensors sent less what arrived.

    positions: those of the snapshot that this worker started from.
    """

    def __init__(self, positions: Mapping[str, Position] | None = None) -> None:
        self.accounts: dict[str, Account] = {}
        self._known = dict(positions or {})
        self._kept = dict(self._known)

    def enter(self, batch: Batch) -> bool:
        """Account for a batch; False if it is a repetition that must not be processed.

        Raises MessageError if the batch is of a new node and there are ``MAX_NODES`` already.
        """
        if batch.node not in self.accounts and len(self.accounts) >= MAX_NODES:
            raise MessageError("too many nodes", f"{batch.node} exceeds the limit of {MAX_NODES}")
        account = self.accounts.setdefault(batch.node, Account())
        if account.run != batch.run:
            known = self._known.pop(batch.node, None)
            account.begin(batch, known.sent if known and known.run == batch.run else 0)
        if batch.seq <= account.seq:
            return False
        account.add(batch)
        return True

    def keep(self, node: str, position: Position) -> None:
        """Note that the pipeline's state holds the node's sessions up to this position."""
        self._kept[node] = position

    def positions(self) -> dict[str, Position]:
        """How far the pipeline's state holds every node's sessions, for the snapshot of that state:
        a worker that starts from it has missed the rest."""
        return self._kept.copy()

    @property
    def received(self) -> int:
        """Sessions that arrived."""
        return sum(account.received for account in self.accounts.values())

    @property
    def lost(self) -> int:
        """Sessions that were sent while this worker listened and did not arrive."""
        return sum(account.lost for account in self.accounts.values())

    @property
    def skipped(self) -> int:
        """Sessions that sensors saw and did not publish."""
        return sum(account.skipped for account in self.accounts.values())

    @property
    def missed(self) -> int:
        """Sessions sent before this worker joined, which its snapshot does not hold either."""
        return sum(account.missed for account in self.accounts.values())
