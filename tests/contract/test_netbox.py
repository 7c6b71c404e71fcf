"""What nba-broker netbox sends is what a real NetBox took, and the fake answers as that did."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.netbox_play import Play, play
from tests.contract.netbox_recording import FOLDER, URL, Exchange, Recorded, asked, read
from tests.unit.helpers import ROOT
from tests.unit.inventory import fake_netbox
from tests.unit.inventory.fake_netbox import FakeNetBox

RECORDINGS = sorted(FOLDER.glob("*.jsonl"))
DOCS = ROOT / "docs" / "inventory.md"
PAGE = 3  # objects in an answer of the recorded NetBox
EMPTY = ("", None, [], {})  # a recording leaves these out
recorded = pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)


def replay(exchanges: Iterator[Exchange]) -> Play:
    return Play(URL, Recorded("command", exchanges), "c", Recorded("person", exchanges), "p")


@recorded
def test_a_netbox_took_every_request_that_the_command_makes(path: Path) -> None:
    exchanges = iter(read(path))
    play(replay(exchanges))
    assert next(exchanges, None) is None


@recorded
def test_a_recording_answers_no_other_request(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nba_broker.inventory.netbox._GREY", "000000")
    with pytest.raises(AssertionError, match="was asked something else"):
        play(replay(iter(read(path))))


@recorded
def test_the_documentation_has_the_permissions_that_the_recorded_user_needed(path: Path) -> None:
    actions = {"GET": "view", "POST": "add", "PATCH": "change"}
    needed: dict[str, set[str]] = {}
    for one in read(path):
        if one["by"] == "command" and one["status"] < 400 and one["path"] != "/api/":
            kind = one["path"].split("/")[-2]
            needed.setdefault(kind, set()).add(actions[one["method"]])
    table = re.findall(r"^\| (view[a-z, ]*) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    documented = {
        kind.lower().replace(" ", "-"): set(said.split(", "))
        for said, kinds in table
        for kind in kinds.split(", ")
    }
    assert documented == needed


class Compared(requests.Session):
    """A session with the NetBox in memory, whose answers must be those of a recording, as far as
    they go: it may know fewer fields. Ids differ; ``ids`` has the recorded one of each."""

    def __init__(
        self, by: str, fake: FakeNetBox, exchanges: Iterator[Exchange], ids: dict[int, int]
    ) -> None:
        super().__init__()
        self._by, self._fake, self._exchanges, self._ids = by, fake, exchanges, ids

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        was, answer = next(self._exchanges), self._fake.send(request, **options)
        now = json.loads(json.dumps(asked(self._by, request)))
        self._same(now | {"query": dict(now["query"])}, was | {"query": dict(was["query"])}, "")
        here = f"{was['method']} {was['path']} {was['body'] or was['query']}: "
        assert answer.status_code == was["status"], here + answer.text
        self._same(answer.json(), was["answer"], here)
        return answer

    def _same(self, now: Any, was: Any, where: str) -> None:
        if now in EMPTY and was in EMPTY:
            return
        if isinstance(now, dict):
            assert isinstance(was, dict), where
            for name in now.keys() - {"url"}:
                self._same(now[name], was.get(name), f"{where}.{name}")
        elif isinstance(now, list):
            assert isinstance(was, list), where
            assert len(now) == len(was), f"{where}: {now} {was}"
            for mine, theirs in zip(now, was, strict=True):
                self._same(mine, theirs, where)
        elif is_id(now, where):
            assert self._ids.setdefault(int(now), int(was)) == int(was), f"{where}: {now}, {was}"
        else:
            assert now == was, f"{where}: {now!r}, not {was!r}"


def is_id(value: object, where: str) -> bool:
    """Whether this is the id of an object."""
    _, _, name = where.rpartition(".")
    if ".query" in where:
        return isinstance(value, str) and value.isdigit() and name.endswith("id")
    number = isinstance(value, int) and not isinstance(value, bool)
    return number and name not in ("count", "status", "weight")


def compare(path: Path) -> None:
    """Play with the NetBox in memory, and compare it with a recording."""
    exchanges, ids = read(path), {}
    fake, rest = FakeNetBox(exchanges[0]["version"], page=PAGE), iter(exchanges)
    command, person = (Compared(by, fake, rest, ids) for by in ("command", "person"))
    play(Play(URL, command, "secret", person, "secret"))
    assert next(rest, None) is None


@recorded
def test_the_netbox_in_memory_answers_as_the_real_one(path: Path) -> None:
    compare(path)


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        (fake_netbox.LENGTHS, ("devices", "name"), 100),
        (fake_netbox.DEFAULTS, "sites", {"status": "planned"}),
        (fake_netbox.FILTERS, ("devices", "name__ie"), lambda _, row, value: row["name"] == value),
    ],
    ids=["length", "default", "filter"],
)
@recorded
def test_a_netbox_in_memory_that_answers_otherwise_is_found(
    path: Path, table: dict[Any, Any], key: Any, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(table, key, value)
    with pytest.raises(AssertionError):
        compare(path)
