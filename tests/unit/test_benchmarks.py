"""The benchmarks run; their figures are not the tests' business."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import traffic
from benchmarks.traffic import Traffic
from nba_broker import conn_log
from nba_broker.link import SessionBatch, decode


def test_a_synthetic_frame_is_what_zeek_would_send() -> None:
    (batch,) = Traffic(10).random(200)
    message = decode(traffic.frame(batch, 1))
    assert isinstance(message, SessionBatch)
    np.testing.assert_array_equal(message.sessions.ts, batch.ts)
    assert message.sessions.host == batch.host
    assert message.sessions.mac == batch.mac
    assert message.sessions.dst == batch.dst


def test_every_row_of_a_synthetic_archive_is_a_session(tmp_path: Path) -> None:
    traffic.conn_log(tmp_path / "conn.log", 1000, 20)
    archive = conn_log.read([tmp_path / "conn.log"])
    assert (len(archive), archive.report.skipped) == (1000, 0)
    (batch,) = archive.batches()
    (first, *_) = Traffic(20).random(1000)
    np.testing.assert_array_equal(batch.ts[:256], first.ts)
    assert list(batch.mac[:256]) == first.mac


def test_every_host_talks_once_before_any_talks_twice() -> None:
    batches = list(Traffic(600).each_once())
    assert len({host for batch in batches for host in batch.host}) == 600
    assert sum(map(len, batches)) == 600
