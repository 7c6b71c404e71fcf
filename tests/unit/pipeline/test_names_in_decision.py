"""The name of a destination counts in the decision, as it was known when each session started."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nba_broker.records.names import Names, order, take
from nba_broker.records.sessions import take as take_sessions
from nba_broker.wire.reorder import Reorder
from tests.unit.conftest import BACKGROUND
from tests.unit.helpers import LAMP_CLOUD, LENS_CLOUD, host, names, pipeline, sessions
from tests.unit.pipeline.test_live_offline import SECONDS, START, traffic

ModelFolder = Callable[..., Path]

OWN, STRANGE = "cloud.lamp.example", "cloud.stranger.example"
NAMED: dict[str, Any] = BACKGROUND | {
    "names": {
        "names": [OWN, "*.lamp.example"],
        "services": [0, 0],
        "within": [1, 1],
        "shares": [0.25, 0.25],
        "classes": [
            {"shares": [0, 1.0, 1, 1.0], "named": [0, 1000]},
            {"shares": [], "named": []},
        ],
        "other_name": 0.5,
        "other_domain": 0.5,
    }
}


@pytest.mark.parametrize(
    ("name", "state"), [(OWN, "identified"), (STRANGE, "unknown"), ("", "identified")]
)
def test_a_host_in_the_cloud_of_a_class_has_its_name_unless_it_asks_for_another(
    model_folder: ModelFolder, name: str, state: str
) -> None:
    made = pipeline(model_folder(background=NAMED))
    table = sessions(host(1, times=[START + n for n in range(30)], dst=LAMP_CLOUD))
    asked = names([(START + 0.5, "192.168.1.1", name, LAMP_CLOUD)]) if name else names([])
    verdicts = made.process(table, asked) + made.finish()
    assert verdicts[-1].state == state


def answers(table: Any, rng: random.Random) -> Names:
    """To some of these hosts, each with one of two names."""
    rows = sorted(rng.sample(range(len(table)), len(table) // 4))
    asked = names(
        [
            (
                float(table.ts[row]) + 0.001,
                table.host[row],
                rng.choice([OWN, STRANGE]),
                rng.choice([LAMP_CLOUD, LENS_CLOUD]),
            )
            for row in rows
        ]
    )
    asked = replace(asked, segment=[table.segment[row] for row in rows])
    return take(asked, order(asked))


@pytest.mark.parametrize("seed", range(5))
def test_with_names_live_verdicts_are_those_of_an_archive_however_it_is_cut(
    model_folder: ModelFolder, seed: int
) -> None:
    rng = random.Random(seed)
    table = traffic(rng)
    asked = answers(table, rng)
    folder = model_folder(background=NAMED)
    whole, parts, nearby = pipeline(folder), pipeline(folder), pipeline(folder, reorder=Reorder())
    expected = whole.process(table, asked) + whole.finish()
    found, cut = [], 0
    for start in range(0, len(table), 7):
        some = take_sessions(table, np.arange(start, min(start + 7, len(table))))
        until = int(np.searchsorted(asked.ts, some.ts[-1], side="right"))
        found += parts.process(some, take(asked, np.arange(cut, until)))
        cut = until
    assert found + parts.finish() == expected
    live = []
    for since in np.arange(START, START + SECONDS + 20, 0.25).tolist():
        until = since + 0.25
        there = np.flatnonzero((table.ts >= since) & (table.ts < until))
        heard = np.flatnonzero((asked.ts >= since) & (asked.ts < until))
        batch = take_sessions(table, there)
        live += nearby.push("n", until, batch, until - START, take(asked, heard))
    assert live + nearby.finish() == expected
