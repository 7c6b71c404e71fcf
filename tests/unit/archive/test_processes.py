"""Several processes read the archive that one reads, and end with it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nba_broker.archive import conn_log, processes
from nba_broker.archive.processes import Processes
from nba_broker.records.errors import ArchiveError
from tests.unit.helpers import ROOT

START = 1_767_600_000.0


@pytest.fixture(scope="module")
def two() -> Iterator[Processes]:
    with processes.started(2) as made:
        assert made is not None
        yield made


def read(folder: Path, made: Processes | None) -> conn_log.Archive:
    return conn_log.read([folder], others=made, memory=1 << 16, names=True)


def assert_same(one: conn_log.Archive, other: conn_log.Archive) -> None:
    for name in ("addresses", "macs", "segments"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()
    for name in ("logs", "leases", "errors", "warnings", "dns_logs", "report"):
        assert getattr(one, name) == getattr(other, name)
    for rows, others in zip(one.rows(), other.rows(), strict=True):
        np.testing.assert_array_equal(rows, others)
    for names, asked in zip(one.names.parts(), other.names.parts(), strict=True):
        assert names.name.tolist() == asked.name.tolist()
        assert names.segment == asked.segment
        for column in ("ts", "host", "address", "ttl"):
            np.testing.assert_array_equal(getattr(names, column), getattr(asked, column))
    assert one.report == other.report


Row = dict[str, object]


def conn(number: int, ts: float, host: int, vlan: int = 0) -> Row:
    row: Row = {"ts": ts, "uid": f"C{number}", "id.orig_h": f"192.168.1.{host}"}
    row |= {"id.resp_h": f"1.0.0.{number % 7}", "id.resp_p": 443, "proto": "tcp"}
    row |= {"orig_l2_addr": f"02:00:00:00:00:{host:02x}"} if host % 3 else {}
    return row | ({"vlan": vlan} if vlan else {})


def dns(ts: float, host: int, name: str) -> Row:
    row: Row = {"ts": ts, "id.orig_h": f"192.168.1.{host}", "query": name, "qtype_name": "A"}
    return row | {"answers": ["alias.example", f"1.0.0.{host % 5}"], "TTLs": [60.0, 60.0]}


def write(path: Path, rows: list[Row], end: str = "") -> None:
    lines = [json.dumps(row) + "\n" for row in rows]
    text = "".join(lines) + end
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_an_archive_with_damaged_files_is_the_same(tmp_path: Path, two: Processes) -> None:
    for hour in range(4):
        rows = [conn(10 * hour + n, START + 3600 * hour + 97 * n, 5 + n % 4) for n in range(40)]
        write(tmp_path / f"conn.{hour}.log.gz", rows)
        asked = [
            dns(START + 3600 * hour + 90 * n, 5 + n % 4, f"n{n % 6}.example") for n in range(40)
        ]
        write(tmp_path / f"dns.{hour}.log", asked, end="{torn")
    write(
        tmp_path / "dhcp.log",
        [{"ts": START, "assigned_addr": "192.168.1.6", "mac": "02:00:00:00:00:06"}],
    )
    whole = (tmp_path / "conn.3.log.gz").read_bytes()
    (tmp_path / "conn.3.log.gz").write_bytes(whole[:-20])
    (tmp_path / "conn.4.log").write_text("no log\n")
    (tmp_path / "conn.5.log").write_text("")
    here = read(tmp_path, None)
    assert len(here.report.errors) == 3
    assert len(here.leases) == 1
    assert len(here.names) == 160
    assert_same(here, read(tmp_path, two))


_conn = st.builds(
    conn,
    st.integers(0, 30),
    st.floats(START, START + 90_000).map(lambda ts: round(ts, 1)),
    st.integers(2, 9),
    st.sampled_from([0, 0, 10, 20]),
)
_dns = st.builds(
    dns,
    st.floats(START, START + 90_000).map(lambda ts: round(ts, 1)),
    st.integers(2, 9),
    st.sampled_from(["a.example", "b.example", "C.example.", "not a name"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    files=st.lists(st.lists(_conn, min_size=1, max_size=12), min_size=1, max_size=5),
    asked=st.lists(st.lists(_dns, max_size=12), max_size=4),
    ends=st.sampled_from(["", "{torn", '{"ts": "odd"}\n']),
)
def test_any_archive_is_the_same(
    two: Processes,
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[Row]],
    asked: list[list[Row]],
    ends: str,
) -> None:
    folder = tmp_path_factory.mktemp("made")
    for number, rows in enumerate(files):
        write(folder / f"conn.{number}.log", rows, ends if number else "")
    for number, rows in enumerate(asked):
        write(folder / f"dns.{number}.log.gz", rows, ends)
    assert_same(read(folder, None), read(folder, two))


def test_what_other_processes_cannot_see_is_read_here(tmp_path: Path, two: Processes) -> None:
    log = tmp_path / "conn.log"
    write(log, [conn(n, START + n, 5) for n in range(9)])
    with log.open("rb") as stream:
        path = f"/dev/fd/{stream.fileno()}"
        assert list(two.read(len, [path, "-", tmp_path / "no.log"])) == [None] * 3
        assert len(conn_log.read([path], others=two)) == 9


def test_a_large_file_is_read_here_in_parts(
    tmp_path: Path, two: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (tmp_path / f"{number}").write_bytes(bytes(10 * number))
    monkeypatch.setattr(processes, "_LARGEST", 10)
    paths = [tmp_path / f"{number}" for number in (2, 1, 0, 2)]
    assert list(two.read(os.path.getsize, paths)) == [None, 10, 0, None]


def test_a_killed_process_is_one_clear_error() -> None:
    with processes.started(2) as made:
        assert made is not None
        with pytest.raises(ArchiveError, match="was killed; if memory"):
            list(made.map(_deadly, range(5)))


def test_processes_end_with_an_error_in_the_block() -> None:
    with pytest.raises(KeyError), processes.started(2) as made:  # noqa: PT012
        assert made is not None
        (running,) = list(made.map(_pid, ["any"]))
        raise KeyError
    assert not _is_running(running)


_KILLED = """
import multiprocessing, os, signal
from nba_broker.archive import processes
if __name__ == "__main__":
    with processes.started(2) as made:
        list(made.map(os.path.abspath, ["a", "b"]))
        print(*[child.pid for child in multiprocessing.active_children()], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in done.stdout.split()]
    assert pids
    deadline = time.monotonic() + 30
    while any(map(_is_running, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _deadly(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _pid(_: object) -> int:
    return os.getpid()


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
