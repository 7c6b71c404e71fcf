"""What once broke a reader is refused, or read, and a seconds' worth of fuzzing breaks none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nba_broker.cli.config import shipped
from nba_broker.model.scorer import Scorer
from tools import fuzz

CORPUS = sorted(path for path in (Path(__file__).parent / "corpus").glob("*/*"))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(shipped("default"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_stays_mended(path: Path, tmp_path: Path, scorer: Scorer) -> None:
    tested = fuzz.target(path.parent.name, tmp_path, scorer)
    assert not fuzz.verdict_on(tested.read, path.read_bytes())


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_mutated_input_leads_to_nothing_but_our_own_errors(
    name: str, tmp_path: Path, scorer: Scorer
) -> None:
    tested = fuzz.target(name, tmp_path, scorer)
    number = 4 if name in ("manifest", "snapshot") else 40
    assert fuzz.fuzz(tested, number, seed=0).failures == {}


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_a_good_input_is_read(name: str, tmp_path: Path, scorer: Scorer) -> None:
    tested, rng = fuzz.target(name, tmp_path, scorer), random.Random(0)
    assert None in [fuzz.verdict_on(tested.read, tested.seed(n, rng)) for n in range(4)]


def test_the_same_seed_gives_the_same_inputs(tmp_path: Path, scorer: Scorer) -> None:
    first, again, other = (
        list(fuzz.target("frames", tmp_path, scorer).inputs(50, seed)) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_reader_that_breaks_or_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(data: bytes) -> None:
        if b"\xff" in data:
            raise KeyError(data)

    def hangs(data: bytes) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz, "LIMIT", 0.05)
    kind = fuzz.verdict_on(breaks, b"ab\xffcd")
    assert kind is not None
    assert kind.startswith("KeyError in test_corpus.py")
    assert fuzz.smaller(breaks, b"ab\xffcd", kind) == b"\xff"
    assert fuzz.verdict_on(breaks, b"abcd") is None
    assert fuzz.verdict_on(hangs, b"") == "HangError"
