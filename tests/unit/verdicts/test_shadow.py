"""The shadow gives no verdict, and reports where the candidate differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nba_broker.model.scorer import Scorer
from nba_broker.pipeline.pipeline import Pipeline
from nba_broker.records.errors import ModelError
from nba_broker.verdicts import shadow
from nba_broker.verdicts.annotation_file import Annotation
from nba_broker.verdicts.shadow import Shadow
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, MAC, host, pipeline, sessions

ModelFolder = Callable[..., Path]


def classes(*names: str) -> list[dict[str, str]]:
    return [{"device": name, "category": "c"} for name in names]


SWAPPED = {"classes": classes("Lens", "Lamp")}


def two_hosts(number: int = 120, step: float = 60.0) -> list[tuple[float, str, str, str]]:
    times = [n * step for n in range(number)]
    return sorted(host(7, times=times, dst=LAMP_CLOUD) + host(8, times=times, dst=LENS_CLOUD))


def shadowed(model_folder: ModelFolder, **changes: object) -> Pipeline:
    other = Shadow(Scorer(model_folder(**changes)))
    return pipeline(model_folder(), shadow=other)


def seen(made: Pipeline) -> dict[str, Any]:
    assert made.shadow is not None
    assert made.shadow.failure == ""
    return made.shadow.summary(made.scorer.manifest.id)


def feed(made: Pipeline, rows: list[tuple[float, str, str, str]], size: int = 10) -> list[Any]:
    return [
        verdict
        for start in range(0, len(rows), size)
        for verdict in made.process(sessions(rows[start : start + size]))
    ]


@pytest.mark.parametrize(
    "changes",
    [{}, SWAPPED, SWAPPED | {"window": 4}, {"window": 16}, {"classes": classes("Lamp", "Plug")}],
)
def test_verdicts_are_the_same_with_and_without_a_shadow(
    changes: dict[str, object], model_folder: ModelFolder
) -> None:
    rows = two_hosts()
    alone = feed(pipeline(model_folder()), rows)
    made = shadowed(model_folder, **changes)
    assert feed(made, rows) == alone
    assert {v.device for v in alone} == {"", "Lamp", "Lens"}
    assert seen(made)["scores"] > 0


def test_an_equal_candidate_agrees_on_every_score(model_folder: ModelFolder) -> None:
    made = shadowed(model_folder)
    feed(made, two_hosts())
    found = seen(made)
    assert found["agreeing"] == found["scores"] > 40
    assert found["differ"] == []
    assert set(found["confusion"]) == {"Lamp", "Lens"}
    assert made.shadow is not None
    assert not made.shadow.lines


@pytest.mark.parametrize("window", [8, 4, 16])
def test_a_host_on_which_the_models_differ_for_long_is_reported_once(
    window: int, model_folder: ModelFolder
) -> None:
    made = shadowed(model_folder, **SWAPPED, window=window)
    feed(made, two_hosts())
    found = seen(made)
    assert found["agreeing"] == 0
    assert found["confusion"]["Lamp"] == {"Lens": sum(found["confusion"]["Lamp"].values())}
    assert [(one["host"], one["running"], one["candidate"]) for one in found["differ"]] == [
        ("192.168.1.7", "Lamp", "Lens"),
        ("192.168.1.8", "Lens", "Lamp"),
    ]
    assert made.shadow is not None
    (line,) = [line for line in made.shadow.lines if "192.168.1.7" in line]
    assert f"({MAC.format(7)}) is Lamp; votes-" in line
    assert " says Lens since 1970-01-01T" in line


def test_a_short_difference_is_only_counted(model_folder: ModelFolder) -> None:
    made = shadowed(model_folder, **SWAPPED)
    feed(made, two_hosts(120, step=10.0))
    assert seen(made)["scores"] > 0
    assert seen(made)["differ"] == []


def test_a_class_that_the_candidate_does_not_know_is_a_difference(
    model_folder: ModelFolder,
) -> None:
    made = shadowed(model_folder, classes=classes("Lamp", "Plug"))
    feed(made, two_hosts())
    assert [(one["running"], one["candidate"]) for one in seen(made)["differ"]] == [
        ("Lens", "Plug")
    ]


def test_a_device_that_only_an_analyst_added_is_not_compared(
    model_folder: ModelFolder,
) -> None:
    made = shadowed(model_folder)
    made.annotate([Annotation(0.0, MAC.format(7), "label", "Hall_Light", "bulb")])
    feed(made, two_hosts())
    assert set(seen(made)["confusion"]) == {"Lens"}


def test_a_paused_shadow_counts_the_scores_that_it_skips(
    model_folder: ModelFolder,
) -> None:
    made = shadowed(model_folder)
    assert made.shadow is not None
    made.shadow.paused = True
    feed(made, two_hosts())
    assert (made.shadow.scores, made.shadow.skipped) == (0, made.counters.scored)


def test_a_shadow_that_fails_is_off_and_verdicts_are_not_affected(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = two_hosts()
    alone = feed(pipeline(model_folder()), rows)
    made = shadowed(model_folder)
    assert made.shadow is not None
    monkeypatch.setattr(made.shadow, "_compare", lambda *_: 1 / 0)
    assert feed(made, rows) == alone
    assert [line for line in made.shadow.lines if "the shadow failed and is off" in line]


def test_a_slot_that_gets_another_host_starts_again(model_folder: ModelFolder) -> None:
    made = shadowed(model_folder, **SWAPPED, window=4)
    feed(made, two_hosts())
    assert made.shadow is not None
    assert len(made.shadow.differing) == 2
    made._forget(np.array([0]))
    assert made.shadow.differing.tolist() == [1]


def test_another_running_model_restarts_the_comparison(model_folder: ModelFolder) -> None:
    made = shadowed(model_folder, **SWAPPED)
    feed(made, two_hosts())
    made.use(Scorer(model_folder(name="newer")))
    assert made.shadow is not None
    assert (made.shadow.scores, len(made.shadow.differing)) == (0, 0)


def test_a_candidate_with_another_pool_scheme_is_refused(model_folder: ModelFolder) -> None:
    with pytest.raises(ModelError, match="names pools by cc"):
        shadow.fits(Scorer(model_folder(pool_scheme="cc")), "asn")
