"""A model is asked about other sites: strangers, and a device that it knows by another name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nba_broker.records.errors import ConfigError
from tests.commands import RUN_ELSEWHERE, words
from training.cli.main import main
from training.evaluation.elsewhere import same_devices

ModelFolder = Callable[..., Path]
DAY = 86_400
CLOUDS = {"lamp": "1.1.1.1", "lens": "8.8.8.8", "nobody": "9.9.9.9"}


def write_site(folder: Path, hosts: dict[str, tuple[str, str]], days: int = 2) -> Path:
    """A conn log and labels of hosts: address, device, and the cloud that it calls."""
    folder.mkdir()
    with (folder / "conn.log").open("w") as log:
        for number in range(0, days * DAY, 600):
            for host, (_, cloud) in hosts.items():
                row = {"ts": 1.6e9 + number, "uid": f"C{number}x{host[-1]}", "proto": "tcp"}
                row |= {"id.orig_h": host, "id.orig_p": 40000}
                row |= {"id.resp_h": CLOUDS[cloud], "id.resp_p": 443}
                log.write(json.dumps(row) + "\n")
    rows = [f"{host},{device},thing" for host, (device, _) in hosts.items()]
    (folder / "labels.csv").write_text("\n".join(["host,device,category", *rows]) + "\n")
    return folder


@pytest.fixture
def model(model_folder: ModelFolder) -> Path:
    background = {
        "devices": 4,
        "services": ["443/tcp"],
        "pools": ["as:13335", "as:15169", "lan"],
        "pairs": [0, 0, 0, 1, 0, 2],
        "shares": [0.25, 0.25, 0.5],
        "classes": [{"sessions": 1000, "shares": [row, 1.0]} for row in (0, 1)],
    }
    return model_folder(pools=["as:13335", "as:15169", "lan", "gw"], background=background)


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sites with the same addresses: strangers, of which one behaves like a lamp; and a bulb
    that is the model's lamp."""
    monkeypatch.chdir(tmp_path)
    strangers = {"192.168.1.7": ("Fridge", "nobody"), "192.168.1.8": ("Clock", "lamp")}
    write_site(tmp_path / "office", strangers)
    write_site(tmp_path / "home", {"192.168.1.7": ("Hue_White", "lamp")})
    return tmp_path


def test_the_command_that_the_documentation_shows(
    sites: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [command] = [one for one in RUN_ELSEWHERE if one.split()[1] == "elsewhere"]
    given = words(command, mymodel=str(model))
    assert main([one.replace("Hall_Bulb", "Lamp") for one in given]) == 0
    result = json.loads((sites / "elsewhere.json").read_text())
    office = result["strangers"]["office"]
    assert (office["right"], office["no_name"], office["wrong"]) == (3, 0, 3)
    assert office["mistaken"] == [["Clock", "Lamp", 3]]
    assert result["known"] == {"Lamp in home": {"right": 3, "no_name": 0, "wrong": 0}}
    assert result["all"]["host_days"] == len(result["by_day"]) == 9
    assert {one["labelled"] for one in result["by_day"]} == {"Fridge", "Clock", "Hue_White"}
    printed = capsys.readouterr().out
    assert "| office  |         6 |" in printed
    assert "Wrong names: Clock was Lamp (3)." in printed
    page = (sites / "elsewhere.html").read_text()
    assert "Devices that the model does not know" in page
    assert "Lamp in home" in page


def test_without_being_told_a_device_by_another_name_is_a_stranger(
    sites: Path, model: Path
) -> None:
    assert main(["elsewhere", "home", "--model", str(model), "--json", "f.json"]) == 0
    result = json.loads((sites / "f.json").read_text())
    assert result["known"] == {}
    assert result["strangers"]["home"]["wrong"] == 3


def test_labels_are_given_for_each_archive_or_for_none(
    sites: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["elsewhere", "home", "office", "--model", str(model), "--json", "f.json"]
    assert main([*line, "--labels", "home/labels.csv"]) == 1
    assert "--labels is given 1 times for 2 archives" in capsys.readouterr().err
    both = ["--labels", "home/labels.csv", "--labels", "office/labels.csv"]
    assert main([*line, *both]) == 0
    assert main(["elsewhere", "nowhere", "--model", str(model), "--json", "f.json"]) == 1
    assert "nowhere/labels.csv: No such file" in capsys.readouterr().err


def test_a_device_that_no_archive_labels_is_refused(
    sites: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["elsewhere", "home", "--model", str(model), "--json", "f.json", "--as", "Huge=Lamp"]
    assert main(line) == 1
    assert "--as: no archive has a label of Huge" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (["Hue"], "not OTHER=NAME"),
        (["Hue="], "not OTHER=NAME"),
        (["Hue=Lamp", "Hue=Lens"], "given twice"),
        (["Hue=Lampe"], "the model has no class Lampe; it has Lamp, Lens"),
    ],
)
def test_what_is_no_pair_of_devices_is_refused(pairs: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        same_devices(pairs, ["Lens", "Lamp"])
