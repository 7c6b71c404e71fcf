"""What a command writes is there as a whole, and never in the place of what others wrote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nba_broker.archive import results, zeek_log
from nba_broker.cli.main import main
from nba_broker.records.errors import ConfigError
from tests.unit.helpers import ROOT

SAMPLE = str(ROOT / "models/sample")
LOG = "nba_device.log"


def put(out: Path, *names: str, content: str = "made\n") -> None:
    """A run that writes some logs."""
    with results.folder(out) as folder:
        for name in names:
            (folder / name).write_text(content)


def logs(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(out.glob("*.log"))}


def test_a_run_replaces_all_logs_of_the_run_before_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    put(tmp_path, "conn.log", "dns.log")
    put(tmp_path, "conn.log", "ssl.log", content="anew\n")
    assert logs(tmp_path) == {"conn.log": "anew\n", "ssl.log": "anew\n"}
    assert {path.name for path in tmp_path.iterdir()} == {
        *("conn.log", "ssl.log", "notes.txt", results.RECORD)
    }


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_a_log_that_no_run_wrote_stays_and_is_told_before_anything_is_done(
    kind: str, tmp_path: Path
) -> None:
    out, live = tmp_path / "out", tmp_path / "live"
    out.mkdir()
    if kind == "file":
        (out / "dns.log").write_text("live")
    else:
        (out / "dns.log").symlink_to(live)
    if kind == "link":
        live.write_text("live")
    with pytest.raises(ConfigError, match=r"dns\.log: exists, .* with --out DIR"):
        put(out, "conn.log")
    assert [path.name for path in out.iterdir()] == ["dns.log"]
    assert kind == "dangling" or (out / "dns.log").read_text() == "live"


def test_a_log_of_another_name_does_not_hinder_a_command_that_writes_one(tmp_path: Path) -> None:
    (tmp_path / "conn.log").write_text("live")
    with results.folder(tmp_path, [LOG]) as folder:
        (folder / LOG).write_text("made\n")
    assert logs(tmp_path) == {"conn.log": "live", LOG: "made\n"}


def test_a_log_that_a_run_need_not_write_does_not_stay_from_the_run_before(tmp_path: Path) -> None:
    def run(*written: str) -> None:
        with results.folder(tmp_path, [LOG, "nba_site.log"]) as folder:
            for name in written:
                (folder / name).write_text("made\n")

    put(tmp_path, "conn.log")
    run(LOG, "nba_site.log")
    run(LOG)
    assert logs(tmp_path) == {"conn.log": "made\n", LOG: "made\n"}
    (tmp_path / "nba_site.log").write_text("live")
    with pytest.raises(ConfigError, match=r"nba_site\.log: exists"):
        run(LOG)


def test_a_log_that_has_changed_since_is_not_replaced(tmp_path: Path) -> None:
    put(tmp_path, "conn.log")
    with (tmp_path / "conn.log").open("a") as stream:
        stream.write("more\n")
    with pytest.raises(ConfigError, match="or has changed since"):
        put(tmp_path, "conn.log")
    assert logs(tmp_path) == {"conn.log": "made\nmore\n"}


def test_a_log_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def run() -> None:
        with results.folder(tmp_path) as folder:
            (folder / "conn.log").write_text("made\n")
            (tmp_path / "conn.log").write_text("live")

    with pytest.raises(ConfigError, match=r"conn\.log: exists, "):
        run()
    assert logs(tmp_path) == {"conn.log": "live"}


def test_a_run_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    put(tmp_path, "conn.log")
    before = sorted(tmp_path.iterdir())

    def run() -> None:
        with results.folder(tmp_path) as folder:
            (folder / "conn.log").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    with pytest.raises(ZeroDivisionError), results.folder(tmp_path / "new"):
        1 / 0  # noqa: B018
    assert logs(tmp_path) == {"conn.log": "made\n"}
    assert sorted(tmp_path.iterdir()) == before


def test_the_folder_of_a_running_zeek_takes_no_results(tmp_path: Path) -> None:
    """Between two rotations its logs are missing for a moment."""
    for name in (".pid", ".cmdline"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="zeekctl runs Zeek in it"):
        put(tmp_path, "conn.log")


def test_a_damaged_record_makes_no_log_ours(tmp_path: Path) -> None:
    put(tmp_path, "conn.log")
    for text in ("", "[]", "{", '{"conn.log": 1}', '{"conn.log": null, "dns.log": null}', "null"):
        (tmp_path / results.RECORD).write_text(text)
        with pytest.raises(ConfigError):
            put(tmp_path, "conn.log")


def test_a_record_names_no_file_of_another_folder(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other.log"
    put(out, "conn.log")
    other.write_text("mine")
    mark = [other.stat().st_size, other.stat().st_mtime_ns]
    record = json.loads((out / results.RECORD).read_text()) | {"../other.log": mark}
    (out / results.RECORD).write_text(json.dumps(record))
    put(out, "conn.log")
    assert other.exists()


def test_a_file_in_the_place_of_the_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    for out in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(ConfigError, match="is a file; give a folder"):
            put(out, "conn.log")


def test_score_writes_over_its_own_result_in_either_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("tsv", "json", "tsv"):
        assert main(["score", SAMPLE, "--out", str(tmp_path), "--format", form]) == 0
        assert zeek_log.read(tmp_path / LOG)


def test_score_refuses_a_live_log_before_it_reads_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(LOG).write_text("live")
    assert main(["score", "no-such-archive"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"nba-broker: {LOG}: exists, ")
    assert error.count("\n") == 1
    assert logs(tmp_path) == {LOG: "live"}


def test_a_score_that_is_ended_leaves_the_result_before_and_no_trace(tmp_path: Path) -> None:
    put(tmp_path, LOG)
    before = {path.name for path in tmp_path.iterdir()}
    os.mkfifo(tmp_path / "conn.log")
    words = [sys.executable, "-m", "nba_broker.cli.main", "score", str(tmp_path / "conn.log")]
    started = subprocess.Popen(
        [*words, "--out", str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    patience = time.monotonic() + 60
    while not list(tmp_path.glob(".nba-*/")) and time.monotonic() < patience:
        time.sleep(0.05)
    started.send_signal(signal.SIGTERM)
    _, said = started.communicate(timeout=60)
    assert (started.returncode, said) == (1, "nba-broker: interrupted\n")
    assert {path.name for path in tmp_path.iterdir()} == {*before, "conn.log"}
    assert (tmp_path / LOG).read_text() == "made\n"


def test_a_report_replaces_one_of_its_own_kind_alone(tmp_path: Path) -> None:
    path = tmp_path / "report"
    for made_by in ("nba-train evaluate", "nba-train refresh"):
        results.write_json(path, made_by, {"windows": 3})
        results.require(path, made_by)
        assert json.loads(path.read_text()) == {"made_by": made_by, "windows": 3}
    with pytest.raises(ConfigError, match="not written by nba-train evaluate; give another file"):
        results.require(path, "nba-train evaluate")
    path.write_text(f"<!doctype html>{results.page_mark('nba-train compare')}")
    results.require(path, "nba-train compare")
    for content in ("host,device\n10.0.0.1,Lamp\n", "{}", "nba-train compare"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="not written by"):
            results.require(path, "nba-train compare")
    path.write_text("")
    results.require(path, "nba-train compare")


def test_a_file_is_written_as_a_whole_through_a_link_and_with_its_mode(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("before")
    path.chmod(0o640)
    link.symlink_to(path)
    results.write(link, "après \udcff")
    assert path.read_bytes() == "après \\udcff".encode()
    assert (link.is_symlink(), path.stat().st_mode & 0o777) == (True, 0o640)
    assert {one.name for one in tmp_path.iterdir()} == {"file", "link"}
    with pytest.raises(ConfigError, match="No such file"):
        results.write(tmp_path / "none" / "file", "")


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    results.require(tmp_path / "pipe", "nba-train evaluate")
    results.write(tmp_path / "pipe", "text")
    assert os.read(reader, 9) == b"text"
    os.close(reader)
