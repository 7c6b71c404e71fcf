"""conn_log on real archives: nothing is lost, nothing is mistaken for something else."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from nba_broker.archive import conn_log
from nba_broker.records.errors import ArchiveError


def rows(path: Path) -> list[list[str]]:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_every_row_of_fourteen_days_is_read(data: Path) -> None:
    archive = conn_log.read([data / "lsif"])
    files = sorted((data / "lsif").glob("*/conn.*"))
    assert archive.report.rows == sum(len(rows(file)) for file in files)
    assert archive.report.skipped == 0
    assert archive.report.errors == []
    assert len(archive.logs) == len(files)
    assert len(archive.leases) > 300


def test_fourteen_days_sorted_on_disk_are_the_same_sessions(data: Path) -> None:
    in_memory, on_disk = (conn_log.read([data / "lsif"], memory=m) for m in (1 << 28, 1 << 20))
    for one, other in zip(in_memory.batches(), on_disk.batches(), strict=True):
        for column in ("host", "uid", "mac", "dst"):
            assert list(getattr(one, column)) == list(getattr(other, column))
        for column in ("ts", "dport", "log"):
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column))


def test_sessions_equal_a_plain_reading_of_the_rows(data: Path) -> None:
    (path,) = (data / "lsif" / "2019-07-12").glob("conn.*")
    expected = sorted(
        (float(r[0]), r[2], r[4], int(r[5]), r[6], r[1], r[22].replace("-", ""))
        for r in rows(path)
        if r[12] == "T" and not r[2].startswith(("224.", "ff")) and (r[2] != "::" or r[22] != "-")
    )
    (batch,) = conn_log.read([path]).batches()
    protocol = np.array(["unknown", "tcp", "udp", "icmp"])[batch.dport >> 16]
    columns = (batch.ts, batch.host, batch.dst, batch.dport & 0xFFFF, protocol, batch.uid)
    got = zip(*columns, batch.mac, strict=True)
    assert sorted(got) == expected


def test_addressless_devices_are_known_by_their_mac(data: Path) -> None:
    (batch,) = conn_log.read([data / "fit"]).batches()
    macs = {mac for host, mac in zip(batch.host, batch.mac, strict=True) if host == "0.0.0.0"}
    assert len(macs) == 7
    assert "" not in macs


def test_inbound_scans_are_nobodys_sessions(data: Path) -> None:
    archive = conn_log.read([data / "non_iot"])
    assert archive.report.not_hosts > 7000
    hosts = {host for batch in archive.batches() for host in batch.host}
    assert hosts >= {"147.32.83.234", "147.32.83.165"}


def test_summaries_and_open_connections_are_left_alone(data: Path) -> None:
    archive = conn_log.read([data / "rita" / "2024-04-19"])
    assert len(archive.logs) == 24
    assert all(name.startswith("conn.") for name in archive.logs)
    assert archive.report.errors == []
    assert archive.report.skipped == 0


def test_a_folder_with_captures_and_tables_is_read_without_complaint(data: Path) -> None:
    archive = conn_log.read([data / "sentinel"])
    assert len(archive.logs) == 31
    assert archive.report.errors == []


@pytest.mark.parametrize("number", range(24))
def test_a_summary_named_by_hand_is_refused(data: Path, number: int) -> None:
    path = sorted((data / "rita" / "2024-04-19").glob("conn-summary.*"))[number]
    with pytest.raises(ArchiveError, match="not a Zeek log"):
        conn_log.read([path])


@pytest.mark.parametrize(
    ("name", "sessions", "skipped"),
    # Of the first, two rows are one: they have the same uid.
    [("all_fields.json.log", 28, 0), ("truncated.json.log", 3, 1), ("truncated.log", 58, 1)],
)
def test_readable_edge_cases(data: Path, name: str, sessions: int, skipped: int) -> None:
    report = conn_log.read([data / "rita" / "edge" / name]).report
    assert (report.sessions, report.skipped, report.errors) == (sessions, skipped, [])


@pytest.mark.parametrize(
    ("name", "says"),
    [("no_header.log", "no Zeek header"), ("not_a_zeek_log.log", "not a Zeek log")],
)
def test_unreadable_edge_cases(data: Path, name: str, says: str) -> None:
    with pytest.raises(ArchiveError, match=says):
        conn_log.read([data / "rita" / "edge" / name])
    both = conn_log.read([data / "rita" / "edge" / name, data / "fit"])
    assert len(both.report.errors) == 1
    assert name in both.report.errors[0]
