"""``nba-broker mud``: a profile from an archive, and what it blocks on later days."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nba_broker.cli.main import main
from nba_broker.records.times import DAY
from tests.unit.helpers import MAC
from training.cli.main import main as train

BEGIN = 20_000 * DAY  # 2024-10-04
CONN = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_l2_addr\n"
DNS = "#fields\tts\tid.orig_h\tid.resp_p\tquery\tqtype_name\trtt\tanswers\tTTLs\n"
VERDICTS = "#fields\tts\thost\tmac\tstate\tdevice\n"
URL = "https://mud.example/cam.json"


def day(folder: Path, number: int, to: list[tuple[str, int]], *, asks: bool = False) -> None:
    """A day on which 192.168.1.7 goes to these addresses and ports, and .8 to none of them."""
    folder.mkdir()
    ts = BEGIN + number * DAY + 100
    rows = [("192.168.1.7", MAC.format(7), "192.168.1.1", 53, "udp")]
    rows += [("192.168.1.7", MAC.format(7), dst, port, "tcp") for dst, port in to]
    rows += [("192.168.1.8", MAC.format(8), "9.9.9.9", 443, "tcp")]
    (folder / "conn.log").write_text(
        CONN
        + "".join(
            f"{ts + row}\tC{number}x{row}\t{host}\t{4000 + row}\t{dst}\t{port}\t{proto}\t{mac}\n"
            for row, (host, mac, dst, port, proto) in enumerate(rows)
        )
    )
    if asks:
        (folder / "dns.log").write_text(
            DNS + f"{ts + 0.5}\t192.168.1.7\t53\tcloud.example\tA\t0.01\t8.0.0.1\t60.0\n"
        )


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days; the name is asked for on the first one only."""
    monkeypatch.chdir(tmp_path)
    day(tmp_path / "1", 0, [("8.0.0.1", 443), ("7.0.0.7", 80)], asks=True)
    day(tmp_path / "2", 1, [("8.0.0.1", 443)])
    day(tmp_path / "3", 2, [("8.0.0.1", 443), ("6.0.0.6", 23)])
    (tmp_path / "nba_device.log").write_text(
        VERDICTS
        + f"{BEGIN}\t192.168.1.7\t{MAC.format(7)}\tidentified\tHall Camera\n"
        + f"{BEGIN}\t192.168.1.8\t{MAC.format(8)}\tidentified\tHall Camera\n"
        + f"{BEGIN + 5}\t192.168.1.8\t{MAC.format(8)}\tmisbehaving\tHall Camera\n"
    )
    return tmp_path


@pytest.mark.parametrize("host", [MAC.format(7).upper(), "192.168.1.7"])
def test_a_host_has_a_profile_and_later_days_are_checked(
    host: str, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["mud", host, "1", "2", "--check", "3", "--json", "cam.json", "--mud-url", URL]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "cloud.example   443/tcp         2     2      1" in said
    assert "Learned from 5 sessions on 2 days of 1 host, so incomplete" in said
    assert "Left out: 1 session to what was used on fewer than 2 days" in said
    assert "\n7.0.0.7/32  80/tcp          1     1      1  2024-10-04\n" in said
    assert "Check: 3 sessions on 1 day of 1 host, 66.67% allowed, 1 blocked:" in said
    assert "6.0.0.6/32  23/tcp" in said
    about = json.loads(Path("cam.json").read_text())["ietf-mud:mud"]
    assert about["mud-url"] == URL
    assert "model-name" not in about
    assert main([*words[:6], "--json", "cam.json"]) == 0  # over its own file


def test_a_long_list_of_what_is_left_out_is_cut_unless_all_is_asked_for(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day(archive / "4", 3, [(f"7.0.{n}.7", 80) for n in range(1, 30)])
    assert main(["mud", "192.168.1.7", "1", "2", "4"]) == 0
    said = capsys.readouterr().out
    assert said.count("  80/tcp ") == 20
    assert said.endswith("\nand 10 more (--all lists them)\n")
    assert main(["mud", "192.168.1.7", "1", "2", "4", "--all"]) == 0
    said = capsys.readouterr().out
    assert said.count("  80/tcp ") == 30
    assert "more" not in said.partition("LEFT OUT")[2]


def test_a_device_is_the_hosts_that_the_log_identifies_and_no_misbehaving_one(
    archive: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = ["mud", "Hall Camera", "1", "2", "--verdicts", "nba_device.log", "--json", "cam.json"]
    assert main(words) == 0
    assert "of 1 host" in capsys.readouterr().out
    assert f"{MAC.format(8)} is misbehaving: left out" in caplog.text
    about = json.loads(Path("cam.json").read_text())["ietf-mud:mud"]
    assert about["model-name"] == "Hall Camera"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["Lamp", "1"], "there is no nba_device.log that names devices; run nba-broker score"),
        (["Lamp", "1", "--verdicts", "."], "devices that hosts are: Hall Camera"),
        (["10.1.1.1", "1"], "10.1.1.1: no such host in the archive"),
        (["192.168.1.7", "1"], "give more days, or --repeats 1"),
        (["192.168.1.7", "1", "2", "--check", "1"], "give later days"),
        (["192.168.1.7", "1", "2", "--mud-url", "http://a.example"], "give an https URL"),
        (["192.168.1.7", "1", "2", "--json", "1/conn.log"], "is no learned profile"),
    ],
)
def test_what_cannot_be_learned_is_one_clear_line(
    words: list[str], complaint: str, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mud", *words]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("nba-broker: ")
    assert complaint in error


def test_the_figures_count_what_is_allowed_later_and_blocked_of_attacks(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = f"host,device\n{MAC.format(7)},Camera\n{MAC.format(8)},Lamp\n"
    Path("labels.csv").write_text(rows)
    words = ["mud", "1", "2", "3", "--labels", "labels.csv", "--judged", "2024-10-06"]
    assert train([*words, "--trials", "2", "--json", "mud.json"]) == 0
    result = json.loads(Path("mud.json").read_text())
    camera = result["devices"]["Camera"]
    assert (camera["learned"], camera["rules"], camera["later"]) == (5, 2, 3)
    assert camera["allowed"] == pytest.approx(2 / 3)
    assert result["devices"]["Lamp"]["allowed"] == 1.0
    assert result["attacks"]["scan"] == {
        "trials": 2,
        "blocked": 1.0,
        "wholly_blocked": 2,
        "blocked_without_networks": 1.0,
    }
    assert "| scan | 2 | 100.0% | 2 | 100.0% |" in capsys.readouterr().out
