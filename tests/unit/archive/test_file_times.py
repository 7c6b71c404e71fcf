"""A few sessions of a file that are years from all others, and files that only look like it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nba_broker.archive import conn_log
from nba_broker.cli import main

YEAR = 365.25 * 86_400
START = 1_767_571_200.0


def write(path: Path, times: list[float]) -> Path:
    rows: list[dict[str, Any]] = [
        {
            "ts": ts,
            "uid": f"C{n}",
            "id.orig_h": "192.168.1.7",
            "id.orig_p": 4000,
            "id.resp_h": "1.0.0.7",
            "id.resp_p": 443,
            "proto": "tcp",
            "conn_state": "S0",
        }
        for n, ts in enumerate(times)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def day(start: float = START, number: int = 100) -> list[float]:
    return [start + 60.0 * n for n in range(number)]


def times(*paths: Path, memory: int = 1 << 20) -> tuple[conn_log.Report, list[float]]:
    archive = conn_log.read(paths, memory=memory)
    batches = [batch.ts for batch in archive.batches()]
    assert len(archive) == archive.report.sessions
    return archive.report, np.concatenate(batches).tolist()


@pytest.mark.parametrize("memory", [1 << 20, 4096])
@pytest.mark.parametrize("stray", [START + 12 * YEAR, START - 20 * YEAR, 60.0])
def test_a_session_years_from_its_files_others_is_left_out_and_named(
    stray: float, memory: int, tmp_path: Path
) -> None:
    wrong = write(tmp_path / "conn.one.log", [*day()[:40], stray, *day()[40:]])
    other = write(tmp_path / "conn.two.log", day(START + 86_400))
    report, found = times(wrong, other, memory=memory)
    assert found == [*day(), *day(START + 86_400)]
    assert (report.rows, report.sessions, report.skipped) == (201, 200, 1)
    assert report.skipped_in == {"conn.one.log": 1}
    (line,) = report.warnings
    year = {START + 12 * YEAR: "2038", START - 20 * YEAR: "2006", 60.0: "1970"}[stray]
    assert line.startswith("conn.one.log: 1 session is left out: years away from all others")
    assert f"such as {year}-" in line


@pytest.mark.parametrize(
    "kept",
    [
        [day(), day(START + 5 * YEAR)],  # two captures
        [day(), day(START + 5 * YEAR, 3)],  # of which one is small, in a file of its own
        [day(60.0)],  # a clock that was never set
        [[START, START + 2 * YEAR]],
        [[*day(), START + 100 * 86_400]],  # a quiet season
    ],
)
def test_gaps_and_clocks_that_were_never_set_are_read_as_they_are(
    kept: list[list[float]], tmp_path: Path
) -> None:
    paths = [write(tmp_path / f"conn.{n}.log", one) for n, one in enumerate(kept)]
    report, found = times(*paths)
    assert found == sorted(ts for one in kept for ts in one)
    assert (report.skipped, report.warnings) == (0, [])


def test_score_says_what_it_leaves_out_and_no_line_is_from_the_future(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = write(tmp_path / "conn.log", [*day(), START + 12 * YEAR])
    assert main.main(["score", str(log), "--out", str(tmp_path), "--format", "json"]) == 0
    assert "conn.log: 1 session is left out" in caplog.text
    rows = map(json.loads, (tmp_path / "nba_device.log").read_text().splitlines())
    assert max(row["ts"] for row in rows) < START + 86_400


def test_score_keeps_the_few_sessions_of_a_capture_years_later(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "conn.1.log", day(number=20)),
        write(tmp_path / "conn.2.log", [START + 3 * YEAR + n for n in range(5)]),
    ]
    assert main.main(["score", *map(str, paths), "--out", str(tmp_path), "--format", "json"]) == 0
    assert (tmp_path / "nba_device.log").exists()
    archive = conn_log.read(paths)
    assert len(archive) == 25
