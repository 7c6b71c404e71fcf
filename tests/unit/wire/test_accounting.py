"""The account of every session."""

from __future__ import annotations

import pytest

from nba_broker.records.errors import MessageError
from nba_broker.records.sessions import Sessions
from nba_broker.wire.accounting import MAX_NODES, Ledger
from nba_broker.wire.codec import SessionBatch
from tests.unit.helpers import sessions


def numbered(
    seq: int, rows: int, sent: int, *, run: str = "R1", skipped: int = 0, node: str = "n"
) -> SessionBatch:
    content: Sessions = sessions([(1.0, "192.168.1.2", "", "1.2.3.4")] * rows)
    return SessionBatch(node, run, seq, sent, skipped, 1.0, content)


def test_what_was_sent_and_did_not_arrive_is_lost_exactly() -> None:
    ledger = Ledger()
    assert ledger.enter(numbered(1, 10, 10))
    assert ledger.enter(numbered(4, 5, 40, skipped=2))
    assert (ledger.received, ledger.lost, ledger.skipped) == (15, 25, 2)


def test_what_was_sent_before_the_worker_joined_is_missed_not_lost() -> None:
    ledger = Ledger()
    ledger.enter(numbered(7, 10, 100))
    assert (ledger.missed, ledger.lost) == (90, 0)


def test_a_repeated_batch_counts_once() -> None:
    ledger = Ledger()
    ledger.enter(numbered(1, 10, 10))
    assert not ledger.enter(numbered(1, 10, 10))
    assert ledger.received == 10


def test_a_new_run_starts_a_new_account_and_keeps_the_old_losses() -> None:
    ledger = Ledger()
    ledger.enter(numbered(1, 10, 10))
    ledger.enter(numbered(3, 10, 30, skipped=4))
    ledger.enter(numbered(1, 10, 10, run="R2", skipped=1))
    ledger.enter(numbered(2, 10, 20, run="R2", skipped=3))
    assert (ledger.received, ledger.lost, ledger.skipped) == (40, 10, 7)
    assert ledger.accounts["n"].skipped_at_start == 1


def test_made_up_node_names_do_not_fill_the_memory() -> None:
    ledger = Ledger()
    for number in range(MAX_NODES):
        assert ledger.enter(numbered(1, 1, 1, node=f"n{number}"))
    with pytest.raises(MessageError, match="too many nodes"):
        ledger.enter(numbered(1, 1, 1, node="one more"))
    assert len(ledger.accounts) == MAX_NODES
