"""nba-broker netbox brings the hosts of a state folder into NetBox, and says what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba_broker.cli.main import main
from nba_broker.inventory import netbox_api
from tests.unit.inventory.conftest import state as state  # the same worker's folder
from tests.unit.inventory.fake_netbox import FakeNetBox


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeNetBox:
    made = FakeNetBox()
    made.add("sites", name="Hamburg", slug="hamburg")
    monkeypatch.setattr(netbox_api, "_Session", lambda: made)
    monkeypatch.setenv("NBA_NETBOX_TOKEN", "secret")
    return made


@pytest.fixture
def words(state: Path) -> list[str]:
    rules = state / "sites.csv"
    rules.write_text("cidr,site\n192.168.1.0/24,hamburg\n")
    return ["netbox", "--state", str(state), "--netbox", "http://netbox", "--sites", str(rules)]


def test_hosts_with_a_mac_come_in_and_others_are_counted(
    words: list[str], fake: FakeNetBox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--dry-run"]) == 0
    dry = capsys.readouterr()
    assert fake.writes == []
    assert "1 hosts; left out: 1 without a MAC, 0 at no site" in dry.err
    assert main(words) == 0
    assert capsys.readouterr().out == dry.out
    (device,) = fake.shown("devices")
    assert device["status"]["value"] == "offline"  # it was seen in 1970
    (mac,) = fake.shown("mac-addresses")
    assert mac["assigned_object"]["device"]["id"] == device["id"]


def test_what_netbox_refuses_is_exit_status_1(
    words: list[str], fake: FakeNetBox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--role", "x" * 101]) == 1
    assert "refused " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("without", "complaint"),
    [
        ("--netbox", "give the address of a NetBox"),
        ("--sites", "give a CSV file cidr,site"),
        ("--state", "give the worker's state folder"),
    ],
)
def test_what_is_missing_is_one_clear_error(
    without: str,
    complaint: str,
    words: list[str],
    fake: FakeNetBox,
    capsys: pytest.CaptureFixture[str],
) -> None:
    at = words.index(without)
    assert main(words[:at] + words[at + 2 :]) == 1
    assert complaint in capsys.readouterr().err


def test_a_missing_token_and_an_age_of_no_day_are_clear_errors(
    words: list[str],
    fake: FakeNetBox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*words, "--stale", "0"]) == 1
    assert "--stale: 0 is less than one day" in capsys.readouterr().err
    monkeypatch.delenv("NBA_NETBOX_TOKEN")
    assert main(words) == 1
    assert "set NBA_NETBOX_TOKEN to an API token" in capsys.readouterr().err
