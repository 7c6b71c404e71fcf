from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nba_broker.archive import conn_log
from tests.unit.helpers import FixedDatabase, host, sessions
from tools import splice

DEVICE, OTHER = "02:00:00:00:00:07", "02:00:00:00:00:08"
AT = 1_600_050_000.0


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two devices that call their clouds every ten minutes for a day."""
    monkeypatch.setattr(splice, "Database", lambda path: FixedDatabase())
    times = np.arange(1_600_000_000.0, 1_600_086_400, 600).tolist()
    rows = host(7, times=times, dst="1.0.0.7") + host(8, times=times, dst="2.0.0.7")
    (tmp_path / "in").mkdir()
    splice.write(tmp_path / "in" / "conn.log", sessions(sorted(rows)))
    return tmp_path / "in"


def run(archive: Path, *flags: str) -> conn_log.Sessions:
    out = archive.parent / "out"
    assert splice.main([str(archive), "--at", str(AT), "--out", str(out), *flags]) == 0
    return next(iter(conn_log.read([out]).batches()))


def test_what_is_written_reads_back_as_it_was(archive: Path) -> None:
    before = next(iter(conn_log.read([archive]).batches()))
    splice.write(archive / "conn.log", before)
    after = next(iter(conn_log.read([archive]).batches()))
    assert list(after.dst) == list(before.dst)
    assert list(after.mac) == list(before.mac)
    np.testing.assert_array_equal(after.ts, before.ts)
    np.testing.assert_array_equal(after.dport, before.dport)


def test_an_attack_lies_among_the_sessions_of_its_device_and_no_session_is_lost(
    archive: Path,
) -> None:
    before = next(iter(conn_log.read([archive]).batches()))
    after = run(archive, "--device", DEVICE, "--attack", "beacon-60s-mimic")
    attack = [row for row, uid in enumerate(after.uid) if uid.startswith(splice.UID)]
    assert len(after) - len(attack) == len(before)
    assert {after.mac[row] for row in attack} == {DEVICE}
    assert {after.host[row] for row in attack} == {"192.168.1.7"}
    assert min(after.ts[attack]) >= AT


def test_another_device_behind_the_same_mac_goes_where_it_went(archive: Path) -> None:
    after = run(archive, "--device", DEVICE, "--other", OTHER, "--attack", "device-swapped")
    later = [row for row in range(len(after)) if after.ts[row] >= AT]
    assert {(after.mac[row], after.host[row], after.dst[row]) for row in later} == {
        (DEVICE, "192.168.1.7", "2.0.0.7")
    }


def test_swapped_addresses_leave_every_mac_its_own_traffic(archive: Path) -> None:
    after = run(archive, "--device", DEVICE, "--other", OTHER, "--attack", "addresses-swapped")
    later = [row for row in range(len(after)) if after.ts[row] >= AT]
    assert {(after.mac[row], after.host[row], after.dst[row]) for row in later} == {
        (DEVICE, "192.168.1.8", "1.0.0.7"),
        (OTHER, "192.168.1.7", "2.0.0.7"),
    }


def test_a_device_that_is_not_there_is_refused(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--device", "02:00:00:00:00:99", "--attack", "scan", "--at", str(AT), "--out", "x"]
    assert splice.main([str(archive), *flags]) == 1
    assert "no session before" in capsys.readouterr().err
