"""An attack in a capture is one notice of a real Zeek that can be acted on alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nba_broker.archive import zeek_log
from nba_broker.cli import main
from tools import capture, generate, splice

pytestmark = pytest.mark.usefixtures("zeek")
pytest.importorskip("scipy")

PLUG, DOORBELL = "02:4e:42:41:01:00", "02:4e:42:41:01:01"
ADDRESS = "192.168.77.20"
ATTACK = "2026-01-09T12:00"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days of a plug and a doorbell that do as always."""
    folder = tmp_path_factory.mktemp("home")
    days = ["--seed", "3", "--days", "6", "--out", str(folder)]
    generate.main([*days, "--device", "Wemo_SmartPlug", "--device", "Ring_Doorbell"])
    return folder


@pytest.fixture
def attacked(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Lines and notices of a real Zeek over these days, with an attack on the plug."""

    def run(*flags: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        spliced, out = str(tmp_path / "spliced"), str(tmp_path / "out")
        where = ["--device", PLUG, "--at", ATTACK, "--out", spliced]
        assert splice.main([str(home), *where, *flags]) == 0
        pcap = str(tmp_path / "spliced.pcap")
        monkeypatch.setattr("sys.argv", ["capture", spliced, "--out", pcap])
        assert capture.main() == 0
        assert main.main(["pcap", pcap, "--out", out]) == 0
        lines = list(zeek_log.read(tmp_path / "out" / "nba_device.log"))
        notices = list(zeek_log.read(tmp_path / "out" / "notice.log"))
        return lines, [one for one in notices if str(one["note"]).startswith("NBA::")]

    return run


@pytest.mark.parametrize("attack", ["scan", "flood", "beacon-60s", "exfiltration"])
def test_an_attack_is_one_line_and_one_notice_that_names_where_the_sessions_went(
    attacked: Callable[..., tuple[list[dict[str, Any]], list[dict[str, Any]]]],
    attack: str,
) -> None:
    lines, notices = attacked("--attack", attack)
    (line,) = [one for one in lines if one["state"] == "misbehaving" and one["reason"] == "change"]
    (notice,) = [one for one in notices if one["note"] == "NBA::Misbehaving_Device"]
    assert (line["host"], line["device"]) == (ADDRESS, "Wemo_SmartPlug")
    assert notice["src"] == ADDRESS
    message = str(notice["msg"])
    assert f"{ADDRESS}, MAC {PLUG}" in message
    assert "identified as Wemo_SmartPlug" in message
    assert "sessions unlike this host" in message
    assert {"scan": "23", "flood": "80"}.get(attack, "443") + "/tcp" in message
    assert str(notice["uid"]).startswith("C")


def test_a_device_that_stands_in_for_another_is_noticed(
    attacked: Callable[..., tuple[list[dict[str, Any]], list[dict[str, Any]]]],
) -> None:
    _, notices = attacked("--attack", "device-swapped", "--other", DOORBELL)
    # By their order: the time of a notice is how far Zeek has read by then.
    own = [one for one in notices if one["src"] == ADDRESS]
    assert [one["note"] for one in own] == [
        "NBA::Unknown_Device",  # on its first day
        "NBA::Misbehaving_Device",
        "NBA::Changed_Device",
    ]
    assert "15063/udp" in str(own[1]["msg"])  # which only a doorbell talks to
    assert "has behaved like Ring_Doorbell" in str(own[2]["msg"])
