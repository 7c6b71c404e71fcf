"""A day is judged by a model that has seen nothing of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from nba_broker.records.errors import ArchiveError
from nba_broker.records.ports import port_code
from nba_broker.records.times import DAY
from tests.training.quick import QUICK, quiet
from tests.unit.helpers import pools
from training.data.dataset import Origin
from training.data.labelled_sessions import LabelledSessions
from training.data.labels import Label
from training.evaluation import origins
from training.evaluation import rolling as module
from training.evaluation.followed import Followed
from training.model.fit import fit

BEGIN = 1_600_000_000.0
ORIGIN = Origin(None, None, 1, "0" * 64, 0, 0, ())


def followed(since: float) -> Followed:
    """A lamp and a lens that call clouds of their own every ten minutes or so for four days."""
    draw = np.random.default_rng(0)
    steps = draw.normal(600, 100, int(4 * DAY / 600))
    ts = np.repeat(BEGIN + np.cumsum(steps), 2)
    series = np.arange(len(ts)) % 2
    made = pools()
    host = np.where(series == 0, "192.168.1.7", "192.168.1.8").astype(object)
    own = np.where(series == 0, "1.0.0.7", "2.0.0.7")
    dst = np.where(draw.random(len(ts)) < 0.7, own, "192.168.1.1").astype(object)
    sessions = LabelledSessions(
        ts=ts,
        series=series,
        pool=made.ids(host.tolist(), dst.tolist()),
        dport=np.full(len(ts), port_code(443, "tcp"), np.int32),
        labels=(Label("192.168.1.7", "Lamp", "bulb"), Label("192.168.1.8", "Lens", "camera")),
        table=made.table,
    )
    until = np.full(2, ts[-1])
    return Followed(sessions, host, dst, made, np.full(2, since), until, np.full(2, BEGIN))


def test_each_model_has_seen_only_what_lies_before_what_it_judges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[float] = []

    def quick(sessions: LabelledSessions, **options: Any) -> Any:
        seen.append(float(sessions.ts.max()))
        return fit(sessions, QUICK, say=quiet)

    monkeypatch.setattr(origins.fitting, "fit", quick)
    since = BEGIN + 2 * DAY
    result = module.rolling(followed(since), ORIGIN, [16.0], every=DAY, say=quiet)
    assert len(seen) == 2
    assert all(last < since + number * DAY for number, last in enumerate(seen))
    (row,) = result["thresholds"].values()
    assert row["device_weeks"] == pytest.approx(4 / 7, abs=0.01)
    assert row["notices"] == []


def test_there_must_be_something_to_learn_from() -> None:
    with pytest.raises(ArchiveError, match="begin later"):
        module.rolling(followed(BEGIN), ORIGIN, [16.0], say=quiet)
