"""Every reader takes broken input: it reads it or refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st

from nba_broker.cli.config import shipped
from nba_broker.model.scorer import Scorer
from nba_broker.records.errors import MessageError, NBAError
from tools import fuzz
from tools.fuzz.targets import TARGETS, Target, target

CORPUS = sorted(path for path in (Path(__file__).parent / "corpus").glob("*/*"))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(shipped("default"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_that_once_broke_a_reader_no_longer_does(
    path: Path, tmp_path: Path, scorer: Scorer
) -> None:
    fuzz.accepts(target(path.parent.name, tmp_path, scorer).read, path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_input_is_read_or_refused_with_one_of_our_own_errors(
    name: str, tmp_path: Path, scorer: Scorer
) -> None:
    found = fuzz.search(target(name, tmp_path, scorer), number=20, seed=0)
    assert found.failures == {}
    assert found.refused < found.tried  # good inputs are among them


def test_what_breaks_a_reader_is_found_and_made_small() -> None:
    def read(data: bytes) -> None:
        if not data:
            raise MessageError("empty", "nothing")
        if b"\xff" in data:
            raise KeyError(data)

    found = fuzz.search(Target(st.binary(), read), number=300, seed=1)
    ((kind, smallest),) = found.failures.items()
    assert kind.startswith("KeyError in test_corpus.py")
    assert smallest == b"\xff"
    assert found.refused > 0


def test_a_reader_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(data: bytes) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz, "LIMIT", 0.05)
    with pytest.raises(TimeoutError, match=r"longer than 0\.05 s"):
        fuzz.accepts(read, b"")


def test_a_refused_input_is_no_failure() -> None:
    def read(data: bytes) -> None:
        raise NBAError("no")

    assert not fuzz.accepts(read, b"")
