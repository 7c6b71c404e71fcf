"""A command ends with its result or with one line, whatever the terminal and the disk are like."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nba_broker.cli import terminal
from nba_broker.records.errors import ConfigError
from tests.unit.helpers import ROOT

SAMPLE = ROOT / "models/sample"


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (ConfigError("no use"), "no use"),
        (OSError(errno.ENOSPC, "No space left on device"), "out: No space left on device"),
        (OSError(errno.EACCES, "Permission denied", b"a\xff"), "a\\udcff: Permission denied"),
        (MemoryError(), "not enough memory; lower max_hosts, or read fewer logs at once"),
        (KeyboardInterrupt(), "interrupted"),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            "No usable temporary directory found in ['/tmp']; set TMPDIR to a writable folder",
        ),
    ],
)
def test_what_stops_a_command_is_one_line(
    error: BaseException,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
    monkeypatch.setattr(sys, "stderr", stream)
    assert terminal.run("nba", raising(error), Path("out")) == 1
    assert stream.buffer.getvalue().decode() == f"nba: {complaint}\n"  # type: ignore[attr-defined]


def test_a_command_that_is_done_gives_its_status() -> None:
    assert terminal.run("nba", lambda: 0) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_an_interrupt(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with terminal.ended_cleanly():
            assert terminal.run("nba", lambda: os.kill(os.getpid(), number) or 0) == 1
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert capsys.readouterr().err == "nba: interrupted\n"


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminal.ended_cleanly():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def typed(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
    )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of a host whose name most character sets lack, in a folder of no UTF-8 name."""
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/logs-\xff"))
    folder.mkdir()
    (folder / "conn.log").write_text(
        "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.resp_h\tid.resp_p\tproto\torig_l2_addr\n"
        + "".join(
            f"{1767571200 + 60 * n}\tC{n}\t192.168.1.7\t1.1.1.1\t443\ttcp\t02:00:00:00:00:07\n"
            for n in range(80)
        )
    )
    (folder / "dhcp.log").write_text(
        "#separator \\x09\n#fields\tts\tmac\tassigned_addr\thost_name\n"
        "#types\ttime\tstring\taddr\tstring\n"
        "1767571200\t02:00:00:00:00:07\t192.168.1.7\tlämpe-电\n",
        encoding="utf-8",
    )
    return folder


LOCALES = [
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "cp437"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_what_a_terminal_cannot_show_costs_a_letter_and_files_are_in_utf_8(
    locale: dict[str, str], archive: Path
) -> None:
    out = archive / "out"
    done = typed("nba_broker.cli.main", "score", archive, "--out", out, **locale)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert b"192.168.1.7" in done.stdout
    assert b"mpe-" in done.stdout
    assert "lämpe-电" in (out / "nba_device.log").read_text("utf-8")
    page = out / "page.html"
    done = typed("nba_broker.cli.main", "triage", out, "--html", page, **locale)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert "lämpe-电" in page.read_text("utf-8")
    done = typed("training.cli.main", "labels", archive, "--out", out / "l.csv", **locale)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert "lämpe-电" in (out / "l.csv").read_text("utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_is_full_is_one_clear_line_and_costs_no_result(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "nba_broker.cli.main",
        "score",
        str(SAMPLE),
        "--out",
        str(tmp_path),
    ]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "nba-broker: standard output: No space left on device\n"
    assert (tmp_path / "nba_device.log").exists()


def test_whoever_has_seen_enough_may_close_the_output(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "nba_broker.cli.main",
        "score",
        str(SAMPLE),
        "--out",
        str(tmp_path),
    ]
    started = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert started.stdout is not None
    started.stdout.close()
    assert started.stderr is not None
    assert started.stderr.read() == b""
    assert started.wait() == 1
    assert (tmp_path / "nba_device.log").exists()
