"""``nba-broker score --processes`` writes and prints what one process does."""

from __future__ import annotations

import json
import os
import signal
from itertools import groupby
from pathlib import Path

import pytest

from nba_broker.archive import conn_log, site_log
from nba_broker.cli.main import main
from tests.unit.helpers import MAC, ROOT
from tests.unit.pipeline.test_site import CLOUDS, DAY, HOUR, START, home, outage

ANNOTATIONS = f"""at,host,action,device,category,pool,reason,expires,name
{START + DAY},{MAC.format(0)},label,Own_Sensor,sensor,,,,
{START + DAY},192.168.1.12,confirm,,,,,,
{START + DAY},,ignore,,,,,,*.cloud-1.example
"""


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of four hosts with names and leases, an outage, and annotations."""
    folder = tmp_path_factory.mktemp("site")
    sessions = sorted(outage(home()))
    for day, rows in groupby(enumerate(sessions), lambda row: int((row[1][0] - START) // DAY)):
        write(
            folder / f"conn.{day}.log",
            [
                {
                    "ts": ts,
                    "uid": f"C{number}",
                    "id.orig_h": f"192.168.1.{10 + host}",
                    "id.resp_h": dst,
                    "id.resp_p": int(service.partition("/")[0]),
                    "proto": service.partition("/")[2],
                    "orig_l2_addr": MAC.format(host),
                }
                for number, (ts, host, dst, service) in rows
            ],
        )
        begin = START + day * DAY
        write(
            folder / f"dns.{day}.log",
            [
                {
                    "ts": begin + hour * HOUR + 7 * host,
                    "id.orig_h": f"192.168.1.{10 + host}",
                    "query": f"host-{host}.cloud-{number}.example",
                    "qtype_name": "A",
                    "answers": [address],
                    "TTLs": [60.0],
                }
                for hour in range(24)
                for host in range(4)
                for number, address in enumerate(CLOUDS)
            ],
        )
    write(
        folder / "dhcp.log",
        [
            {"ts": START + n * HOUR, "assigned_addr": "192.168.1.11", "mac": MAC.format(1)}
            | {"host_name": "lamp"}
            for n in range(90)
        ],
    )
    (folder / "annotations.csv").write_text(ANNOTATIONS)
    return folder


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
