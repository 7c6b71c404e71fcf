"""``nba-broker score --processes`` writes and prints what one process does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nba_broker.archive import conn_log, site_log
from nba_broker.cli.main import main
from tests.unit.cli import site_logs
from tests.unit.helpers import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_logs.write(tmp_path_factory.mktemp("site"))


def scored(
    capsys: pytest.CaptureFixture[str], out: Path, number: int, *arguments: str
) -> tuple[dict[str, bytes], str]:
    """The logs, and what was printed, without the folder's name."""
    words = ["score", *arguments, "--processes", str(number), "--format", "json"]
    assert main([*words, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    logs = {path.name: path.read_bytes() for path in out.glob("*.log")}
    return logs, (printed.out + printed.err).replace(str(out), "")


@pytest.mark.parametrize("number", [2, 3])
def test_the_logs_of_a_site_are_the_same_byte_for_byte(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    arguments = [str(site), "--annotations", str(site / "annotations.csv")]
    one = scored(capsys, tmp_path / "one", 1, *arguments)
    assert [event.kind for event in site_log.read(tmp_path / "one" / "nba_site.log")][:1] == [
        "internet"
    ]
    assert b"Own_Sensor" in one[0]["nba_device.log"]
    assert "names that they asked for" in one[1]
    assert one == scored(capsys, tmp_path / "several", number, *arguments)


def test_the_log_of_the_sample_is_the_same_byte_for_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = str(ROOT / "models/sample")
    one = scored(capsys, tmp_path / "one", 1, sample)
    assert one == scored(capsys, tmp_path / "several", 2, sample)


def test_a_killed_process_is_one_clear_error_and_no_log(
    site: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conn_log, "_read_alone", _deadly)
    out = tmp_path / "out"
    assert main(["score", str(site), "--processes", "2", "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "was killed" in line
    assert not out.exists()


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_of_processes_that_is_none_is_wrong_usage(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["score", "logs", "--processes", number])
    assert "--processes" in capsys.readouterr().err


def _deadly(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_WITHOUT = """
import importlib.abc
import sys

class NoCluster(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "distributed":
            raise ModuleNotFoundError("No module named 'distributed'", name=name)

sys.meta_path.insert(0, NoCluster())
from nba_broker.cli.main import main
sys.exit(main(["score", sys.argv[1], "--scheduler", "tcp://127.0.0.1:1", "--out", sys.argv[2]]))
"""


def test_only_a_scheduler_needs_dask_and_score_says_how_to_get_it(
    site: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _WITHOUT, str(site), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert re.fullmatch(
        r"nba-broker: --scheduler needs distributed: install the extra with .*\[cluster\]'\n",
        done.stderr,
    )
