"""What ``score`` and ``pcap`` print at their end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nba_broker.archive import device_log, zeek_log
from nba_broker.cli import pcap
from nba_broker.cli.main import main
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.worker.settings import Settings
from tests.unit.archive import capture_bytes
from tests.unit.helpers import MAC, ROOT, host, pipeline, sessions

SAMPLE = ROOT / "models/sample/conn.log.gz"


def numbers(printed: str) -> dict[str, int]:
    """The column SESSIONS of the table, by the MAC of the host."""
    title, *lines = printed.split("\n\n")[0].splitlines()
    at = title.index("SESSIONS")
    return {line.split()[1]: int(line[at:].split()[0]) for line in lines}


def test_the_table_has_the_number_of_each_hosts_sessions_in_the_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(SAMPLE.parent), "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert numbers(out) == Counter(row["orig_l2_addr"] for row in zeek_log.rows(SAMPLE))
    assert (
        f"\n\n{sum(numbers(out).values())} sessions of {len(numbers(out))} hosts in 1 conn" in out
    )


def test_a_capture_ends_with_the_lines_of_an_archive(
    model_folder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def no_zeek(capture: Path, folder: Path, settings: Settings) -> Pipeline:
        made = pipeline(model_folder())
        with device_log.Writer(folder / "nba_device.log") as log:
            for verdict in made.process(sessions(host(7, times=range(90), dst="9.9.9.9"))):
                log.write(verdict)
        return made

    monkeypatch.setattr(pcap, "_run_zeek", no_zeek)
    file = tmp_path / "day.pcap"
    file.write_bytes(capture_bytes.pcap())
    out = tmp_path / "out"
    assert main(["pcap", str(file), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert numbers(printed) == {MAC.format(7): 90}
    assert "1 unknown host, by what they do:\n  1 (192.168.1.7), mostly " in printed
    assert printed.endswith(f"\n90 sessions of 1 host in {file} -> {out}/nba_device.log\n")


def test_score_takes_the_sessions_between_since_and_until(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", str(SAMPLE.parent), "--out", str(tmp_path), "--since", "2026-01-05T06"]
    assert main([*words, "--until", "20260105T120000Z"]) == 0
    printed = capsys.readouterr().out
    begin = datetime(2026, 1, 5, 6, tzinfo=UTC).timestamp()
    times = [row["ts"] for row in zeek_log.rows(SAMPLE)]
    used = [ts for ts in times if begin <= ts < begin + 6 * 3600]
    assert f"\n{len(used)} sessions of 9 hosts in" in printed
    assert f", {len(times) - len(used)} outside --since and --until)" in printed
    for row in zeek_log.read(tmp_path / "nba_device.log"):
        assert begin <= row["first_seen"] <= row["ts"] < begin + 6 * 3600


def test_score_writes_nothing_where_every_session_is_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", str(SAMPLE.parent), "--out", str(tmp_path), "--since", "2026-01-07"]
    assert main(words) == 1
    said = "nba-broker: all 8572 sessions of the archive are outside --since and --until\n"
    assert capsys.readouterr().err.endswith(said)
    assert list(tmp_path.iterdir()) == []
