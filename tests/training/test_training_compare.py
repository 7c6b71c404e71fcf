"""Every baseline is trained on labels, and predicts at the same moments."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from nba_broker.records.errors import ArchiveError, ConfigError
from tests.training.traffic import shuffled, traffic
from training.evaluation.baselines import shipped_recipe
from training.evaluation.baselines.baseline import Settings
from training.evaluation.baselines.registry import choose, registry
from training.evaluation.compare import compare, run
from training.evaluation.protocols import split
from training.evaluation.samples import Samples, Segments, half_hours, latest, windows
from training.model.settings import DEFAULT
from training.reports import pages, tables

QUICK = Settings(epochs=1, per_epoch=2048)
SMALL = replace(DEFAULT, window=16, hidden=16, epochs=3, per_class=1024, batch=64)
BASELINES = registry([])
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FAST = [BASELINES[name] for name in ("naive-bayes", "ccit", "nba-dst-interval")]


def quiet(line: str) -> None:
    """Say nothing."""


def segments(whole) -> Segments:
    return Segments.of(whole.sessions, whole.sessions.series)


@cache
def compared(protocol: str) -> dict[str, Any]:
    """What the fast baselines say of devices with different intervals."""
    whole = traffic()
    settings = Settings(epochs=4, per_epoch=2048)
    return compare(whole, split(whole.sessions, protocol), FAST, settings, quiet)


@pytest.mark.parametrize("protocol", ["paper", "blocked", "temporal"])
def test_every_baseline_learns_different_intervals(protocol: str) -> None:
    for name, one in compared(protocol).items():
        assert one["own"]["natural"]["macro_f1"] > 0.95, name


@pytest.mark.parametrize("protocol", ["blocked", "temporal"])
def test_with_shuffled_labels_the_shipped_recipe_falls_to_chance(
    protocol: str, monkeypatch
) -> None:
    monkeypatch.setattr(shipped_recipe, "DEFAULT", SMALL)
    whole = shuffled(traffic(number=600))
    results = compare(
        whole, split(whole.sessions, protocol), [BASELINES["shipped-recipe"]], QUICK, quiet
    )
    own = results["shipped-recipe"]["own"]
    assert own["balanced"]["accuracy"] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("protocol", ["paper", "blocked", "temporal"])
def test_with_shuffled_labels_every_score_falls_to_chance(protocol: str) -> None:
    whole = shuffled(traffic(number=1500))
    results = compare(whole, split(whole.sessions, protocol), FAST, QUICK, quiet)
    for name, one in results.items():
        assert one["own"]["balanced"]["accuracy"] == pytest.approx(0.5, abs=0.15), name


def test_all_baselines_have_the_same_common_decisions() -> None:
    whole = traffic()
    results = compare(whole, split(whole.sessions, "temporal"), FAST, QUICK, quiet)
    assert len({one["common"]["decisions"] for one in results.values()}) == 1
    assert results["ccit"]["own"]["decisions"] < results["ccit"]["common"]["decisions"]
    assert results["naive-bayes"]["common"]["coverage"] == 1


def test_a_half_hour_predicts_only_when_the_next_one_has_begun() -> None:
    cut = segments(traffic((100.0,), number=60))
    halves = half_hours(cut)
    positions = np.arange(len(cut))
    place = latest(halves, cut, positions)
    first = int(halves.end[0])
    assert (place[:first] == -1).all()
    assert place[first] == 0
    for at in positions[place >= 0]:
        assert cut.ts[at] // 1800 > cut.ts[halves.begin[place[at]]] // 1800


def test_a_sample_of_another_segment_is_never_a_prediction() -> None:
    cut = segments(traffic((100.0, 130.0), number=60))
    halves = half_hours(cut)
    second = np.flatnonzero(cut.segment == 1)
    place = latest(halves, cut, second)
    assert place[0] == -1
    given = place[place >= 0]
    assert (cut.segment[halves.begin[given]] == 1).all()


def test_windows_are_the_last_sessions_of_their_segment() -> None:
    cut = segments(traffic((1.0, 2.0), number=30))
    some = windows(cut, 20, 8)
    assert len(some) == 2 * (30 - 7)
    assert (cut.segment[some.begin] == cut.segment[some.end - 1]).all()
    assert set((some.end - some.begin).tolist()) == set(range(8, 21))
    side_by_side = windows(cut, 10, 10, 10)
    assert side_by_side.begin.tolist() == [0, 10, 20, 30, 40, 50]


def test_positions_are_left_aligned_with_their_padding_behind() -> None:
    part = Samples(np.array([0, 3]), np.array([2, 8]), np.array([1, 7]))
    assert part.positions(4).tolist() == [[0, 1, -1, -1], [4, 5, 6, 7]]
    assert part.covers(9).tolist() == [True, True, False] + [True] * 5 + [False]


def test_variants_are_chosen_by_validation_and_not_read_on_the_test() -> None:
    result = run(
        traffic(), "temporal", [BASELINES["naive-bayes"], BASELINES["nba-gru"]], QUICK, say=quiet
    )
    assert result["baselines"]["naive-bayes"]["test"]
    assert result["baselines"]["nba-gru"]["test"] is None
    assert result["baselines"]["nba-gru"]["validation"]["common"]["decisions"]


def test_the_same_seed_gives_the_same_figures() -> None:
    whole = traffic(number=200)
    runs = [run(whole, "temporal", FAST, QUICK, say=quiet) for _ in range(2)]
    for one in runs:
        for baseline in one["baselines"].values():
            baseline["test"].pop("seconds")
            baseline["validation"].pop("seconds")
    assert json.dumps(runs[0]) == json.dumps(runs[1])


@pytest.mark.parametrize(
    "name",
    [name for name in BASELINES if name != "shipped-recipe"],
)
def test_every_baseline_predicts_probabilities(name: str) -> None:
    result = compare(
        whole := traffic(number=150),
        split(whole.sessions, "temporal"),
        [BASELINES[name]],
        replace(QUICK, window=10),
        quiet,
    )[name]
    assert result["own"]["decisions"]
    assert 0 <= result["own"]["ece"] <= 1


def test_the_shipped_recipe_predicts_all_that_the_baselines_predict(monkeypatch) -> None:
    monkeypatch.setattr(shipped_recipe, "DEFAULT", SMALL)
    whole = traffic(number=250)
    one = split(whole.sessions, "temporal")
    results = compare(
        whole, one, [BASELINES["naive-bayes"], BASELINES["shipped-recipe"]], QUICK, quiet
    )
    assert results["shipped-recipe"]["common"]["coverage"] == 1
    assert results["shipped-recipe"]["common"]["natural"]["macro_f1"] > 0.9


@pytest.mark.parametrize("protocol", ["blocked", "temporal"])
def test_every_baselines_probabilities_are_decided_by_the_workers_code(protocol: str) -> None:
    for name, one in compared(protocol).items():
        days = one["host_days"]
        assert days["right"] + days["no_name"] + days["wrong"] == days["host_days"] > 0, name
        # All devices do the same, at other intervals, so the sessions tell of none.
        assert days["no_name"] == days["host_days"], name


def test_devices_with_clouds_of_their_own_are_named_by_the_workers_code() -> None:
    whole = traffic()
    pool = np.where(whole.sessions.series == 0, 0, 1).astype(np.int32)
    own = replace(whole, sessions=replace(whole.sessions, pool=pool), dst=pool + 3)
    baseline = [BASELINES["naive-bayes"]]
    results = compare(own, split(own.sessions, "temporal"), baseline, QUICK, quiet)
    days = results["naive-bayes"]["host_days"]
    assert days["right"] == days["host_days"]


def test_windows_that_are_dealt_at_random_follow_no_host() -> None:
    whole = traffic(number=150)
    result = run(whole, "paper", [BASELINES["naive-bayes"]], QUICK, say=quiet)
    assert result["baselines"]["naive-bayes"]["test"]["host_days"] is None
    (row,) = [line for line in tables.table(result) if line.startswith("| naive-bayes")]
    assert [cell.strip() for cell in row.split("|")[-4:-1]] == ["-", "-", "-"]


def test_a_class_without_training_part_is_a_stranger() -> None:
    """Its device is recorded only later: no name is right for it."""
    whole = traffic((20.0, 120.0, 60.0), number=300)
    sessions = whole.sessions
    late = replace(sessions, ts=sessions.ts + (sessions.series == 2) * 3e4)
    late = late.select(np.argsort(late.ts, kind="stable"))
    one = replace(whole, sessions=late)
    result = run(one, "temporal", [BASELINES["naive-bayes"]], QUICK, say=quiet)
    days = result["baselines"]["naive-bayes"]["test"]["host_days"]
    assert days["of_unknown_devices"] > 0


def test_baselines_are_chosen_by_name() -> None:
    assert [one.name for one in choose("ccit,pre", "paper", [])] == ["ccit", "pre"]
    assert not any(one.variant for one in choose("", "blocked", []))
    assert len(choose("", "temporal", [])) == len(choose("all", "blocked", [])) == len(BASELINES)
    with pytest.raises(ConfigError, match="no baseline magic"):
        choose("ccit,magic", "paper", [])


def test_the_table_says_that_a_protocol_leaks() -> None:
    whole = traffic(number=150)
    text = "\n".join(
        tables.table(run(whole, "paper-overlap", [BASELINES["naive-bayes"]], QUICK, say=quiet))
    )
    assert "LEAKING" in text
    assert "naive-bayes" in text


def test_the_table_stands_beside_the_papers_own() -> None:
    whole = traffic(number=150)
    lines = tables.table(run(whole, "paper", [BASELINES["nba-dst-interval"]], QUICK, say=quiet))
    (row,) = [line for line in lines if line.startswith("| nba-dst-interval")]
    assert len(row.split("|")) == len(lines[3].split("|"))
    assert row.split("|")[2].strip() == "0.9967"


def test_classes_follow_the_names_given_and_the_split_the_devices() -> None:
    whole = traffic((20.0, 25.0, 300.0, 400.0), devices=("Lamp", "Lens", "PC", "PC"))
    class_of = {"Lamp": "IoT", "Lens": "IoT", "PC": "non-IoT"}
    result = run(whole, "unit", FAST[:2], QUICK, class_of=class_of, say=quiet)
    assert result["classes"] == ["IoT", "non-IoT"]
    assert result["units"] == {"IoT": 1, "non-IoT": 2}
    assert result["folds"] == 2
    assert result["baselines"]["ccit"]["test"]["own"]["natural"]["classes"]["non-IoT"]["f1"] > 0.9
    text = "\n".join(tables.table(result))
    assert "| non-IoT |     2 |" in text
    assert "Mean F1 of the classes with several units: naive-bayes" in text


def test_a_table_of_recordings_that_never_met_says_so() -> None:
    whole = traffic((20.0, 120.0), number=300)
    sessions = whole.sessions
    later = replace(sessions, ts=sessions.ts + sessions.series * 1e8)
    later = later.select(np.argsort(later.ts, kind="stable"))
    result = run(
        replace(whole, sessions=later), "blocked", [BASELINES["naive-bayes"]], QUICK, say=quiet
    )
    assert tables.table(result)[-1].startswith("Caveat: these are 2 recordings")


def test_a_baseline_that_cannot_train_is_left_out_and_named() -> None:
    def refuse(*given: object) -> tuple[np.ndarray, dict]:
        raise ArchiveError("too few sessions")

    picky = replace(BASELINES["naive-bayes"], name="picky", predict=refuse)
    whole = traffic(number=150)
    result = run(whole, "blocked", [BASELINES["naive-bayes"], picky], QUICK, say=quiet)
    assert list(result["baselines"]) == ["naive-bayes"]
    assert tables.table(result)[-1] == "Too few sessions to train: picky."
    with pytest.raises(ArchiveError, match="no baseline has enough sessions"):
        run(whole, "blocked", [picky], QUICK, say=quiet)


UNKNOWNS = {
    "sessions": 20,
    "false_alarms": [0.0, 0.1, 1.0],
    "mean": {
        "scores": {
            name: {"caught": 0.6, "kept": 0.98, "auroc": 0.9, "roc": [0.2, 0.8, 1.0]}
            for name in ("softmax", "known")
        }
    },
    "devices": {
        "Kettle": {
            "episodes": 12,
            "confusable": False,
            "scores": {name: {"caught": 0.6, "auroc": 0.9} for name in ("softmax", "known")},
            "unknown": 0.55,
            "named": 0.1,
        }
    },
}


@pytest.fixture(scope="module")
def page() -> str:
    names = ["naive-bayes", "ccit", "nba-dst-interval", "nba-gru"]
    whole = traffic((20.0, 120.0), number=200, devices=("<b>Lamp</b>", "</script>"))
    result = run(whole, "temporal", [BASELINES[name] for name in names], QUICK, say=quiet)
    about = {"command": "nba-train compare", "since": None, "until": None}
    return pages.render(json.loads(json.dumps({**result, **about})), UNKNOWNS)


def test_the_page_needs_no_network(page: str) -> None:
    assert not re.search(r"""(src|href)\s*=|url\(|@import|https?:""", page)


def test_the_page_gives_no_figure_of_the_paper_that_is_not_known(page: str) -> None:
    assert page.count("99.67 %") == 1
    assert page.count("not reported here") == 3


def test_a_devices_name_is_text_on_the_page(page: str) -> None:
    assert "<b>Lamp</b>" not in page
    assert page.count("</script>") == 2


def test_the_page_names_destinations_under_attention_and_in_the_embedding(page: str) -> None:
    attention, _, embedding = page.partition("Pool embedding of nba-dst-interval")
    assert "<tr><td>as:1<td" in attention
    assert '"as:1"' in embedding


@pytest.mark.parametrize(
    "title",
    [
        "The recipe and all baselines",
        "Class sizes",
        "Per class",
        "Confusion",
        "F1 per class over time",
        "Time to a verdict",
        "Reliability",
        "Unknown devices",
        "The two most confused classes",
        "Attention of",
        "Pool embedding of",
    ],
)
def test_the_page_has_a_section_of(title: str, page: str) -> None:
    assert page.count(f"<h2>{title}") == 1


def test_the_page_without_unknowns_has_no_section_of_them() -> None:
    whole = traffic(number=150)
    result = run(whole, "blocked", [BASELINES["naive-bayes"]], QUICK, say=quiet)
    assert "Unknown devices" not in pages.render({**result, "command": "nba-train compare"})


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_browser_draws_the_page_without_an_error(page: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page, "utf-8")
    words = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
    ]
    words += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr
    # The script sizes the canvas when it draws.
    assert re.search(r"<canvas[^>]* width=.\d{3}", done.stdout)
