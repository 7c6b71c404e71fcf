"""The first day as docs/first-day.md has it: from Zeek's own logs to a page of hosts with names."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("uvicorn")

from nba_broker.cli import main
from testing.worker import running_worker
from testing.zeek import Standalone, read, wait_until
from tests.commands import ROOT, shown, words
from tests.training.quick import quick
from tests.zeek.helpers import zeek_logs
from training.cli import main as training_cli

pytestmark = pytest.mark.usefixtures("zeek")

NAMES = {
    "02:4e:42:41:01:02": "Hall_Camera",
    "02:4e:42:41:01:03": "Desk_Plug",
    "02:4e:42:41:01:08": "Boiler",
}


def typed(subcommand: str, option: str = "") -> list[str]:
    """The words of the command that the page has one type, from the subcommand on."""
    commands = map(words, shown((ROOT / "docs/first-day.md").read_text()))
    [found] = [one for one in commands if one[:1] == [subcommand] and (option or subcommand) in one]
    return found


def name_three(path: Path) -> None:
    """What a person does in an editor: name three devices, delete the rest."""
    with path.open(newline="") as stream:
        hosts = {row["host"] for row in csv.DictReader(stream)}
    assert hosts >= set(NAMES)
    rows = [f"{host},{device},thing\n" for host, device in NAMES.items()]
    path.write_text("".join(["host,device,category\n", *rows]))


def test_three_devices_named_in_what_labels_proposed_have_these_names_on_the_page(
    sample_capture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    quick(monkeypatch)
    logs = zeek_logs(sample_capture, tmp_path / "logs")
    assert training_cli.main(typed("labels")) == 0
    name_three(tmp_path / "labels.csv")
    assert training_cli.main(typed("fit")) == 0
    with Standalone(logs, read(sample_capture)) as zeek:
        with running_worker(zeek.url, *typed("run", "--model")[1:]) as worker:
            wait_until(lambda: not zeek.zeek.running, what="Zeek to read the capture")
            assert zeek.zeek.wait() == 0, zeek.zeek.output
            worker.terminate()
            worker.wait(60)
    capsys.readouterr()
    assert main.main(typed("hosts")) == 0
    inventory = capsys.readouterr().out
    assert main.main([*typed("triage"), "--html", "page.html"]) == 0
    page = (tmp_path / "page.html").read_text()
    for host, device in NAMES.items():
        [line] = [line for line in inventory.splitlines() if host in line]
        assert device in line.split()
        assert device in page
